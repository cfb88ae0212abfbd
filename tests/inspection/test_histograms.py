import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.inspection.histograms import BINS, histogram


@given(
    seed=st.integers(0, 100),
    scale=st.sampled_from([1e-40, 1e-20, 1.0, 1e20, 1e36]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_every_weight_lies_in_one_bin(seed, scale, dtype):
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=(7, 11)) * scale).astype(dtype)
    kept = rng.random((7, 11)) < 0.4
    found = histogram(weights, kept)
    assert found.kept.sum() == kept.sum()
    assert found.kept.sum() + found.pruned.sum() == kept.size
    assert len(found.edges) == BINS + 1
    assert found.edges[-1] == -found.edges[0] == np.abs(weights).max()


def test_the_bins_are_numpys():
    rng = np.random.default_rng(0)
    weights = rng.integers(-160, 161, 5000) / 160 * 0.99 + 0.0031  # no weight within a rounding of an edge
    weights[0] = 1.0
    kept = rng.random(5000) < 0.5
    found = histogram(weights, kept)
    assert np.array_equal(found.kept, np.histogram(weights[kept], found.edges)[0])
    assert np.array_equal(found.pruned, np.histogram(weights[~kept], found.edges)[0])


@pytest.mark.parametrize("weights", [np.zeros(3, np.float32), np.float32([np.nan, np.inf, 0])])
def test_zeros_and_what_is_not_finite(weights):
    found = histogram(weights, np.array([True, False, True]))
    assert found.edges[0] == -1
    assert found.kept.sum() + found.pruned.sum() == np.isfinite(weights).sum()


def test_only_what_counts_is_counted():
    found = histogram(
        np.float32([1, 2, 3, 9]), np.array([True, True, False, False]), np.array([True, False, True, False])
    )
    assert (found.edges[-1], found.kept.sum(), found.pruned.sum()) == (3, 1, 1)
