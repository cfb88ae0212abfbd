"""The experiment of the Bayesian lottery ticket hypothesis: its plan, and a run on real data. Needs TensorFlow."""

import numpy as np
import pytest
import yaml
from tfticket._experiments.bayesian_lth import BayesianLth, Config

from tests.plans import DIGITS, Run, assert_planned, assert_same, differ, trainings
from tests.refusals import refused
from tests.tables import refusals
from tfticket import seeds
from tfticket._experiments import imp
from tfticket.arms import Arm
from tfticket.config import Objective
from tfticket.config.schema import validate
from tfticket.presets import merge
from tfticket.runs.files import read_json

OBJECTIVE = {"draws": 2, "temperature": 0.1, "evaluation_draws": 2}
VALUES = {
    "experiment": "bayesian-lth",
    "name": "bayesian",
    "data": DIGITS,
    "model": {"name": "lenet-300-100"},
    "train": {"epochs": "6it", "batch_size": 50, "objective": OBJECTIVE},
    "evaluation_passes": 1,
    "prune": {"levels": 1, "rate": 0.5},
    "trunks": [{"score": "mu", "controls": False}, {"score": "snr"}, {"rewind": "none", "controls": False}],
    "control_densities": [0.5],
    "controls": ["reinitialise"],
    "transplants": ["start", "trained", "mask"],
    "replicates": 2,
    "seeds": [0],
    "execution": {"processes": 1},
}
EXPERIMENT = BayesianLth()
INFERENCE = {"epochs": "6it", "batch_size": 50}
DETERMINISTIC = ("ticket", "reinitialise")
TRUNKS = ("bayesian-mu", "bayesian-snr", "bayesian-snr-lrr")
CARRIED = ("start", "trained", "mask")
REPLICATED = ("reinitialise", "bayesian-snr reinitialise", *(f"transplant-{carried}" for carried in CARRIED))
TRAINED = [(arm, 0, level, 0) for arm in ("ticket", *TRUNKS) for level in (0, 1)]
TRAINED += [(arm, 0, 1, replicate) for arm in REPLICATED for replicate in (0, 1)]
"""Arm, seed, level and replicate of each training."""


def config_of(changes=None):
    return validate(Config, merge(VALUES, dict(changes or {})), where="here")


def plan_of(changes=None):
    return EXPERIMENT.plan(config_of(changes))


def fingerprints(plan):
    return {arm: step.fingerprint for arm, step in trainings(plan).items()}


def looked_up(config, experiment, tmp_path):
    """Fingerprints as a workspace in which nothing is done would have them."""
    plan = experiment.plan(config, tmp_path)
    return {(step.kind, step.fingerprint) for step in plan.entries}, fingerprints(plan)


# The plan


def test_each_arm_is_trained_and_evaluated_at_its_levels_and_nothing_else_is():
    plan = plan_of()
    trained, evaluated = trainings(plan), trainings(plan, "evaluate")
    assert sorted(trained) == sorted(evaluated) == sorted(TRAINED)
    for arm in TRAINED:
        assert evaluated[arm].inputs["trained"] == trained[arm]
        assert evaluated[arm].inputs["ticket"] == trained[arm].inputs["ticket"]
    for steps in (trained, evaluated):  # ways of pruning share the dense network
        assert len({steps[trunk, 0, 0, 0].fingerprint for trunk in TRUNKS}) == 1
        assert len({steps[trunk, 0, 1, 0].fingerprint for trunk in TRUNKS}) == 3
    trunks = {trunk: trained[trunk, 0, 1, 0].inputs["ticket"].config for trunk in TRUNKS}
    assert [(step.score, step.rewind) for step in trunks.values()] == [("mu", "0it"), ("snr", "0it"), ("snr", "none")]


def test_the_objective_reaches_variational_trainings_alone():
    plan = plan_of()
    for arm, step in trainings(plan).items():
        variational, evaluation = arm[0] not in DETERMINISTIC, trainings(plan, "evaluate")[arm].config
        assert step.is_variational == variational
        assert step.config.train.objective == (Objective(**OBJECTIVE) if variational else Objective()), arm
        assert (evaluation.draws, evaluation.passes) == ((2, 1) if variational else (10, 5)), arm


def test_changed_trainings_reach_the_networks_that_they_are_of(tmp_path):
    def trained(changes=None):
        return looked_up(config_of(changes), EXPERIMENT, tmp_path)[1]

    usual, own = trained(), {"variational_train": VALUES["train"]}
    assert trained(own) == usual
    longer = own | {"train": {"epochs": "7it"}}
    for changes in (
        {"train": {"objective": {"draws": 3}}},
        {"variational_train": INFERENCE | {"epochs": "7it"}},
        longer,
    ):
        other = trained(changes)
        for arm in TRAINED:
            same = arm[0].startswith(TRUNKS) if changes is longer else arm[0] in DETERMINISTIC
            assert (other[arm] == usual[arm]) == same, (arm, changes)


@pytest.mark.parametrize("carried", CARRIED)
def test_a_transplant_takes_the_ticket_and_its_replicates_have_seeds_of_their_own(carried):
    trained = trainings(plan_of())
    own = [seeds.derive(0, "transplant", replicate) for replicate in (0, 1)]
    for replicate, seed in enumerate(own if carried == "mask" else [0, own[1]]):
        step = trained[f"transplant-{carried}", 0, 1, replicate]
        transplant = step.inputs["ticket"]
        onto = transplant.inputs["onto"]
        assert (step.config.seed, onto.config.seed, transplant.config.carried) == (seed, seed, carried)
        assert (onto.kind, onto.is_variational) == ("start", True)
        assert transplant.inputs["ticket"] == trained["ticket", 0, 1, 0].inputs["ticket"]
        assert transplant.inputs.get("trained") == (trained["ticket", 0, 1, 0] if carried == "trained" else None)


RATE_REWOUND = [{}, {"rewind": "none"}, {"variational": False, "score": "magnitude", "rewind": "none"}]
LATE = {"prune": {"rewind": "2it"}, "trunks": RATE_REWOUND}


def test_ways_that_rewind_elsewhere_share_the_dense_trainings_of_a_late_rewound_run():
    late = fingerprints(plan_of(LATE))
    own, bayesian, rewound, deterministic = (
        [late[arm, 0, level, 0] for level in (0, 1)]
        for arm in ("ticket", "bayesian-snr", "bayesian-snr-lrr", "deterministic-magnitude-lrr")
    )
    assert own[0] == deterministic[0] != bayesian[0] == rewound[0]
    assert len({own[1], bayesian[1], rewound[1], deterministic[1]}) == 4


def test_runs_that_keep_the_same_moments_share_their_dense_trainings(tmp_path):
    def dense(rewind="0it", **values):
        config = config_of({"prune": {"rewind": rewind}, "trunks": []} | values)
        return looked_up(config, EXPERIMENT, tmp_path)[1]["ticket", 0, 0, 0]

    assert dense("2it", keep=["4it"]) == dense("4it", keep=["2it"]) == dense(keep=["4it", "2it", "2it"])
    assert dense(keep=["2it"]) == dense("2it") != dense("4it")
    assert dense(keep=[]) == dense() != dense(keep=["2it"])


@pytest.mark.parametrize(
    ("of", "changes"), [*((of, {}) for of in ("ticket", *TRUNKS)), ("bayesian-snr-lrr", LATE)], ids=str
)
def test_a_branch_has_the_tickets_of_a_way_of_pruning_and_shares_their_steps(of, changes, tmp_path):
    config = config_of(changes)
    branch = EXPERIMENT.branch(config.model_dump(mode="json"), ["shuffle-even"], [0, 1], 1, None, Arm.parse(of))
    assert branch.name == ("bayesian-branch" if of == "ticket" else f"bayesian-{of}-branch")
    steps, trained = looked_up(config, EXPERIMENT, tmp_path)
    branched, branch_trained = looked_up(branch, imp.Imp(), tmp_path)
    assert {arm for arm, *_ in branch_trained} == {"ticket", "shuffle-even"}
    assert all(branch_trained["ticket", 0, level, 0] == trained[of, 0, level, 0] for level in (0, 1))
    assert sorted(kind for kind, _ in branched - steps) == sorted(2 * ["control", "train", "evaluate"])


# The run

ONCE = {"replicates": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_xla):
    return Run(tmp_path_factory.mktemp("workspace"), EXPERIMENT, config_of(ONCE))


def test_a_plan_lists_the_steps_that_a_run_takes_and_counts_its_trainings(run):
    assert_planned(run.workspace, config_of(ONCE))
    plan, shared = plan_of(ONCE), 2  # of the unpruned network, which three trunks have
    assert len([step for step in run.steps if step.kind == "train"]) == 13
    assert plan.trainings == 13 - shared == run.counted.trainings == run.counted.done


def test_variational_trainings_record_the_share_of_deviations_at_the_optimisers_bound(run):
    for arm in (arm for arm in TRAINED if not arm[-1]):
        result = read_json(run.folder("train", *arm) / "result.json")["result"]
        assert ("deviations_at_bound" in result) == (arm[0] not in DETERMINISTIC)
        if "deviations_at_bound" in result:
            ticket, weights = run.ticket(*arm), run.weights(*arm)
            bound = config_of().train.optimiser.learning_rate * (result["iterations"] - ticket.iteration)
            kept = {f"{path}_rho": mask for path, mask in ticket.mask.items()}
            rhos = {path: rho - ticket.start[path] for path, rho in weights.items() if path.endswith("_rho")}
            moved = np.concatenate([np.abs(moved)[kept.get(path, ...)].ravel() for path, moved in rhos.items()])
            assert result["deviations_at_bound"] == pytest.approx(np.mean(moved >= 0.9 * bound), abs=1e-3)


def test_ways_of_pruning_keep_what_their_score_ranks_highest_and_rewind_as_they_say(run):
    dense, trained = run.ticket("bayesian-snr", 0, 0), run.weights("bayesian-snr", 0, 0)
    kernels = [path for path in trained if path.endswith("/kernel")]
    mu = {path: np.abs(trained[path].astype(np.float64)) for path in kernels}
    snr = {path: mu[path] / np.logaddexp(0.0, trained[f"{path}_rho"].astype(np.float64)) for path in kernels}
    for arm, score in zip(TRUNKS, (mu, snr, snr), strict=True):
        mask = run.ticket(arm).mask
        kept, pruned = (np.concatenate([score[path][mask[path] == side] for path in kernels]) for side in (True, False))
        assert kept.min() >= pruned.max() * (1 - 1e-5), arm
    assert differ(run.ticket("bayesian-mu").mask, run.ticket("bayesian-snr").mask)
    for arm in ("bayesian-mu", "bayesian-snr"):
        assert_same(run.ticket(arm).start, dense.start)
    rewound, after = run.ticket("bayesian-snr-lrr"), run.weights("bayesian-snr-lrr")
    assert (rewound.level, rewound.iteration, differ(trained, dense.start)) == (1, 0, True)
    assert_same(rewound.start, trained)
    for path, mask in rewound.mask.items():
        assert not after[path][~mask].any()
        assert np.any(after[path][mask] != trained[path][mask])
        np.testing.assert_array_equal(after[f"{path}_rho"][~mask], trained[f"{path}_rho"][~mask])


def test_a_branch_says_whose_controls_it_has(run, call):
    command = ["branch", "bayesian", "-w", run.workspace, "-c", "shuffle-even", "--dry-run"]
    _, out, err = call(*command)
    assert all(trunk in err for trunk in TRUNKS)
    assert out.startswith("3 trainings")  # two levels, a control
    assert "Did you mean 'bayesian-snr'?" in call(*command, "--of", "bayesian-sn")[2]


# Refusals and notes

REFUSED = """
{trunks: [{}, {score: snr, controls: false}]} | trunks             | | bayesian-snr, bayesian-snr
{transplants: [start, start]}                 | transplants        | | start, start
{trunks: [{variational: false}]}              | trunks.0.score     | magnitude | snr
{trunks: [{variational: false, score: magnitude}]} | trunks        | | give it rewind: none
{trunks: [{score: sn}]}                       | trunks.0.score     | snr | 'sn'
{model: {variational: {}}}                    | model.variational  | | deterministic
{prune: {rewind: none}}                       | trunks             | | prune.rewind
{keep: [none]}                                | keep               | | 'none'
{train: {objective: {kl_warmup: 6it}}}        | train.objective.kl_warmup | | ends after 6
{variational_train: {epochs: 6it, batch_size: 50, objective: {kl_warmup: 1ep}}} | variational_train.objective.kl_warmup
{variational_train: {epochs: 1ep, batch_size: 1000}} | variational_train.batch_size | | at most 300
{keep: [6it], variational_train: {epochs: 5it, batch_size: 50}} | keep | | variational_train.epochs
{train: {precision: bfloat16}}                | train.precision    | float32 |
{variational_train: {epochs: 6it, batch_size: 50, precision: bfloat16}, trunks: []} | train.precision | float32 |
{train: {objective: {kl_weights: {dense_9: 0.5}}}} | train.objective.kl_weights | | 'dense_9'; dense_1, dense_2, dense_3
{variational_train: {epochs: 6it, objective: {kl_weights: {dense: 1}}}, trunks: []} | train.objective.kl_weights
"""


def test_what_cannot_be_is_refused_before_anything_begins():
    for changes, field, suggestion, facts in refusals(REFUSED):
        with refused(field, suggestion, *facts):
            config = config_of(yaml.safe_load(changes))
            EXPERIMENT.check_data(config)
            EXPERIMENT.check_model(config)


WITHOUT_EFFECT = "train.objective has no effect"
NOTED = [
    ({"train": {"objective": {"kl_warmup": "5it", "kl_weights": {"dense_1": 0.5}}}}, []),
    ({"variational_train": INFERENCE | {"objective": {"kl_warmup": "5it"}}}, [WITHOUT_EFFECT]),
    ({"train": {"precision": "bfloat16"}, "variational_train": INFERENCE}, [WITHOUT_EFFECT]),
    ({"control_densities": [0.5, 0.01], "controls": [], "trunks": []}, ["density 0.01 (the nearest is level 1"]),
    ({"control_densities": []}, ["nothing is transplanted"]),
    ({"control_densities": [], "transplants": []}, []),
]


def test_what_has_no_effect_is_noted_and_what_is_within_the_limits_is_not_refused():
    for changes, notes in NOTED:
        EXPERIMENT.check_data(config_of(changes))
        for note, mention in zip(EXPERIMENT.check_model(config_of(changes)), notes, strict=True):
            assert mention in note
