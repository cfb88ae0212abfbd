"""Masks and their algebra: counts, parts, set operations, overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial.distance import jaccard
from scipy.stats import hypergeom

from tests.refusals import refused
from tfticket.pruning.algebra import Overlap, intersection, overlap, total, union
from tfticket.pruning.mask import collapsed_layers, dense_mask, density, layer_of, prunable_part, split_like, survivors

PATHS = st.sampled_from(["a/kernel", "b/kernel", "block/c/kernel"])
MASK = st.dictionaries(PATHS, arrays(bool, array_shapes(max_dims=4, max_side=4)), min_size=1)
SAME_SHAPE = st.fixed_dictionaries({"a/kernel": arrays(bool, (3, 4)), "b/kernel": arrays(bool, (2, 2, 1, 5))})


def flat(mask):
    return np.concatenate([kept.ravel() for kept in mask.values()])


def test_a_mask_worked_by_hand():
    dense = dense_mask({"a/kernel": (4,), "block/b/kernel": (2, 2)})
    assert [(kept.shape, kept.dtype, kept.all()) for kept in dense.values()] == [
        ((4,), bool, True),
        ((2, 2), bool, True),
    ]
    mask = dense | {"a/kernel": np.arange(4) < 1, "block/b/kernel": np.array([[True, True], [True, False]])}
    assert [layer_of(path) for path in mask] == ["a", "block/b"]
    assert survivors(mask) == {"a/kernel": 1, "block/b/kernel": 3}
    assert (density(mask), density(mask, ["block/b"]), density(mask, ("a",))) == (0.5, 0.25, 0.75)
    assert list(prunable_part(mask, ["a"])) == ["block/b/kernel"]
    collapsed = mask | {"block/b/kernel": np.zeros((2, 2), bool)}
    assert collapsed_layers(mask, collapsed) == ["block/b"]
    assert collapsed_layers(collapsed, collapsed) == collapsed_layers(mask, mask) == []


@given(MASK)
def test_counts_and_parts_are_those_of_the_flat_mask(mask):
    assert density(mask) == pytest.approx(flat(mask).mean())
    assert sum(survivors(mask).values()) == flat(mask).sum()
    parts = split_like(flat(mask), mask)
    assert list(parts) == list(mask)
    for path, kept in mask.items():
        np.testing.assert_array_equal(parts[path], kept)


def test_overlaps_worked_by_hand():
    first = {"a/kernel": np.array([1, 1, 0, 0], bool), "b/kernel": np.array([1, 1], bool)}
    second = {"a/kernel": np.array([1, 0, 1, 0], bool), "b/kernel": np.array([0, 1], bool)}
    layers = overlap(first, second)
    assert layers == {"a/kernel": Overlap(2, 2, 1, 4), "b/kernel": Overlap(2, 1, 1, 2)}
    assert [(layer.jaccard, layer.coefficient) for layer in layers.values()] == [(1 / 3, 1 / 2), (1 / 2, 1)]
    assert total(layers) == Overlap(4, 3, 2, 6)
    assert total(layers).expected_overlap == pytest.approx(hypergeom(6, 4, 3).mean())
    assert (Overlap(0, 0, 0, 5).jaccard, Overlap(0, 3, 0, 5).coefficient) == (1, 1)


@given(SAME_SHAPE, SAME_SHAPE, SAME_SHAPE)
def test_set_operations_and_overlaps_are_those_of_the_flat_masks(a, b, c):
    x, y, z = map(flat, (a, b, c))
    np.testing.assert_array_equal(flat(union(a, b, c)), x | y | z)
    np.testing.assert_array_equal(flat(intersection(a, b, c)), x & y & z)
    whole = total(overlap(a, b))
    assert whole == Overlap(x.sum(), y.sum(), (x & y).sum(), x.size)
    assert whole.jaccard == pytest.approx(1 - jaccard(x, y))
    alone = union(a)
    assert not any(np.shares_memory(alone[path], a[path]) for path in a)


@pytest.mark.parametrize("other", [{"a/kernel": np.ones(4, bool)}, {"b/kernel": np.ones(3, bool)}, {}])
def test_masks_of_different_networks_are_refused(other):
    with refused("masks", None, "a/kernel (3,)", *other):
        overlap({"a/kernel": np.ones(3, bool)}, other)


def test_exempt_layers_are_prunable_ones_and_not_all():
    mask = dense_mask({"dense_1/kernel": (2,), "dense_2/kernel": (2,)})
    with refused("prune.exempt", "dense_1", "dense1", "dense_1, dense_2"):
        prunable_part(mask, ["dense1"])
    with refused("prune.exempt"):
        prunable_part(mask, ["dense_1", "dense_2"])
