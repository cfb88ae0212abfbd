"""A pruned weight has mean and deviation 0, whatever its variables say."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.variational.small import (
    ESTIMATORS,
    SEED,
    Cut,
    broad,
    divergence_by_hand,
    draw_of,
    images_for,
    own_model,
    softplus,
)
from tfticket.backend import keras, tf
from tfticket.models import kernel_shapes, named_variables, variational_layers
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.wrapping import assign_mask, mask_variables, with_mask
from tfticket.variational.noise import BIAS, KERNEL, OUTPUT, SIGNS_IN, SIGNS_OUT, Draw, drawing
from tfticket.variational.objective import kl_divergence

NETWORKS = {"dense": ESTIMATORS, "conv2d": ESTIMATORS[:2], "conv1d": ESTIMATORS[:2]}
WAYS = [(name, estimator) for name, estimators in NETWORKS.items() for estimator in estimators]
DENSITIES = st.lists(st.sampled_from([0.0, 0.02, 0.3, 1.0]) | st.floats(0, 1), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def networks():
    """Name -> the plain variational model and its wrapped copy."""
    models = {name: broad(own_model(name), prior=0.8) for name in NETWORKS}
    return {name: (model, with_mask(model, dense_mask(kernel_shapes(model)))) for name, model in models.items()}


def put(networks, name, densities, seed=0):
    """Return the wrapped model with its first weights and a random mask, and the mask."""
    model, wrapped = networks[name]
    random, shapes = np.random.default_rng(seed), kernel_shapes(model)
    mask = {path: random.random(shape) < kept for (path, shape), kept in zip(shapes.items(), densities, strict=False)}
    for path, (_, variable) in named_variables(wrapped).items():
        variable.assign(named_variables(model)[path][1])
    assign_mask(wrapped, mask)
    return wrapped, mask


def computed(model, images, draw, paths=None):
    """Outputs of a draw, the divergence of each layer, and the gradients of the sum of squares and divergences."""
    variables = {
        path: v for path, (_, v) in named_variables(model).items() if v.trainable and path in (paths or [path])
    }
    with tf.GradientTape() as tape:
        with drawing(draw):
            outputs = model(images, training=False)
        divergences = {path: kl_divergence(layer) for path, layer in variational_layers(model).items()}
        loss = tf.reduce_sum(tf.square(outputs)) + tf.add_n(list(divergences.values()))
    gradients = tape.gradient(loss, list(variables.values()))
    named = {path: gradient.numpy() for path, gradient in zip(variables, gradients, strict=True)}
    return outputs.numpy(), {path: float(divergence) for path, divergence in divergences.items()}, named


def divergence_of(layer, kept):
    each = divergence_by_hand(layer.kernel.numpy(), softplus(layer.kernel_rho.numpy()), 0.8)[kept].sum()
    if layer.bias is not None:
        each += divergence_by_hand(layer.bias.numpy(), softplus(layer.bias_rho.numpy()), 0.8).sum()
    return each


@settings(max_examples=3)
@given(densities=DENSITIES, seed=st.integers(0, 99))
@pytest.mark.parametrize(("name", "estimator"), WAYS)
def test_nothing_depends_on_what_is_pruned(networks, name, estimator, densities, seed):
    wrapped, mask = put(networks, name, densities, seed)
    images, draw = images_for(wrapped), Draw(SEED, 0, estimator)
    outputs, divergences, gradients = computed(wrapped, images, draw)
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    for path, layer in variational_layers(wrapped).items():
        assert divergences[path] == pytest.approx(divergence_of(layer, mask[f"{path}/kernel"]), rel=1e-5)
    for path, (kernel, _) in mask_variables(wrapped).items():
        kept, rho = mask[path], named_variables(wrapped)[f"{path}_rho"][1]
        assert np.all(gradients[f"{path}_rho"][~kept] == 0)
        rho.assign(np.where(kept, rho, 7.0))
        kernel.assign(np.where(kept, kernel, -3.0))
    again, divergences_again, _ = computed(wrapped, images, draw)
    np.testing.assert_array_equal(again, outputs)
    assert divergences_again == divergences


@pytest.mark.parametrize(("name", "estimator"), WAYS)
def test_a_layer_wholly_empty_is_its_bias(networks, name, estimator):
    wrapped, _ = put(networks, name, [0.0] * 3)
    logits = variational_layers(wrapped)["logits"]
    noise = Draw(SEED, 0, estimator).normal(logits.place, BIAS, [3]).numpy()
    bias = logits.bias.numpy() + softplus(logits.bias_rho.numpy()) * noise
    outputs = draw_of(wrapped, images_for(wrapped), estimator)
    np.testing.assert_allclose(outputs, np.broadcast_to(bias, (4, 3)), rtol=1e-6)


INPUTS, HIDDEN, OUTPUTS = [0, 2, 3, 5, 6], [0, 1, 3], [0, 1, 2]
"""What is left of 7 inputs, 4 hidden units and 3 outputs."""


def dense(inputs, hidden):
    keras.backend.reset_uids()
    stack = [keras.layers.Dense(hidden, "relu", name="first"), keras.layers.Dense(3, name="second")]
    return broad(keras.Sequential([keras.layers.Input((inputs,)), *stack]), prior=0.6)


def conv(inputs, hidden):
    keras.backend.reset_uids()
    first = keras.layers.Conv2D(hidden, 3, activation="relu", name="first")
    stack = [first, keras.layers.Conv2D(3, 2, name="second"), keras.layers.Flatten()]
    return broad(keras.Sequential([keras.layers.Input((5, 5, inputs)), *stack]), prior=0.6)


@pytest.mark.parametrize(
    ("build", "estimator"), [*itertools.product([dense], ESTIMATORS), *itertools.product([conv], ESTIMATORS[:2])]
)
def test_a_pruned_network_is_the_one_from_which_the_pruned_weights_were_cut_out(build, estimator):
    """Inputs and hidden units are pruned whole: the same outputs, divergence and gradients as of the smaller network.

    Only the biases of the hidden units that nothing reads remain.
    """
    large, small = build(7, 4), build(5, 3)
    index, mask = {}, {}
    for name, before, after in (("first", INPUTS, HIDDEN), ("second", HIDDEN, OUTPUTS)):
        layer, cut = (variational_layers(model)[name] for model in (large, small))
        window = [list(range(size)) for size in layer.kernel.shape[:-2]]
        index[f"{name}/kernel"] = index[f"{name}/kernel_rho"] = np.ix_(*window, before, after)
        index[f"{name}/bias"] = index[f"{name}/bias_rho"] = np.ix_(after)
        for part in ("kernel", "kernel_rho", "bias", "bias_rho"):
            getattr(cut, part).assign(getattr(layer, part).numpy()[index[f"{name}/{part}"]])
        mask[f"{name}/kernel"] = np.zeros(layer.kernel.shape, bool)
        mask[f"{name}/kernel"][index[f"{name}/kernel"]] = True
    wrapped = with_mask(large, mask)

    first, second = variational_layers(wrapped).values()
    images = images_for(large)
    rows, middle, ones = list(range(len(images))), [[0]] * (images.ndim - 2), [1] * (images.ndim - 2)
    windows = [[list(range(size)) for size in layer.kernel.shape[:-2]] for layer in (first, second)]
    parts = {
        (first.place, KERNEL): (first.kernel.shape, (*windows[0], INPUTS, HIDDEN)),
        (first.place, BIAS): ((4,), (HIDDEN,)),
        (first.place, SIGNS_IN): ((len(rows), *ones, 7), (rows, *middle, INPUTS)),
        (first.place, SIGNS_OUT): ((len(rows), *ones, 4), (rows, *middle, HIDDEN)),
        (first.place, OUTPUT): ((len(rows), 4), (rows, HIDDEN)),
        (second.place, KERNEL): (second.kernel.shape, (*windows[1], HIDDEN, OUTPUTS)),
        (second.place, SIGNS_IN): ((len(rows), *ones, 4), (rows, *middle, HIDDEN)),
    }
    paths = [f"{layer}/{part}" for layer in ("first", "second") for part in ("kernel", "kernel_rho", "bias")]
    outputs, divergences, gradients = computed(wrapped, images, Draw(SEED, 2, estimator), paths)
    cut = Cut(SEED, 2, estimator, parts=parts)
    expected, smaller, theirs = computed(small, images[..., INPUTS], cut, paths)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    unread = divergence_by_hand(first.bias.numpy()[2], softplus(first.bias_rho.numpy()[2]), 0.6)
    assert sum(divergences.values()) - unread == pytest.approx(sum(smaller.values()), rel=1e-5)
    for path in paths:
        np.testing.assert_allclose(gradients[path][index[path]], theirs[path], rtol=1e-4, atol=1e-4)
