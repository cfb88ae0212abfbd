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

from tests.refusals import refused
from tests.tables import refusals, rows
from tfticket import config as c
from tfticket._experiments import bayes_always_wins, bayesian_lth, imp
from tfticket.config.durations import LONGEST, Moments, iterations_in
from tfticket.config.schema import LARGEST_SEED, Config, check_seed, validate
from tfticket.costs import cost_of
from tfticket.errors import InputError
from tfticket.fingerprint import fingerprint
from tfticket.presets import experiment_of, load_experiment, load_sourced, merge, planned
from tfticket.registry import EXPERIMENTS, STEPS
from tfticket.yaml_text import load_yaml

SAMPLING = "bayes-always-wins-lenet-300-100-mnist-smoke"
PRESETS = {"bayes-always-wins": SAMPLING, "bayesian-lth": "bayesian-lth-lenet-300-100-smoke", "imp": "quickstart-smoke"}
"""One of each experiment."""
scientific = c.scientific_fields


def quick(**values):
    return validate(imp.Config, {"experiment": "imp", "name": "run", **values}, where="here")


# Lengths


def test_a_duration_has_one_spelling_and_a_length():
    for written, meant in ((40, "40ep"), ("40", "40ep"), ("2000it", "2000it"), ("007ep", "7ep")):
        assert c.TrainConfig(epochs=written).epochs == meant
    assert [iterations_in(text, 55_000, 128) for text in ("1ep", "6ep", "2000it")] == [430, 2578, 2000]
    wrong = ["", "ep", "40 ep", "-3it", -3, "1.5ep", 1.5, "2000iter", "2000it\n", True, None, [1]]
    for value in [*wrong, f"{LONGEST + 1}it", LONGEST + 1, 10**400, "1" * 2000]:
        for cls, field in ((c.TrainConfig, "epochs"), (c.PruneConfig, "rewind")):
            with refused(field):
                validate(cls, ({"rate": 0.5} if field == "rewind" else {}) | {field: value}, where="here")
    for field in ("epochs", "evaluate_every"):
        for nothing in ("0ep", "0it"):
            with refused(field):
                validate(c.TrainConfig, {field: nothing}, where="here")


ROWS, BATCH, COUNT = st.integers(1, 300), st.integers(1, 60), st.integers(1, 20)


@given(COUNT, ROWS, BATCH)
def test_epochs_are_rounded_to_whole_iterations_only_once(count, rows, batch_size):
    assert abs(iterations_in(f"{count}ep", rows, batch_size) * batch_size - count * rows) * 2 <= batch_size


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
    for often, number, longest in (("1it", LONGEST, 1), ("1ep", 4_997_781, 430), (f"{LONGEST}ep", 1, LONGEST)):
        moments = Moments(often, 55_000, 128, LONGEST)
        assert (len(moments), moments.longest, moments.after(0)) == (number, longest, longest)
    assert cost_of(planned("quickstart", [f"train.epochs={LONGEST}it"]).distinct).iterations == LONGEST


# Of 1,000 rows in batches of 100, in 60 iterations
LENGTHS = """
{batch_size: 1001}               | 0it   | batch_size          | 1,001; 1,000
{milestones: [1ep, 7ep]}         | 0it   | milestones          | 7ep; iteration 70; has 60
{milestones: [2147483647it]}     | 0it   | milestones          | 2,147,483,647
{milestones: [1ep, 0ep]}         | 0it   | milestones          | 0ep
{milestones: [1ep, 30it, 3ep]}   | 0it   | milestones          | 30it and 3ep; iteration 30
{batch_size: 1, epochs: 2147483647} | 0it | epochs             | 2,147,483,647,000
{warmup: 60it}                   | 0it   | warmup              | 60
{objective: {kl_warmup: 6ep}}    | 0it   | objective.kl_warmup | 60
{}                               | 100ep | epochs              | 100ep; iteration 1,000
{}                               | 60it  | epochs              | 60it; iteration 60
"""


def test_lengths_that_do_not_fit_the_training_are_refused():
    for train, rewind, field, facts in rows(LENGTHS, 4):
        config = c.TrainConfig(**{"batch_size": 100} | yaml.safe_load(train))
        with refused(f"svi.train.{field}", None, *facts.split("; ")):
            c.check_lengths(config, rewind, 1000, "svi.train")
    c.check_lengths(c.TrainConfig(batch_size=1000, warmup="5it", objective={"kl_warmup": "5it"}), "5it", 1000)
    c.check_lengths(c.TrainConfig(batch_size=100, milestones=["59it", "1it"]), "59it", 1000)
    for kind, option, field in (
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
execution.threads=0  keep=[0it]  keep=[none]  monte_carlo=true  monte_carlo=[{}, {}]
controls=[reinitialise, reinitialise]  controls={name: keep-signs}  controls=3  seeds=[]  seeds=null  seeds=true
seeds={a: 1}  seeds=[0, 0]  seeds=[340282366920938463463374607431768211456]  train.batch_size=0
train.batch_size=64.0  train.weight_decay=-1  train.weight_decay=1e39  train.weight_decay=.inf  train.gamma=0
train.gamma=1e-39  train.augment.crop=-1  train.optimiser.beta_1=1  train.optimiser.beta_1=-0.1
train.optimiser.beta_2=1e-39  train.optimiser.epsilon=0  train.objective.temperature=-1  data.name=''  data.name=[1]
data.train_rows=0  data.split_seed=-1  data.classes=37  data.classes=[1.5, 2]  data.classes=[1.0, 2]
data.classes=[null, 1]  data.classes=[false, 2]  data.classes=[]  data.classes=[3]  data.classes=[3, '3']
svi.population.high=1e39  sample.warmup=19  sample.prior=uniform(yes, 1)  sample.prior=normal(1, 1)
sample.prior=normal(1)  sample.other_prior=glorot-normal  sample.likelihood_power=0
"""
WITHIN = """
prune.sparsity  | prune={sparsity: null}  prune={sparsity: 0.9, rate: 0.2}
prune.rate      | prune={sparsity: null, rate: -0.1}  prune={sparsity: null, rate: 0.0}  prune={sparsity: null, rate: 1}
prune.rates.a   | prune.rates={a: yes}  prune.rates={a: 1.0}
controls.0.densities | controls=[random-mask]  controls=[{name: random-mask, densities: 2}]
controls.0.densities | controls=[{name: random-mask, densities: 0}]
controls.0.path | controls=[{name: own-mask}]
train.milestones | train={schedule: cosine, milestones: [1ep]}
train.optimiser.learning_rate | train.optimiser={name: sgd, learning_rate: 0}
train.optimiser.momentum | train.optimiser={name: sgd, momentum: 0.999999999}
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


def refusal(read, *arguments, **options):
    """The error with which a function refuses its input; None where it takes it."""
    try:
        read(*arguments, **options)
    except InputError as error:
        return error
    return None


def fields_of(values, prefix=""):
    """Dotted name and value of each field, tables included."""
    for key, value in values.items():
        yield prefix + key, value
        yield from fields_of(value, f"{prefix}{key}.") if isinstance(value, dict) else ()


def test_every_field_of_every_experiment_refuses_wrong_values_in_words():
    values, seen = [*(load_yaml(text, "") for text in WRITTEN), *WRONG], set()
    for kind, preset in PRESETS.items():
        base, cls = load_experiment(preset).model_dump(mode="json"), experiment_of(kind).config_class
        fields = dict(fields_of(base))
        for path in fields.keys() - seen:
            trees = [functools.reduce(lambda inner, part: {part: inner}, path.split(".")[::-1], x) for x in values]
            errors = [refusal(validate, cls, merge(base, tree), where="here", yaml=True) for tree in trees]
            assert sum(map(bool, errors)) > len(errors) / 3, path
            assert not [error for error in errors if any(word in str(error) for word in FOREIGN)], path
            if type(fields[path]) in (int, float):
                first = path.partition(".")[0]
                assert all(error and error.field.startswith(first) for error in errors[: len(NO_NUMBERS)]), path
            assert all(str(error).startswith("here: ") for error in errors if error), path
            assert max(len(line) for error in errors for line in str(error).splitlines()) < 1000, path
        seen |= fields.keys()
    assert {name for name, entry in EXPERIMENTS.items() if "tfticket._experiments." in entry.target} == {*PRESETS}
    for field in ("epochs", "batch_size", "weight_decay", "milestones", "schedule", "augment"):
        for value in (10**5000, [10**5000]):  # Python writes no number of so many digits
            assert field in str(refusal(c.TrainConfig, **{field: value}))
    assert "path" in str(refusal(c.DataConfig, path=10**5000))


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
    assert quick(seeds=np.arange(3)).seeds == (0, 1, 2)
    assert c.PriorConfig(deviation=np.array(2)).deviation == 2.0
    for value in (True, np.bool_(True), np.float64(4)):
        with refused("batch_size", None, "TrainConfig"):
            c.TrainConfig(batch_size=value)
    with refused("batch_sise", "batch_size", "TrainConfig"):
        c.TrainConfig(batch_sise=4)


def test_seeds_have_up_to_128_bits_and_runs_the_names_that_folders_may_have():
    for seed in (0, LARGEST_SEED, np.int64(7)):
        assert (check_seed(seed), type(check_seed(seed))) == (int(seed), int)
        assert load_experiment("quickstart-smoke", [f"seeds=[{seed}]"]).seeds == (int(seed),)
    for seed in (-1, True, 1.0, "1", None, LARGEST_SEED + 1, 10**5000, [1]):
        with refused("seed"):
            check_seed(seed)
    for name in ("2026-11-30", "007", "1e", "y", "0x10", "1_000"):  # texts as they are written
        assert load_experiment("quickstart-smoke", [f"name={name}"]).name == name
    options = ["data.path=rows.npz", "data.classes=[007, 1_0, 3, '4', 2026-11-30]"]
    assert load_experiment("quickstart-smoke", options).data.classes == ("007", "1_0", 3, "4", "2026-11-30")
    for name in ("a" * 201, "", "a b", "a/b", "..", ".a", "a\n", "a\u0000", "\u00e9", "-a", "*"):
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
EXAMPLES = [c.Sgd(), OWN_DATA, c.Augment(), c.TrainConfig(), AUGMENTED, quick(), c.PruneConfig(rate=0.2, rewind="5it")]


def test_a_configuration_is_frozen_shown_shortly_and_read_back_as_it_was():
    for config in EXAMPLES:
        for field in type(config).model_fields:
            with refused(None, None, f"{field}=..."):
                setattr(config, field, getattr(config, field))
        again = type(config).model_validate(json.loads(json.dumps(config.model_dump(mode="json"))))
        assert len({config, again}) == 1
        assert scientific(again) == scientific(config)
    shown = "SampleConfig(draws=7, prior=PriorConfig(name='uniform'))"
    assert repr(c.SampleConfig(draws=7, prior="uniform(-1, 1)")) == shown


NAMES = """
{}                                  | mnist
{path: some/folder/digits.tar.gz}   | digits
{path: /some/digits/}               | digits
{path: /some/digits.1890.zip}       | digits.1890
{path: /some/digits.1890}           | digits.1890
{path: /some/.npz}                  | own data
{path: digits.npz, name: null}      | digits
{path: digits.npz, name: mine}      | mine
"""


def test_own_data_are_named_after_their_file_whose_path_is_absolute(tmp_path, monkeypatch):
    for values, name in rows(NAMES, 2):
        assert c.DataConfig(**yaml.safe_load(values)).name == name
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    for path, absolute in (
        ("digits.npz", tmp_path / "digits.npz"),
        ("~/digits.npz", "/home/me/digits.npz"),
        ("~nosuchuser/digits.npz", tmp_path / "~nosuchuser" / "digits.npz"),
    ):
        assert c.DataConfig(path=path).path == str(absolute)


# What counts in a fingerprint


def test_what_differs_from_the_defaults_and_discriminators_count():
    assert scientific(c.TrainConfig(optimiser=c.Sgd(momentum=0))) == {"optimiser": {"name": "sgd", "momentum": 0.0}}
    train = c.TrainConfig(augment={"flip": True, "crop": 4})
    assert scientific(train) == {"optimiser": {"name": "adam"}, "augment": {"flip": True, "crop": 4}}
    assert scientific(c.TrainConfig(augment=c.Augment())) == scientific(c.TrainConfig())
    assert scientific(c.StartStep(seed=0, data=c.DataConfig(train_rows=9))) == {"seed": 0, "data": {"train_rows": 9}}
    changed = quick(name="another", execution={"threads": 1, "checkpoint_seconds": 1, "segment_seconds": 1})
    assert scientific(changed) == scientific(quick()) != scientific(quick(seeds=[5]))
    for minus, plus in (  # minus 0 counts as 0
        (c.PriorConfig.model_validate("uniform(-0.0, 1)"), c.PriorConfig(name="uniform", low=0.0)),
        (c.Objective(kl_weights={"dense": -0.0}), c.Objective(kl_weights={"dense": 0.0})),
        (c.TrainConfig(optimiser=c.Sgd(momentum=-0.0)), c.TrainConfig(optimiser=c.Sgd(momentum=0.0))),
    ):
        assert json.dumps(scientific(minus)) == json.dumps(scientific(plus))


def test_a_renamed_key_is_read_under_its_former_name_by_which_it_counts(tmp_path):
    config = validate(c.SampleConfig, {"keep_every": 5}, where="here")
    assert (config.model_dump()["thinning"], scientific(config)) == (5, {"keep_every": 5})
    file = tmp_path / "old.yaml"
    file.write_text(f"extends: {SAMPLING}\nname: old\nsample: {{keep_every: 5}}\n")
    assert load_experiment(str(file)).sample.thinning == 5
    assert load_sourced(str(file), ["sample.thinning=2"]).fields["sample.thinning"] == (2, "yours: -o")
    assert load_experiment(str(file), ["sample.keep_every=3"]).sample.thinning == 3


def test_options_of_other_samplers_are_named():
    config = c.SampleConfig(method="sgld", metric="low-rank", max_tree_depth=4, start_gradients=9, batch_size=8)
    assert config.ineffective == ["metric", "max_tree_depth", "start_gradients"]
    assert not c.SampleConfig(max_tree_depth=4, metric="low-rank").ineffective
    assert c.SampleConfig(method="hmc", leapfrog_steps=4, trajectory_length=1.5).ineffective == ["trajectory_length"]
    notes = load_experiment(SAMPLING, ["sample.method=mclmc", "sample.friction=0.5"])
    assert notes.sample.ineffective == ["max_tree_depth", "friction"]
    assert notes.notes == ["mclmc does not read sample.max_tree_depth, sample.friction."]


def test_a_rule_to_stop_chains_is_checked_and_named_where_it_has_no_effect():
    short = ["sample.draws=200", "until=converged"]
    assert [note[:19] for note in load_experiment(SAMPLING, short).notes] == ["until has no effect"]
    assert not load_experiment(SAMPLING, ["sample.draws=201", "until=400 effective draws"]).notes
    with refused("until", None, "converged", "no better", "400 effective draws"):
        load_experiment(SAMPLING, ["until=soon"])


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
    for experiment in (bayes_always_wins, bayesian_lth):
        fields = experiment.Config.model_fields
        own = {name: default_of(field) for name, field in fields.items() if name not in imp.Config.model_fields}
        assert own == FROZEN["experiments"][experiment.__name__.rpartition(".")[2]], CHANGED


def test_the_fingerprint_of_each_kind_of_step_is_frozen():
    assert {*FROZEN["steps"]} == {*STEPS}
    for kind, step in FROZEN["steps"].items():
        config = getattr(c, f"{kind.title()}Step").model_validate(step["config"])
        inputs = {name: 64 * letter for name, letter in step["inputs"].items()}
        assert fingerprint(kind, config, inputs) == step["fingerprint"], CHANGED
