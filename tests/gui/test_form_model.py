"""The configuration form without its window: what is typed, what is wrong with it, and the way back."""

import random
from typing import Any

import pytest

from gui.models.form import FormModel
from gui.models.form_schema import closeness
from tests.refusals import refused
from tfticket.config import DataConfig
from tfticket.config.schema import field_names
from tfticket.presets import experiment_of, load_experiment, presets

Imp = experiment_of("imp").config_class
OTHERS = DataConfig(name="fashion-mnist", classes=(1, 2)).model_dump(mode="json")
TYPED = {
    "name": ("my-run", "my-run"), "data.name": ("fashion-mnist", "fashion-mnist"),
    "data.path": ("/data/own.npz", "/data/own.npz"), "data.classes": ("3, cat", [3, "cat"]),
    "data.validation_rows": ("500", 500), "data.train_rows": (" 700 ", 700), "data.split_seed": ("4", 4),
    "data.stratify": (True, True), "data.normalise": ("standard", "standard"),
    "model.name": ("conv-2", "conv-2"), "model.initialiser": ("he_normal", "he_normal"),
    "model.variational": ("{prior: 2}", {"prior": 2.0, "deviation": 0.01, "means": "fan-in"}),
    "train.epochs": ("8", "8ep"), "train.batch_size": ("64", 64), "train.optimiser.name": ("sgd", "sgd"),
    "train.optimiser.learning_rate": ("1e-3", 0.001), "train.optimiser.beta_1": (".8", 0.8),
    "train.optimiser.beta_2": ("0.99", 0.99), "train.optimiser.epsilon": ("1e-8", 1e-8),
    "train.weight_decay": ("5e-4", 5e-4), "train.decoupled": (True, True), "train.augment.flip": (True, True),
    "train.augment.crop": ("4", 4), "train.milestones": ("1ep, 500it", ["1ep", "500it"]), "train.gamma": ("0.5", 0.5),
    "train.schedule": ("cosine", "cosine"), "train.warmup": ("100it", "100it"),
    "train.precision": ("bfloat16", "bfloat16"), "train.engine": ("keras", "keras"),
    "train.objective.estimator": ("independent", "independent"),
    "train.objective.draws": ("2", 2), "train.objective.loss": ("predictive", "predictive"),
    "train.objective.scaled": (True, True), "train.objective.temperature": ("0.1", 0.1),
    "train.objective.kl_weights": ("dense_1: 0.1, dense_2: 2", {"dense_1": 0.1, "dense_2": 2.0}),
    "train.objective.kl_warmup": ("100it", "100it"), "train.objective.evaluation_draws": ("20", 20),
    "train.evaluate_every": ("2ep", "2ep"), "train.evaluate_test": (True, True),
    "prune.levels": ("12", 12), "prune.sparsity": ("0.9", 0.9), "prune.rate": ("0.2", 0.2),
    "prune.score": ("random", "random"), "prune.scope": ("layerwise", "layerwise"),
    "prune.exempt": ("dense_3", ["dense_3"]),
    "prune.rates": ("dense_3: 0.1, dense_1: 0.2", {"dense_3": 0.1, "dense_1": 0.2}),
    "prune.rewind": ("500it", "500it"), "prune.allow_empty": (True, True), "keep": ("1ep, 500it", ["1ep", "500it"]),
    "seeds": ("[0, 1]", [0, 1]), "control_densities": ("0.5, 1e-1", [0.5, 0.1]), "control_levels": ("0, 3", [0, 3]),
    "controls": ("keep-signs\n{name: random-mask, densities: 0.2}",
                 ["keep-signs", {"name": "random-mask", "densities": 0.2}]),
    "monte_carlo": ("{connectivity: false}\n{images: 500}",
                    [{"connectivity": False, "as_printed": False, "images": None},
                     {"connectivity": True, "as_printed": False, "images": 500}]),
    "replicates": ("3", 3), "evaluation_passes": ("2", 2),
    "out_of_distribution": ("{name: fashion-mnist, classes: [1, 2]}", OTHERS),
    "execution.threads": ("2", 2), "execution.processes": ("2", 2), "execution.checkpoint_seconds": ("60", 60.0),
    "execution.segment_seconds": ("0.5", 0.5),
}  # fmt: skip
"""Field -> what is typed, and the value that it means."""


def quickstart() -> dict[str, Any]:
    return load_experiment("quickstart").model_dump(mode="json")


@pytest.fixture
def model():
    return FormModel(Imp, quickstart(), quickstart())


def test_every_preset_is_shown_as_it_is():
    retyped = set()
    for name in presets():
        config = load_experiment(name)
        values = config.model_dump(mode="json")
        model = FormModel(type(config), values, values)
        assert (model.errors, model.differing, model.config()) == ({}, [], config), name
        for field in model.fields:  # a text is read as the value that it was written from
            value = model.get(field.path)
            if (field.path, repr(value)) in retyped:
                continue
            retyped.add((field.path, repr(value)))
            model.set(field.path, model.text(field.path))
            assert model.get(field.path) == value, (name, field.path)


def test_a_typed_field_goes_through_yaml_into_the_configuration(model):
    shown = {field.path for field in model.fields if not field.read_only}
    assert shown == {*TYPED, "model.start"}
    assert shown | {"experiment"} <= set(field_names(Imp))
    for path, (text, value) in TYPED.items():
        model = FormModel(Imp, quickstart(), quickstart())
        if path == "prune.rate":
            model.set("prune.sparsity", "")
        model.set(path, text)
        assert (model.errors, model.get(path)) == ({}, value), path
        if isinstance(text, str):
            assert model.text(path) == text, "what is typed stays as it is typed"
        again = FormModel(Imp, {"experiment": "imp", "name": "x"}, quickstart())
        again.set_yaml(model.yaml())
        assert again.config() == model.config(), path
        at = model.config().model_dump(mode="json")
        for part in path.split("."):
            at = at[part]
        assert at == value, path
        assert model.differs(path), path
        model.reset(path)
        assert not model.differs(path), path


def test_one_meaning_is_no_difference_and_fields_that_follow_from_others(model):
    model.set("train.epochs", "6")
    assert (model.text("train.epochs"), model.get("train.epochs"), model.differing) == ("6", "6ep", [])
    model.set("model.start", "current")
    assert "own network" in model.error("model")
    model.set("model.name", "package.module:function")
    assert model.is_valid
    model.set("data.path", "/data/digits.npz")
    assert model.config().data.name == "digits"
    model.undo()
    assert model.config().data.name == "mnist"
    model.set("experiment", "other")
    assert model.get("experiment") == "imp"


ERRORS = {
    "train.batch_size": {"12.5": "an integer", "": "needed", "0": "at least 1", "017": "an integer",
                         "1" + "0" * 61: "at most", "9" * 5000: "an integer"},
    "train.optimiser.learning_rate": {"fast": "a number", "0": "more than 0"},
    "train.optimiser.beta_1": {"1": "less than 1"},
    "train.optimiser.epsilon": {".inf": "finite", "inf": "a number"},
    "train.epochs": {"2147483648": "at most", "6 ep": "duration"},
    "train.decoupled": {"1": "true or false"},
    "train.milestones": {"1ep, x": "number 2: 'x'"},
    "seeds": {"yes, no": "number 1", "0, [": "a list", "": "at least 1", "0, -1": "number 2"},
    "prune.rates": {"dense_3: yes": "dense_3", "dense_3: 0.1, dense_3: 0.2": "names and values",
                    "dense_3: 2": "less than 1", "dense_3: 0.1, dense": "dense: needed"},
    "prune.exempt": {"dense_3, 5": "number 2"},
    "data.classes": {"yes, no": "in quotes"},
    "prune.score": {"magnitud": "'magnitude'"},
    "controls": {"reinitialise\nshuffle": "number 2", "random-mask": "densities", "reinitialise\n{name: [": "line 2"},
    "name": {"": "needed", "my run": "not allowed"},
}  # fmt: skip


def test_an_error_stands_at_its_field(model):
    for path, texts in ERRORS.items():
        for text, fact in texts.items():
            model.set(path, text)
            assert list(model.errors) == [path], (path, text)
            assert fact in model.error(path), (path, text)
            assert model.text(path) == text
            with refused(path, None, path):
                model.config()
            model.undo()
            assert model.is_valid, (path, text)


def test_what_does_not_go_together_is_an_error_of_the_group_and_hides_no_field(model):
    model.set("prune.rate", "0.2")
    assert list(model.errors) == ["prune"]
    model.set("prune.levels", "none")
    assert list(model.errors) == ["prune", "prune.levels"]
    model.reset("prune")
    model.set("seeds", "0, 0")
    assert list(model.errors) == [""]
    with refused("", None, "repeat"):
        model.config()


def test_another_optimiser_keeps_nothing_of_the_old_one(model):
    model.set("train.optimiser.learning_rate", "0.5")
    model.set("train.optimiser.name", "sgd")
    sgd = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": False}
    assert model.values["train"]["optimiser"] == sgd
    assert model.config() == load_experiment("quickstart", ["train.optimiser.name=sgd"])
    model.set("train.optimiser.momentum", "0")
    model.set("train.optimiser.name", "adam")
    assert model.differing == [], "back to the preset's kind is back to the preset's values"
    model.undo()
    assert model.get("train.optimiser.momentum") == 0
    model.reset("train.optimiser.name")
    assert model.get("train.optimiser.learning_rate") == 0.0012


def test_typing_in_one_field_is_one_step_until_it_is_left_and_a_choice_is_a_step(model):
    for text in ("6", "64", "640"):
        model.set("train.batch_size", text)
    model.end_edit()
    model.set("train.batch_size", "64")
    model.set("train.gamma", "0.5")
    for path, text in (("train.gamma", "0.1"), ("train.batch_size", "640"), ("train.batch_size", "128")):
        model.undo()
        assert model.text(path) == text
    assert not model.can_undo
    model.redo()
    for value in ("layerwise", "global", "layerwise"):
        model.set("prune.scope", value)
    assert not model.can_redo
    model.undo()
    assert model.get("prune.scope") == "global"


def test_random_edits_are_all_taken_back(model):
    chance = random.Random(0)
    states = [model.yaml()]
    for _ in range(150):
        path = chance.choice([field.path for field in model.fields if not field.read_only and field.path in TYPED])
        model.end_edit()
        edit = chance.randrange(3 if path != "train.optimiser.name" else 2)
        model.reset(path) if edit == 1 else model.set(path, TYPED[path][0] if edit == 0 else "{")
        states.append(model.yaml())
    forward = []
    while model.can_undo:
        forward.append(model.yaml())
        model.undo()
    assert model.yaml() == states[0]
    assert model.is_valid
    for state in reversed(forward):
        model.redo()
        assert model.yaml() == state
    assert model.yaml() == states[-1]


def test_everything_is_reset_at_once_to_the_preset_or_to_the_defaults(model):
    changes = {"train.optimiser.name": "sgd", "seeds": "9", "name": "other"}
    for path, text in changes.items():
        model.set(path, text)
    model.reset("")
    assert model.differing == []
    model.undo()
    assert set(model.differing) == set(changes)
    model = FormModel(Imp, {"experiment": "imp"})
    assert (list(model.errors), model.differing) == (["name"], [])
    model.set("name", "a")
    model.set("prune.levels", "3")
    assert (model.differing, model.preset_text("prune.levels")) == (["prune.levels"], "10")
    model.reset("")
    assert (model.get("prune.levels"), model.get("name")) == (10, "a")


def test_yaml_that_is_not_understood_is_an_error_and_changes_nothing(model):
    before = model.yaml()
    for text, fact in {
        "[" * 50_000: "Line 1", "name: x\nname: y": "Line 2", "nam: x": "'name'", "- 1": "keys and values",
        "experiment: other\nname: x": "'imp'", "experiment: imp\ntrain: {optimiser: {name: sgdd}}": "'sgd'",
    }.items():  # fmt: skip
        model.set_yaml(text)
        assert fact in model.error(""), text
        assert model.yaml() == before
    assert not model.can_undo
    for number in ("-1", "-12"):  # wrong values come to their fields, and are one step
        model.set_yaml(before.replace("batch_size: 128", f"batch_size: {number}"))
    assert list(model.errors) == ["train.batch_size"]
    assert model.undo() == "train.batch_size"
    assert model.is_valid
    assert not model.can_undo


def test_how_well_a_field_fits_what_is_typed(model):
    texts = ("learning_rate", "learn", "rate", "optimiser rate", "decay moment", "0.0012", "no such thing")
    paths = {**dict.fromkeys(texts, "train.optimiser.learning_rate"), "decay moment": "train.optimiser.beta_1"}
    assert [closeness(model.field(paths[text]), model.text(paths[text]), text) for text in texts] == [*range(6), None]
