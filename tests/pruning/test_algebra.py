import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfticket.errors import InputError
from tfticket.pruning.algebra import Overlap, intersection, overlap, total, union

MASK = st.fixed_dictionaries({"a/kernel": arrays(bool, (3, 4)), "b/kernel": arrays(bool, (2, 2, 1, 5))})


def same(first, second):
    return all(np.array_equal(first[path], second[path]) for path in first)


def test_a_case_worked_by_hand():
    first = {"a/kernel": np.array([1, 1, 0, 0], bool), "b/kernel": np.array([1, 1], bool)}
    second = {"a/kernel": np.array([1, 0, 1, 0], bool), "b/kernel": np.array([0, 1], bool)}
    layers = overlap(first, second)
    assert layers == {"a/kernel": Overlap(2, 2, 1, 4), "b/kernel": Overlap(2, 1, 1, 2)}
    assert [layer.jaccard for layer in layers.values()] == [1 / 3, 1 / 2]
    assert [layer.coefficient for layer in layers.values()] == [1 / 2, 1]
    assert [layer.expected_overlap for layer in layers.values()] == [1, 1]
    assert total(layers) == Overlap(4, 3, 2, 6)
    assert [*union(first, second)["a/kernel"]] == [True, True, True, False]
    assert [*intersection(first, second)["a/kernel"]] == [True, False, False, False]


@given(MASK, MASK, MASK)
def test_the_laws_of_sets(a, b, c):
    assert same(union(a, b), union(b, a))
    assert same(union(a, union(b, c)), union(a, b, c))
    assert same(intersection(a, union(b, c)), union(intersection(a, b), intersection(a, c)))
    inverse = [{path: ~kept for path, kept in mask.items()} for mask in (a, b)]
    assert same(union(a, b), {path: ~kept for path, kept in intersection(*inverse).items()})
    assert same(intersection(a), a)
    shared = overlap(a, b)
    for path, layer in shared.items():
        assert layer.jaccard == overlap(b, a)[path].jaccard
        assert 0 <= layer.jaccard <= layer.coefficient <= 1
        assert layer.shared == np.sum(a[path] & b[path])
    assert total(overlap(a, a)).jaccard == 1


def test_random_masks_share_what_chance_says():
    random = np.random.default_rng(0)
    first, second = ({"a/kernel": random.random((1000, 1000)) < density} for density in (0.2, 0.1))
    layer = overlap(first, second)["a/kernel"]
    assert layer.shared == pytest.approx(layer.expected_overlap, rel=0.02)
    assert layer.expected_overlap == pytest.approx(20_000, rel=0.02)


def test_a_result_is_a_mask_of_its_own():
    mask = {"a/kernel": np.ones(3, bool)}
    union(mask)["a/kernel"][0] = False
    assert mask["a/kernel"].all()


@pytest.mark.parametrize("other", [{"a/kernel": np.ones(4, bool)}, {"b/kernel": np.ones(3, bool)}, {}])
def test_masks_of_different_networks_are_refused(other):
    with pytest.raises(InputError, match="different networks"):
        overlap({"a/kernel": np.ones(3, bool)}, other)
