"""Variational inference on tickets' masks, in the plan of "Bayes always wins". Needs TensorFlow."""

import itertools
from collections import Counter

import pytest
import yaml
from tfticket._experiments.bayes_always_wins import Config

from tests.plans import trainings
from tests.refusals import refused
from tests.tables import refusals
from tests.test_bayes_always_wins import EXPERIMENT
from tests.test_bayes_always_wins import VALUES as SAMPLED
from tfticket import seeds
from tfticket.arms import Arm
from tfticket.config.schema import validate
from tfticket.costs import cost_of
from tfticket.dry_lab import ANY_LAYER
from tfticket.presets import merge
from tfticket.runs.progress import COUNTED

INFERENCE = {
    "epochs": "6it",
    "batch_size": 50,
    "objective": {"draws": 2, "kl_weights": {"dense_1": 3.0, "dense_3": 0.2}, "evaluation_draws": 2},
}
SVI = {"train": INFERENCE, "population": {"members": 2, "generations": 2}, "replicates": 2}
VALUES = merge(SAMPLED, {"prune": {"rate": 0.5}, "control_densities": [], "controls": [], "chains": 0, "seeds": [0, 1]})
VALUES |= {"svi": SVI}
ARMS = ("svi", "svi-tuned", "svi-unscaled")
CONTROLS = {"controls": ["reinitialise"], "control_densities": [0.5], "ensemble": False}
CONTROLS |= {"sampled_arms": ["reinitialise"], "sample": {"start": "ticket"}, "svi": {"carried": "start"}}


def config_of(changes=None):
    return validate(Config, merge(VALUES, dict(changes or {})), where="here")


def plan_of(changes=None):
    return EXPERIMENT.plan(config_of(changes))


def steps_of(plan, kind, **label):
    return [step for step in plan.distinct if step.kind == kind and label.items() <= step.label.items()]


def inferred(plan):
    """Arm, seed, level and replicate of each training by variational inference -> its planned step."""
    return {key: step for key, step in trainings(plan).items() if step.label["arm"].method in ARMS}


def populations(plan):
    """Seed and level -> the tickets of a population's members."""
    tickets = {}
    for step in steps_of(plan, "member", generation=0):
        tickets.setdefault((step.label["seed"], step.label["level"]), []).append(step.inputs["ticket"])
    return tickets


def winner_of(plan):
    """The weights of the winner: of members of equal scores the first one's."""
    (step,) = steps_of(plan, "member", member=0, generation=0)
    return {ANY_LAYER: step.config.train.objective.kl_weights[ANY_LAYER]}


def test_each_way_is_trained_and_evaluated_for_each_seed_and_replicate_with_its_own_kl_weights():
    plan = plan_of()
    trained, evaluated = inferred(plan), trainings(plan, "evaluate")
    assert sorted(trained) == sorted(itertools.product(ARMS, (0, 1), (1,), (0, 1)))
    assert {key for key in evaluated if key[0] in ARMS} == set(trained)
    expected = {"svi": ({}, 1.0), "svi-tuned": (winner_of(plan), 1.0), "svi-unscaled": ({}, 300.0)}
    for (arm, seed, level, replicate), step in trained.items():
        assert (evaluated[arm, seed, level, replicate].inputs["trained"], step.is_variational) == (step, True)
        evaluation = evaluated[arm, seed, level, replicate].config
        assert (evaluation.draws, evaluation.passes) == (2, 1)
        training = step.config.train
        assert (training.epochs, training.batch_size, training.objective.draws) == ("6it", 50, 2)
        assert (training.objective.kl_weights, training.objective.temperature) == expected[arm]
        transplant, own_seed = step.inputs["ticket"], seeds.derive(seed, "svi", replicate)
        assert (step.config.seed, transplant.inputs["onto"].config.seed) == (own_seed, own_seed)
        assert transplant.config.carried == "mask"
        assert transplant == trained["svi", seed, 1, replicate].inputs["ticket"]
        assert transplant.inputs["ticket"] == trainings(plan)["ticket", seed, 1, 0].inputs["ticket"]
    assert not steps_of(plan, "sample") + steps_of(plan, "ensemble")


def test_a_population_is_tuned_once_a_level_on_the_first_seeds_ticket_in_equal_generations():
    plan = plan_of({"seeds": [4, 3], "prune": {"levels": 2}, "sampled_levels": [2, 0]})
    tickets = populations(plan)
    assert {key: [ticket.result()["level"] for ticket in members] for key, members in tickets.items()} == {
        (4, 0): [0, 0],
        (4, 2): [2, 2],
    }
    for (seed, _), members in tickets.items():
        for number, ticket in enumerate(members):
            assert ticket.inputs["onto"].config.seed == seeds.derive(seed, "member", number)
            assert ticket.label["arm"] == Arm("population")
    for step in steps_of(plan, "member"):
        assert (step.config.first, step.config.last) == [(0, 3), (3, 6)][step.label["generation"]]
        objective = step.config.train.objective
        assert (objective.kl_weights, objective.temperature) == (step.label["weights"], 1.0)


def test_where_controls_alone_are_sampled_the_population_is_tuned_on_the_tickets_mask():
    plan = plan_of(CONTROLS | {"prune": {"levels": 2}, "control_levels": [1], "sampled_levels": [1, 2]})
    ((key, tickets),) = populations(plan).items()  # of the level alone at which controls are sampled
    assert (key, {ticket.inputs["ticket"].kind for ticket in tickets}) == ((0, 1), {"prune"})
    trained, replicates = inferred(plan), range(2 * 2)  # of the control, and of the inference
    assert sorted(trained) == sorted(itertools.product((f"{a} reinitialise" for a in ARMS), (0, 1), (1,), replicates))
    for (arm, *_), step in trained.items():
        assert step.inputs["ticket"].inputs["ticket"].kind == "control"
        assert step.config.train.objective.kl_weights == (winner_of(plan) if "tuned" in arm else {})


def test_trainings_are_counted_by_chains_generations_and_levels():
    levels = {"prune": {"levels": 3}, "sampled_levels": [1, 3], "chains": 3}
    plan, masks = plan_of(levels | {"svi": {"population": {"members": 5, "generations": 4}}}), 2 * 2  # seeds, levels
    assert Counter((step.kind, step.is_variational) for step in plan.distinct if step.kind in COUNTED) == {
        ("train", False): 2 * 4,
        ("train", True): masks * 3 * 2,  # ways, replicates
        ("member", True): 2 * 5 * 4,  # levels, each of which is tuned once
        ("sample", False): masks * 3,
    }
    cost = cost_of(plan.distinct)
    assert (plan.chains, cost.trainings + cost.chains) == (masks * 3, plan.trainings)
    assert plan_of({"svi": None}).trainings == 2 * 2
    untuned = plan_of({"svi": {"ways": ["unscaled"]}})
    assert (populations(untuned), {arm for arm, *_ in inferred(untuned)}) == ({}, {"svi-unscaled"})


def test_on_a_mask_alone_no_mean_is_the_users():
    for carried, start in (("mask", "seed"), ("start", "current")):
        plan = plan_of({"model": {"name": "package.module:build", "start": "current"}, "svi": {"carried": carried}})
        assert {step.config.model.start for step in steps_of(plan, "start") if step.is_variational} == {start}


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"svi": {"train": {"objective": {"temperature": 0.5}}}}, "temperature", [0.5, 0.5, 150.0]),
        ({"svi": {"train": None}, "train": {"objective": {"kl_weights": {"a": 2.0}}}}, "kl_weights", [{}, None, {}]),
    ],
)
def test_the_users_training_and_temperature_are_those_of_all_ways(changes, attribute, expected):
    plan = plan_of(changes)
    expected = [winner_of(plan) if value is None else value for value in expected]
    values = [getattr(inferred(plan)[arm, 1, 1, 0].config.train.objective, attribute) for arm in ARMS]
    assert values == expected
    steps = [*inferred(plan).values(), *steps_of(plan, "member")]
    assert {step.config.train.epochs for step in steps} == {"6it" if changes["svi"]["train"] else "5it"}


# Refusals and notes


REFUSED = """
{svi: {population: {generations: 7}}}                | population.generations | | 6 iterations
{svi: {train: {epochs: 1ep, batch_size: 1000}}}      | svi.train.batch_size   | | at most 300
{svi: {train: null}, train: {epochs: 1ep, batch_size: 1000}} | train.batch_size | | at most 300
{svi: {train: {objective: {kl_warmup: 6it}}}}        | svi.train.objective.kl_warmup | | 6 iterations
{svi: {train: {precision: bfloat16}}}                | train.precision        | float32 |
{svi: {train: {objective: {kl_weights: {dense_9: 1.0}}}}} | train.objective.kl_weights | | dense_1, dense_2
{svi: {ways: [tuned, tuned]}}                        | svi.ways               | | tuned, tuned
{svi: {ways: []}}                                    | svi.ways               | | at least 1
"""


def test_what_cannot_be_inferred_is_refused_before_anything_begins():
    for changes, field, suggestion, facts in refusals(REFUSED):
        with refused(field, suggestion, *facts):
            config = config_of(yaml.safe_load(changes))
            EXPERIMENT.check_data(config)
            EXPERIMENT.check_model(config)
    with refused("sampled_arms", None, "svi.carried"):
        config_of(CONTROLS | {"svi": {"carried": "mask"}})


def test_what_is_within_the_limits_is_accepted_and_kl_weights_that_ways_overrule_are_noted():
    own, untuned = {"svi": {"train": None}}, {"ways": ["default", "unscaled"], "population": {"generations": 7}}
    for changes, noted in (
        ({}, True),
        (own | {"train": {"objective": {"kl_weights": {"dense_1": 2.0}}}}, True),
        (own, False),
        ({"svi": {"population": {"generations": 6}}}, True),
        ({"svi": untuned, "train": {"precision": "bfloat16"}}, True),
        ({"svi": {"train": {"objective": {"kl_warmup": "5it"}}}}, True),
    ):
        EXPERIMENT.check_data(config_of(changes))
        notes = EXPERIMENT.check_model(config_of(changes))
        assert [note for note in notes if "objective.kl_weights have no effect" in note] == notes
        assert len(notes) == noted
