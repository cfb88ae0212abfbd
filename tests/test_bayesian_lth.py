"""The experiment of the Bayesian lottery ticket hypothesis, on real data. Needs TensorFlow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from tfticket._experiments.bayesian_lth import BayesianLth, Config

from tests.plans import assert_planned
from tfticket import seeds
from tfticket._experiments import imp
from tfticket.arms import Arm
from tfticket.config import Objective
from tfticket.costs import cost_of
from tfticket.dry_lab import DryLab
from tfticket.presets import merge
from tfticket.run import open_run, run_folder
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import Step, read_steps
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

VALUES = {
    "experiment": "bayesian-lth",
    "name": "bayesian",
    "data": {"name": "mnist", "train_rows": 300, "validation_rows": 60},
    "model": {"name": "lenet-300-100"},
    "train": {
        "epochs": "6it",
        "batch_size": 50,
        "objective": {"draws": 2, "temperature": 0.1, "evaluation_draws": 2},
    },
    "evaluation_passes": 1,
    "prune": {"levels": 1, "rate": 0.5},
    "trunks": [
        {"score": "mu", "controls": False},
        {"score": "snr"},
        {"score": "snr", "rewind": "none", "controls": False},
    ],
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
TRANSPLANTS = ("transplant-start", "transplant-trained", "transplant-mask")
TRAINED = sorted(
    [
        *((arm, level, 0) for arm in ("ticket", *TRUNKS) for level in (0, 1)),
        *((arm, 1, n) for arm in ("reinitialise", "bayesian-snr reinitialise", *TRANSPLANTS) for n in (0, 1)),
    ]
)
"""Arm, level and replicate of each training."""


def config_of(changes: Mapping[str, Any] | None = None) -> Config:
    return Config.model_validate(merge(VALUES, dict(changes or {})))


def key_of(label: Mapping[str, Any]) -> tuple[str, int, int]:
    return label["arm"].key, label["level"], label.get("replicate", 0)


@dataclass(frozen=True)
class Done:
    """A run that was computed: its workspace, its steps, what was counted of it."""

    workspace: Path
    steps: list[Step]
    counted: Any

    def labelled(self, kind: str) -> list[tuple[str, int, int]]:
        return [key_of(step.label) for step in self.steps if step.kind == kind]

    def folder(self, kind: str, arm: str, level: int, replicate: int = 0) -> Path:
        (path,) = (
            step.path
            for step in self.steps
            if step.kind == kind and "level" in step.label and key_of(step.label) == (arm, level, replicate)
        )
        return path

    def config(self, *which: Any) -> dict[str, Any]:
        return read_json(self.folder(*which) / "config.json")["config"]

    def input(self, role: str, *which: Any) -> Path:
        return self.workspace / "steps" / read_json(self.folder(*which) / "config.json")["inputs"][role]

    def ticket(self, *arm: Any) -> Ticket:
        """The ticket that an arm's training began from."""
        return Ticket.load(self.input("ticket", "train", *arm) / TICKET)

    def onto(self, *arm: Any) -> Ticket:
        """The unpruned network that a transplanted ticket was put on."""
        inputs = read_json(self.input("ticket", "train", *arm) / "config.json")["inputs"]
        return Ticket.load(self.workspace / "steps" / inputs["onto"] / TICKET)

    def weights(self, *arm: Any) -> dict[str, np.ndarray]:
        """What an arm's training gave, as it was evaluated."""
        return load_weights(self.input("trained", "evaluate", *arm) / WEIGHTS)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory, without_xla):
    workspace, config = tmp_path_factory.mktemp("workspace"), config_of()
    with open_run(workspace, config) as lab:
        EXPERIMENT.run(lab, config)
    return Done(workspace, read_steps(run_folder(workspace, config)), lab.listener.state)


class Plan(DryLab):
    """A plan with fingerprints of a workspace in which nothing is done."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))

    @property
    def all(self) -> set[tuple[str, str]]:
        return {(step.kind, step.fingerprint) for step in self.entries}

    @property
    def trained(self) -> dict[tuple[str, int, int], str]:
        """Arm, level and replicate -> the training's fingerprint."""
        return {key_of(step.label): step.fingerprint for step in self.entries if step.kind == "train"}


def planned(changes: Mapping[str, Any] | None = None) -> Plan:
    plan = Plan()
    EXPERIMENT.main(plan, config_of(changes))
    return plan


def assert_same(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Expected weights are found, bit by bit; others may be there, too."""
    for path, array in expected.items():
        np.testing.assert_array_equal(found[path], array, err_msg=path)


def differ(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    """Whether each kernel of the one is another in the other."""
    return all(np.any(ours[path] != theirs[path]) for path in ours if path.endswith("/kernel"))


def rhos_of(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {path: array for path, array in weights.items() if path.endswith("_rho")}


def means_of(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {path: array for path, array in weights.items() if not path.endswith("_rho")}


def test_each_arm_is_trained_and_evaluated_at_its_levels_and_nothing_else_is(done):
    assert sorted(done.labelled("train")) == TRAINED
    assert sorted(done.labelled("evaluate")) == TRAINED
    for arm in TRAINED:
        assert done.input("trained", "evaluate", *arm) == done.folder("train", *arm)
        assert done.input("ticket", "evaluate", *arm) == done.input("ticket", "train", *arm)
    assert {step.label["density"] for step in done.steps if step.kind == "evaluate"} == {1.0, 0.5}


def test_ways_of_pruning_share_the_dense_network_and_each_has_its_row(done):
    for kind in ("train", "evaluate"):
        assert len({done.folder(kind, arm, 0) for arm in TRUNKS}) == 1
        assert len({done.folder(kind, arm, 1) for arm in TRUNKS}) == 3
        assert done.folder(kind, "ticket", 0) != done.folder(kind, "bayesian-snr", 0)


def test_each_way_of_pruning_keeps_the_half_that_its_score_ranks_highest(done):
    dense = done.weights("bayesian-snr", 0)
    kernels = [path for path in dense if path.endswith("/kernel")]
    magnitudes = {path: np.abs(dense[path].astype(np.float64)) for path in kernels}
    deviations = {path: np.logaddexp(0.0, dense[f"{path}_rho"].astype(np.float64)) for path in kernels}
    scores = {
        "bayesian-mu": magnitudes,
        "bayesian-snr": {path: magnitudes[path] / deviations[path] for path in kernels},
    }
    scores["bayesian-snr-lrr"] = scores["bayesian-snr"]
    for arm, score in scores.items():
        mask = done.ticket(arm, 1).mask
        assert sorted(mask) == sorted(kernels)
        kept = np.concatenate([score[path][mask[path]] for path in kernels])
        pruned = np.concatenate([score[path][~mask[path]] for path in kernels])
        assert kept.min() >= pruned.max() * (1 - 1e-5), arm
    assert differ(done.ticket("bayesian-mu", 1).mask, done.ticket("bayesian-snr", 1).mask)
    assert differ(done.ticket("ticket", 1).mask, done.ticket("bayesian-snr", 1).mask)


def test_the_objective_is_told_to_variational_trainings_alone(done):
    told = Objective.model_validate(VALUES["train"]["objective"]).model_dump(mode="json")
    for arm in TRAINED:
        objective, evaluation = done.config("train", *arm)["train"]["objective"], done.config("evaluate", *arm)
        variational = arm[0] not in DETERMINISTIC
        assert objective == (told if variational else Objective().model_dump(mode="json")), arm
        assert (evaluation["draws"], evaluation["passes"]) == ((2, 1) if variational else (10, 5)), arm


def test_other_draws_are_other_variational_trainings_and_no_other_deterministic_ones(done):
    before = planned()
    assert before.all == {(step.kind, step.fingerprint) for step in done.steps}
    after = planned({"train": {"objective": {"draws": 3}}})
    assert sorted(before.trained) == sorted(after.trained) == TRAINED
    for arm in TRAINED:
        assert (after.trained[arm] == before.trained[arm]) == (arm[0] in DETERMINISTIC), arm


def test_a_training_of_their_own_is_of_variational_networks_alone_and_its_default_is_the_others():
    usual = planned()
    assert planned({"variational_train": VALUES["train"]}).all == usual.all
    longer = planned({"variational_train": INFERENCE | {"epochs": "7it"}})
    for arm in TRAINED:
        assert (longer.trained[arm] == usual.trained[arm]) == (arm[0] in DETERMINISTIC), arm
    other = planned({"variational_train": VALUES["train"], "train": {"epochs": "7it"}})
    for arm in TRAINED:
        assert (other.trained[arm] == usual.trained[arm]) == arm[0].startswith(TRUNKS), arm


@pytest.mark.parametrize("replicate", [0, 1])
@pytest.mark.parametrize("carried", ["start", "trained", "mask"])
def test_a_transplant_has_the_tickets_mask_and_initial_deviations(carried, replicate, done):
    arm = (f"transplant-{carried}", 1, replicate)
    found, ticket = done.ticket(*arm), done.ticket("ticket", 1)
    onto = done.onto(*arm)
    assert_same(found.mask, ticket.mask)
    assert (found.level, found.iteration) == (1, 0)
    assert_same(rhos_of(found.start), rhos_of(onto.start))
    fan_in = {"dense_1": 784, "dense_2": 300, "dense_3": 100}
    assert len(rhos_of(found.start)) == 2 * len(fan_in)
    for path, rho in rhos_of(found.start).items():
        np.testing.assert_allclose(np.logaddexp(0, rho), 0.01 / fan_in[path.partition("/")[0]] ** 0.5, rtol=1e-4)
    means = {"start": ticket.start, "trained": done.weights("ticket", 1), "mask": means_of(onto.start)}
    assert len(means[carried]) == 2 * len(fan_in)
    assert_same(found.start, means[carried])
    for other in {*means} - {carried}:
        assert differ(means_of(found.start), means[other]), other


@pytest.mark.parametrize("carried", ["start", "trained", "mask"])
def test_replicates_of_a_transplant_are_trained_by_seeds_of_their_own(carried, done):
    arms = [(f"transplant-{carried}", 1, replicate) for replicate in (0, 1)]
    first, second = (done.ticket(*arm) for arm in arms)
    if carried == "mask":
        assert differ(means_of(first.start), means_of(second.start))
    else:
        assert_same(second.start, first.start)
    found = [done.config("train", *arm)["seed"] for arm in arms]
    own = [seeds.derive(0, "transplant", replicate) for replicate in (0, 1)]
    assert found == (own if carried == "mask" else [0, own[1]])
    assert differ(done.weights(*arms[0]), done.weights(*arms[1]))
    metrics = [read_json(done.folder("evaluate", *arm) / "result.json")["result"]["test"]["nll"] for arm in arms]
    assert metrics[0] != metrics[1]


def test_a_transplanted_mask_does_not_begin_at_the_initialisation_of_the_way_that_it_is_compared_with(done):
    mask = done.ticket("transplant-mask", 1)
    assert differ(means_of(mask.start), means_of(done.ticket("bayesian-snr", 0).start))


def test_trainings_of_variational_networks_record_the_share_of_deviations_at_the_optimisers_bound(done):
    for arm in TRAINED:
        result = read_json(done.folder("train", *arm) / "result.json")["result"]
        if not arm[0].startswith(("bayesian-", "transplant-")):
            assert "deviations_at_bound" not in result
            continue
        ticket, trained = done.ticket(*arm), done.weights(*arm)
        rates = done.config("train", *arm)["train"]["optimiser"].get("learning_rate", 0.001)
        bound = rates * (result["iterations"] - ticket.iteration)
        rhos = {path: np.abs(array - ticket.start[path]) for path, array in rhos_of(trained).items()}
        kept = {f"{path}_rho": mask for path, mask in ticket.mask.items()}
        moved = np.concatenate([array[kept.get(path, np.s_[:])].ravel() for path, array in rhos.items()])
        assert result["deviations_at_bound"] == pytest.approx(np.mean(moved >= 0.9 * bound), abs=1e-3)


def test_rate_rewinding_goes_on_from_trained_means_and_deviations_and_the_others_go_back(done):
    dense, trained = done.ticket("bayesian-snr", 0), done.weights("bayesian-snr", 0)
    assert differ(trained, dense.start)
    for path, rho in rhos_of(trained).items():
        assert np.any(rho != dense.start[path]), path
    kept = done.ticket("bayesian-snr-lrr", 1)
    assert (kept.level, kept.iteration) == (1, 0)
    assert_same(kept.start, trained)
    assert_same(kept.mask, done.ticket("bayesian-snr", 1).mask)
    for arm in ("bayesian-mu", "bayesian-snr"):
        assert_same(done.ticket(arm, 1).start, dense.start)
    after = done.weights("bayesian-snr-lrr", 1)
    for path, mask in kept.mask.items():
        assert not after[path][~mask].any()
        assert np.any(after[path][mask] != trained[path][mask])
        assert_same({path: after[f"{path}_rho"][~mask]}, {path: trained[f"{path}_rho"][~mask]})


def test_a_control_of_a_bayesian_ticket_has_its_mask_and_other_means(done):
    ticket, first, second = (
        done.ticket(*arm) for arm in (("bayesian-snr", 1), *(("bayesian-snr reinitialise", 1, n) for n in (0, 1)))
    )
    for control in (first, second):
        assert_same(control.mask, ticket.mask)
        assert differ(means_of(control.start), means_of(ticket.start))
        assert_same(rhos_of(control.start), rhos_of(ticket.start))
    assert differ(means_of(first.start), means_of(second.start))
    assert differ(done.weights("bayesian-snr reinitialise", 1, 0), done.weights("bayesian-snr", 1))


def test_a_plan_lists_the_steps_that_a_run_takes(done):
    assert_planned(done.workspace, config_of())


def test_the_trainings_that_it_says_it_takes_are_those_that_it_takes(done):
    config = config_of()
    deterministic = 2 + 2  # levels, controls
    trunks = 2 + (2 + 2) + 2
    transplants = 3 * 2  # what is carried, replicates
    shared = 2  # of the unpruned network, which three trunks have
    assert deterministic + trunks + transplants == 18 == len(done.labelled("train"))
    plan = EXPERIMENT.plan(config)
    assert plan.trainings == 18 - shared == cost_of(plan.distinct).trainings
    assert (done.counted.trainings, done.counted.done) == (18 - shared, 18 - shared)
    variational = [step for step in plan.distinct if step.kind == "train" and step.is_variational]
    assert len(variational) == trunks + transplants - shared
    assert {step.config.train for step in variational} == {config.train}


def test_the_trainings_are_counted_by_seeds_levels_and_kind():
    changes = {
        "seeds": [3, 4, 5],
        "prune": {"levels": 4},
        "control_levels": [0, 2],
        "controls": ["reinitialise", "shuffle-layerwise"],
        "transplants": ["start", "mask"],
        "trunks": [{"score": "snr"}, {"variational": False, "score": "magnitude", "rewind": "none", "controls": False}],
        "variational_train": INFERENCE | {"epochs": "7it"},
    }
    plan = EXPERIMENT.plan(config_of(changes))
    controls = 2 * 2 * 2  # controls, levels, replicates
    # the deterministic trunk shares the unpruned network's training with the run's own
    deterministic, variational = 3 * (5 + controls + 5 - 1), 3 * (5 + controls + 2 * 2 * 2)
    for is_variational, expected, length in ((False, deterministic, "6it"), (True, variational, "7it")):
        of_kind = [step for step in plan.distinct if step.kind == "train" and step.is_variational == is_variational]
        assert len(of_kind) == expected
        assert {step.config.train.epochs for step in of_kind} == {length}
    assert plan.trainings == deterministic + variational


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trunks": [{"score": "snr"}, {"score": "snr"}]}, "the trunks bayesian-snr, bayesian-snr repeat"),
        ({"trunks": [{"score": "snr"}, {"score": "snr", "controls": False}]}, "the trunks bayesian-snr, bay.* repeat"),
        ({"transplants": ["start", "start"]}, "the transplants start, start repeat"),
        ({"trunks": [{"variational": False, "score": "snr"}]}, "the score snr is of variational networks"),
        ({"trunks": [{"variational": False}]}, "the score snr is of variational networks"),
        (
            {"trunks": [{"variational": False, "score": "magnitude"}]},
            "deterministic tickets by magnitude are the run's own; leave that trunk out, or give it rewind: none",
        ),
        (
            {"prune": {"rewind": "none"}, "trunks": [{"variational": False, "score": "magnitude"}]},
            "deterministic tickets by magnitude are the run's own; leave that trunk out \\[type",
        ),
        ({"trunks": [{"score": "sn"}]}, "Did you mean 'snr'"),
        ({"model": {"variational": {}}}, "model.variational: the base is the deterministic network"),
        ({"prune": {"rewind": "none"}}, "prune.rewind is 'none' for all"),
        ({"trunks": [{"rewind": "2it"}]}, r"expected 'none' \(learning-rate rewinding\) or null"),
        ({"trunks": [{"rewind": "0it"}]}, r"expected 'none' \(learning-rate rewinding\) or null"),
        ({"keep": ["none"]}, "keep: 'none' is no moment within a training"),
        ({"keep": ["0ep"]}, "keep: '0it' is no moment within a training"),
        ({"transplants": ["weights"]}, "Input should be 'mask', 'start' or 'trained'"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        config_of(changes)


def test_ways_that_differ_in_rewinding_or_kind_do_not_repeat():
    rewound = {"score": "magnitude", "rewind": "none"}
    trunks = [{"score": "magnitude"}, rewound, rewound | {"variational": False}]
    arms = [trunk.value.key for trunk in config_of({"trunks": trunks}).trunks]
    assert arms == ["bayesian-magnitude", "bayesian-magnitude-lrr", "deterministic-magnitude-lrr"]
    assert config_of({"prune": {"rewind": "none"}, "trunks": [{"score": "snr"}]}).prune.rewind == "none"


def objective(**values: Any) -> dict[str, Any]:
    return {"train": {"objective": values}}


def inference(**values: Any) -> dict[str, Any]:
    return {"variational_train": INFERENCE | values}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (objective(kl_warmup="6it"), "kl_warmup of 6it is 6 iterations; training for 6it ends after 6"),
        (inference(objective={"kl_warmup": "1ep"}), "kl_warmup of 1ep is 6 iterations; training for 6it ends after 6"),
        (
            inference(epochs="1ep", batch_size=1000),
            "variational_train.batch_size is 1,000, but there are 300 training rows. Take at most 300.",
        ),
        ({"keep": ["6it", "7it"]}, "keep: 7it is iteration 7; training for 6it ends after 6. Name an earlier moment"),
        (
            inference(epochs="5it") | {"keep": ["6it"]},
            "keep: 6it is iteration 6; training for 5it ends after 5. Name an earlier moment, or train longer "
            "(variational_train.epochs)",
        ),
        ({"train": {"precision": "bfloat16"}}, "precision bfloat16 is not for variational networks"),
        (inference(precision="bfloat16"), "precision bfloat16 is not for variational networks"),
        (inference(precision="bfloat16") | {"trunks": []}, "precision bfloat16 is not for variational networks"),
        (objective(kl_weights={"dense_9": 0.5}), "no variational layer 'dense_9'. Known: dense_1, dense_2, dense_3."),
        (
            objective(kl_weights={"dense": 0.5}) | {"transplants": []},
            "no variational layer 'dense'. Known: dense_1, dense_2, dense_3.",
        ),
        (
            inference(objective={"kl_weights": {"dense_9": 0.5}}) | {"trunks": []},
            "no variational layer 'dense_9'. Known: dense_1, dense_2, dense_3.",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_begins(changes, message, tmp_path, call):
    file, workspace = tmp_path / "bad.yaml", tmp_path / "workspace"
    file.write_text(yaml.safe_dump(config_of(changes).model_dump(mode="json")))
    code, out, err = call("-q", "run", file, "-w", workspace)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not workspace.exists()


WITHOUT_EFFECT = "train.objective has no effect: no variational network is trained by it."


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        (objective(kl_warmup="5it", kl_weights={"dense_1": 0.5}), []),
        (inference(objective={"kl_warmup": "5it", "kl_weights": {"dense_3": 0.5}}), [WITHOUT_EFFECT]),
        ({"train": {"precision": "bfloat16"}} | inference(), [WITHOUT_EFFECT]),
    ],
    ids=json.dumps,
)
def test_what_is_just_within_the_limits_or_of_deterministic_networks_alone_is_not_refused(changes, notes):
    config = config_of(changes)
    EXPERIMENT.check_data(config)
    assert EXPERIMENT.check_model(config) == notes


def test_a_density_that_no_level_is_near_is_told_where_transplants_alone_are_compared():
    alone = {"control_densities": [0.5, 0.01], "controls": [], "trunks": []}
    (told,) = EXPERIMENT.check_model(config_of(alone))
    assert told.startswith("No level lies near the control density 0.01 (the nearest is level 1, of density 0.5), so")
    assert not EXPERIMENT.check_model(config_of(alone | {"transplants": [], "train": {"objective": {}}}))[1:]


def test_transplants_that_have_no_level_are_told():
    told = "No level is controlled, so nothing is transplanted: see control_densities and control_levels."
    assert told in EXPERIMENT.check_model(config_of({"control_densities": []}))
    assert told not in EXPERIMENT.check_model(config_of({"control_densities": [], "transplants": []}))


@pytest.mark.parametrize("of", ["ticket", "bayesian-snr", "bayesian-mu", "bayesian-snr-lrr"])
def test_a_branch_has_the_tickets_of_a_way_of_pruning_and_shares_their_steps(of, done):
    run = config_of().model_dump(mode="json")
    config = EXPERIMENT.branch(run, ["shuffle-even"], [0, 1], 1, None, Arm.parse(of))
    assert config.name == ("bayesian-branch" if of == "ticket" else f"bayesian-{of}-branch")
    plan = Plan()
    imp.Imp().main(plan, config)
    there = {(step.kind, step.fingerprint) for step in done.steps}
    assert {arm for arm, _, _ in plan.trained} == {"ticket", "shuffle-even"}
    for level in (0, 1):
        assert plan.trained["ticket", level, 0] == planned().trained[of, level, 0]
    assert sorted(kind for kind, _ in plan.all - there) == sorted(2 * ["control", "train", "evaluate"])


RATE_REWOUND = [{}, {"rewind": "none"}, {"variational": False, "score": "magnitude", "rewind": "none"}]


def test_ways_that_rewind_elsewhere_share_the_dense_trainings_of_a_late_rewound_run():
    late = planned({"prune": {"rewind": "2it"}, "trunks": RATE_REWOUND}).trained
    arms = ["ticket", "bayesian-snr", "bayesian-snr-lrr", "deterministic-magnitude-lrr"]
    dense, pruned = ({arm: late[arm, level, 0] for arm in arms} for level in (0, 1))
    assert dense["ticket"] == dense["deterministic-magnitude-lrr"] != dense["bayesian-snr"] == dense["bayesian-snr-lrr"]
    assert len(set(pruned.values())) == 4


def test_a_branch_of_a_rate_rewound_way_shares_the_steps_of_a_late_rewound_run():
    changes = {"prune": {"rewind": "2it"}, "trunks": RATE_REWOUND}
    config = EXPERIMENT.branch(
        config_of(changes).model_dump(mode="json"), ["shuffle-even"], [1], 1, None, Arm.parse("bayesian-snr-lrr")
    )
    branched, run = Plan(), planned(changes)
    imp.Imp().main(branched, config)
    for level in (0, 1):
        assert branched.trained["ticket", level, 0] == run.trained["bayesian-snr-lrr", level, 0]


def test_runs_that_keep_the_same_moments_share_their_dense_trainings():
    def dense(**values):
        return planned({"prune": {"rewind": values.pop("rewind", "0it")}, "trunks": []} | values).trained[
            "ticket", 0, 0
        ]

    assert dense(rewind="2it", keep=["4it"]) == dense(rewind="4it", keep=["2it"]) == dense(keep=["4it", "2it", "2it"])
    assert dense(keep=["2it"]) == dense(rewind="2it") != dense(rewind="4it")
    assert dense(keep=[]) == dense() != dense(keep=["2it"])


def test_a_branch_says_whose_controls_it_has(done, call):
    command = ["branch", "bayesian", "-w", done.workspace, "-c", "shuffle-even", "--dry-run"]
    _, out, err = call(*command)
    assert "Controls of the tickets 'ticket' alone; --of names others: bayesian-mu, bayesian-snr, bay" in err
    assert out.startswith("3 trainings")  # two levels, a control
    code, _, err = call(*command, "--of", "bayesian-sn")
    assert (code, "Unknown tickets 'bayesian-sn'. Did you mean 'bayesian-snr'?" in err) == (2, True)
