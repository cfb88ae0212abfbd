"""Histograms of weights and pictures of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.inspection.pictures import BINS, LARGEST, histogram, picture, receptive_fields


@given(
    seed=st.integers(0, 100),
    scale=st.sampled_from([1e-40, 1e-20, 1.0, 1e20, 1e36]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_every_weight_lies_in_one_bin(seed, scale, dtype):
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=(7, 11)) * scale).astype(dtype)
    kept = rng.random((7, 11)) < 0.4
    counts = histogram(weights, kept)
    assert (counts.kept.sum(), counts.pruned.sum()) == (kept.sum(), (~kept).sum())
    assert len(counts.edges) == BINS + 1
    assert counts.edges[-1] == -counts.edges[0] == np.abs(weights).max()


def test_the_bins_are_numpys_and_only_finite_weights_that_count_are_in_them():
    rng = np.random.default_rng(0)
    weights = rng.integers(-160, 161, 5000) / 160 * 0.99 + 0.0031  # no weight within a rounding of an edge
    weights[0] = 1.0
    kept = rng.random(5000) < 0.5
    counts = histogram(weights, kept)
    assert np.array_equal(counts.kept, np.histogram(weights[kept], counts.edges)[0])
    assert np.array_equal(counts.pruned, np.histogram(weights[~kept], counts.edges)[0])
    for weights in (np.zeros(3, np.float32), np.float32([np.nan, np.inf, 0])):
        counts = histogram(weights, np.array([True, False, True]))
        assert (counts.edges[0], counts.kept.sum() + counts.pruned.sum()) == (-1, np.isfinite(weights).sum())
    counted = np.array([True, False, True, False])
    counts = histogram(np.float32([1, 2, 3, 9]), np.array([True, True, False, False]), counted)
    assert (counts.edges[-1], counts.kept.sum(), counts.pruned.sum()) == (3, 1, 1)


@pytest.mark.parametrize("shape", [(3, 3, 2, 5), (800, 400), (3, 3, 64, 900), (401, 401)])
def test_a_large_mask_is_binned_to_the_densities_of_its_cells(shape):
    kept = np.random.default_rng(0).random(shape) < 0.2
    drawn = picture(kept)
    flat = kept.reshape(-1, shape[-1])
    assert drawn.binned == (max(flat.shape) > LARGEST)
    assert drawn.values.shape == tuple(min(size, LARGEST) for size in flat.shape)
    rows, columns = flat.shape[0] / drawn.values.shape[0], flat.shape[1] / drawn.values.shape[1]
    if rows.is_integer() and columns.is_integer():
        cells = flat.reshape(drawn.values.shape[0], int(rows), drawn.values.shape[1], int(columns))
        assert np.allclose(drawn.values, cells.mean(axis=(1, 3)), atol=1e-3)
    assert drawn.values.mean() == pytest.approx(kept.mean(), abs=0.01)


def test_receptive_fields_of_a_dense_layer_lie_over_the_image():
    kept = np.random.default_rng(0).random((2 * 3 * 4, 5)) < 0.5
    fields = receptive_fields("a/kernel", kept, (2, 3, 4))
    assert fields.fields.shape == (5, 2, 3, 4)
    assert fields.fields[2, 1, 0, 3] == kept[1 * 12 + 0 * 4 + 3, 2]
    assert np.array_equal(fields.per_pixel, fields.fields.sum(axis=0))
    for shape, image in (((5, 5), (2, 3, 4)), ((6, 5), (6,)), ((3, 3, 2, 5), (8, 8, 3))):  # kernels of another form
        assert receptive_fields("a/kernel", np.ones(shape, bool), image) is None
