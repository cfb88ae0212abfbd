import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.inspection.pictures import LARGEST, picture, receptive_fields


def test_a_small_mask_is_its_own_picture():
    kept = np.random.default_rng(0).random((3, 3, 2, 5)) < 0.5
    found = picture(kept)
    assert not found.binned
    assert np.array_equal(found.values, kept.reshape(18, 5))


@pytest.mark.parametrize("shape", [(800, 400), (1000, 10), (3, 3, 64, 900), (401, 401)])
def test_a_large_mask_is_binned_to_the_densities_of_its_cells(shape):
    kept = np.random.default_rng(0).random(shape) < 0.2
    found = picture(kept)
    assert found.binned
    assert max(found.values.shape) == LARGEST
    flat = kept.reshape(-1, shape[-1])
    rows, columns = flat.shape[0] / found.values.shape[0], flat.shape[1] / found.values.shape[1]
    if rows.is_integer() and columns.is_integer():
        cells = flat.reshape(found.values.shape[0], int(rows), found.values.shape[1], int(columns))
        assert np.allclose(found.values, cells.mean(axis=(1, 3)), atol=1e-3)
    assert found.values.mean() == pytest.approx(kept.mean(), abs=0.01)


@given(size=st.integers(1, 1300), units=st.integers(1, 900))
def test_full_masks_are_full_pictures(size, units):
    assert np.all(picture(np.ones((size, units), bool)).values == 1)
    assert np.all(picture(np.zeros((size, units), bool)).values == 0)


def test_receptive_fields_of_a_dense_layer_lie_over_the_image():
    kept = np.random.default_rng(0).random((2 * 3 * 4, 5)) < 0.5
    found = receptive_fields("a/kernel", kept, (2, 3, 4))
    assert found.fields.shape == (5, 2, 3, 4)
    assert found.fields[2, 1, 0, 3] == kept[1 * 12 + 0 * 4 + 3, 2]
    assert np.array_equal(found.per_pixel, found.fields.sum(axis=0))


def test_a_kernel_of_another_form_has_none():
    assert receptive_fields("a/kernel", np.ones((5, 5), bool), (2, 3, 4)) is None
    assert receptive_fields("a/kernel", np.ones((6, 5), bool), (6,)) is None
    assert receptive_fields("a/kernel", np.ones((3, 3, 2, 5), bool), (8, 8, 3)) is None
