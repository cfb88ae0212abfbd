import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import chi2_contingency

from tfticket.pruning.mask import survivors
from tfticket.pruning.shuffles import draw_survivors, even_counts, global_counts

SEEDS = st.integers(0, 3)


@st.composite
def masks(draw):
    """Kernels of one to three layers."""
    shapes = draw(st.lists(array_shapes(max_dims=4, max_side=5), min_size=1, max_size=3))
    return {f"layer_{number}/kernel": draw(arrays(bool, shape)) for number, shape in enumerate(shapes)}


def shapes(mask):
    return {path: kept.shape for path, kept in mask.items()}


@given(masks(), SEEDS)
def test_global_counts_add_up_to_the_masks_and_fit_the_layers(mask, seed):
    counts = global_counts(mask, seed, 1)
    assert sum(counts.values()) == sum(survivors(mask).values())
    assert all(0 <= counts[path] <= kept.size for path, kept in mask.items())


def test_global_counts_are_distributed_as_those_of_a_permutation():
    mask = {"a/kernel": np.arange(20).reshape(4, 5) < 9, "b/kernel": np.zeros(7, bool), "c/kernel": np.ones(3, bool)}
    together, random = np.concatenate([kept.ravel() for kept in mask.values()]), np.random.default_rng(0)
    theirs = [tuple(part.sum() for part in np.split(random.permutation(together), [20, 27])) for _ in range(4000)]
    ours = [tuple(global_counts(mask, seed, 1).values()) for seed in range(4000)]
    kinds = sorted({*ours, *theirs})
    table = [[counts.count(kind) for kind in kinds] for counts in (ours, theirs)]
    common = [column for column in zip(*table, strict=True) if sum(column) >= 20]
    assert chi2_contingency(np.transpose(common)).pvalue > 1e-3


@given(masks())
def test_even_counts_are_the_mean_density_within_one_weight_and_add_up_exactly(mask):
    counts = even_counts(mask)
    total = sum(survivors(mask).values())
    assert sum(counts.values()) == total
    for path, kept in mask.items():
        assert abs(counts[path] - kept.size * total / sum(kept.size for kept in mask.values())) < 1
        assert 0 <= counts[path] <= kept.size


@given(masks(), SEEDS, st.data())
def test_just_so_many_survivors_are_chosen(mask, seed, data):
    counts = {path: data.draw(st.integers(0, kept.size)) for path, kept in mask.items()}
    made = draw_survivors(mask, counts, seed, "test", 1, {path: path for path in mask})
    assert survivors(made) == counts
    assert shapes(made) == shapes(mask)


def test_every_weight_is_chosen_equally_often():
    mask = {"a/kernel": np.zeros((4, 5), bool), "b/kernel": np.zeros(7, bool)}
    counts, names = {"a/kernel": 5, "b/kernel": 2}, {path: path for path in mask}
    drawn = [
        np.concatenate([kept.ravel() for kept in draw_survivors(mask, counts, seed, "test", 1, names).values()])
        for seed in range(2000)
    ]
    np.testing.assert_allclose(
        np.mean(drawn, axis=0), np.repeat([5 / 20, 2 / 7], [20, 7]), atol=5 * np.sqrt(0.25 / 2000)
    )
