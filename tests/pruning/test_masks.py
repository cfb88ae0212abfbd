"""Masks, their algebra and their shuffles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial.distance import jaccard
from scipy.stats import chi2_contingency, hypergeom

from tests.refusals import refused
from tfticket.pruning.algebra import Overlap, intersection, overlap, total, union
from tfticket.pruning.mask import collapsed_layers, dense_mask, density, layer_of, prunable_part, split_like, survivors
from tfticket.pruning.shuffles import draw_survivors, even_counts, global_counts, survivors_at

SHAPES = st.lists(array_shapes(max_dims=4, max_side=5), min_size=1, max_size=3)


def flat(mask):
    return np.concatenate([kept.ravel() for kept in mask.values()])


@given(SHAPES, st.integers(0, 3), st.data())
def test_counts_set_operations_and_shuffles_are_those_of_the_flat_masks(shapes, seed, data):
    kernels = [(f"block/{number}/kernel", arrays(bool, shape)) for number, shape in enumerate(shapes)]
    a, b, c = ({path: data.draw(kernel) for path, kernel in kernels} for _ in range(3))
    x, y, z = map(flat, (a, b, c))
    assert density(a) == pytest.approx(x.mean())
    for path, part in split_like(x, a).items():
        np.testing.assert_array_equal(part, a[path])
    np.testing.assert_array_equal(flat(union(a, b, c)), x | y | z)
    np.testing.assert_array_equal(flat(intersection(a, b, c)), x & y & z)
    assert not any(np.shares_memory(kept, a[path]) for path, kept in union(a).items())
    whole = total(overlap(a, b))
    assert whole == Overlap(x.sum(), y.sum(), (x & y).sum(), x.size)
    assert whole.jaccard == pytest.approx(1 - jaccard(x, y))
    shuffled, even = global_counts(a, seed, 1), even_counts(a)
    assert sum(survivors(a).values()) == sum(shuffled.values()) == sum(even.values()) == x.sum()
    for path, kept in a.items():
        assert 0 <= shuffled[path] <= kept.size
        assert 0 <= even[path] <= kept.size
        assert abs(even[path] - kept.size * x.mean()) < 1
    drawn = draw_survivors(a, survivors(b), seed, "test", 1, {path: path for path in a})
    assert survivors(drawn) == survivors(b)
    assert {path: kept.shape for path, kept in drawn.items()} == {path: kept.shape for path, kept in a.items()}


def test_masks_worked_by_hand():
    dense = dense_mask({"a/kernel": (4,), "block/b/kernel": (1, 2)})
    assert [(kept.shape, kept.dtype, kept.all()) for kept in dense.values()] == [((4,), bool, 1), ((1, 2), bool, 1)]
    first = dense | {"a/kernel": np.array([1, 1, 0, 0], bool)}
    second = {"a/kernel": np.array([1, 0, 1, 0], bool), "block/b/kernel": np.array([[0, 1]], bool)}
    assert [layer_of(path) for path in first] == ["a", "block/b"]
    assert survivors(first) == {"a/kernel": 2, "block/b/kernel": 2}
    assert (density(second), density(second, ["a"]), density(first, ("block/b",))) == (0.5, 0.5, 0.5)
    assert list(prunable_part(first, ["a"])) == ["block/b/kernel"]
    collapsed = first | {"block/b/kernel": np.zeros((1, 2), bool)}
    assert collapsed_layers(first, collapsed) == ["block/b"]
    assert collapsed_layers(collapsed, collapsed) == collapsed_layers(first, first) == []
    layers = overlap(first, second)
    assert layers == {"a/kernel": Overlap(2, 2, 1, 4), "block/b/kernel": Overlap(2, 1, 1, 2)}
    assert [(layer.jaccard, layer.coefficient) for layer in layers.values()] == [(1 / 3, 1 / 2), (1 / 2, 1)]
    assert total(layers).expected_overlap == pytest.approx(hypergeom(6, 4, 3).mean())
    assert (Overlap(0, 0, 0, 5).jaccard, Overlap(0, 3, 0, 5).coefficient) == (1, 1)
    sizes = dense_mask({"a/kernel": (10,), "b/kernel": (7,), "c/kernel": (3,)})
    assert list(even_counts(sizes | {"a/kernel": np.zeros(10, bool)}).values()) == [5, 4, 1]  # of 5, 3.5 and 1.5
    assert survivors_at(sizes, 0.25, ["c"]) == {"a/kernel": 2, "b/kernel": 2}
    assert survivors_at(sizes, {"b": 1.0, "c": 0.0}, []) == {"b/kernel": 7, "c/kernel": 0}


def test_global_counts_are_distributed_as_those_of_a_permutation():
    mask = {"a/kernel": np.arange(20).reshape(4, 5) < 9, "b/kernel": np.zeros(7, bool), "c/kernel": np.ones(3, bool)}
    together, random = flat(mask), np.random.default_rng(0)
    theirs = [tuple(part.sum() for part in np.split(random.permutation(together), [20, 27])) for _ in range(4000)]
    ours = [tuple(global_counts(mask, seed, 1).values()) for seed in range(4000)]
    table = [[counts.count(kind) for kind in {*ours, *theirs}] for counts in (ours, theirs)]
    common = [column for column in zip(*table, strict=True) if sum(column) >= 20]
    assert chi2_contingency(np.transpose(common)).pvalue > 1e-3
    assert len({tuple(global_counts(mask, 0, level).values()) for level in range(9)}) > 1


def test_every_weight_is_drawn_equally_often_by_seed_level_and_layer():
    mask, counts = dense_mask({"a/kernel": (4, 5), "b/kernel": (7,)}), {"a/kernel": 5, "b/kernel": 2}

    def drawn(seed, level=1, names="ab"):
        return flat(draw_survivors(mask, counts, seed, "test", level, dict(zip(mask, names, strict=True))))

    mean = np.mean([drawn(seed) for seed in range(2000)], axis=0)
    np.testing.assert_allclose(mean, np.repeat([5 / 20, 2 / 7], [20, 7]), atol=5 * np.sqrt(0.25 / 2000))
    assert all((other != drawn(0)).any() for other in (drawn(1), drawn(0, level=2), drawn(0, names="ba")))


SMALL = dense_mask({"dense_1/kernel": (3,), "out/kernel": (3,)})


@pytest.mark.parametrize(("call", "field", "suggestion", "mentions"), [
    *[
        (lambda other=other: overlap(SMALL, other), "masks", None, ["dense_1/kernel (3,)", *other])
        for other in (SMALL | {"out/kernel": np.ones(4, bool)}, dense_mask({"b/kernel": (3,)}), {})
    ],
    (lambda: prunable_part(SMALL, ["dense1"]), "prune.exempt", "dense_1", ["'dense1'", "dense_1, out"]),
    (lambda: prunable_part(SMALL, ["dense_1", "out"]), "prune.exempt", None, []),
    (lambda: survivors_at(SMALL, {"out": -0.1}, []), "densities", None, ["out is -0.1"]),
    (lambda: survivors_at(SMALL, 1.01, []), "densities", None, ["1.01"]),
    (lambda: survivors_at(SMALL, {"ou": 0.1}, []), "densities", "out", ["ou:"]),
    (lambda: survivors_at(SMALL, {"out": 0.1}, ["out"]), "densities", None, ["out"]),
])  # fmt: skip
def test_layers_of_other_networks_and_impossible_densities_are_refused(call, field, suggestion, mentions):
    with refused(field, suggestion, *mentions):
        call()
