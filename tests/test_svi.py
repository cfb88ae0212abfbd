"""Variational inference on tickets' masks, in the experiment of "Bayes always wins", on real data. Needs TensorFlow."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tfticket._experiments.bayes_always_wins import BayesAlwaysWins, Config

from tests.plans import assert_planned
from tfticket import seeds
from tfticket.arms import SVI, Arm
from tfticket.costs import cost_of
from tfticket.dry_lab import ANY_LAYER, DryLab, PlannedStep
from tfticket.presets import merge
from tfticket.run import open_run, run_folder
from tfticket.runs.files import read_json
from tfticket.runs.progress import COUNTED
from tfticket.runs.run_folder import Step, read_steps
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

INFERENCE = {
    "epochs": "6it",
    "batch_size": 50,
    "objective": {
        "draws": 2,
        "kl_weights": {"dense_1": 3.0, "dense_3": 0.2},
        "evaluation_draws": 2,
    },
}
VALUES = {
    "experiment": "bayes-always-wins",
    "name": "svi",
    "data": {"name": "mnist", "train_rows": 300, "validation_rows": 60},
    "model": {"name": "lenet-300-100"},
    "train": {"epochs": "5it", "batch_size": 50},
    "prune": {"levels": 1, "rate": 0.5},
    "controls": [],
    "control_densities": [],
    "seeds": [0, 1],
    "evaluation_passes": 1,
    "chains": 0,
    "svi": {
        "train": INFERENCE,
        "ways": ["default", "tuned", "unscaled"],
        "population": {"members": 2, "generations": 2},
        "replicates": 2,
    },
    "execution": {"processes": 1},
}
EXPERIMENT = BayesAlwaysWins()
ARMS = ("svi", "svi-tuned", "svi-unscaled")
INFERRED = sorted(itertools.product(ARMS, (0, 1), (0, 1)))
"""Arm, seed and replicate of each training by variational inference, all of level 1."""


def config_of(changes: Mapping[str, Any] | None = None) -> Config:
    return Config.model_validate(merge(VALUES, dict(changes or {})))


def key_of(label: Mapping[str, Any]) -> tuple[str, int, int]:
    return label["arm"].key, label["seed"], label.get("replicate", 0)


@dataclass(frozen=True)
class Done:
    """A run that was computed: its workspace, its steps, what was counted of it."""

    workspace: Path
    steps: list[Step]
    counted: Any

    def of(self, kind: str) -> list[Step]:
        return [step for step in self.steps if step.kind == kind]

    def step(self, kind: str, arm: str, seed: int, replicate: int = 0) -> Path:
        """The folder of the only step of a kind and an arm at level 1."""
        (path,) = (
            step.path
            for step in self.of(kind)
            if step.label.get("level") == 1 and key_of(step.label) == (arm, seed, replicate)
        )
        return path

    def input(self, role: str, folder: Path) -> Path:
        return self.workspace / "steps" / read_json(folder / "config.json")["inputs"][role]

    def ticket(self, *arm: Any) -> Ticket:
        """The ticket that an arm's training began from."""
        return Ticket.load(self.input("ticket", self.step("train", *arm)) / TICKET)


def config_in(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json")["config"]


@pytest.fixture(scope="module")
def done(tmp_path_factory, without_xla):
    workspace, config = tmp_path_factory.mktemp("workspace"), config_of()
    with open_run(workspace, config) as lab:
        EXPERIMENT.run(lab, config)
    return Done(workspace, read_steps(run_folder(workspace, config)), lab.listener.state)


@pytest.fixture(scope="module")
def winner(done):
    """The KL weights of the member of the last generation with the lowest validation NLL."""
    found = {}
    for step in done.of("member"):
        if step.label["generation"] == 1:
            folder = step.path
            score = read_json(folder / "result.json")["result"]["validation"]["nll"]
            weights = config_in(folder)["train"]["objective"]["kl_weights"]
            found[step.label["member"]] = (score, weights)
    assert sorted(found) == [0, 1]
    (best, weights), (worst, others) = (found[member] for member in sorted(found, key=lambda one: found[one][0]))
    assert best < worst
    assert weights != others
    return weights


def differ(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    """Whether each kernel of the one is another in the other."""
    return all(np.any(ours[path] != theirs[path]) for path in ours if path.endswith("/kernel"))


def test_each_way_is_trained_and_evaluated_for_both_seeds_and_replicates(done):
    for kind in ("train", "evaluate"):
        found = sorted(key_of(step.label) for step in done.of(kind) if step.label["arm"] != Arm())
        assert found == INFERRED
        assert {step.label["level"] for step in done.of(kind) if step.label["arm"] != Arm()} == {1}
    for arm in INFERRED:
        evaluation = done.step("evaluate", *arm)
        assert done.input("trained", evaluation) == done.step("train", *arm)
        assert done.input("ticket", evaluation) == done.input("ticket", done.step("train", *arm))
        assert (config_in(evaluation)["draws"], config_in(evaluation)["passes"]) == (2, 1)
    assert not done.of("sample")
    assert not done.of("ensemble")


def test_the_kl_weights_of_each_way_are_its_own_whatever_the_user_has_set(done, winner):
    usual = {name: value for name, value in INFERENCE["objective"].items() if name != "kl_weights"}
    expected = {"svi": ({}, 1.0), "svi-tuned": (winner, 1.0), "svi-unscaled": ({}, 300.0)}
    for arm in INFERRED:
        training = config_in(done.step("train", *arm))["train"]
        assert (training["epochs"], training["batch_size"]) == ("6it", 50)
        objective = training["objective"]
        assert (objective["kl_weights"], objective["temperature"]) == expected[arm[0]], arm
        assert {name: objective[name] for name in usual} == usual


def test_the_population_is_tuned_once_on_the_first_seeds_ticket(done, winner):
    assert sorted(winner) == ["dense_1", "dense_2", "dense_3"]
    members = [step.label for step in done.of("member")]
    assert sorted((one["member"], one["generation"]) for one in members) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {(one["arm"].key, one["seed"], one["level"]) for one in members} == {("population", 0, 1)}
    ticket = done.ticket("ticket", 0)
    begun = [step for step in done.of("transplant") if step.label["arm"].key == "population"]
    theirs = [step.path for step in begun]
    assert len(theirs) == 2
    for folder in theirs:
        assert done.input("ticket", folder) == done.input("ticket", done.step("train", "ticket", 0))
        for path, kept in Ticket.load(folder / TICKET).mask.items():
            np.testing.assert_array_equal(kept, ticket.mask[path], err_msg=path)
    first, second = (Ticket.load(folder / TICKET).start for folder in theirs)
    assert differ(first, second)


def test_a_members_generations_are_halves_of_the_training(done):
    found = {}
    for step in done.of("member"):
        config = config_in(step.path)
        found.setdefault(step.label["generation"], set()).add((config["first"], config["last"]))
        assert config["train"]["objective"]["kl_weights"] == step.label["weights"]
        assert config["train"]["objective"]["temperature"] == 1.0
    assert found == {0: {(0, 3)}, 1: {(3, 6)}}


def test_the_mask_is_the_tickets_and_the_means_are_not_its_weights(done):
    for arm, seed, replicate in INFERRED:
        found, ticket = done.ticket(arm, seed, replicate), done.ticket("ticket", seed)
        assert (found.level, found.density) == (1, 0.5)
        for path, kept in ticket.mask.items():
            np.testing.assert_array_equal(found.mask[path], kept, err_msg=path)
        assert {path for path in found.start if not path.endswith("_rho")} == set(ticket.start)
        assert differ(ticket.start, found.start)
        assert differ(load_weights(done.step("train", "ticket", seed) / WEIGHTS)[0], found.start)


def test_replicates_and_seeds_begin_at_other_initialisations_and_ways_at_the_same(done):
    for seed, replicate in itertools.product((0, 1), (0, 1)):
        begun = {done.input("ticket", done.step("train", arm, seed, replicate)) for arm in ARMS}
        assert len(begun) == 1
        seeds_of_ways = {config_in(done.step("train", arm, seed, replicate))["seed"] for arm in ARMS}
        assert seeds_of_ways == {seeds.derive(seed, "svi", replicate)}
    starts = [done.ticket("svi", seed, replicate).start for seed, replicate in itertools.product((0, 1), (0, 1))]
    for mine, theirs in itertools.combinations(starts, 2):
        assert differ(mine, theirs)


def test_ways_give_other_weights(done):
    found = [load_weights(done.step("train", arm, 1, 1) / WEIGHTS)[0] for arm in ARMS]
    for mine, theirs in itertools.combinations(found, 2):
        assert differ(mine, theirs)


def test_a_plan_lists_the_steps_that_a_run_takes(done):
    assert_planned(done.workspace, config_of())


def work_of(config: Config) -> dict[tuple[str, bool], int]:
    """Kind and whether it is variational -> how many trainings are planned."""
    plan = EXPERIMENT.plan(config)
    return Counter((step.kind, step.is_variational) for step in plan.distinct if step.kind in COUNTED)


def test_the_trainings_that_it_says_it_takes_are_those_that_it_takes(done):
    config = config_of()
    plan = EXPERIMENT.plan(config)
    assert work_of(config) == {
        ("train", False): 2 * 2,  # seeds, levels
        ("train", True): 2 * 3 * 2,  # seeds, ways, replicates
        ("member", True): 2 * 2,  # members, generations
    }
    lengths = {step.config.train.epochs for step in plan.distinct if step.kind in COUNTED and step.is_variational}
    assert lengths == {config.svi.train.epochs}
    assert plan.trainings == 4 + 12 + 4 == len(done.of("train")) + len(done.of("member"))
    assert cost_of(plan.distinct).trainings == plan.trainings
    assert (done.counted.trainings, done.counted.done) == (20, 20)


def test_the_trainings_count_chains_and_generations_of_each_level():
    two = {"prune": {"levels": 3}, "sampled_levels": [1, 3], "chains": 3}
    inference = {"train": INFERENCE | {"epochs": "8it"}, "population": {"members": 5, "generations": 4}}
    config = config_of(two | {"svi": inference})
    masks, members = 2 * 2, 2 * 5  # seeds, levels; levels, each of which is tuned once
    plan = EXPERIMENT.plan(config)
    assert plan.chains == masks * 3
    assert work_of(config) == {
        ("train", False): 2 * 4,
        ("train", True): masks * 3 * 2,
        ("member", True): members * 4,
        ("sample", False): masks * 3,
    }
    cost = cost_of(plan.distinct)
    assert cost.trainings + cost.chains == plan.trainings
    untuned = config_of(two | {"svi": {"ways": ["default", "unscaled"]}})
    assert EXPERIMENT.plan(untuned).trainings == 2 * 4 + masks * 2 * 2 + masks * 3
    assert EXPERIMENT.plan(config_of({"svi": None})).trainings == 2 * 2


@dataclass(frozen=True)
class Asked:
    """What a run asks for: its plan, where populations find the placeholder's weights."""

    plan: DryLab

    def of(self, kind: str, **label: Any) -> list[PlannedStep]:
        return [step for step in self.plan.distinct if step.kind == kind and label.items() <= step.label.items()]

    @property
    def tuned(self) -> list[tuple[int, int, list[PlannedStep]]]:
        """Seed, level and the members' tickets of each population."""
        found: dict[tuple[int, int], list[PlannedStep]] = {}
        for step in self.of("member", generation=0):
            found.setdefault((step.label["seed"], step.label["level"]), []).append(step.inputs["ticket"])
        return [(*where, tickets) for where, tickets in found.items()]

    @property
    def weights(self) -> dict[str, float]:
        """The winner's: of members that score the same, the first one's."""
        (first,) = {
            step.config.train.objective.kl_weights[ANY_LAYER] for step in self.of("member", member=0, generation=0)
        }
        return {ANY_LAYER: first}

    def trained(self) -> dict[tuple[str, int, int, int], PlannedStep]:
        """Arm, seed, level and replicate -> the training, of those by variational inference."""
        found = [step for step in self.of("train") if step.label["arm"].method in SVI]
        return {(*key_of(step.label)[:2], step.label["level"], key_of(step.label)[2]): step for step in found}


@pytest.fixture
def asked():
    """What it does with some changes."""

    def asked(changes: Mapping[str, Any]) -> tuple[Asked, Config]:
        config = config_of(changes)
        return Asked(EXPERIMENT.plan(config)), config

    return asked


CONTROLS = {
    "controls": ["reinitialise"],
    "control_densities": [0.5],
    "replicates": 2,
    "ensemble": False,
    "sampled_arms": ["reinitialise"],
    "sample": {"start": "ticket"},
    "svi": {"carried": "start"},
}


def test_where_controls_alone_are_sampled_the_population_is_tuned_on_the_tickets_mask(asked):
    lab, _ = asked(CONTROLS)
    ((seed, level, tickets),) = lab.tuned
    assert (seed, level) == (0, 1)
    for member, ticket in enumerate(tickets):
        assert ticket.inputs["ticket"].kind == "prune"
        assert ticket.inputs["onto"].config.seed == seeds.derive(0, "member", member)
    trained = lab.trained()
    replicates = range(2 * 2)  # of the control, and of the inference
    expected = itertools.product((f"{arm} reinitialise" for arm in ARMS), (0, 1), (1,), replicates)
    assert sorted(trained) == sorted(expected)
    for (arm, *_), made in trained.items():
        assert made.inputs["ticket"].inputs["ticket"].kind == "control"
        weights = lab.weights if "tuned" in arm else {}
        assert made.config.train.objective.kl_weights == weights


def test_each_level_has_a_population_of_its_own_on_the_first_seeds_ticket(asked):
    lab, _ = asked({"seeds": [4, 3], "prune": {"levels": 2}, "sampled_levels": [2, 0]})
    tuned = [(seed, level, [one.result()["level"] for one in tickets]) for seed, level, tickets in lab.tuned]
    assert tuned == [
        (4, 0, [0, 0]),
        (4, 2, [2, 2]),
    ]
    assert lab.plan.trainings == taken(lab)


def test_nothing_is_tuned_where_no_way_is(asked):
    lab, _ = asked({"svi": {"ways": ["unscaled"]}})
    assert lab.tuned == []
    assert {arm for arm, *_ in lab.trained()} == {"svi-unscaled"}
    assert lab.plan.trainings == taken(lab) == 2 * 2 + 2 * 2


def taken(lab: Asked, generations: int = 2) -> int:
    """Trainings and members' generations that were asked for."""
    trained = len(lab.of("train"))
    return trained + generations * sum(len(tickets) for _, _, tickets in lab.tuned)


def test_trainings_count_no_population_of_a_level_where_nothing_is_sampled(asked):
    lab, _ = asked(CONTROLS | {"prune": {"levels": 2}, "control_levels": [1], "sampled_levels": [1, 2]})
    assert {level for _, _, level, _ in lab.trained()} == {1}
    assert [level for _, level, _ in lab.tuned] == [1]
    assert lab.plan.trainings == taken(lab)


@pytest.mark.parametrize(("carried", "start"), [("mask", "seed"), ("start", "current")])
def test_on_a_mask_alone_no_mean_is_the_users(asked, carried, start):
    lab, _ = asked({"model": {"name": "package.module:build", "start": "current"}, "svi": {"carried": carried}})
    found = {made.config.model.start for made in lab.of("start") if made.config.model.variational}
    assert found == {start}


def test_the_user_may_cool_all_ways(asked):
    lab, _ = asked({"svi": {"train": {"objective": {"temperature": 0.5}}}})
    found = {arm: made.config.train.objective for (arm, *_), made in lab.trained().items()}
    assert {arm: one.temperature for arm, one in found.items()} == {"svi": 0.5, "svi-tuned": 0.5, "svi-unscaled": 150.0}


def test_the_usual_training_is_the_runs_own(asked):
    lab, config = asked({"train": {"objective": {"draws": 3, "kl_weights": {"dense_1": 2.0}}}, "svi": {"train": None}})
    assert {made.config.train.epochs for made in lab.trained().values()} == {"5it"}
    found = {arm: made.config.train.objective for (arm, *_), made in lab.trained().items()}
    assert {arm: (one.draws, one.kl_weights) for arm, one in found.items()} == {
        "svi": (3, {}),
        "svi-tuned": (3, lab.weights),
        "svi-unscaled": (3, {}),
    }
    deterministic = lab.of("train", arm=Arm())
    assert {made.config.train.objective.draws for made in deterministic} == {1}
    assert {made.config.train.epochs for made in lab.of("member")} == {config.train.epochs}


def inference(**values: Any) -> dict[str, Any]:
    return {"svi": {"train": values}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"svi": {"population": {"generations": 7}}}, "6 iterations cannot be cut in 7 generations"),
        (
            inference(epochs="1ep", batch_size=1000),
            "svi.train.batch_size is 1,000, but there are 300 training rows. Take at most 300.",
        ),
        (
            {"svi": {"train": None}, "train": {"epochs": "1ep", "batch_size": 1000}},
            "train.batch_size is 1,000, but there are 300 training rows. Take at most 300.",
        ),
        (inference(objective={"kl_warmup": "6it"}), "kl_warmup of 6it is 6 iterations; training for 6it ends after 6"),
        (inference(precision="bfloat16"), "precision bfloat16 is not for variational networks"),
        ({"svi": {"train": None}, "train": {"precision": "bfloat16"}}, "bfloat16 is not for variational networks"),
        (
            inference(objective={"kl_weights": {"dense_9": 1.0}}),
            "no variational layer 'dense_9'. Known: dense_1, dense_2, dense_3.",
        ),
    ],
)
def test_what_cannot_be_inferred_is_refused_before_anything_begins(changes, message, tmp_path, call):
    file, workspace = tmp_path / "bad.yaml", tmp_path / "workspace"
    file.write_text(yaml.safe_dump(config_of(changes).model_dump(mode="json")))
    code, out, err = call("-q", "run", file, "-w", workspace)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not workspace.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"svi": {"population": {"generations": 6}}},
        {"svi": {"ways": ["default", "unscaled"], "population": {"generations": 7}}},
        inference(objective={"kl_warmup": "5it"}),
        {"train": {"precision": "bfloat16"}},
    ],
)
def test_what_is_just_within_the_limits_or_not_asked_for_is_not_refused(changes):
    unweighted = VALUES | {"svi": VALUES["svi"] | {"train": INFERENCE | {"objective": {"draws": 2}}}}
    config = Config.model_validate(merge(unweighted, changes))
    EXPERIMENT.check_data(config)
    assert EXPERIMENT.check_model(config) == []


def test_kl_weights_that_ways_overrule_are_told():
    told = ["objective.kl_weights have no effect: svi.ways say where KL weights come from."]
    assert EXPERIMENT.check_model(config_of()) == told
    by_train = {"svi": {"train": None}, "train": {"objective": {"kl_weights": {"dense_1": 2.0}}}}
    assert EXPERIMENT.check_model(config_of(by_train)) == told
    assert EXPERIMENT.check_model(config_of({"svi": {"train": None}})) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"svi": {"ways": ["tuned", "tuned"]}}, "the ways tuned, tuned repeat"),
        ({"svi": {"ways": []}}, "at least 1 item"),
        (CONTROLS | {"svi": {"carried": "mask"}}, "SVI on a mask alone is the ticket's own"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(changes)
