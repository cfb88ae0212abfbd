import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tfticket.pruning.mask import dense_mask, density, layer_of, split_like, survivors

MASKS = st.dictionaries(
    st.sampled_from(["a/kernel", "b/kernel", "block/c/kernel"]),
    arrays(bool, array_shapes(max_dims=4, max_side=4)),
    min_size=1,
)


def test_the_dense_mask_keeps_every_weight():
    mask = dense_mask({"a/kernel": (3, 2), "b/kernel": (2, 2, 1, 4)})
    assert {path: (kept.shape, kept.dtype) for path, kept in mask.items()} == {
        "a/kernel": ((3, 2), np.bool_),
        "b/kernel": ((2, 2, 1, 4), np.bool_),
    }
    assert survivors(mask) == {"a/kernel": 6, "b/kernel": 16}
    assert density(mask) == 1.0


def test_density_counts_weights_and_not_layers():
    mask = {"a/kernel": np.array([True, False, False, False]), "b/kernel": np.array([[True, True], [True, False]])}
    assert survivors(mask) == {"a/kernel": 1, "b/kernel": 3}
    assert density(mask) == 0.5
    assert density(mask, exempt=["b"]) == 0.25
    assert density(mask, exempt=("a",)) == 0.75


@given(MASKS)
def test_density_is_the_share_of_survivors(mask):
    kept = np.concatenate([kept.ravel() for kept in mask.values()])
    assert density(mask) == pytest.approx(kept.mean())
    assert sum(survivors(mask).values()) == kept.sum()


@pytest.mark.parametrize(
    ("path", "layer"), [("dense_1/kernel", "dense_1"), ("block/attention/kernel", "block/attention")]
)
def test_a_kernels_path_is_its_layer_and_its_name(path, layer):
    assert layer_of(path) == layer


@given(MASKS)
def test_splitting_undoes_joining(mask):
    parts = split_like(np.concatenate([kept.ravel() for kept in mask.values()]), mask)
    assert list(parts) == list(mask)
    for path, kept in mask.items():
        np.testing.assert_array_equal(parts[path], kept)
