"""Configurations: lengths, types, bounds and names of their fields, and which fields count in a fingerprint."""

import functools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from tests.refusals import refused
from tests.tables import refusals, rows
from tfticket import config as c
from tfticket._experiments import bayes_always_wins, bayesian_lth, imp
from tfticket.config.durations import LONGEST, Moments, iterations_in
from tfticket.config.schema import LARGEST_SEED, Config, check_seed, config_classes, validate
from tfticket.config.wording import problem_words
from tfticket.costs import cost_of
from tfticket.errors import InputError
from tfticket.fingerprint import fingerprint
from tfticket.presets import experiment_of, load_experiment, load_sourced, merge, planned
from tfticket.registry import EXPERIMENTS, STEPS
from tfticket.yaml_text import load_yaml

SAMPLING = "bayes-always-wins-lenet-300-100-mnist-smoke"
PRESETS = {"imp": "quickstart-smoke", "bayesian-lth": "bayesian-lth-lenet-300-100-smoke", "bayes-always-wins": SAMPLING}
"""One of each experiment."""
scientific = c.scientific_fields


def quick(**values):
    return validate(imp.Config, {"experiment": "imp", "name": "run", **values}, where="here")


# Lengths


def test_a_duration_has_one_spelling_and_a_length():
    for written, meant in ((40, "40ep"), ("40", "40ep"), ("40ep", "40ep"), ("2000it", "2000it"), ("007ep", "7ep")):
        assert c.TrainConfig(epochs=written).epochs == meant
    assert [iterations_in(text, 55_000, 128) for text in ("1ep", "6ep", "2000it")] == [430, 2578, 2000]
    wrong = ["", "ep", "40 ep", "-3it", -3, "1.5ep", 1.5, "2000iter", "2000it\n", True, None, [1]]
    for value in [*wrong, f"{LONGEST + 1}it", f"{LONGEST + 1}ep", LONGEST + 1, "9" * 500, 10**400, "1" * 2000]:
        for cls, field in ((c.TrainConfig, "epochs"), (c.TrainConfig, "warmup"), (c.PruneConfig, "rewind")):
            with refused(field):
                validate(cls, ({"rate": 0.5} if field == "rewind" else {}) | {field: value}, where="here")
    for field in ("epochs", "evaluate_every"):
        for nothing in (0, "0ep", "0it", "00ep"):
            with refused(field):
                validate(c.TrainConfig, {field: nothing}, where="here")


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


def test_the_longest_training_is_planned_at_once_however_often_it_is_evaluated():
    many = [("1it", LONGEST, 1, LONGEST - 1), ("3it", 715_827_883, 3, LONGEST - 1), ("1ep", 4_997_781, 430, LONGEST)]
    for often, number, longest, last in (*many, (f"{LONGEST}ep", 1, LONGEST, LONGEST)):
        moments = Moments(often, 55_000, 128, LONGEST)
        assert (len(moments), moments.longest, moments.after(0)) == (number, longest, longest)
        assert moments.after(LONGEST - 2) == last
    assert cost_of(planned("quickstart", [f"train.epochs={LONGEST}it"]).distinct).iterations == LONGEST


# Of 1,000 rows in batches of 100, in 60 iterations
LENGTHS = """
{batch_size: 1001}               | 0it   | batch_size          | 1,001; 1,000
{milestones: [1ep, 60it]}        | 0it   | milestones          | 60it; iteration 60
{milestones: [1ep, 7ep]}         | 0it   | milestones          | 7ep; iteration 70; has 60
{milestones: [2147483647it]}     | 0it   | milestones          | 2,147,483,647
{milestones: [1ep, 0ep]}         | 0it   | milestones          | 0ep
{milestones: [1ep, 30it, 3ep]}   | 0it   | milestones          | 30it and 3ep; iteration 30
{batch_size: 1, epochs: 2147483647} | 0it | epochs             | 2,147,483,647,000
{batch_size: 1, warmup: 2147483647} | 0it | warmup             | 2,147,483,647,000
{warmup: 60it}                   | 0it   | warmup              | 60
{objective: {kl_warmup: 6ep}}    | 0it   | objective.kl_warmup | 60
{}                               | 60it  | epochs              | 60it; iteration 60
{}                               | 100ep | epochs              | 100ep; iteration 1,000
"""


def test_lengths_that_do_not_fit_the_training_are_refused():
    for train, rewind, field, facts in rows(LENGTHS, 4):
        config = c.TrainConfig(**{"batch_size": 100} | yaml.safe_load(train))
        with refused(f"svi.train.{field}", None, *facts.split("; ")):
            c.check_lengths(config, rewind, 1000, "svi.train")
    c.check_lengths(c.TrainConfig(batch_size=1000, warmup="5it", objective={"kl_warmup": "5it"}), "5it", 1000)
    c.check_lengths(c.TrainConfig(batch_size=100, milestones=["59it", "1it"]), "59it", 1000)
    for kind, option, field in (
        ("imp", "train.batch_size=60000", "train.batch_size"),
        ("imp", "prune.rewind=6ep", "train.epochs"),
        ("imp", "keep=[7ep]", "keep"),
        ("bayesian-lth", "variational_train={batch_size: 9000}", "variational_train.batch_size"),
        ("bayes-always-wins", "svi.train={batch_size: 9000}", "svi.train.batch_size"),
    ):
        with refused(field):
            planned(PRESETS[kind], [option])


# Keys and values

REFUSED = """
train.epoch=3                            | | train.epochs
train.optimiser.learning_rte=1           | | train.optimiser.learning_rate
train.optimiser={name: sgd, momentun: 0} | train.optimiser.momentun | train.optimiser.momentum
train.optimiser={name: sgd, beta_1: 0.9} | train.optimiser.beta_1 | | train.optimiser.momentum
null=1                                   | | | 'null'
model.name=lenet-300                     | | lenet-300-100
controls=[keep-sgns]                     | controls.0.name | keep-signs
sample.method=nutz                       | | nuts
experiment=inp                           | | imp
prune={exempt: [x], rates: {x: 0.5}}     | prune.exempt | | x
control_levels=[11]                      | | | 11; 10
controls=[{name: keep-signs, densities: 0.5}] | controls.0.densities | | random-mask
train.milestones=[1ep, 2ep, 01ep]        | | | 1ep, 2ep, 1ep
train=null                               | | | epochs
data=mnist                               | | | name; 'mnist'
data.path=yes                            | | | yes; quotes; True
data.classes=[cat, dog, cat]             | | | 'cat', 'dog', 'cat'
model={initialiser: he_normal, name: "a:b"} | model.initialiser | | a:b
seeds=5                                  | | | [5]
seeds=["017"]                            | seeds.0 | | '017'
train.batch_size=9223372036854775808     | | | 9,223,372,036,854,775,807
sample={keep_every: 5, thinning: 5}      | sample.thinning | | keep_every
train.optimiser={name: adam, learning_rate: 1e-46} | train.optimiser.learning_rate | | 0 in float32
train.optimiser={name: sgd, learning_rate: 1e39}   | train.optimiser.learning_rate | | infinite in float32
train.optimiser.beta_1=0.99999999999     | | | 1 in float32
train={milestones: [1ep, 2ep], gamma: 1e-30} | train.gamma | | milestone 2ep; 1.2e-63
train.objective={temperature: 1e-30, kl_weights: {dense: 1e-30}} | train.objective.kl_weights.dense | | 1e-60
"""
OUT_OF_BOUNDS = """
prune.sparsity=-0.1  prune.sparsity=1.0  prune.levels=0  prune.levels=10001  prune.rewind=-1it  replicates=0
replicates=10001  execution.threads=0  execution.threads=10001  keep=[0it]  keep=[0ep]  keep=[none]  monte_carlo=true
monte_carlo=[{}, {}]  controls=[reinitialise, reinitialise]  controls={name: keep-signs}  controls=3  seeds=[]
seeds=null  seeds=true  seeds={a: 1}  seeds=[0, 0]  seeds=[340282366920938463463374607431768211456]
train.batch_size=0  train.batch_size=64.0  train.batch_size=6.4e1  train.batch_size=.5  train.weight_decay=-1
train.weight_decay=1e39  train.weight_decay=.inf  train.gamma=0  train.gamma=1e-39  train.augment.crop=-1
train.optimiser.beta_1=1  train.optimiser.beta_1=-0.1  train.optimiser.beta_2=1  train.optimiser.beta_2=1e-39
train.optimiser.epsilon=0  train.optimiser.epsilon=1e-40  train.objective.temperature=-1
train.objective.temperature=1e-39  data.name=''  data.name=[1]  data.name={a: 1}  data.train_rows=0
data.split_seed=-1  data.classes=37  data.classes=3  data.classes=[1.5, 2]  data.classes=[1.0, 2]
data.classes=[null, 1]  data.classes=[false, 2]  data.classes=[]  data.classes=[3]  data.classes=[cat]
data.classes=[3, 3]  data.classes=[3, '3']  svi.population.high=1e39  sample.warmup=19  sample.prior=uniform(yes, 1)
sample.prior=normal(1, 1)  sample.prior=normal(1)  sample.other_prior=glorot-normal  sample.likelihood_power=1e-39
sample.likelihood_power=0
"""
WITHIN = """
prune.sparsity  | prune={sparsity: null}  prune={sparsity: 0.9, rate: 0.2}  prune={sparsity: 0.0, rate: null}
prune.rate | prune={sparsity: null, rate: -0.1}  prune={sparsity: null, rate: 0.0}  prune={sparsity: null, rate: 1.0}
prune.rates.a   | prune.rates={a: yes}  prune.rates={a: 1.0}
controls.0.densities | controls=[random-mask]  controls=[{name: random-mask, densities: 2}]
controls.0.densities | controls=[{name: random-mask, densities: 0}]
controls.0.path | controls=[{name: own-mask}]
train.milestones | train={schedule: cosine, milestones: [1ep]}
train.optimiser.learning_rate | train.optimiser={name: sgd, learning_rate: 0}
train.optimiser.momentum | train.optimiser={name: sgd, momentum: 0.999999999}  train.optimiser={name: sgd, momentum: 1}
train.objective.kl_weights.a | train.objective.kl_weights={a: 1e39}  train.objective.kl_weights={a: -1}
seeds.0         | seeds=[-1]  seeds=[1.5]  seeds=[[1]]  seeds=[yes]
monte_carlo.0.images | monte_carlo=[{images: yes}]  monte_carlo=[{images: 0}]
control_densities.0 | control_densities=[on]  control_densities=[0.0]  control_densities=[1.5]
svi.population.perturb.0 | svi.population.perturb=[1e-39]  svi.population.perturb=[0.0]
svi.population.low | svi.population={low: 2, high: 1}
sample.prior.low | sample.prior=uniform(1, 0)  sample.prior={name: uniform, low: -1e39}
sample.prior.deviation | sample.prior=normal(0, inf)  sample.prior={deviation: 1e39}  sample.prior={deviation: 0}
sample.prior.factor | sample.prior={name: glorot-normal, factor: 1e-39}
"""


def test_wrong_keys_and_values_are_refused_by_their_field():
    table = refusals(REFUSED)
    table += [(option, field, None, ()) for field, line in rows(WITHIN, 2) for option in line.split("  ")]
    table += [(text, text.partition("=")[0], None, ()) for text in re.split(r"  |\n", OUT_OF_BOUNDS.strip())]
    for option, field, suggestion, facts in table:
        with refused(field, suggestion, *facts):
            load_experiment(SAMPLING if option[:3] in ("sam", "svi") else "quickstart", [option])
    assert c.Adam(learning_rate=2.0**-126, beta_1=1 - 2.0**-24, beta_2=0).beta_1 < 1
    assert c.TrainConfig(weight_decay=3.4e38).weight_decay == 3.4e38


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
NO_NUMBERS = [
    "yes", "off", "'5'", "017", "0o17", "1:30", "1_000", "0x10", "[]", "[[1]]", "{a: 1}", "{1: yes}", "[on]", "y", "1e",
    "\u0665", "2026-11-30", "'a: b'", "9" * 5000,
]  # fmt: skip
WRITTEN = [*NO_NUMBERS, "~", "1.5", "-1", ".nan", "-.inf", "1e400", "1" + "0" * 400]


CLASSES = {kind: experiment_of(kind).config_class for kind in PRESETS}


def fields_of(kind, cls, prefix, known):
    """Add each field that is not known yet, those of tables within lists included, as if the list were a table."""
    for name, field in cls.model_fields.items():
        if known.setdefault((cls if prefix else imp.Config, name), (kind, prefix + name, field.annotation))[0] == kind:
            for inner in config_classes(field.annotation):
                fields_of(kind, inner, f"{prefix}{name}.", known)
    return known


FIELDS = functools.reduce(lambda known, kind: fields_of(kind, CLASSES[kind], "", known), PRESETS, {}).values()
"""Experiment, dotted name and type of each field."""


def nested(path, value):
    """A value in the tables that a dotted name says."""
    return functools.reduce(lambda inner, part: {part: inner}, reversed(path.split(".")), value)


def refusal(read, *arguments, **options):
    """The error with which a function refuses its input; None where it takes it."""
    try:
        read(*arguments, **options)
    except InputError as error:
        return error
    return None


@pytest.mark.parametrize("kind", PRESETS)
def test_every_field_refuses_wrong_values_in_words(kind):
    base = load_experiment(PRESETS[kind]).model_dump(mode="json")
    values = [*(load_yaml(text, "") for text in WRITTEN), *WRONG]
    for path, annotation in ((path, annotation) for owner, path, annotation in FIELDS if owner == kind):
        trees = [nested(path, value) for value in values]
        errors = [refusal(validate, CLASSES[kind], merge(base, tree), where="here", yaml=True) for tree in trees]
        assert sum(map(bool, errors)) > len(errors) / 3, path
        assert not [error for error in errors if any(word in str(error) for word in FOREIGN)], path
        if annotation in (int, float, int | None, float | None):
            first = path.partition(".")[0]
            assert all(error and error.field.startswith(first) for error in errors[: len(NO_NUMBERS)]), path
        assert all(str(error).startswith("here: ") for error in errors if error), path
        assert max(len(line) for error in errors for line in str(error).splitlines()) < 1000, path


def test_every_experiment_is_tried_and_no_kind_of_error_is_in_pydantics_words_nor_in_pythons():
    assert {name for name, entry in EXPERIMENTS.items() if "tfticket._experiments." in entry.target} == {*PRESETS}
    for error in list_all_errors():
        context = error.get("example_context") or {}
        context |= {"error": "ours"} if "error" in context else {}
        problem = {"type": error["type"], "loc": ("a",), "input": 1, "msg": "Input should", "ctx": context}
        words = problem_words(problem, yaml=True)
        assert words
        assert not [word for word in FOREIGN[:-1] if word in words]
    for field in ("epochs", "batch_size", "weight_decay", "milestones", "schedule", "augment"):
        for value in (10**5000, [10**5000], -(10**5000)):  # Python writes no number of so many digits
            assert field in str(refusal(c.TrainConfig, **{field: value}))


# Types


def test_numbers_and_arrays_of_numpy_are_as_good_as_pythons():
    train = c.TrainConfig(
        batch_size=np.int64(4), weight_decay=np.float32(0.5), gamma=np.float64(0.25), decoupled=np.bool_(True),
        epochs=np.int32(3), milestones=np.array(["1ep", "2ep"]), objective={"kl_weights": {"dense": np.float16(2)}},
    )  # fmt: skip
    assert train == c.TrainConfig(
        batch_size=4, weight_decay=0.5, gamma=0.25, decoupled=True, epochs="3ep", milestones=("1ep", "2ep"),
        objective={"kl_weights": {"dense": 2.0}},
    )  # fmt: skip
    assert {type(value) for value in (train.batch_size, train.weight_decay, train.decoupled)} == {int, float, bool}
    config = quick(seeds=np.arange(3), control_densities=np.array([0.5, 0.25]))
    assert (config.seeds, config.control_densities) == ((0, 1, 2), (0.5, 0.25))
    assert c.Control(name="random-mask", densities=np.float64(0.5)).densities == 0.5
    assert c.PriorConfig(deviation=np.array(2)).deviation == 2.0
    for values in ({"batch_size": True}, {"batch_size": np.bool_(True)}, {"batch_size": np.float64(4)}):
        with refused("batch_size", None, "TrainConfig"):
            c.TrainConfig(**values)
    with refused("batch_sise", "batch_size", "TrainConfig"):
        c.TrainConfig(batch_sise=4)


def test_seeds_have_up_to_128_bits_and_runs_the_names_that_folders_may_have():
    for seed in (0, 5, LARGEST_SEED, np.int64(7), np.uint8(3)):
        assert (check_seed(seed), type(check_seed(seed))) == (int(seed), int)
        assert load_experiment("quickstart-smoke", [f"seeds=[{seed}]"]).seeds == (int(seed),)
    for seed in (-1, True, 1.0, "1", None, LARGEST_SEED + 1, 10**5000, np.float64(1), [1]):
        with refused("seed"):
            check_seed(seed)
    for name in ("2026-11-30", "007", "1e", "y", "0x10", "1_000"):  # texts as they are written
        assert load_experiment("quickstart-smoke", [f"name={name}"]).name == name
    options = ["data.path=rows.npz", "data.classes=[007, 1_0, 3, '4', 2026-11-30]"]
    assert load_experiment("quickstart-smoke", options).data.classes == ("007", "1_0", 3, "4", "2026-11-30")
    for name in ("a" * 201, "", "a b", "a/b", "../up", "..", ".a", "a\n", "a\u0000", "\u00e9", "-a", "*"):
        with refused("name"):
            quick(name=name)
    quick(name="a" * 200)


@given(st.floats(1e-9, 0.9999), st.integers(1, 40))
def test_the_rates_of_all_levels_make_the_target(sparsity, levels):
    rate = c.PruneConfig(sparsity=sparsity, levels=levels).rate_per_level
    assert (1 - rate) ** levels == pytest.approx(1 - sparsity)
    few, many = (c.PruneConfig(rate=0.2, levels=number, exempt=["dense_3"]) for number in (3, 9))
    assert few.step(seed=5) == many.step(seed=5) == c.PruneStep(rate=0.2, exempt=["dense_3"], seed=5)


OWN_DATA = c.DataConfig(path="rows.npz", classes=[3, "cat", "3e"], normalise="standard")
AUGMENTED = c.TrainConfig(augment={"flip": True, "crop": 4}, milestones=["10it"])
EXAMPLES = [c.Adam(), c.Sgd(), c.DataConfig(), OWN_DATA, c.Augment(), c.TrainConfig(), AUGMENTED, quick()]


@pytest.mark.parametrize("config", [*EXAMPLES, c.PruneConfig(rate=0.2, rewind="5it")])
def test_a_configuration_is_frozen_and_read_back_and_defaults_that_are_spelt_out_count_no_more(config):
    for field in type(config).model_fields:
        with refused(None, None, f"{field}=..."):
            setattr(config, field, getattr(config, field))
    again = type(config).model_validate(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert len({config, again}) == 1
    assert scientific(again) == scientific(config)
    assert str(type(config).model_construct()) == f"{type(config).__name__}()"
    shown = "SampleConfig(draws=7, prior=PriorConfig(name='uniform'))"
    assert repr(c.SampleConfig(draws=7, prior="uniform(-1, 1)")) == shown


NAMES = """
{}                                  | mnist
{path: some/folder/digits.tar.gz}   | digits
{path: /some/digits/}               | digits
{path: /some/digits.1890.zip}       | digits.1890
{path: /some/digits.1890}           | digits.1890
{path: /some/.npz}                  | own data
{path: /}                           | own data
{path: digits.npz, name: null}      | digits
{path: digits.npz, name: mine}      | mine
"""


def test_own_data_are_named_after_their_file_whose_path_is_absolute(tmp_path, monkeypatch):
    for values, name in rows(NAMES, 2):
        assert c.DataConfig(**yaml.safe_load(values)).name == name
    here, home = tmp_path, tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for path, absolute in (
        ("digits.npz", here / "digits.npz"),
        ("~/digits.npz", home / "digits.npz"),
        ("/a/digits.npz", "/a/digits.npz"),
        ("~nosuchuser/digits.npz", here / "~nosuchuser" / "digits.npz"),
    ):
        monkeypatch.chdir(here)
        config = c.DataConfig(path=path)
        assert (config.name, config.path) == ("digits", str(absolute))
        monkeypatch.chdir("/")
        assert c.DataConfig.model_validate(config.model_dump()) == config


# What counts in a fingerprint


def test_what_differs_from_the_defaults_and_discriminators_count():
    assert scientific(c.TrainConfig(optimiser=c.Sgd(momentum=0))) == {"optimiser": {"name": "sgd", "momentum": 0.0}}
    train = c.TrainConfig(augment={"flip": True, "crop": 4})
    assert scientific(train) == {"optimiser": {"name": "adam"}, "augment": {"flip": True, "crop": 4}}
    assert scientific(c.TrainConfig(augment=c.Augment())) == scientific(c.TrainConfig())
    assert scientific(c.StartStep(seed=0)) == {"seed": 0}
    assert scientific(c.StartStep(seed=0, data=c.DataConfig(train_rows=9))) == {"seed": 0, "data": {"train_rows": 9}}
    changed = quick(name="another", execution={"threads": 1, "checkpoint_seconds": 1, "segment_seconds": 1})
    assert scientific(changed) == scientific(quick()) != scientific(quick(seeds=[5]))
    for minus, plus in (  # minus 0 counts as 0
        (c.PriorConfig(name="uniform", low=-0.0), c.PriorConfig(name="uniform", low=0.0)),
        (c.Objective(kl_weights={"dense": -0.0}), c.Objective(kl_weights={"dense": 0.0})),
        (c.TrainConfig(optimiser=c.Sgd(momentum=-0.0)), c.TrainConfig(optimiser=c.Sgd(momentum=0.0))),
        (c.PriorConfig.model_validate("uniform(-0.0, 1)"), c.PriorConfig(name="uniform", low=0.0)),
    ):
        assert json.dumps(scientific(minus)) == json.dumps(scientific(plus))


def test_a_renamed_key_is_read_under_its_former_name_by_which_it_counts(tmp_path):
    config = validate(c.SampleConfig, {"keep_every": 5}, where="here")
    assert config.model_dump()["thinning"] == 5
    assert scientific(config) == {"keep_every": 5}
    file = tmp_path / "old.yaml"
    file.write_text(f"extends: {SAMPLING}\nname: old\nsample: {{keep_every: 5}}\n")
    assert load_experiment(str(file)).sample.thinning == 5
    assert load_sourced(str(file), ["sample.thinning=2"]).fields["sample.thinning"] == (2, "yours: -o")
    assert load_experiment(str(file), ["sample.keep_every=3"]).sample.thinning == 3


# Frozen

CHANGED = "a default or the fingerprint changed: raise the step's version in tfticket/registry.py and renew frozen.yaml"
FROZEN = yaml.safe_load(Path(__file__).with_name("frozen.yaml").read_text())


def default_of(field):
    default = "<required>" if field.is_required() else field.get_default()
    if isinstance(default, tuple):
        return [item.model_dump(mode="json") if isinstance(item, Config) else item for item in default]
    return {type(default).__name__: scientific(default)} if isinstance(default, Config) else default


def test_the_defaults_are_frozen():
    every = [*vars(c).values(), *vars(imp).values()]
    classes = {cls for cls in every if isinstance(cls, type) and issubclass(cls, Config) and cls is not Config}
    defaults = {cls.__name__: {name: default_of(field) for name, field in cls.model_fields.items()} for cls in classes}
    assert json.loads(json.dumps(defaults)) == FROZEN["defaults"], CHANGED
    beyond = {}
    for experiment in (bayes_always_wins, bayesian_lth):
        fields = experiment.Config.model_fields
        own = {name: default_of(field) for name, field in fields.items() if name not in imp.Config.model_fields}
        beyond[experiment.__name__.rpartition(".")[2]] = own
    assert beyond == FROZEN["experiments"], CHANGED


def test_the_fingerprint_of_each_kind_of_step_is_frozen():
    assert {*FROZEN["steps"]} == {*STEPS}
    for kind, step in FROZEN["steps"].items():
        config = getattr(c, f"{kind.title()}Step").model_validate(step["config"])
        inputs = {name: 64 * letter for name, letter in step["inputs"].items()}
        assert fingerprint(kind, config, inputs) == step["fingerprint"], CHANGED
