"""The configuration form without its window: what is typed, what is wrong with it, and the way back."""

import random
from functools import partial
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, model_validator

from gui.models.form import FormModel
from tests.gui.work import calls_in
from tfticket.config import DataConfig
from tfticket.config.names import Suggested, known
from tfticket.config.schema import Config, field_names
from tfticket.errors import InputError
from tfticket.presets import experiment_of, load_experiment, presets

Imp = experiment_of("imp").config_class

OTHERS = DataConfig(name="fashion-mnist", classes=(1, 2)).model_dump(mode="json")

TYPED = {
    "name": ("my-run", "my-run"),
    "data.name": ("fashion-mnist", "fashion-mnist"),
    "data.path": ("/data/own.npz", "/data/own.npz"),
    "data.classes": ("3, cat", [3, "cat"]),
    "data.validation_rows": ("500", 500),
    "data.train_rows": (" 700 ", 700),
    "data.split_seed": ("4", 4),
    "data.stratify": (True, True),
    "data.normalise": ("standard", "standard"),
    "model.name": ("conv-2", "conv-2"),
    "model.initialiser": ("he_normal", "he_normal"),
    "model.variational": ("{prior: 2}", {"prior": 2.0, "deviation": 0.01, "means": "fan-in"}),
    "train.epochs": ("8", "8ep"),
    "train.batch_size": ("64", 64),
    "train.optimiser.name": ("sgd", "sgd"),
    "train.optimiser.learning_rate": ("1e-3", 0.001),
    "train.optimiser.beta_1": (".8", 0.8),
    "train.optimiser.beta_2": ("0.99", 0.99),
    "train.optimiser.epsilon": ("1e-8", 1e-8),
    "train.weight_decay": ("5e-4", 5e-4),
    "train.decoupled": (True, True),
    "train.augment.flip": (True, True),
    "train.augment.crop": ("4", 4),
    "train.milestones": ("1ep, 500it", ["1ep", "500it"]),
    "train.gamma": ("0.5", 0.5),
    "train.schedule": ("cosine", "cosine"),
    "train.warmup": ("100it", "100it"),
    "train.precision": ("bfloat16", "bfloat16"),
    "train.objective.estimator": ("independent", "independent"),
    "train.objective.draws": ("2", 2),
    "train.objective.loss": ("predictive", "predictive"),
    "train.objective.scaled": (True, True),
    "train.objective.temperature": ("0.1", 0.1),
    "train.objective.kl_weights": ("dense_1: 0.1, dense_2: 2", {"dense_1": 0.1, "dense_2": 2.0}),
    "train.objective.kl_warmup": ("100it", "100it"),
    "train.objective.evaluation_draws": ("20", 20),
    "train.evaluate_every": ("2ep", "2ep"),
    "train.evaluate_test": (True, True),
    "prune.levels": ("12", 12),
    "prune.sparsity": ("0.9", 0.9),
    "prune.rate": ("0.2", 0.2),
    "prune.score": ("random", "random"),
    "prune.scope": ("layerwise", "layerwise"),
    "prune.exempt": ("dense_3", ["dense_3"]),
    "prune.rates": ("dense_3: 0.1, dense_1: 0.2", {"dense_3": 0.1, "dense_1": 0.2}),
    "prune.rewind": ("500it", "500it"),
    "prune.allow_empty": (True, True),
    "keep": ("1ep, 500it", ["1ep", "500it"]),
    "seeds": ("[0, 1]", [0, 1]),
    "control_densities": ("0.5, 1e-1", [0.5, 0.1]),
    "control_levels": ("0, 3", [0, 3]),
    "controls": (
        "keep-signs\n{name: random-mask, densities: 0.2}",
        ["keep-signs", {"name": "random-mask", "densities": 0.2}],
    ),
    "monte_carlo": (
        "{connectivity: false}\n{images: 500}",
        [
            {"connectivity": False, "as_printed": False, "images": None},
            {"connectivity": True, "as_printed": False, "images": 500},
        ],
    ),
    "replicates": ("3", 3),
    "evaluation_passes": ("2", 2),
    "out_of_distribution": ("{name: fashion-mnist, classes: [1, 2]}", OTHERS),
    "execution.threads": ("2", 2),
    "execution.processes": ("2", 2),
    "execution.checkpoint_seconds": ("60", 60.0),
    "execution.segment_seconds": ("0.5", 0.5),
}
"""Field -> what is typed, and the value that it means."""

ALONE = {
    "prune.rate": {"prune.sparsity": ""},
    "model.start": {"model.name": "package.module:function"},
}
"""What else has to be said with a field."""


def quickstart() -> dict[str, Any]:
    return load_experiment("quickstart").model_dump(mode="json")


@pytest.fixture
def model():
    return FormModel(Imp, quickstart(), quickstart())


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_shown_as_it_is(name):
    config = load_experiment(name)
    values = config.model_dump(mode="json")
    model = FormModel(type(config), values, values)
    assert model.is_valid
    assert model.config() == config
    assert model.differing == []
    assert type(config).model_validate(yaml.safe_load(model.yaml())) == config
    for field in model.fields:  # a text is read as the value that it was written from
        value = model.get(field.path)
        model.set(field.path, model.text(field.path))
        assert model.get(field.path) == value


def test_every_field_is_typed_in_this_test(model):
    shown = {field.path for field in model.fields if not field.read_only}
    assert shown | {"experiment"} <= set(field_names(Imp))
    assert shown == {*TYPED, "model.start"}


@pytest.mark.parametrize("path", TYPED)
def test_a_typed_field_goes_through_yaml_into_the_configuration(model, path):
    text, value = TYPED[path]
    for other, said in ALONE.get(path, {}).items():
        model.set(other, said)
    model.set(path, text)
    assert model.errors == {}
    assert model.get(path) == value
    if isinstance(text, str):
        assert model.text(path) == text, "what is typed stays as it is typed"
    again = FormModel(Imp, {"experiment": "imp", "name": "x"}, quickstart())
    again.set_yaml(model.yaml())
    assert again.config() == model.config()
    at = model.config().model_dump(mode="json")
    for part in path.split("."):
        at = at[part]
    assert at == value
    assert model.differs(path)
    model.reset(path)
    assert not model.differs(path)


def test_one_meaning_is_no_difference(model):
    model.set("train.epochs", "6")
    assert (model.text("train.epochs"), model.get("train.epochs")) == ("6", "6ep")
    assert model.differing == []


def test_start_current_is_for_own_networks(model):
    model.set("model.start", "current")
    assert "own networks" in model.error("model")
    model.set("model.name", "package.module:function")
    assert model.is_valid


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("train.batch_size", "12.5", "whole number"),
        ("train.batch_size", "", "needed"),
        ("train.batch_size", "0", "at least 1"),
        ("train.optimiser.learning_rate", "fast", "expected a number"),
        ("train.optimiser.learning_rate", "0", "more than 0"),
        ("train.optimiser.beta_1", "1", "less than 1"),
        ("train.optimiser.epsilon", ".inf", "finite"),
        ("train.optimiser.epsilon", "inf", "expected a number"),
        ("train.optimiser.learning_rate", "on", "expected a number"),
        ("train.batch_size", "yes", "whole number"),
        ("train.batch_size", "1_000", "whole number"),
        ("train.batch_size", "017", "whole number"),
        ("train.batch_size", "64.0", "whole number"),
        ("train.batch_size", "1" + "0" * 61, "at most"),
        ("train.batch_size", "9" * 5000, "whole number"),
        ("train.epochs", "2147483648", "must be at most"),
        ("train.decoupled", "1", "true or false"),
        ("seeds", "yes, no", "number 1: expected a whole number"),
        ("prune.rates", "dense_3: yes", "dense_3: expected a number"),
        ("prune.rates", "dense_3: 0.1, dense_3: 0.2", "names and values"),
        ("prune.exempt", "dense_3, 5", "number 2: expected a text"),
        ("train.epochs", "6 ep", "not a duration"),
        ("train.milestones", "1ep, x", "number 2: 'x' is not a duration"),
        ("data.classes", "yes, no", "in quotes"),
        ("prune.score", "magnitud", "Did you mean 'magnitude'?"),
        ("prune.rates", "dense_3: 2", "dense_3: must be less than 1"),
        ("prune.rates", "dense_3: 0.1, dense", "dense: needed"),
        ("seeds", "0, [", "a list such as"),
        ("seeds", "", "needs at least 1"),
        ("seeds", "0, -1", "number 2: must be at least 0"),
        ("controls", "reinitialise\nshuffle", "number 2"),
        ("controls", "random-mask", "needs densities"),
        ("controls", "reinitialise\n{name: [", "line 2"),
        ("name", "", "needed"),
        ("name", "my run", "not allowed"),
    ],
)
def test_an_error_stands_at_its_field_in_words(model, path, text, said):
    model.set(path, text)
    assert list(model.errors) == [path]
    assert said in model.error(path)
    assert model.text(path) == text
    with pytest.raises(InputError, match=path):
        model.config()
    model.undo()
    assert model.is_valid


WRONG = [
    "yes",
    "off",
    "~",
    "'5'",
    "1.5",
    "-1",
    "017",
    "1_000",
    ".nan",
    "1e400",
    "{a: 1}",
    "on, 1",
    "[" * 50_000,
    "9" * 5000,
]
FOREIGN = ("Input should", "valid ", "instance of", "Tuple", "pydantic", "type=", "Unable to", "not a value that")


@pytest.mark.parametrize("path", sorted(set(TYPED) - {"train.optimiser.name"}))  # which is chosen, not typed
def test_no_word_of_pydantics_is_shown(model, path):
    wrong = 0
    for text in WRONG:
        model.set(path, text)
        wrong += not model.is_valid
        for said in model.errors.values():
            assert not [word for word in FOREIGN if word in said], said
        assert model.text(path) == text or not isinstance(model.text(path), str)
    assert wrong or path in ("data.name", "data.path")


def test_what_does_not_go_together_is_said_at_the_group_and_hides_no_field(model):
    model.set("prune.rate", "0.2")
    assert list(model.errors) == ["prune"]
    model.set("prune.levels", "none")
    assert list(model.errors) == ["prune", "prune.levels"]
    model.reset("prune")
    model.set("seeds", "0, 0")
    assert "repeat" in model.error("")


def test_another_optimiser_keeps_nothing_of_the_old_one(model):
    model.set("train.optimiser.learning_rate", "0.5")
    model.set("train.optimiser.name", "sgd")
    assert model.values["train"]["optimiser"] == {
        "name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": False,
    }  # fmt: skip
    assert model.config() == load_experiment("quickstart", ["train.optimiser.name=sgd"])
    assert model.differing == ["train.optimiser.name"]
    model.set("train.optimiser.momentum", "0")
    assert model.differs("train.optimiser.momentum")
    model.set("train.optimiser.name", "adam")
    assert model.differing == [], "back to the preset's kind is back to the preset's values"
    model.undo()
    assert model.get("train.optimiser.momentum") == 0
    model.reset("train.optimiser.name")
    assert model.get("train.optimiser.learning_rate") == 0.0012


def test_typing_in_one_field_is_one_step_until_it_is_left(model):
    for text in ("6", "64", "640"):
        model.set("train.batch_size", text)
    model.end_edit()
    model.set("train.batch_size", "64")
    model.set("train.gamma", "0.5")
    model.undo()
    assert model.text("train.gamma") == "0.1"
    model.undo()
    assert model.text("train.batch_size") == "640"
    assert model.undo() == "train.batch_size"
    assert model.text("train.batch_size") == "128"
    assert not model.can_undo
    model.redo()
    assert model.text("train.batch_size") == "640"
    model.set("replicates", "2")
    assert not model.can_redo


def test_switches_and_choices_are_a_step_each(model):
    for value in ("layerwise", "global", "layerwise"):
        model.set("prune.scope", value)
    model.undo()
    assert model.get("prune.scope") == "global"


def test_random_edits_are_all_taken_back(model):
    chance = random.Random(0)
    states = [model.yaml()]
    for _ in range(200):
        path = chance.choice([field.path for field in model.fields if not field.read_only and field.path in TYPED])
        model.end_edit()
        {
            0: lambda path=path: model.set(path, TYPED[path][0]),
            1: lambda path=path: model.reset(path),
            2: lambda path=path: model.set(path, "{"),
        }[chance.randrange(3) if path not in ("train.optimiser.name",) else chance.randrange(2)]()
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


def test_everything_is_reset_at_once(model):
    model.set("train.optimiser.name", "sgd")
    model.set("seeds", "9")
    model.set("name", "other")
    model.reset("")
    assert model.differing == []
    model.undo()
    assert set(model.differing) == {"train.optimiser.name", "seeds", "name"}


def test_without_a_preset_it_is_compared_with_the_defaults():
    model = FormModel(Imp, {"experiment": "imp"})
    assert model.errors == {"name": "needed, but missing"}
    assert model.differing == []
    model.set("name", "a")
    model.set("prune.levels", "3")
    assert model.differing == ["prune.levels"]
    assert model.preset_text("prune.levels") == "10"
    model.reset("")
    assert (model.get("prune.levels"), model.get("name")) == (10, "a")


def test_yaml_that_is_not_understood_is_an_error_and_changes_nothing(model):
    before = model.yaml()
    for text, said in [
        ("a: [1", "Line 1"),
        ("[" * 50_000, "Line 1: lists and tables more than 40 deep"),
        ("name: x\nname: y", "Line 2: the key 'name' stands twice"),
        ("name: !!str x", "Line 1: the tag !!str"),
        ("name: x\n---\nname: y", "Line 2: a second document"),
        ("nam: x", "Did you mean 'name'?"),
        ("- 1", "Expected keys and values"),
        ("experiment: other\nname: x", "for the experiment 'imp'"),
        ("data: 3", "data: expected keys and values"),
        ("experiment: imp\ntrain: {optimiser: {name: sgdd}}", "Did you mean 'sgd'?"),
    ]:
        model.set_yaml(text)
        assert said in model.error("")
        assert not model.is_valid
        assert model.yaml() == before
    model.discard_yaml()
    assert model.is_valid
    assert not model.can_undo


def test_yaml_brings_wrong_values_to_their_fields_and_is_one_step(model):
    text = model.yaml()
    model.set_yaml(text.replace("batch_size: 128", "batch_size: -1"))
    model.set_yaml(text.replace("batch_size: 128", "batch_size: -12"))
    assert model.errors == {"train.batch_size": "must be at least 1"}
    assert model.undo() == "train.batch_size"
    assert model.is_valid
    assert not model.can_undo


def test_help_has_choices_bounds_and_what_null_means(model):
    assert [choice.value for choice in model.field("prune.score").choices] == [
        "magnitude",
        "mu",
        "snr",
        "square",
        "random",
    ]
    assert model.field("prune.score").choices[0].about == "absolute value of the trained weight"
    assert model.field("train.optimiser.beta_1").bounds == "at least 0, less than 1"
    assert (
        model.field("data.validation_rows").null_meaning
        == "the data's own validation rows, else 5,000, or a tenth of under 50,000"
    )
    assert "reinitialise" in [choice.value for choice in model.field("controls").choices]
    assert all(field.description for field in model.fields)
    assert model.fields[-1].group == "execution"


def test_the_experiment_is_only_shown(model):
    model.set("experiment", "other")
    assert model.get("experiment") == "imp"


def test_listeners_hear_every_change(model):
    heard = []
    model.changed.connect(lambda: heard.append(model.get("replicates")))
    model.set("replicates", "2")
    model.undo()
    model.set("replicates", "1")
    assert heard[:2] == [2, 1]


class _Nuts(Config):
    """Without U-turns."""

    method: Literal["nuts"] = "nuts"
    depth: int = Field(8, ge=1, description="Deepest tree")


class _Sgld(Config):
    """With noise."""

    method: Literal["sgld"] = "sgld"
    step: float = Field(1e-4, gt=0, description="Step size")


class _Other(Config):
    """Another experiment's."""

    sampler: Annotated[_Nuts | _Sgld, Field(discriminator="method")] = Field(_Nuts(), description="Which sampler")
    prior: Annotated[str, Suggested({"normal": 1, "laplace": 2})] = Field("normal", description="Prior of the weights")
    start: Literal["map", "prior"] | None = Field(None, description="Start of the chain; null: the ticket's")
    scale: float | dict[str, float] = Field(1.0, description="Of the prior, one or one a layer")
    score: Annotated[str, known("score", {"snr": 1})] | None = Field(None, description="What ranks; null: nothing")

    @model_validator(mode="after")
    def _check(self):
        if self.start == "map" and self.prior == "laplace":
            raise ValueError("no start is known for it")
        return self


def test_a_configuration_of_any_other_experiment():
    model = FormModel(_Other, {})
    kinds = {field.path: field.kind for field in model.fields}
    assert kinds == {
        "sampler.method": "choice", "sampler.depth": "integer", "prior": "choice", "start": "choice",
        "scale": "yaml", "score": "choice",
    }  # fmt: skip
    assert model.field("prior").allows_other
    assert [choice.value for choice in model.field("start").choices] == [None, "map", "prior"]
    model.set("sampler.method", "sgld")
    model.set("sampler.step", "1e-5")
    model.set("prior", "student")
    model.set("scale", "{dense_1: 0.5}")
    model.set("start", "map")
    model.set("start", None)
    assert model.config() == _Other(sampler=_Sgld(step=1e-5), prior="student", scale={"dense_1": 0.5})
    model.set("scale", "wide")
    assert "expected a number" in model.error("scale")


def test_a_keystroke_takes_little_work(model):
    def type_in(number: int) -> None:
        model.set("train.optimiser.learning_rate", f"0.{number + 1}")

    assert max(calls_in(partial(type_in, number)) for number in range(20)) < 10_000


def test_data_with_a_path_are_named_after_it_as_in_a_file(tmp_path):
    form = FormModel(experiment_of("imp").config_class, load_experiment("quickstart").model_dump(mode="json"))
    form.set("data.path", str(tmp_path / "digits.npz"))
    assert form.config().data.name == "digits"
    form.undo()
    assert form.config().data.name == "mnist"
