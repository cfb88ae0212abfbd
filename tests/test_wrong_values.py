"""Every field of every experiment refuses what it does not take, in words that are not pydantic's."""

import math

import numpy as np
import pytest
from pydantic_core._pydantic_core import list_all_errors

from tfticket._experiments import imp
from tfticket.config import Adam, Control, DataConfig, Population, PriorConfig, PruneConfig, SampleConfig, TrainConfig
from tfticket.config.schema import LARGEST_SEED, check_seed, config_classes, validate
from tfticket.config.wording import problem_words
from tfticket.errors import InputError
from tfticket.presets import experiment_of, load_experiment, merge
from tfticket.registry import EXPERIMENTS

PRESETS = {
    "imp": "quickstart-smoke",
    "bayesian-lth": "bayesian-lth-lenet-300-100-smoke",
    "bayes-always-wins": "bayes-always-wins-lenet-300-100-mnist-smoke",
}
FOREIGN = (
    "Input should", "Input tag", "Extra inputs", "Field required", "Keys should", "Value error", "Tuple", "Dictionary",
    "List should", "valid ", "instance of", "Unable to", "pydantic", "type=", "Object", "not a value that",
)  # fmt: skip
"""Of pydantic's messages; the last is what is said of errors that nobody gave words."""


def paths_of(cls, prefix=""):
    """Every field, those of tables within lists included, as if the list were a table."""
    for name, field in cls.model_fields.items():
        yield prefix + name
        for inner in config_classes(field.annotation):
            yield from paths_of(inner, f"{prefix}{name}.")


FIELDS = [(kind, path) for kind in PRESETS for path in dict.fromkeys(paths_of(experiment_of(kind).config_class))]

WRONG = [
    True, False, None, "x", "5", "", "5ep", 5, -1, 0, 1.5, 1.0, 10**30, 10**999, math.nan, math.inf, b"x", object(),
    "\ud800", [], [None], [True], ["x"], [1], [1.5], [[1]], [{}], {1}, {}, {"a": 1}, {1: 2}, {"a": None}, {"a": True},
    {"name": "zz"}, {"name": 5}, [{"name": "zz"}], 2**63, -(2**63), "a" * 5000,
]  # fmt: skip


def test_every_experiment_is_tried():
    assert {entry for entry in EXPERIMENTS if EXPERIMENTS[entry].target.startswith("tfticket._experiments.")} == {
        *PRESETS
    }


@pytest.mark.parametrize(("kind", "path"), FIELDS)
def test_a_wrong_value_is_refused_in_words(kind, path):
    base = load_experiment(PRESETS[kind]).model_dump(mode="json")
    refusals = 0
    for value in WRONG:
        node = value
        for part in reversed(path.split(".")):
            node = {part: node}
        try:
            validate(experiment_of(kind).config_class, merge(base, node), where="here")
        except InputError as refused:
            refusals += 1
            said = str(refused)
            assert said.startswith("here: ")
            assert not [word for word in FOREIGN if word in said], said
            assert all(len(line) < 1000 for line in said.splitlines()), said
    assert refusals > len(WRONG) / 2


WRITTEN = [
    "yes",
    "off",
    "~",
    "'5'",
    "1.5",
    "-1",
    "017",
    "1:30",
    "1_000",
    "0x10",
    ".nan",
    "-.inf",
    "1e400",
    "[]",
    "[[1]]",
]
WRITTEN += ["{a: 1}", "{1: yes}", "[on]", "2026-11-30", "1" + "0" * 400, "9" * 5000, "'a: b'"]


@pytest.mark.parametrize(("kind", "path"), FIELDS)
def test_an_override_reaches_the_same(kind, path):
    refusals = 0
    for text in WRITTEN:
        try:
            load_experiment(PRESETS[kind], [f"{path}={text}"])
        except InputError as refused:
            refusals += 1
            said = str(refused)
            assert not [word for word in FOREIGN if word in said], said
    assert refusals > len(WRITTEN) / 2


@pytest.mark.parametrize("kind", [one["type"] for one in list_all_errors()])
def test_no_kind_of_error_is_told_in_pydantics_words(kind):
    example = next(one for one in list_all_errors() if one["type"] == kind)
    context = example.get("example_context") or {}
    context |= {"error": "ours"} if "error" in context else {}
    said = problem_words({"type": kind, "loc": ("a",), "input": 1, "msg": "Input should", "ctx": context}, yaml=True)
    assert said
    assert not [word for word in FOREIGN[:-1] if word in said]


# Numbers are strict

NUMBERS = [
    "train.optimiser.learning_rate", "train.weight_decay", "train.gamma", "train.batch_size", "train.augment.crop",
    "train.objective.temperature", "prune.levels", "prune.sparsity", "data.train_rows", "data.split_seed", "replicates",
    "execution.threads", "execution.checkpoint_seconds", "evaluation_passes",
]  # fmt: skip


@pytest.mark.parametrize("path", [*NUMBERS, "train.epochs", "train.warmup", "prune.rewind"])
@pytest.mark.parametrize("text", ["yes", "on", "true", "no", "off", "False"])
def test_a_truth_value_is_no_number(path, text):
    with pytest.raises(InputError, match=rf"quickstart-smoke: {path}: .*\(got (True|False)\)"):
        load_experiment("quickstart-smoke", [f"{path}={text}"])


@pytest.mark.parametrize("path", NUMBERS)
@pytest.mark.parametrize("text", ["'1'", "017", "0o17", "0x10", "1_0", "0:1", "y", "one", "1e", "\u0665"])
def test_a_text_is_no_number(path, text):
    with pytest.raises(InputError, match=rf"quickstart-smoke: {path}: expected a (whole )?number, such as "):
        load_experiment("quickstart-smoke", [f"{path}={text}"])


@pytest.mark.parametrize(
    "option",
    [
        "seeds=[yes, no]", "seeds=['1']", "seeds=[1.0]", "control_densities=[on]", "control_levels=[false]",
        "prune.rates={dense_1: yes}", "train.objective.kl_weights={dense_1: '1'}", "prune.exempt=[5]", "name=5",
        "name=no", "controls=[{name: random-mask, densities: yes}]",
        "controls=[{name: random-mask, densities: {dense_1: on}}]",
        "train.milestones=[yes]", "train.decoupled=1", "train.augment.flip='yes'", "keep=[on]",
        "monte_carlo=[{images: yes}]", "monte_carlo=[{connectivity: 1}]",
    ],
)  # fmt: skip
def test_no_type_stands_for_another_within_lists_and_tables(option):
    with pytest.raises(InputError, match=rf"quickstart-smoke: {option.partition('=')[0]}"):
        load_experiment("quickstart-smoke", [option])


@pytest.mark.parametrize(
    ("text", "rate"), [("1e-3", 0.001), ("1e0", 1.0), ("+.5", 0.5), ("5.", 5.0), ("1", 1.0), ("1.5E-2", 0.015)]
)
def test_a_number_may_be_written_in_any_decimal_way(text, rate):
    config = load_experiment("quickstart-smoke", [f"train.optimiser.learning_rate={text}"])
    assert config.train.optimiser == Adam(learning_rate=rate)


@pytest.mark.parametrize("text", ["64.0", "6.4e1", "1e3", ".5"])
def test_a_whole_number_has_no_point(text):
    with pytest.raises(InputError, match=r"train\.batch_size: expected a whole number, such as 128 \(got "):
        load_experiment("quickstart-smoke", [f"train.batch_size={text}"])


@pytest.mark.parametrize("name", ["2026-11-30", "007", "1e", "y", "0x10", "1_000"])
def test_a_name_is_the_text_that_was_written(name):
    assert load_experiment("quickstart-smoke", [f"name={name}"]).name == name


def test_classes_are_texts_where_they_are_no_plain_numbers():
    options = ["data.path=rows.npz", "data.classes=[007, 1_0, 3, '4', 2026-11-30]"]
    assert load_experiment("quickstart-smoke", options).data.classes == ("007", "1_0", 3, "4", "2026-11-30")


def test_numbers_and_arrays_of_numpy_are_as_good_as_pythons():
    train = TrainConfig(
        batch_size=np.int64(4), weight_decay=np.float32(0.5), gamma=np.float64(0.25), decoupled=np.bool_(True),
        epochs=np.int32(3), milestones=np.array(["1ep", "2ep"]), objective={"kl_weights": {"dense": np.float16(2)}},
    )  # fmt: skip
    assert train == TrainConfig(
        batch_size=4, weight_decay=0.5, gamma=0.25, decoupled=True, epochs="3ep", milestones=("1ep", "2ep"),
        objective={"kl_weights": {"dense": 2.0}},
    )  # fmt: skip
    assert {type(value) for value in (train.batch_size, train.weight_decay, train.decoupled)} == {int, float, bool}
    config = imp.Config(experiment="imp", name="x", seeds=np.arange(3), control_densities=np.array([0.5, 0.25]))
    assert (config.seeds, config.control_densities) == ((0, 1, 2), (0.5, 0.25))
    assert DataConfig(classes=np.array([3, 5])).classes == (3, 5)
    assert Control(name="random-mask", densities=np.float64(0.5)).densities == 0.5
    assert PriorConfig(deviation=np.array(2)).deviation == 2.0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TrainConfig(batch_size=True), "TrainConfig: batch_size: expected a whole number"),
        (lambda: TrainConfig(batch_size=np.bool_(True)), "TrainConfig: batch_size: expected a whole number"),
        (lambda: TrainConfig(batch_size=np.float64(4)), "TrainConfig: batch_size: expected a whole number"),
        (lambda: TrainConfig(batch_sise=4), "TrainConfig: Unknown key 'batch_sise'. Did you mean 'batch_size'?"),
        (lambda: TrainConfig(optimiser={"learning_rate": 1.0}), "optimiser: needs name, .* expected adam or sgd"),
        (lambda: TrainConfig(optimiser={"name": "sgdd"}), "optimiser.name: Unknown kind 'sgdd'. Did you mean 'sgd'?"),
        (lambda: PruneConfig(), "PruneConfig: give either sparsity"),
        (lambda: PruneConfig(sparsity=1), "sparsity: must be less than 1"),
        (lambda: PruneConfig(rate=0.5, levels=10_001), "levels: must be at most 10000"),
        (lambda: Population(generations=10**9), "generations: must be at most 10000"),
        (lambda: SampleConfig(prior="uniform(yes, 1)"), "prior: expected numbers in the brackets"),
        (lambda: SampleConfig(prior="normal(0, inf)"), "prior.deviation: expected a finite number"),
    ],
)
def test_a_configuration_made_by_hand_is_refused_in_the_same_words(make, said):
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize("field", ["epochs", "batch_size", "weight_decay", "milestones", "schedule", "augment"])
def test_a_number_that_python_does_not_write_is_refused_in_words(field):
    for value in (10**5000, [10**5000], -(10**5000)):
        with pytest.raises(InputError, match=f"TrainConfig: {field}") as refused:
            TrainConfig(**{field: value})
        assert "Exceeds the limit" not in str(refused.value)


@pytest.mark.parametrize("seed", [0, 5, LARGEST_SEED, np.int64(7), np.uint8(3)])
def test_a_seed_is_any_whole_number_up_to_128_bits(seed):
    assert check_seed(seed) == int(seed)
    assert type(check_seed(seed)) is int
    assert load_experiment("quickstart-smoke", [f"seeds=[{seed}]"]).seeds == (int(seed),)


@pytest.mark.parametrize(
    "seed", [-1, True, 1.0, "1", None, LARGEST_SEED + 1, 10**5000, np.float64(1), [1]], ids=range(9)
)
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(InputError, match=r"^The seed is .*; expected an integer from 0"):
        check_seed(seed)


@pytest.mark.parametrize("text", ["[]", "[0, 0]", "[-1]", "[0, yes]", f"[{LARGEST_SEED + 1}]", "[1.5]", "5", "[[1]]"])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(InputError, match=r"seeds"):
        load_experiment("quickstart-smoke", [f"seeds={text}"])


@pytest.mark.parametrize("name", ["a" * 201, "", "a b", "a/b", "..", ".a", "a\n", "a\u0000", "\u00e9", "-a", "*"])
def test_a_run_has_a_name_that_a_folder_may_have(name):
    with pytest.raises(InputError, match=r"here: name: (not allowed here|must be at most 200|needed)"):
        validate(imp.Config, {"experiment": "imp", "name": name}, where="here")
    validate(imp.Config, {"experiment": "imp", "name": "a" * 200}, where="here")
