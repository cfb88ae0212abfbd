"""Exploit and explore of population-based training: pure functions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.config import MemberStep, Population
from tfticket.config.durations import generation_bounds
from tfticket.config.schema import validate
from tfticket.errors import InputError, TfticketError
from tfticket.evaluation.metrics import ranking
from tfticket.training.population import Child, evolve, first_weights, winner_of

LAYERS = ("dense_1", "dense_2", "dense_3")
NAN, INFINITE = math.nan, math.inf

populations = st.builds(
    Population,
    members=st.integers(2, 30),
    truncation=st.floats(0.01, 0.5),
    perturb=st.lists(st.floats(0.1, 10), min_size=1, max_size=3).map(tuple),
    resample=st.floats(0, 1),
    low=st.floats(1e-6, 1),
    high=st.floats(2, 100),
    metric=st.sampled_from(["nll", "accuracy"]),
)
scored = populations.flatmap(
    lambda config: st.tuples(
        st.just(config),
        st.lists(
            st.sampled_from([0.1, 0.2, 0.3, 0.4, NAN, INFINITE, -INFINITE]),
            min_size=config.members,
            max_size=config.members,
        ).filter(lambda scores: any(map(math.isfinite, scores))),
    )
)


@given(populations, st.integers(0, 2**64))
def test_first_weights_are_within_their_range_and_the_seeds_own(config, seed):
    found = first_weights(config, LAYERS, seed)
    assert len(found) == config.members
    assert all(tuple(weights) == LAYERS for weights in found)
    assert all(config.low <= weight <= config.high for weights in found for weight in weights.values())
    assert found == first_weights(config, LAYERS, seed)
    assert found != first_weights(config, LAYERS, seed + 1)


def test_first_weights_are_log_uniform():
    config = Population(members=3000)
    exponents = np.log10([list(weights.values()) for weights in first_weights(config, LAYERS, 0)])
    counts, _ = np.histogram(exponents, bins=5, range=(-4, 1))
    np.testing.assert_allclose(counts / counts.sum(), 0.2, atol=0.02)


def test_more_members_change_no_weights_of_those_there_were():
    few, many = (first_weights(Population(members=members), LAYERS, 3) for members in (4, 9))
    assert many[:4] == few


@given(scored, st.integers(0, 2**32), st.integers(1, 20))
def test_the_worst_go_on_as_the_best_and_all_others_as_themselves(case, seed, generation):
    config, scores = case
    weights = first_weights(config, LAYERS, seed)
    children = evolve(config, scores, weights, seed, generation)
    assert children == evolve(config, scores, weights, seed, generation)
    diverged = {member for member, score in enumerate(scores) if not math.isfinite(score)}
    replaced = {member for member, child in enumerate(children) if child.parent != member}
    assert replaced >= diverged
    assert len(replaced) == max(config.replaced, len(diverged))
    kept = [scores[member] for member in range(config.members) if member not in replaced]
    sign = -1 if config.metric == "accuracy" else 1
    for member, child in enumerate(children):
        if member not in replaced:
            assert child == Child(member, weights[member])
            continue
        assert child.parent not in replaced
        better = [score for score in kept if sign * score < sign * scores[child.parent]]
        assert len(better) < config.replaced
        if member not in diverged:
            assert sign * scores[child.parent] <= sign * scores[member]
        for layer, weight in child.weights.items():
            perturbed = [weights[child.parent][layer] * factor for factor in config.perturb]
            assert weight in perturbed or config.low <= weight <= config.high


def test_a_fifth_is_replaced_and_at_least_one_and_at_most_half():
    assert [Population(members=members).replaced for members in (2, 3, 5, 8, 10, 50)] == [1, 1, 1, 2, 2, 10]
    assert [Population(members=members, truncation=0.5).replaced for members in (2, 3, 5, 7)] == [1, 1, 2, 3]


def test_of_equal_members_those_of_higher_number_are_replaced():
    config = Population(members=4, resample=0.0, perturb=(2.0,))
    weights = [{"dense_1": float(member + 1)} for member in range(4)]
    children = evolve(config, [0.5] * 4, weights, 0, 1)
    assert [child.parent for child in children] == [0, 1, 2, 0]
    assert children[3].weights == {"dense_1": 2.0}


def test_the_best_accuracy_is_the_highest_and_the_best_nll_the_lowest():
    values = [0.3, NAN, 0.1, INFINITE, 0.9, 0.1]
    assert ranking(values, "nll") == [2, 5, 0, 4, 1, 3]
    assert ranking(values, "accuracy") == [4, 0, 2, 5, 1, 3]
    assert winner_of(Population(members=6), values) == 2
    assert winner_of(Population(members=6, metric="accuracy"), values) == 4


def test_weights_are_drawn_anew_as_often_as_asked_for():
    config = Population(members=2, resample=0.25, perturb=(1.0,))
    weights = [{str(layer): 1e9 for layer in range(4000)}, {str(layer): 1.0 for layer in range(4000)}]
    child = evolve(config, [0.1, 0.2], weights, 5, 1)[1]
    anew = [weight for weight in child.weights.values() if weight != 1e9]
    assert len(anew) / 4000 == pytest.approx(0.25, abs=0.03)
    assert all(config.low <= weight <= config.high for weight in anew)


def test_where_all_diverged_there_is_nothing_to_go_on_from():
    config = Population(members=3)
    with pytest.raises(TfticketError, match="All 3 members of the population diverged"):
        evolve(config, [NAN, INFINITE, NAN], first_weights(config, LAYERS, 0), 0, 1)


@given(st.integers(0, 1000), st.integers(1, 500), st.integers(1, 50))
def test_generations_follow_on_one_another_and_are_about_equal(first, length, generations):
    if length < generations:
        with pytest.raises(InputError, match="cannot be cut"):
            generation_bounds(first, first + length, generations)
        return
    bounds = generation_bounds(first, first + length, generations)
    assert len(bounds) == generations
    assert (bounds[0][0], bounds[-1][1]) == (first, first + length)
    assert all(early[1] == late[0] for early, late in itertools.pairwise(bounds))
    lengths = [last - begin for begin, last in bounds]
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"members": 1}, "members: must be at least 2"),
        ({"generations": 0}, "generations: must be at least 1"),
        ({"truncation": 0}, "truncation: must be more than 0"),
        ({"truncation": 0.6}, "truncation: must be at most 0.5"),
        ({"perturb": []}, "perturb: needs at least 1, has 0"),
        ({"perturb": [0.8, 0]}, "perturb.1: must be more than 0"),
        ({"resample": 1.5}, "resample: must be at most 1"),
        ({"low": 0}, "low: must be more than 0"),
        ({"low": 1, "high": 1}, "the lowest first weight, 1, is not below the highest, 1"),
        ({"metric": "mace"}, "metric: .*'nll' or 'accuracy'"),
        ({"member": 3}, "members"),
    ],
)
def test_what_makes_no_population_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        validate(Population, values, where="population")


def test_a_member_trains_at_least_an_iteration():
    with pytest.raises(InputError, match="the first iteration, 5, is not before the last, 5"):
        validate(MemberStep, {"seed": 0, "first": 5, "last": 5}, where="member")
