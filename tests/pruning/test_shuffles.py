"""Shuffled masks: counts by layer, and which weights are drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import chi2_contingency

from tests.refusals import refused
from tfticket.pruning.mask import dense_mask, survivors
from tfticket.pruning.shuffles import draw_survivors, even_counts, global_counts, survivors_at

MASKS = st.lists(
    array_shapes(max_dims=4, max_side=5).flatmap(lambda shape: arrays(bool, shape)), min_size=1, max_size=3
)


@given(MASKS, st.integers(0, 3), st.data())
def test_counts_add_up_and_that_many_survivors_are_drawn(kernels, seed, data):
    mask = {f"layer_{number}/kernel": kept for number, kept in enumerate(kernels)}
    whole, size = sum(survivors(mask).values()), sum(kept.size for kept in kernels)
    shuffled, even = global_counts(mask, seed, 1), even_counts(mask)
    assert sum(shuffled.values()) == sum(even.values()) == whole
    for path, kept in mask.items():
        assert 0 <= shuffled[path] <= kept.size
        assert 0 <= even[path] <= kept.size
        assert abs(even[path] - kept.size * whole / size) < 1
    counts = {path: data.draw(st.integers(0, kept.size)) for path, kept in mask.items()}
    drawn = draw_survivors(mask, counts, seed, "test", 1, {path: path for path in mask})
    assert survivors(drawn) == counts
    assert [kept.shape for kept in drawn.values()] == [kept.shape for kept in kernels]


def test_global_counts_are_distributed_as_those_of_a_permutation():
    mask = {"a/kernel": np.arange(20).reshape(4, 5) < 9, "b/kernel": np.zeros(7, bool), "c/kernel": np.ones(3, bool)}
    together, random = np.concatenate([kept.ravel() for kept in mask.values()]), np.random.default_rng(0)
    theirs = [tuple(part.sum() for part in np.split(random.permutation(together), [20, 27])) for _ in range(4000)]
    ours = [tuple(global_counts(mask, seed, 1).values()) for seed in range(4000)]
    kinds = sorted({*ours, *theirs})
    table = [[counts.count(kind) for kind in kinds] for counts in (ours, theirs)]
    common = [column for column in zip(*table, strict=True) if sum(column) >= 20]
    assert chi2_contingency(np.transpose(common)).pvalue > 1e-3


def test_even_counts_give_the_rest_to_the_largest_remainders():
    mask = dense_mask({"a/kernel": (10,), "b/kernel": (7,), "c/kernel": (3,)}) | {"a/kernel": np.zeros(10, bool)}
    assert list(even_counts(mask).values()) == [5, 4, 1]  # of 5, 3.5 and 1.5
    thirds = dense_mask({"a/kernel": (4,), "b/kernel": (5,)}) | {"b/kernel": np.zeros(5, bool)}
    assert list(even_counts(thirds).values()) == [2, 2]  # of 1.78 and 2.22


def test_every_weight_is_drawn_equally_often_and_each_level_and_layer_by_itself():
    mask = {"a/kernel": np.zeros((4, 5), bool), "b/kernel": np.zeros(7, bool)}
    counts, names = {"a/kernel": 5, "b/kernel": 2}, {path: path for path in mask}

    def drawn(seed, level=1, names=names):
        kernels = draw_survivors(mask, counts, seed, "test", level, names).values()
        return np.concatenate([kept.ravel() for kept in kernels])

    mean = np.mean([drawn(seed) for seed in range(2000)], axis=0)
    np.testing.assert_allclose(mean, np.repeat([5 / 20, 2 / 7], [20, 7]), atol=5 * np.sqrt(0.25 / 2000))
    others = drawn(0, level=2), drawn(0, names={"a/kernel": "b/kernel", "b/kernel": "a/kernel"}), drawn(1)
    assert all((other != drawn(0)).any() for other in others)
    half = mask | {"a/kernel": np.ones((4, 5), bool)}
    assert len({tuple(global_counts(half, 0, level).values()) for level in range(9)}) > 1


LAYERS = dense_mask({"dense_1/kernel": (10, 10), "dense_2/kernel": (10,), "out/kernel": (3,)})


def test_survivors_at_densities():
    assert survivors_at(LAYERS, 0.25, ["out"]) == {"dense_1/kernel": 25, "dense_2/kernel": 2}
    assert survivors_at(LAYERS, {"dense_2": 1.0, "out": 0.0}, []) == {"dense_2/kernel": 10, "out/kernel": 0}


@pytest.mark.parametrize(
    ("densities", "suggestion", "mention"),
    [
        ({"dense_2": -0.1}, None, "dense_2 is -0.1"),
        (1.01, None, "1.01"),
        ({"dense2": 0.1}, "dense_2", "dense2"),
        ({"out": 0.1}, None, "out"),
    ],
)
def test_densities_are_fractions_of_pruned_layers(densities, suggestion, mention):
    with refused("densities", suggestion, mention):
        survivors_at(LAYERS, densities, ["out"])
