import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tfticket.errors import InputError
from tfticket.sampling.layout import Layout


@st.composite
def layouts(draw):
    """Some kernels, each with its mask and its bias; not all of them need be sampled."""
    weights, mask = {}, {}
    for number in range(draw(st.integers(1, 3))):
        shape = draw(array_shapes(min_dims=2, max_dims=4, max_side=4))
        mask[f"{number}/kernel"] = draw(arrays(bool, shape))
        weights[f"{number}/kernel"] = np.zeros(shape, np.float32)
        weights[f"{number}/bias"] = np.zeros(shape[-1:], np.float32)
    mask["0/kernel"].flat[-1] = True
    left_out = draw(st.sets(st.sampled_from([path for path in weights if path.endswith("bias")])))
    return Layout.of(weights, mask, [path for path in weights if path not in left_out])


@given(layouts(), st.integers(0, 2**32 - 1), st.sampled_from([(), (2,), (3, 2)]))
def test_what_is_packed_comes_back_and_what_is_pruned_is_0(layout, seed, batch):
    theta = np.random.default_rng(seed).normal(size=(*batch, layout.size)).astype(np.float32)
    weights = layout.unpack(theta)
    assert list(weights) == list(layout.shapes)
    for path, array in weights.items():
        assert array.shape == (*batch, *layout.shapes[path])
        if path in layout.mask:
            assert not array[..., ~layout.mask[path]].any()
            np.testing.assert_array_equal(array[..., layout.mask[path]], theta[..., layout.slices[path]])
    if not batch:
        packed = layout.pack(weights)
        assert packed.dtype == np.float64
        np.testing.assert_array_equal(packed, theta)


@given(layouts())
def test_slices_lie_side_by_side(layout):
    ends = [0]
    for path, part in layout.slices.items():
        assert part.start == ends[-1]
        assert part.stop - part.start == len(layout.indices[path])
        ends.append(part.stop)
    assert ends[-1] == layout.size


def test_a_mask_without_survivors_is_refused():
    weights = {"dense/kernel": np.zeros((3, 2), np.float32), "dense/bias": np.zeros(2, np.float32)}
    with pytest.raises(InputError, match="leaves no weight in any layer, so there is nothing to sample"):
        Layout.of(weights, {"dense/kernel": np.zeros((3, 2), bool)}, weights)
