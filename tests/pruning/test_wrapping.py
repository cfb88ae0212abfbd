"""Needs TensorFlow."""

import numpy as np
import pytest

from tests.rounding import assert_equal_but_for_rounding
from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.models import kernel_shapes, named_variables
from tfticket.pruning.wrapping import assign_mask, mask_variables, with_mask


@pytest.fixture
def model():
    """A user's own model: convolution, normalisation, unnamed layers."""
    layers = keras.layers
    stack = [layers.Input((8, 8, 1)), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Flatten()]
    return keras.Sequential([*stack, layers.Dense(5, activation="relu"), layers.Dense(4)])


@pytest.fixture
def mask(model):
    random = np.random.default_rng(1)
    return {path: random.random(shape) < 0.3 for path, shape in kernel_shapes(model).items()}


def test_the_wrapped_copy_computes_what_the_model_with_zeroed_weights_does(model, mask):
    images = np.random.default_rng(0).random((6, 8, 8, 1)).astype(np.float32)
    masked = with_mask(model, mask)(images, training=False).numpy()
    for path, (_, variable) in named_variables(model).items():
        if path in mask:
            variable.assign(variable * mask[path])
    assert_equal_but_for_rounding(masked, model(images, training=False), terms=3 * 3 + 6 * 6 * 3 + 5)


def test_it_shares_no_variable_and_keeps_the_paths(model, mask):
    before = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
    masked = with_mask(model, mask)
    assert list(named_variables(masked)) == list(before)
    for _, variable in named_variables(masked).values():
        variable.assign(variable * 0 + 9)
    for path, (_, variable) in named_variables(model).items():
        np.testing.assert_array_equal(variable.numpy(), before[path])


def test_every_forward_pass_prunes_again(model, mask):
    masked = with_mask(model, mask)
    for kernel, _ in mask_variables(masked).values():
        kernel.assign(kernel * 0 + 1)
    masked(np.zeros((1, 8, 8, 1), np.float32), training=True)
    for path, (kernel, _) in mask_variables(masked).items():
        np.testing.assert_array_equal(kernel.numpy() != 0, mask[path])


def test_tfmot_never_replaces_the_mask(model, mask):
    """Even its own callback, which would update masks by magnitude, leaves ours alone."""
    import tensorflow_model_optimization as tfmot

    masked = with_mask(model, mask)
    masked.compile("sgd", "mse")
    images = np.random.default_rng(0).random((8, 8, 8, 1)).astype(np.float32)
    masked.fit(images, np.ones((8, 4)), epochs=3, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    for path, (_, carried) in mask_variables(masked).items():
        np.testing.assert_array_equal(carried.numpy() == 1, mask[path])


def test_a_mask_of_another_network_is_refused(model, mask):
    masked = with_mask(model, mask)
    path = next(iter(mask))
    with pytest.raises(InputError, match="The mask is over"):
        assign_mask(masked, {key: value for key, value in mask.items() if key != path})
    with pytest.raises(InputError, match="the kernel is"):
        assign_mask(masked, {**mask, path: np.ones((2, 2), bool)})
