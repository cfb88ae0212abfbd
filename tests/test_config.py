import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket import config as module
from tfticket._experiments import bayes_always_wins, bayesian_lth, imp
from tfticket.config import (
    Adam,
    Augment,
    ControlStep,
    DataConfig,
    DrawStep,
    EnsembleStep,
    EvaluateStep,
    Execution,
    FitStep,
    MemberStep,
    Objective,
    PoolStep,
    Population,
    PriorConfig,
    PruneConfig,
    PruneStep,
    SampleConfig,
    SampleStep,
    Sgd,
    StartStep,
    TrainConfig,
    TrainStep,
    TransplantStep,
    scientific_fields,
)
from tfticket.config.durations import Moments, iterations_in
from tfticket.config.schema import Config, validate
from tfticket.data import Normalisation
from tfticket.errors import InputError
from tfticket.fingerprint import fingerprint
from tfticket.presets import load_experiment, load_sourced
from tfticket.registry import STEPS

CHANGED = (
    "a default or the fingerprint changed: raise the step's version in tfticket/registry.py and renew this literal"
)


def quick(**values):
    return validate(imp.Config, {"experiment": "imp", "name": "run", **values}, where="here")


# Durations


@pytest.mark.parametrize(
    ("given", "meant"), [(40, "40ep"), ("40", "40ep"), ("40ep", "40ep"), ("2000it", "2000it"), ("007ep", "7ep")]
)
def test_a_duration_has_one_spelling(given, meant):
    assert TrainConfig(epochs=given).epochs == meant


@pytest.mark.parametrize(
    "given", ["", "ep", "40 ep", "-3it", -3, "1.5ep", 1.5, "2000iter", "2000it\n", True, None, [1]]
)
def test_what_is_no_duration_is_refused(given):
    with pytest.raises(InputError, match=r"duration such as|is not a duration"):
        validate(TrainConfig, {"epochs": given}, where="here")


@pytest.mark.parametrize("field", ["epochs", "evaluate_every"])
@pytest.mark.parametrize("nothing", [0, "0ep", "0it", "00ep"])
def test_a_training_or_a_pause_of_no_length_is_refused(field, nothing):
    with pytest.raises(InputError, match="must be longer"):
        validate(TrainConfig, {field: nothing}, where="here")


def test_iterations_of_mnist():
    assert iterations_in("1ep", 55_000, 128) == 430
    assert iterations_in("6ep", 55_000, 128) == 2578
    assert iterations_in("2000it", 55_000, 128) == 2000


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


# Keys and values


@pytest.mark.parametrize(
    ("values", "nearest"),
    [
        ({"trian": {}}, "train"),
        ({"train": {"epoch": 3}}, "train.epochs"),
        ({"prune": {"sparsity": 0.9, "scopes": "global"}}, "prune.scope"),
        ({"train": {"optimiser": {"name": "adam", "learning_rte": 1}}}, "train.optimiser.learning_rate"),
        ({"train": {"optimiser": {"name": "sgd", "momentun": 0}}}, "train.optimiser.momentum"),
        ({"model": {"name": "lenet-300"}}, "lenet-300-100"),
        ({"prune": {"sparsity": 0.9, "score": "magnitud"}}, "magnitude"),
        ({"data": {"clases": [3, 5]}}, "data.classes"),
        ({"train": {"augment": {"flips": True}}}, "train.augment.flip"),
    ],
)
def test_what_is_unknown_is_refused_and_the_nearest_suggested(values, nearest):
    with pytest.raises(InputError, match=f"(?s)^here: .*Did you mean '{nearest}'"):
        quick(**values)


def test_only_the_keys_of_the_chosen_optimizer_are_known():
    with pytest.raises(InputError, match="beta_1") as refused:
        quick(train={"optimiser": {"name": "sgd", "beta_1": 0.9}})
    assert "momentum" in str(refused.value)
    assert "beta_2" not in str(refused.value)


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        *[(PruneConfig, "sparsity", value) for value in (-0.1, 1.0, 1.5, float("nan"), "most")],
        *[(PruneConfig, "rate", value) for value in (-0.1, 0.0, 1.0, float("inf"))],
        (PruneConfig, "levels", 0),
        (PruneConfig, "rewind", "soon"),
        (TrainConfig, "batch_size", 0),
        (TrainConfig, "weight_decay", -1),
        (DataConfig, "name", ""),
        (DataConfig, "train_rows", 0),
        (DataConfig, "validation_rows", 0),
        *[(DataConfig, "classes", value) for value in ("37", [1.5, 2], [None, 1], [1, True], [False, 2], [1.0, 2], 3)],
        (DataConfig, "normalise", "z-score"),
        (DataConfig, "path", 3),
        (Augment, "crop", -1),
        (Augment, "flip", "sometimes"),
        (DataConfig, "split_seed", -1),
        (Adam, "beta_1", 1),
        (Sgd, "learning_rate", 0),
        (Execution, "threads", 0),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(cls, field, value):
    amount = {"sparsity": 0.9} if cls is PruneConfig and field not in ("sparsity", "rate") else {}
    with pytest.raises(InputError, match=f"here: {field}"):
        validate(cls, {**amount, field: value}, where="here")


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (Adam, {"learning_rate": 1e-46}, "learning_rate: too small: it would be 0 in float32"),
        (Adam, {"epsilon": 1e-40}, "epsilon: too small"),
        (Adam, {"beta_1": 0.99999999999}, "beta_1: too close to 1: it would be 1 in float32"),
        (Adam, {"beta_2": 1e-39}, "beta_2: too small"),
        (Sgd, {"momentum": 1 - 1e-9}, "momentum: too close to 1"),
        (Sgd, {"learning_rate": 1e39}, "learning_rate: too large: it would be infinite in float32"),
        (TrainConfig, {"weight_decay": 1e39}, "weight_decay: too large"),
        (TrainConfig, {"gamma": 1e-39}, "gamma: too small"),
        (TrainConfig, {"milestones": ["1ep", "2ep"], "gamma": 1e-30}, "from the milestone 2ep on, .* is 1.2e-63"),
        (Objective, {"temperature": 1e-39}, "temperature: too small"),
        (Objective, {"kl_weights": {"dense": 1e39}}, "kl_weights.dense: too large"),
        (Objective, {"temperature": 1e-30, "kl_weights": {"dense": 1e-30}}, "temperature x kl_weights.dense is 1e-60"),
        (Population, {"perturb": [1e-39]}, "perturb.0: too small"),
        (Population, {"high": 1e39}, "high: too large"),
        (PriorConfig, {"deviation": 1e39}, "deviation: too large"),
        (PriorConfig, {"name": "uniform", "low": -1e39}, "low: too large"),
        (PriorConfig, {"name": "glorot-normal", "factor": 1e-39}, "factor: too small"),
        (SampleConfig, {"likelihood_power": 1e-39}, "likelihood_power: too small"),
    ],
)
def test_a_number_that_float32_makes_another_is_refused(cls, values, message):
    with pytest.raises(InputError, match=f"^here: {message}"):
        validate(cls, values, where="here")


def test_numbers_at_the_ends_of_float32_are_taken():
    assert Adam(learning_rate=2.0**-126, beta_1=1 - 2.0**-24, beta_2=0).beta_1 < 1
    assert TrainConfig(weight_decay=3.4e38).weight_decay == 3.4e38


@pytest.mark.parametrize("values", [{}, {"sparsity": 0.9, "rate": 0.2}, {"sparsity": None}])
def test_pruning_takes_either_a_target_or_a_rate(values):
    with pytest.raises(InputError, match="either sparsity"):
        validate(PruneConfig, values, where="here")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "two words", "line\n"])
def test_a_run_is_named_as_a_folder_may_be(name):
    with pytest.raises(InputError, match="name"):
        quick(name=name)


@given(st.floats(1e-9, 0.9999), st.integers(1, 40))
def test_the_rates_of_all_levels_make_the_target(sparsity, levels):
    rate = PruneConfig(sparsity=sparsity, levels=levels).rate_per_level
    assert (1 - rate) ** levels == pytest.approx(1 - sparsity)


def test_more_levels_at_one_rate_have_the_same_steps():
    few, many = (PruneConfig(rate=0.2, levels=levels, exempt=["dense_3"]) for levels in (3, 9))
    assert few.step(seed=5) == many.step(seed=5) == PruneStep(rate=0.2, exempt=["dense_3"], seed=5)


OWN_DATA = DataConfig(path="rows.npz", classes=[3, "cat"], normalise="standard")
AUGMENTED = TrainConfig(augment={"flip": True, "crop": 4})


@pytest.mark.parametrize(
    "config", [Adam(), DataConfig(), OWN_DATA, PruneConfig(rate=0.2), TrainConfig(), AUGMENTED, quick()]
)
def test_a_configuration_is_frozen_and_equal_ones_are_one_key(config):
    for field in type(config).model_fields:
        with pytest.raises(InputError, match="does not change once it is made"):
            setattr(config, field, getattr(config, field))
    assert len({config, type(config).model_validate(config.model_dump())}) == 1


def test_what_is_written_down_is_read_back_the_same():
    config = quick(
        train={"optimiser": {"name": "sgd"}, "milestones": ["10it"], "augment": {"crop": 4}},
        prune={"rate": 0.2, "rewind": "5it"},
        data={"path": "rows.npz", "classes": ["cat", 3]},
    )
    assert imp.Config.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config


# Which data


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "mnist"),
        ({"path": None}, "mnist"),
        ({"path": "digits.npz"}, "digits"),
        ({"path": "some/folder/digits.tar.gz"}, "digits"),
        ({"path": "/some/digits"}, "digits"),
        ({"path": "/some/digits/"}, "digits"),
        ({"path": "/some/digits.1890.zip"}, "digits.1890"),
        ({"path": "/some/digits.1890"}, "digits.1890"),
        ({"path": "/some/.npz"}, "own data"),
        ({"path": "/"}, "own data"),
        ({"path": "digits.npz", "name": None}, "digits"),
        ({"path": "digits.npz", "name": "mine"}, "mine"),
        ({"name": "mine"}, "mine"),
    ],
)
def test_own_data_are_named_after_their_file_where_nobody_names_them(values, name):
    assert validate(DataConfig, values, where="here").name == name


@pytest.mark.parametrize(
    ("path", "absolute"),
    [("digits.npz", "{here}/digits.npz"), ("~/digits.npz", "{home}/digits.npz"), ("/a/digits.npz", "/a/digits.npz")],
)
def test_a_path_is_absolute_so_that_it_means_the_same_elsewhere(path, absolute, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    config = DataConfig(path=path)
    assert config.path == absolute.format(here=tmp_path, home=tmp_path / "home")
    monkeypatch.chdir("/")
    assert DataConfig.model_validate(config.model_dump()) == config


def test_the_home_of_nobody_is_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = DataConfig(path="~nosuchuser/digits.npz")
    assert (config.name, config.path) == ("digits", str(tmp_path / "~nosuchuser" / "digits.npz"))


@pytest.mark.parametrize("classes", [[], [3], ["cat"]])
def test_one_class_is_no_choice(classes):
    with pytest.raises(InputError, match=r"^here: classes must be at least two, got \["):
        validate(DataConfig, {"classes": classes}, where="here")


def test_classes_stay_the_numbers_and_names_that_they_are():
    config = DataConfig(classes=["3", 5])
    assert config.classes == ("3", 5)
    assert DataConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize("classes", [[3, 3], [3, "3"], ["cat", "dog", "cat"]])
def test_a_class_is_named_once(classes):
    with pytest.raises(InputError, match=r"here: the classes .* repeat"):
        validate(DataConfig, {"classes": classes}, where="here")


# What counts in a fingerprint


def test_defaults_do_not_count_and_discriminators_do():
    assert scientific_fields(TrainConfig()) == {"optimiser": {"name": "adam"}}
    assert scientific_fields(TrainConfig(optimiser=Sgd(momentum=0))) == {"optimiser": {"name": "sgd", "momentum": 0.0}}
    assert scientific_fields(AUGMENTED) == {"optimiser": {"name": "adam"}, "augment": {"flip": True, "crop": 4}}
    assert scientific_fields(TrainConfig(augment=Augment())) == scientific_fields(TrainConfig())
    assert scientific_fields(StartStep(seed=0)) == {"seed": 0}
    assert scientific_fields(StartStep(seed=0, data=DataConfig(train_rows=9))) == {"seed": 0, "data": {"train_rows": 9}}


def test_a_renamed_key_is_read_under_its_former_name_by_which_it_counts():
    config = validate(SampleConfig, {"keep_every": 5}, where="here")
    assert config.thinning == 5
    assert config.model_dump()["thinning"] == 5
    assert scientific_fields(config) == {"keep_every": 5}
    with pytest.raises(InputError, match="keep_every is the former name of thinning: give one of them"):
        validate(SampleConfig, {"keep_every": 5, "thinning": 5}, where="here")


def test_a_new_name_overrides_the_former_one_of_an_old_file(tmp_path):
    file = tmp_path / "old.yaml"
    file.write_text("extends: bayes-always-wins-lenet-300-100-mnist-smoke\nname: old\nsample: {keep_every: 5}\n")
    assert load_experiment(str(file)).sample.thinning == 5
    sourced = load_sourced(str(file), ["sample.thinning=2"])
    assert sourced.fields["sample.thinning"] == (2, "yours: -o")
    assert load_experiment(str(file), ["sample.keep_every=3"]).sample.thinning == 3


@pytest.mark.parametrize(
    "config",
    [DataConfig(), OWN_DATA, Adam(), Sgd(), Augment(), TrainConfig(), AUGMENTED, PruneConfig(rate=0.2), quick()],
)
def test_a_default_that_is_spelt_out_counts_no_more_than_one_left_out(config):
    assert scientific_fields(type(config).model_validate(config.model_dump())) == scientific_fields(config)


def test_minus_0_counts_as_0():
    for minus, plus in (
        (PriorConfig(name="uniform", low=-0.0), PriorConfig(name="uniform", low=0.0)),
        (Objective(kl_weights={"dense": -0.0}), Objective(kl_weights={"dense": 0.0})),
        (TrainConfig(optimiser=Sgd(momentum=-0.0)), TrainConfig(optimiser=Sgd(momentum=0.0))),
        (PriorConfig.model_validate("uniform(-0.0, 1)"), PriorConfig(name="uniform", low=0.0)),
    ):
        assert json.dumps(scientific_fields(minus)) == json.dumps(scientific_fields(plus))


@pytest.mark.parametrize("cls", [Normalisation, Adam, TrainConfig, DataConfig])
def test_a_configuration_of_defaults_says_its_class(cls):
    assert str(cls()) == repr(cls()) == f"{cls.__name__}()"


def test_execution_and_the_runs_name_never_count():
    changed = quick(name="another", execution={"threads": 1, "checkpoint_seconds": 1, "segment_seconds": 1})
    assert scientific_fields(changed) == scientific_fields(quick())
    assert scientific_fields(quick(seeds=[5])) != scientific_fields(quick())


# Frozen: a nested configuration appears as its class and what differs from the defaults of that class

DEFAULTS = {
    "Adam": {"name": "adam", "learning_rate": 0.0012, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07},
    "Augment": {"flip": False, "crop": 0},
    "Config": {
        "experiment": "<required>",
        "name": "<required>",
        "execution": {"Execution": {}},
        "data": {"DataConfig": {}},
        "model": {"ModelConfig": {}},
        "train": {"TrainConfig": {"optimiser": {"name": "adam"}}},
        "prune": {"PruneConfig": {"sparsity": 0.99}},
        "keep": [],
        "seeds": [0, 1, 2],
        "control_densities": [0.25, 0.1, 0.04, 0.01],
        "control_levels": None,
        "controls": ["reinitialise", "shuffle-layerwise"],
        "monte_carlo": [],
        "replicates": 1,
        "evaluation_passes": 5,
        "out_of_distribution": None,
    },
    "Control": {"name": "<required>", "initialiser": None, "densities": None, "path": None, "allow_empty": True},
    "ControlStep": {"control": "<required>", "seed": "<required>"},
    "DataConfig": {
        "name": "mnist",
        "path": None,
        "classes": None,
        "validation_rows": None,
        "train_rows": None,
        "split_seed": 0,
        "stratify": False,
        "normalise": "auto",
    },
    "DrawStep": {"data": {"DataConfig": {}}, "draw": {"MonteCarlo": {}}, "seed": "<required>"},
    "EvaluateStep": {
        "data": {"DataConfig": {}},
        "draws": 10,
        "seed": 0,
        "passes": 5,
        "out_of_distribution": None,
    },
    "FitStep": {"data": {"DataConfig": {}}, "images": None, "seed": "<required>"},
    "MonteCarlo": {"connectivity": True, "as_printed": False, "images": None},
    "Execution": {"threads": None, "processes": None, "checkpoint_seconds": 30.0, "segment_seconds": 5.0},
    "ExperimentConfig": {"experiment": "<required>", "name": "<required>", "execution": {"Execution": {}}},
    "ModelConfig": {"name": "lenet-300-100", "initialiser": "glorot_normal", "start": "seed", "variational": None},
    "PruneConfig": {
        "levels": 10,
        "sparsity": None,
        "rate": None,
        "score": "magnitude",
        "scope": "global",
        "exempt": [],
        "rates": {},
        "rewind": "0it",
        "allow_empty": False,
    },
    "PruneStep": {
        "rate": "<required>",
        "score": "magnitude",
        "scope": "global",
        "exempt": [],
        "rates": {},
        "rewind": "0it",
        "allow_empty": False,
        "seed": "<required>",
    },
    "Sgd": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": False},
    "StartStep": {"data": {"DataConfig": {}}, "model": {"ModelConfig": {}}, "seed": "<required>"},
    "TrainConfig": {
        "epochs": "6ep",
        "batch_size": 128,
        "optimiser": {"Adam": {"name": "adam"}},
        "weight_decay": 0.0,
        "decoupled": False,
        "augment": {"Augment": {}},
        "milestones": [],
        "gamma": 0.1,
        "schedule": "steps",
        "warmup": "0it",
        "precision": "float32",
        "objective": {"Objective": {}},
        "evaluate_every": "1ep",
        "evaluate_test": False,
    },
    "TrainStep": {
        "data": {"DataConfig": {}},
        "train": {"TrainConfig": {"optimiser": {"name": "adam"}}},
        "seed": "<required>",
        "keep": [],
    },
    "PriorConfig": {
        "name": "normal",
        "deviation": 1.0,
        "low": -1.0,
        "high": 1.0,
        "factor": 1.44,
        "fan": "surviving",
    },
    "SampleConfig": {
        "method": "nuts",
        "draws": 1400,
        "warmup": 200,
        "prior": {"PriorConfig": {}},
        "other_prior": {"PriorConfig": {}},
        "likelihood_power": 1.0,
        "start": "prior",
        "max_tree_depth": 10,
        "warmup_tree_depth": None,
        "leapfrog_steps": 50,
        "target_acceptance": 0.8,
        "evaluate_every": 10,
        "thinning": 1,
        "engine": "auto",
        "freeze_batch_norm": False,
    },
    "SampleStep": {
        "data": {"DataConfig": {}},
        "sample": {"SampleConfig": {}},
        "seed": "<required>",
        "chain": "<required>",
    },
    "Variational": {"prior": 1.0, "deviation": 0.01, "means": "fan-in"},
    "Objective": {
        "estimator": "flipout",
        "draws": 1,
        "loss": "elbo",
        "scaled": False,
        "temperature": 1.0,
        "kl_weights": {},
        "kl_warmup": "0it",
        "evaluation_draws": 10,
    },
    "EnsembleStep": {"data": {"DataConfig": {}}, "draws": 10, "seed": 0},
    "TransplantStep": {"carried": "start"},
    "PoolStep": {"data": {"DataConfig": {}}},
    "Population": {
        "members": 50,
        "generations": 10,
        "truncation": 0.2,
        "perturb": [0.8, 1.25],
        "resample": 0.25,
        "low": 0.0001,
        "high": 10.0,
        "metric": "nll",
    },
    "MemberStep": {
        "data": {"DataConfig": {}},
        "train": {"TrainConfig": {"optimiser": {"name": "adam"}}},
        "seed": "<required>",
        "first": "<required>",
        "last": "<required>",
    },
}


def default_of(field):
    if field.is_required():
        return "<required>"
    default = field.get_default()
    if isinstance(default, tuple):
        return [one.model_dump(mode="json") if isinstance(one, Config) else one for one in default]
    return {type(default).__name__: scientific_fields(default)} if isinstance(default, Config) else default


def test_the_defaults_are_frozen():
    classes = [
        cls
        for namespace in (vars(module), vars(imp))
        for cls in namespace.values()
        if isinstance(cls, type) and issubclass(cls, Config) and cls is not Config
    ]
    found = {cls.__name__: {name: default_of(field) for name, field in cls.model_fields.items()} for cls in classes}
    assert json.loads(json.dumps(found)) == DEFAULTS, CHANGED


TICKET, TRAINED = "a" * 64, "b" * 64

SAMPLING_DEFAULTS = {
    "svi": None,
    "sample": {"SampleConfig": {}},
    "chains": 4,
    "sampled_levels": None,
    "sampled_arms": ["ticket"],
    "ensemble": True,
}
"""What the experiment that samples has beyond iterative pruning."""


BAYESIAN_DEFAULTS = {
    "variational": {"Variational": {}},
    "variational_train": None,
    "trunks": [{"variational": True, "score": "snr", "rewind": None, "controls": True}],
    "transplants": ["start"],
}
"""The same of the one that prunes variational networks."""


@pytest.mark.parametrize(
    ("experiment", "frozen"), [(bayes_always_wins, SAMPLING_DEFAULTS), (bayesian_lth, BAYESIAN_DEFAULTS)]
)
def test_the_defaults_of_what_builds_on_iterative_pruning_are_frozen(experiment, frozen):
    own = set(experiment.Config.model_fields) - set(imp.Config.model_fields)
    assert {name: default_of(experiment.Config.model_fields[name]) for name in own} == frozen, CHANGED


FROZEN_STEPS = {
    "start": (
        StartStep(seed=3),
        {},
        "df9f6cb56cde32db691f13f109a9a2ae38789dbe32261e7699fecbb611103efd",
    ),
    "train": (
        TrainStep(seed=3, keep=("500it",)),
        {"ticket": TICKET},
        "6115820a3379e8c95df25ae538a3e071da80867d2176e350dde194a1b5167201",
    ),
    "prune": (
        PruneStep(rate=0.2, seed=3),
        {"ticket": TICKET, "trained": TRAINED},
        "4a9a8879fbf09082f2123dc43166e9419e1b6ed33220fcbf884387f90206397a",
    ),
    "control": (
        ControlStep(control="shuffle-layerwise", seed=3),
        {"ticket": TICKET},
        "09791b275f32ced2abeb302ee2a236c98aca52e93396215d5fa63420e36d18f9",
    ),
    "fit": (FitStep(seed=3), {"ticket": TICKET}, "2af4dd31d62b90134a49f2bf9f242d50f1abe80d21346f1d7086ac45181fe52d"),
    "draw": (
        DrawStep(seed=3),
        {"ticket": TICKET, "sampler": "d" * 64},
        "4409f7846a847cee596f9e2cce93c1edd56cdf0f9cd60fff74d638563f8ab067",
    ),
    "evaluate": (
        EvaluateStep(),
        {"ticket": TICKET, "trained": TRAINED},
        "29ddb7a211866ee8c3ce0b373d6fc77a04d078435b9eb9efeea0c7037a430861",
    ),
    "ensemble": (
        EnsembleStep(),
        {"ticket": TICKET, "member 0": TRAINED},
        "17164d00d0bdcd93e84e8d965e65f6d9731cba45862ba21c856baeda02b1d758",
    ),
    "sample": (
        SampleStep(seed=3, chain=1),
        {"ticket": TICKET},
        "3acf1b389298376f01b7f943cb147219ff251ef42e37466ff8d56fbbe0c1d9bf",
    ),
    "transplant": (
        TransplantStep(carried="trained"),
        {"ticket": TICKET, "onto": "c" * 64, "trained": TRAINED},
        "4ed5484c503802532eff7591794bf5aadc00ea46b48347a70c0587c27f111a93",
    ),
    "member": (
        MemberStep(seed=3, first=40, last=80),
        {"ticket": TICKET, "parent": "e" * 64},
        "97858dc15ef3875e954c7e2c4331c3ca837fc70613390535cec427db764fb4d7",
    ),
    "pool": (
        PoolStep(),
        {"ticket": TICKET, "chain 0": "c" * 64},
        "a6e13570e48cbe65eb64934030a396c0ac99a2604125081d7ab51731ae5215ff",
    ),
}


@pytest.mark.parametrize("kind", STEPS)
def test_the_fingerprint_of_each_kind_of_step_is_frozen(kind):
    config, inputs, frozen = FROZEN_STEPS[kind]
    assert fingerprint(kind, config, inputs) == frozen, CHANGED
