"""Masked copies of Keras models. Needs TensorFlow."""

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

from tests.refusals import refused
from tests.rounding import assert_equal_but_for_rounding
from tfticket.backend import keras
from tfticket.models import kernel_shapes, named_variables
from tfticket.pruning.wrapping import assign_mask, mask_variables, with_mask

IMAGES = np.random.default_rng(0).random((6, 8, 8, 1)).astype(np.float32)


def values(model):
    return {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}


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


def test_the_copy_computes_what_the_model_with_zeroed_weights_does_and_shares_no_variable(model, mask):
    before = values(model)
    masked = with_mask(model, mask)
    outputs = masked(IMAGES, training=False).numpy()
    assert list(named_variables(masked)) == list(before)
    for _, variable in named_variables(masked).values():
        variable.assign(variable * 0 + 9)
    for path, array in values(model).items():
        np.testing.assert_array_equal(array, before[path])
    for path, (_, variable) in named_variables(model).items():
        variable.assign(variable * mask.get(path, 1))
    assert_equal_but_for_rounding(outputs, model(IMAGES, training=False), terms=3 * 3 + 6 * 6 * 3 + 5)


def test_every_forward_pass_prunes_again_and_tfmot_never_replaces_the_mask(model, mask):
    """Even TFMOT's own callback, which would update masks by magnitude, leaves ours alone."""
    masked = with_mask(model, mask)
    for kernel, _ in mask_variables(masked).values():
        kernel.assign(kernel * 0 + 1)
    masked(IMAGES, training=True)
    for path, (kernel, _) in mask_variables(masked).items():
        np.testing.assert_array_equal(kernel.numpy() != 0, mask[path])
    masked.compile("sgd", "mse")
    masked.fit(IMAGES, np.ones((6, 4)), epochs=3, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    for path, (_, carried) in mask_variables(masked).items():
        np.testing.assert_array_equal(carried.numpy() == 1, mask[path])


def test_a_mask_of_another_network_is_refused(model, mask):
    masked = with_mask(model, mask)
    first, *others = mask
    with refused("mask", None, *others):
        assign_mask(masked, {path: mask[path] for path in others})
    with refused("mask", None, first, "(2, 2)", "(3, 3, 1, 3)"):
        assign_mask(masked, {**mask, first: np.ones((2, 2), bool)})
