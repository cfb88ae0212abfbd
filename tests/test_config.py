"""Configurations: lengths, types, bounds and names of their fields, and which fields count in a fingerprint."""

import functools
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from tests.refusals import refused
from tests.tables import refusals, rows
from tfticket import config as module
from tfticket._experiments import bayes_always_wins, bayesian_lth, imp
from tfticket.config import (
    Adam,
    Augment,
    Control,
    DataConfig,
    Objective,
    Population,
    PriorConfig,
    PruneConfig,
    PruneStep,
    SampleConfig,
    Sgd,
    StartStep,
    TrainConfig,
    check_lengths,
    scientific_fields,
)
from tfticket.config.durations import LONGEST, Moments, iterations_in
from tfticket.config.schema import LARGEST_SEED, Config, check_seed, config_classes, validate
from tfticket.config.wording import problem_words
from tfticket.costs import cost_of
from tfticket.data import Normalisation
from tfticket.errors import InputError
from tfticket.fingerprint import fingerprint
from tfticket.presets import experiment_of, load_experiment, load_sourced, merge, planned
from tfticket.registry import EXPERIMENTS, STEPS

SAMPLING = "bayes-always-wins-lenet-300-100-mnist-smoke"
PRESETS = {"imp": "quickstart-smoke", "bayesian-lth": "bayesian-lth-lenet-300-100-smoke", "bayes-always-wins": SAMPLING}
"""One of each experiment."""


def quick(**values):
    return validate(imp.Config, {"experiment": "imp", "name": "run", **values}, where="here")


# Durations


def test_a_duration_has_one_spelling():
    for written, meant in ((40, "40ep"), ("40", "40ep"), ("40ep", "40ep"), ("2000it", "2000it"), ("007ep", "7ep")):
        assert TrainConfig(epochs=written).epochs == meant


UNENDING = [f"{LONGEST + 1}it", f"{LONGEST + 1}ep", LONGEST + 1, "9" * 500, 10**400, "1" * 2000]
NO_DURATION = ["", "ep", "40 ep", "-3it", -3, "1.5ep", 1.5, "2000iter", "2000it\n", True, None, [1], *UNENDING]


@pytest.mark.parametrize("field", ["epochs", "evaluate_every", "warmup"])
def test_what_is_no_duration_is_refused(field):
    for value in NO_DURATION:
        with refused(field):
            validate(TrainConfig, {field: value}, where="here")
        with refused("rewind"):
            validate(PruneConfig, {"rate": 0.5, "rewind": value}, where="here")
    for nothing in (0, "0ep", "0it", "00ep") if field != "warmup" else ():
        with refused(field):
            validate(TrainConfig, {field: nothing}, where="here")


def test_iterations_of_mnist():
    assert [iterations_in(text, 55_000, 128) for text in ("1ep", "6ep", "2000it")] == [430, 2578, 2000]


ROWS, BATCH, COUNT = st.integers(1, 300), st.integers(1, 60), st.integers(1, 20)


@given(COUNT, ROWS, BATCH)
def test_epochs_are_rounded_to_whole_iterations_only_once(count, rows, batch_size):
    assert abs(iterations_in(f"{count}ep", rows, batch_size) * batch_size - count * rows) * 2 <= batch_size
    assert iterations_in(f"{count}it", rows, batch_size) == count


@given(COUNT, st.sampled_from(["ep", "it"]), ROWS, BATCH, st.integers(1, 200))
def test_moments_are_every_multiple_of_the_duration_and_the_last_iteration(count, unit, rows, batch_size, total):
    moments = Moments(f"{count}{unit}", rows, batch_size, total)
    enough = total * (batch_size if unit == "ep" else 1) + 1
    multiples = {iterations_in(f"{times * count}{unit}", rows, batch_size) for times in range(1, enough)}
    expected = sorted({max(1, moment) for moment in multiples if moment < total} | {total})
    assert list(moments) == expected
    assert len(moments) == len(expected)
    assert moments.longest == max(late - early for early, late in zip([0, *expected], expected, strict=False))
    assert [now for now in range(-1, total + 2) if now in moments] == expected
    assert [moments.after(now) for now in range(total)] == [min(x for x in expected if x > now) for now in range(total)]


def test_the_longest_training_is_planned_in_bounded_memory_however_often_it_is_evaluated():
    code = f"""import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
from tfticket.config.durations import Moments
for often in ("1it", "3it", "1ep", "{LONGEST}ep"):
    moments = Moments(often, 55_000, 128, {LONGEST})
    print(len(moments), moments.longest, moments.after(0), moments.after({LONGEST - 2}), 10 in moments)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        f"{LONGEST} 1 1 {LONGEST - 1} True",
        f"715827883 3 3 {LONGEST - 1} False",
        f"4997781 430 430 {LONGEST} False",
        f"1 {LONGEST} {LONGEST} {LONGEST} False",
    ]
    assert cost_of(planned("quickstart", [f"train.epochs={LONGEST}it"]).distinct).iterations == LONGEST


# Of 1,000 rows in batches of 100, in 60 iterations
LENGTHS = """
{batch_size: 1001}               | 0it   | batch_size          | 1,001; 1,000
{batch_size: 1000000000000000}   | 0it   | batch_size          | 1,000
{milestones: [1ep, 60it]}        | 0it   | milestones          | 60it; iteration 60
{milestones: [1ep, 61it]}        | 0it   | milestones          | 61it; iteration 61
{milestones: [1ep, 6ep]}         | 0it   | milestones          | 6ep; iteration 60
{milestones: [1ep, 7ep]}         | 0it   | milestones          | 7ep; iteration 70; has 60
{milestones: [2147483647it]}     | 0it   | milestones          | 2,147,483,647
{milestones: [1ep, 0it]}         | 0it   | milestones          | 0it
{milestones: [1ep, 0ep]}         | 0it   | milestones          | 0ep
{milestones: [1ep, 30it, 3ep]}   | 0it   | milestones          | 30it and 3ep; iteration 30
{batch_size: 1, epochs: 2147483647}                 | 0it | epochs | 2,147,483,647,000
{batch_size: 1, warmup: 2147483647}                 | 0it | warmup | 2,147,483,647,000
{batch_size: 1, objective: {kl_warmup: 2147483647}} | 0it | objective.kl_warmup | 2,147,483,647,000
{warmup: 60it}                   | 0it   | warmup              | 60
{objective: {kl_warmup: 6ep}}    | 0it   | objective.kl_warmup | 60
{}                               | 60it  | epochs              | 60it; iteration 60
{}                               | 6ep   | epochs              | 6ep; iteration 60
{}                               | 100ep | epochs              | 100ep; iteration 1,000
"""


@pytest.mark.parametrize(("train", "rewind", "field", "facts"), rows(LENGTHS, 4))
def test_lengths_that_do_not_fit_the_training_are_refused(train, rewind, field, facts):
    config = TrainConfig(**{"batch_size": 100} | yaml.safe_load(train))
    with refused(f"svi.train.{field}", None, *facts.split("; ")):
        check_lengths(config, rewind, 1000, "svi.train")


def test_lengths_at_their_limits_fit():
    check_lengths(TrainConfig(batch_size=1000, warmup="5it", objective={"kl_warmup": "5it"}), "5it", 1000)
    check_lengths(TrainConfig(batch_size=100, milestones=["59it", "1it"]), "59it", 1000)


PLANS = """
train.batch_size=60000                 | | | 55,000
train.milestones=[6ep]
train.epochs=2147483647
prune.rewind=6ep                       | train.epochs
keep=[7ep]                             | keep
variational_train={batch_size: 9000}   | variational_train.batch_size
svi.train={batch_size: 9000}           | svi.train.batch_size
"""


@pytest.mark.parametrize(("option", "field", "suggestion", "facts"), refusals(PLANS))
def test_a_plan_that_cannot_be_carried_out_is_refused(option, field, suggestion, facts):
    kind = {"svi.train": "bayes-always-wins", "variational_train": "bayesian-lth"}.get(field.rpartition(".")[0])
    with refused(field, suggestion, *facts):
        planned(PRESETS[kind] if kind else "quickstart", [option])


# Keys and values

UNKNOWN = """
trian={}                                 | | train
train.epoch=3                            | | train.epochs
train={epoch: 3}                         | train.epoch | train.epochs
train.optimiser.learning_rte=1           | | train.optimiser.learning_rate
train.optimiser={name: sgd, momentun: 0} | train.optimiser.momentun | train.optimiser.momentum
train.optimiser={name: sgd, beta_1: 0.9} | train.optimiser.beta_1 | train.optimiser.name | momentum
train.optimiser.name=sgdd                | | sgd
data.normalize=unit                      | | data.normalise
1=2                                      | | | '1'
null=1                                   | | | 'null'
model.name=lenet-300                     | | lenet-300-100
prune.score=magnitud                     | | magnitude
controls=[keep-sgns]                     | controls.0.name | keep-signs
sample.method=nutz                       | | nuts
experiment=inp                           | | imp
"""
WITH_FACTS = """
prune.levels=10001                       | | | 10000
prune={exempt: [x], rates: {x: 0.5}}     | prune.exempt | | x
control_levels=[11]                      | | | 11; 10
controls=[{name: keep-signs, densities: 0.5}] | controls.0.densities | | random-mask
train.epochs=soon                        | | | 'soon'
train.milestones=[1ep, 2ep, 01ep]        | | | 1ep, 2ep, 1ep
train=null                               | | | epochs
data=mnist                               | | | name; 'mnist'
data.path=yes                            | | | yes; quotes; True
data.train_rows=yes                      | | | yes; True
data.classes=[3, true]                   | | | [3, True]
data.classes=[yes, no]                   | | | yes; quotes
data.classes=[cat, dog, cat]             | | | 'cat', 'dog', 'cat'
model={initialiser: he_normal, name: "a:b"} | model.initialiser | | a:b
model.start=current                      | | | lenet-300-100
seeds=5                                  | | | [5]
seeds=[0, 0]                             | | | 0, 0
seeds=["017"]                            | seeds.0 | | '017'
seeds=[340282366920938463463374607431768211456] | | | 340,282,366,920,938,463,463,374,607,431,768,211,455
train.batch_size=9223372036854775808     | | | 9,223,372,036,854,775,807
controls=keep-signs                      | | | [keep-signs]
controls=keep                            | | | name
sample.warmup=19                         | | | 20
sample={keep_every: 5, thinning: 5}      | sample.thinning | | keep_every
train.optimiser={name: adam, learning_rate: 1e-46} | train.optimiser.learning_rate | | 0 in float32
train.optimiser={name: sgd, learning_rate: 1e39}   | train.optimiser.learning_rate | | infinite in float32
train.optimiser.beta_1=0.99999999999     | | | 1 in float32
train={milestones: [1ep, 2ep], gamma: 1e-30} | train.gamma | | milestone 2ep; 1.2e-63
train.objective={temperature: 1e-30, kl_weights: {dense: 1e-30}} | train.objective.kl_weights.dense | | 1e-60
"""


@pytest.mark.parametrize(("option", "field", "suggestion", "facts"), [*refusals(UNKNOWN), *refusals(WITH_FACTS)])
def test_a_wrong_key_or_value_is_refused_by_its_field(option, field, suggestion, facts):
    with refused(field, suggestion, *facts):
        load_experiment(SAMPLING if option.startswith("sample") else "quickstart", [option])


# Field, within the key before ':' | values
REFUSED = """
prune.sparsity             | -0.1  1.0  .nan  most
prune:.sparsity             | {sparsity: null}  {sparsity: 0.9, rate: 0.2}  {sparsity: 0.0, rate: null}
prune:.rate                | {sparsity: null, rate: -0.1}  {sparsity: null, rate: 0.0}  {sparsity: null, rate: 1.0}
prune.levels               | 0  1.0  '1'
prune.rewind               | soon  -1it
keep                       | [0it]  [0ep]  [none]
keep:.0                    | [on]
controls                   | [reinitialise, reinitialise]  {name: keep-signs}  3
controls:.0.densities      | [random-mask]  [{name: random-mask, densities: 2}]  [{name: random-mask, densities: 0}]
controls:.0.path           | [{name: own-mask}]
controls:.0.name           | [{}]
train.batch_size           | 0  null  1.5
train.weight_decay         | -1  1e39  .inf
train.gamma                | 0  1e-39
train:.milestones          | {schedule: cosine, milestones: [1ep]}
train.milestones:.0        | [yes]
train.augment.crop         | -1
train.augment.flip         | sometimes  1  'yes'
train.decoupled            | 1
train.optimiser.beta_1     | 1  -0.1
train.optimiser.beta_2     | 1  1e-39
train.optimiser.epsilon    | 0  1e-40
train.optimiser:.learning_rate | {name: sgd, learning_rate: 0}  {name: adam, learning_rate: 0}
train.optimiser:.momentum  | {name: sgd, momentum: 0.999999999}  {name: sgd, momentum: 1}
train.objective.temperature | -1  1e-39
train.objective.kl_weights:.dense | {dense: 1e39}  {dense: -1}  {dense: '1'}
data.name                  | ''  [1]  {a: 1}  7  true
data.path                  | 3  ''
data.train_rows            | 0
data.validation_rows       | 0
data.split_seed            | -1
data.normalise             | z-score
data.classes               | 37  3  [1.5, 2]  [1.0, 2]  [null, 1]  [false, 2]  []  [3]  [cat]  [3, 3]  [3, '3']
execution.threads          | 0  10001
seeds                      | []  null  true  {a: 1}
seeds:.0                   | [-1]  [1.5]  [[1]]  [yes]
monte_carlo                | true  [{}, {}]
monte_carlo:.0.images      | [{images: yes}]  [{images: 0}]
monte_carlo:.0.connectivity | [{connectivity: 1}]
replicates                 | 0  10001
control_densities:.0       | [on]  [0.0]  [1.5]
prune.rates:.dense_1       | {dense_1: yes}  {dense_1: 1.0}
prune.exempt:.0            | [5]
svi.population.perturb:.0  | [1e-39]  [0.0]
svi.population.high        | 1e39
svi.population:.low        | {low: 2, high: 1}
sample.prior               | uniform(yes, 1)  normal(1, 1)  normal(1)
sample.prior:.low          | uniform(1, 0)  {name: uniform, low: -1e39}
sample.prior:.deviation    | normal(0, inf)  {deviation: 1e39}  {deviation: 0}
sample.prior:.factor       | {name: glorot-normal, factor: 1e-39}
sample.other_prior         | glorot-normal
sample.likelihood_power    | 1e-39  0
"""


@pytest.mark.parametrize(("key", "values"), rows(REFUSED, 2))
def test_values_out_of_bounds_or_of_another_type_are_refused_by_their_field(key, values):
    key, _, inner = key.partition(":")
    for value in values.split("  "):
        with refused(f"{key}.{inner.lstrip('.')}".removesuffix(".")):
            load_experiment(SAMPLING if key.startswith("s") and key != "seeds" else "quickstart", [f"{key}={value}"])


def test_numbers_at_the_ends_of_float32_are_taken():
    assert Adam(learning_rate=2.0**-126, beta_1=1 - 2.0**-24, beta_2=0).beta_1 < 1
    assert TrainConfig(weight_decay=3.4e38).weight_decay == 3.4e38


# What every field refuses

FOREIGN = (
    "Input should", "Input tag", "Extra inputs", "Field required", "Keys should", "Value error", "Tuple", "Dictionary",
    "List should", "valid ", "instance of", "Unable to", "pydantic", "type=", "Object", "Exceeds the limit",
    "not a value that",
)  # fmt: skip
"""Of pydantic's and Python's messages; the last is what is said of errors that nobody gave words."""

WRONG = [
    True, False, None, "x", "5", "", "5ep", 5, -1, 0, 1.5, 1.0, 10**30, 10**999, math.nan, math.inf, b"x", object(),
    "\ud800", [], [None], [True], ["x"], [1], [1.5], [[1]], [{}], {1}, {}, {"a": 1}, {1: 2}, {"a": None}, {"a": True},
    {"name": "zz"}, {"name": 5}, [{"name": "zz"}], 2**63, -(2**63), "a" * 5000,
]  # fmt: skip
WRITTEN = [
    "yes", "off", "~", "'5'", "1.5", "-1", "017", "1:30", "1_000", "0x10", ".nan", "-.inf", "1e400", "[]", "[[1]]",
    "{a: 1}", "{1: yes}", "[on]", "2026-11-30", "1" + "0" * 400, "9" * 5000, "'a: b'",
]  # fmt: skip


def paths_of(cls, prefix=""):
    """Every field, those of tables within lists included, as if the list were a table."""
    for name, field in cls.model_fields.items():
        yield prefix + name
        for inner in config_classes(field.annotation):
            yield from paths_of(inner, f"{prefix}{name}.")


CLASSES = {kind: experiment_of(kind).config_class for kind in PRESETS}
FIELDS = {path: kind for kind in reversed(PRESETS) for path in paths_of(CLASSES[kind])}
"""Each field, and the first experiment that has it."""


def test_every_experiment_is_tried():
    assert {name for name, entry in EXPERIMENTS.items() if "tfticket._experiments." in entry.target} == {*PRESETS}


def refusal(read, *arguments, **options):
    """The message of the error with which a function refuses its input; '' where it takes it."""
    try:
        read(*arguments, **options)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", PRESETS)
def test_every_field_refuses_wrong_values_in_words(kind):
    base = load_experiment(PRESETS[kind]).model_dump(mode="json")
    for path in (path for path, of in FIELDS.items() if of == kind):
        trees = [functools.reduce(lambda node, part: {part: node}, reversed(path.split(".")), value) for value in WRONG]
        by_value = [refusal(validate, CLASSES[kind], merge(base, tree), where="here") for tree in trees]
        by_option = [refusal(load_experiment, PRESETS[kind], [f"{path}={text}"]) for text in WRITTEN]
        for messages in (by_value, by_option):
            assert sum(map(bool, messages)) > len(messages) / 2, path
            assert not [message for message in messages if any(word in message for word in FOREIGN)], path
        assert all(message.startswith("here: ") for message in by_value if message), path
        assert max(len(line) for message in by_value for line in message.splitlines()) < 1000, path


def test_no_kind_of_error_is_in_pydantics_words_nor_in_pythons():
    for error in list_all_errors():
        context = error.get("example_context") or {}
        context |= {"error": "ours"} if "error" in context else {}
        problem = {"type": error["type"], "loc": ("a",), "input": 1, "msg": "Input should", "ctx": context}
        words = problem_words(problem, yaml=True)
        assert words
        assert not [word for word in FOREIGN[:-1] if word in words]
    for field in ("epochs", "batch_size", "weight_decay", "milestones", "schedule", "augment"):
        for value in (10**5000, [10**5000], -(10**5000)):  # Python writes no number of so many digits
            assert "Exceeds the limit" not in (refusal(TrainConfig, **{field: value}) or "Exceeds the limit")


# Types are strict

NUMBERS = [
    "train.optimiser.learning_rate", "train.weight_decay", "train.gamma", "train.batch_size", "train.augment.crop",
    "train.objective.temperature", "prune.levels", "prune.sparsity", "data.train_rows", "data.split_seed", "replicates",
    "execution.threads", "execution.checkpoint_seconds", "evaluation_passes",
]  # fmt: skip
NO_NUMBERS = ["'1'", "017", "0o17", "0x10", "1_0", "0:1", "y", "one", "1e", "\u0665"]


def test_neither_texts_nor_truth_values_are_numbers():
    for path in [*NUMBERS, "train.epochs", "train.warmup", "prune.rewind"]:
        for text, value in (("yes", True), ("on", True), ("true", True), ("no", False), ("off", False)):
            with refused(path, None, f"(got {value})"):
                load_experiment("quickstart-smoke", [f"{path}={text}"])
    for path in NUMBERS:
        for text in NO_NUMBERS:
            with refused(path):
                load_experiment("quickstart-smoke", [f"{path}={text}"])
    for text in ("64.0", "6.4e1", "1e3", ".5"):
        with refused("train.batch_size", None, str(float(text))):
            load_experiment("quickstart-smoke", [f"train.batch_size={text}"])


def test_a_number_may_be_written_in_any_decimal_way():
    texts = {"1e-3": 0.001, "1e0": 1.0, "+.5": 0.5, "5.": 5.0, "1": 1.0, "1.5E-2": 0.015}
    for text, rate in texts.items():
        config = load_experiment("quickstart-smoke", [f"train.optimiser.learning_rate={text}"])
        assert config.train.optimiser == Adam(learning_rate=rate)


def test_names_and_classes_are_the_texts_that_were_written():
    for name in ("2026-11-30", "007", "1e", "y", "0x10", "1_000"):
        assert load_experiment("quickstart-smoke", [f"name={name}"]).name == name
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
    ("cls", "values", "field", "suggestion"),
    [
        *((TrainConfig, {"batch_size": value}, "batch_size", None) for value in (True, np.bool_(True), np.float64(4))),
        (TrainConfig, {"batch_sise": 4}, "batch_sise", "batch_size"),
        (TrainConfig, {"optimiser": {"learning_rate": 1.0}}, "optimiser", None),
        (PruneConfig, {}, "sparsity", None),
        (Population, {"generations": 10**9}, "generations", None),
    ],
)
def test_a_configuration_made_by_hand_is_refused_by_its_class(cls, values, field, suggestion):
    with refused(field, suggestion, f"{cls.__name__}: "):
        cls(**values)


def test_a_seed_is_any_whole_number_up_to_128_bits():
    for seed in (0, 5, LARGEST_SEED, np.int64(7), np.uint8(3)):
        assert check_seed(seed) == int(seed)
        assert type(check_seed(seed)) is int
        assert load_experiment("quickstart-smoke", [f"seeds=[{seed}]"]).seeds == (int(seed),)
    for seed in (-1, True, 1.0, "1", None, LARGEST_SEED + 1, 10**5000, np.float64(1), [1]):
        with refused("seed"):
            check_seed(seed)


def test_a_run_has_a_name_that_a_folder_may_have():
    for name in ("a" * 201, "", "a b", "a/b", "../up", "..", ".a", "a\n", "a\u0000", "\u00e9", "-a", "*"):
        with refused("name"):
            quick(name=name)
    quick(name="a" * 200)


# Pruning rates


@given(st.floats(1e-9, 0.9999), st.integers(1, 40))
def test_the_rates_of_all_levels_make_the_target(sparsity, levels):
    rate = PruneConfig(sparsity=sparsity, levels=levels).rate_per_level
    assert (1 - rate) ** levels == pytest.approx(1 - sparsity)


def test_more_levels_at_one_rate_have_the_same_steps():
    few, many = (PruneConfig(rate=0.2, levels=levels, exempt=["dense_3"]) for levels in (3, 9))
    assert few.step(seed=5) == many.step(seed=5) == PruneStep(rate=0.2, exempt=["dense_3"], seed=5)


# A configuration as a value

OWN_DATA = DataConfig(path="rows.npz", classes=[3, "cat"], normalise="standard")
AUGMENTED = TrainConfig(augment={"flip": True, "crop": 4})


@pytest.mark.parametrize(
    "config",
    [Adam(), Sgd(), DataConfig(), OWN_DATA, Augment(), PruneConfig(rate=0.2), TrainConfig(), AUGMENTED, quick()],
)
def test_a_configuration_is_frozen_and_a_default_that_is_spelt_out_counts_no_more(config):
    for field in type(config).model_fields:
        with refused(None, None, f"{field}=..."):
            setattr(config, field, getattr(config, field))
    spelt_out = type(config).model_validate(config.model_dump())
    assert len({config, spelt_out}) == 1
    assert scientific_fields(spelt_out) == scientific_fields(config)


def test_what_is_written_down_is_read_back_the_same():
    config = quick(
        train={"optimiser": {"name": "sgd"}, "milestones": ["10it"], "augment": {"crop": 4}},
        prune={"rate": 0.2, "rewind": "5it"},
        data={"path": "rows.npz", "classes": ["cat", 3, "3e"]},
    )
    again = imp.Config.model_validate(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert (again, again.data.classes) == (config, ("cat", 3, "3e"))


def test_a_configuration_is_shown_by_what_differs_from_the_defaults():
    for cls in (Normalisation, Adam, TrainConfig, DataConfig):
        assert str(cls()) == repr(cls()) == f"{cls.__name__}()"
    assert repr(TrainConfig(epochs="2it", batch_size=20)) == "TrainConfig(epochs='2it', batch_size=20)"
    shown = "SampleConfig(draws=7, prior=PriorConfig(name='uniform'))"
    assert repr(SampleConfig(draws=7, prior="uniform(-1, 1)")) == shown


# Which data

NAMES = """
{}                                  | mnist
{path: null}                        | mnist
{path: digits.npz}                  | digits
{path: some/folder/digits.tar.gz}   | digits
{path: /some/digits/}               | digits
{path: /some/digits.1890.zip}       | digits.1890
{path: /some/digits.1890}           | digits.1890
{path: /some/.npz}                  | own data
{path: /}                           | own data
{path: digits.npz, name: null}      | digits
{path: digits.npz, name: mine}      | mine
{name: mine}                        | mine
"""


@pytest.mark.parametrize(("values", "name"), rows(NAMES, 2))
def test_own_data_are_named_after_their_file_where_nobody_names_them(values, name):
    assert validate(DataConfig, yaml.safe_load(values), where="here").name == name


def test_a_path_is_absolute_so_that_it_means_the_same_elsewhere(tmp_path, monkeypatch):
    here, home = tmp_path, tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for path, absolute in (
        ("digits.npz", here / "digits.npz"),
        ("~/digits.npz", home / "digits.npz"),
        ("/a/digits.npz", "/a/digits.npz"),
        ("~nosuchuser/digits.npz", here / "~nosuchuser" / "digits.npz"),
    ):
        monkeypatch.chdir(here)
        config = DataConfig(path=path)
        assert (config.name, config.path) == ("digits", str(absolute))
        monkeypatch.chdir("/")
        assert DataConfig.model_validate(config.model_dump()) == config


# What counts in a fingerprint


def test_defaults_do_not_count_and_discriminators_do():
    assert scientific_fields(TrainConfig()) == {"optimiser": {"name": "adam"}}
    assert scientific_fields(TrainConfig(optimiser=Sgd(momentum=0))) == {"optimiser": {"name": "sgd", "momentum": 0.0}}
    assert scientific_fields(AUGMENTED) == {"optimiser": {"name": "adam"}, "augment": {"flip": True, "crop": 4}}
    assert scientific_fields(TrainConfig(augment=Augment())) == scientific_fields(TrainConfig())
    assert scientific_fields(StartStep(seed=0)) == {"seed": 0}
    assert scientific_fields(StartStep(seed=0, data=DataConfig(train_rows=9))) == {"seed": 0, "data": {"train_rows": 9}}


def test_execution_and_the_runs_name_never_count():
    changed = quick(name="another", execution={"threads": 1, "checkpoint_seconds": 1, "segment_seconds": 1})
    assert scientific_fields(changed) == scientific_fields(quick())
    assert scientific_fields(quick(seeds=[5])) != scientific_fields(quick())


def test_a_renamed_key_is_read_under_its_former_name_by_which_it_counts(tmp_path):
    config = validate(SampleConfig, {"keep_every": 5}, where="here")
    assert config.model_dump()["thinning"] == 5
    assert scientific_fields(config) == {"keep_every": 5}
    file = tmp_path / "old.yaml"
    file.write_text(f"extends: {SAMPLING}\nname: old\nsample: {{keep_every: 5}}\n")
    assert load_experiment(str(file)).sample.thinning == 5
    assert load_sourced(str(file), ["sample.thinning=2"]).fields["sample.thinning"] == (2, "yours: -o")
    assert load_experiment(str(file), ["sample.keep_every=3"]).sample.thinning == 3


def test_minus_0_counts_as_0():
    for minus, plus in (
        (PriorConfig(name="uniform", low=-0.0), PriorConfig(name="uniform", low=0.0)),
        (Objective(kl_weights={"dense": -0.0}), Objective(kl_weights={"dense": 0.0})),
        (TrainConfig(optimiser=Sgd(momentum=-0.0)), TrainConfig(optimiser=Sgd(momentum=0.0))),
        (PriorConfig.model_validate("uniform(-0.0, 1)"), PriorConfig(name="uniform", low=0.0)),
    ):
        assert json.dumps(scientific_fields(minus)) == json.dumps(scientific_fields(plus))


# Frozen: a nested configuration appears as its class and what differs from the defaults of that class

CHANGED = (
    "a default or the fingerprint changed: raise the step's version in tfticket/registry.py and renew this literal"
)
DEFAULTS = """
Adam: {name: adam, learning_rate: 0.0012, beta_1: 0.9, beta_2: 0.999, epsilon: 1.0e-07}
Augment: {flip: false, crop: 0}
Config: {experiment: <required>, name: <required>, execution: {Execution: {}}, data: {DataConfig: {}}, model:
  {ModelConfig: {}}, train: {TrainConfig: {optimiser: {name: adam}}}, prune: {PruneConfig: {sparsity: 0.99}}, keep: [],
  seeds: [0, 1, 2], control_densities: [0.25, 0.1, 0.04, 0.01], control_levels: null, controls: [reinitialise,
  shuffle-layerwise], monte_carlo: [], replicates: 1, evaluation_passes: 5, out_of_distribution: null}
Control: {name: <required>, initialiser: null, densities: null, path: null, allow_empty: true}
ControlStep: {control: <required>, seed: <required>}
DataConfig: {name: mnist, path: null, classes: null, validation_rows: null, train_rows: null, split_seed: 0, stratify:
  false, normalise: auto}
DrawStep: {data: {DataConfig: {}}, draw: {MonteCarlo: {}}, seed: <required>}
EvaluateStep: {data: {DataConfig: {}}, draws: 10, seed: 0, passes: 5, out_of_distribution: null}
FitStep: {data: {DataConfig: {}}, images: null, seed: <required>}
MonteCarlo: {connectivity: true, as_printed: false, images: null}
Execution: {threads: null, processes: null, checkpoint_seconds: 30.0, segment_seconds: 5.0}
ExperimentConfig: {experiment: <required>, name: <required>, execution: {Execution: {}}}
ModelConfig: {name: lenet-300-100, initialiser: glorot_normal, start: seed, variational: null}
PruneConfig: {levels: 10, sparsity: null, rate: null, score: magnitude, scope: global, exempt: [], rates: {}, rewind:
  "0it", allow_empty: false}
PruneStep: {rate: <required>, score: magnitude, scope: global, exempt: [], rates: {}, rewind: "0it", allow_empty: false,
  seed: <required>}
Sgd: {name: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: false}
StartStep: {data: {DataConfig: {}}, model: {ModelConfig: {}}, seed: <required>}
TrainConfig: {epochs: "6ep", batch_size: 128, optimiser: {Adam: {name: adam}}, weight_decay: 0.0, decoupled: false,
  augment: {Augment: {}}, milestones: [], gamma: 0.1, schedule: steps, warmup: "0it", precision: float32, objective:
  {Objective: {}}, evaluate_every: "1ep", evaluate_test: false}
TrainStep: {data: {DataConfig: {}}, train: {TrainConfig: {optimiser: {name: adam}}}, seed: <required>, keep: []}
PriorConfig: {name: normal, deviation: 1.0, low: -1.0, high: 1.0, factor: 1.44, fan: surviving}
SampleConfig: {method: nuts, draws: 1400, warmup: 200, prior: {PriorConfig: {}}, other_prior: {PriorConfig: {}},
  likelihood_power: 1.0, start: prior, max_tree_depth: 10, warmup_tree_depth: null, leapfrog_steps: 50,
  target_acceptance: 0.8, evaluate_every: 10, thinning: 1, engine: auto, freeze_batch_norm: false}
SampleStep: {data: {DataConfig: {}}, sample: {SampleConfig: {}}, seed: <required>, chain: <required>}
Variational: {prior: 1.0, deviation: 0.01, means: fan-in}
Objective: {estimator: flipout, draws: 1, loss: elbo, scaled: false, temperature: 1.0, kl_weights: {}, kl_warmup: "0it",
  evaluation_draws: 10}
EnsembleStep: {data: {DataConfig: {}}, draws: 10, seed: 0}
TransplantStep: {carried: start}
PoolStep: {data: {DataConfig: {}}}
Population: {members: 50, generations: 10, truncation: 0.2, perturb: [0.8, 1.25], resample: 0.25, low: 0.0001, high:
  10.0, metric: nll}
MemberStep: {data: {DataConfig: {}}, train: {TrainConfig: {optimiser: {name: adam}}}, seed: <required>, first:
  <required>, last: <required>}
"""
BUILT_ON_PRUNING = """
bayes_always_wins: {svi: null, sample: {SampleConfig: {}}, chains: 4, sampled_levels: null, sampled_arms: [ticket],
  ensemble: true}
bayesian_lth: {variational: {Variational: {}}, variational_train: null, trunks: [{variational: true, score: snr,
  rewind: null, controls: true}], transplants: [start]}
"""
"""Of experiments that build on iterative pruning: what they have beyond it."""


def default_of(field):
    if field.is_required():
        return "<required>"
    default = field.get_default()
    if isinstance(default, tuple):
        return [item.model_dump(mode="json") if isinstance(item, Config) else item for item in default]
    return {type(default).__name__: scientific_fields(default)} if isinstance(default, Config) else default


def test_the_defaults_are_frozen():
    classes = [
        cls
        for namespace in (vars(module), vars(imp))
        for cls in namespace.values()
        if isinstance(cls, type) and issubclass(cls, Config) and cls is not Config
    ]
    defaults = {cls.__name__: {name: default_of(field) for name, field in cls.model_fields.items()} for cls in classes}
    assert json.loads(json.dumps(defaults)) == yaml.safe_load(DEFAULTS), CHANGED
    beyond = {
        experiment.__name__.rpartition(".")[2]: {
            name: default_of(field)
            for name, field in experiment.Config.model_fields.items()
            if name not in imp.Config.model_fields
        }
        for experiment in (bayes_always_wins, bayesian_lth)
    }
    assert beyond == yaml.safe_load(BUILT_ON_PRUNING), CHANGED


# Kind | configuration | inputs
FROZEN_STEPS = """
start      | {seed: 3}                              | {}
train      | {seed: 3, keep: [500it]}               | {ticket: a}
prune      | {seed: 3, rate: 0.2}                   | {ticket: a, trained: b}
control    | {seed: 3, control: shuffle-layerwise}  | {ticket: a}
fit        | {seed: 3}                              | {ticket: a}
draw       | {seed: 3}                              | {ticket: a, sampler: d}
evaluate   | {}                                     | {ticket: a, trained: b}
ensemble   | {}                                     | {ticket: a, member 0: b}
sample     | {seed: 3, chain: 1}                    | {ticket: a}
transplant | {carried: trained}                     | {ticket: a, onto: c, trained: b}
member     | {seed: 3, first: 40, last: 80}         | {ticket: a, parent: e}
pool       | {}                                     | {ticket: a, chain 0: c}
"""
FINGERPRINTS = """
start      | df9f6cb56cde32db691f13f109a9a2ae38789dbe32261e7699fecbb611103efd
train      | 6115820a3379e8c95df25ae538a3e071da80867d2176e350dde194a1b5167201
prune      | 4a9a8879fbf09082f2123dc43166e9419e1b6ed33220fcbf884387f90206397a
control    | 09791b275f32ced2abeb302ee2a236c98aca52e93396215d5fa63420e36d18f9
fit        | 2af4dd31d62b90134a49f2bf9f242d50f1abe80d21346f1d7086ac45181fe52d
draw       | 4409f7846a847cee596f9e2cce93c1edd56cdf0f9cd60fff74d638563f8ab067
evaluate   | 29ddb7a211866ee8c3ce0b373d6fc77a04d078435b9eb9efeea0c7037a430861
ensemble   | 17164d00d0bdcd93e84e8d965e65f6d9731cba45862ba21c856baeda02b1d758
sample     | 3acf1b389298376f01b7f943cb147219ff251ef42e37466ff8d56fbbe0c1d9bf
transplant | 4ed5484c503802532eff7591794bf5aadc00ea46b48347a70c0587c27f111a93
member     | 97858dc15ef3875e954c7e2c4331c3ca837fc70613390535cec427db764fb4d7
pool       | a6e13570e48cbe65eb64934030a396c0ac99a2604125081d7ab51731ae5215ff
"""


def test_the_fingerprint_of_each_kind_of_step_is_frozen():
    fingerprints = {}
    for kind, values, inputs in rows(FROZEN_STEPS, 3):
        config = getattr(module, f"{kind.title()}Step").model_validate(yaml.safe_load(values))
        inputs = {name: 64 * letter for name, letter in yaml.safe_load(inputs).items()}
        fingerprints[kind] = fingerprint(kind, config, inputs)
    assert fingerprints == dict(rows(FINGERPRINTS, 2)), CHANGED
    assert {*fingerprints} == {*STEPS}
