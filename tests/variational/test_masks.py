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


@pytest.fixture(scope="module")
def networks():
    """Name -> the plain variational model and its wrapped copy."""
    models = {name: broad(own_model(name), prior=0.8) for name in NETWORKS}
    return {name: (model, with_mask(model, dense_mask(kernel_shapes(model)))) for name, model in models.items()}


def put(networks, name, mask):
    """The wrapped model with its first weights and a mask."""
    model, wrapped = networks[name]
    for path, (_, variable) in named_variables(wrapped).items():
        variable.assign(named_variables(model)[path][1])
    assign_mask(wrapped, mask)
    return wrapped


def random_mask(shapes, densities, seed):
    random = np.random.default_rng(seed)
    return {path: random.random(shape) < kept for (path, shape), kept in zip(shapes.items(), densities, strict=False)}


@settings(max_examples=4)
@given(densities=st.lists(st.sampled_from([0.0, 0.02, 0.3, 1.0]), min_size=3, max_size=3), seed=st.integers(0, 99))
@pytest.mark.parametrize(("name", "estimator"), WAYS)
def test_nothing_depends_on_what_is_pruned(networks, name, estimator, densities, seed):
    mask = random_mask(kernel_shapes(networks[name][0]), densities, seed)
    wrapped = put(networks, name, mask)
    images = images_for(wrapped)
    outputs, divergences, gradients = _computed(wrapped, images, estimator)
    assert np.isfinite(outputs).all()
    for path, (kernel, _) in mask_variables(wrapped).items():
        kept = mask[path]
        rho = named_variables(wrapped)[f"{path}_rho"][1]
        assert np.isfinite(gradients[f"{path}_rho"]).all()
        assert np.isfinite(gradients[path]).all()
        assert np.all(gradients[f"{path}_rho"][~kept] == 0)
        rho.assign(np.where(kept, rho, 7.0))
        kernel.assign(np.where(kept, kernel, -3.0))
    again, divergences_again, _ = _computed(wrapped, images, estimator)
    np.testing.assert_array_equal(again, outputs)
    assert divergences_again == divergences


def _computed(wrapped, images, estimator):
    """Outputs of a draw, divergences, and the gradients of their sum."""
    paths = {path: variable for path, (_, variable) in named_variables(wrapped).items() if variable.trainable}
    with tf.GradientTape() as tape:
        with drawing(Draw(SEED, 0, estimator)):
            outputs = wrapped(images, training=False)
        divergences = [kl_divergence(layer) for layer in variational_layers(wrapped).values()]
        loss = tf.reduce_sum(tf.square(outputs)) + tf.add_n(divergences)
    gradients = tape.gradient(loss, list(paths.values()))
    found = {path: gradient.numpy() for path, gradient in zip(paths, gradients, strict=True)}
    return outputs.numpy(), [float(divergence) for divergence in divergences], found


@settings(max_examples=15)
@given(densities=st.lists(st.floats(0, 1), min_size=2, max_size=2), seed=st.integers(0, 99))
def test_divergence_counts_survivors_and_biases(networks, densities, seed):
    mask = random_mask(kernel_shapes(networks["dense"][0]), densities, seed)
    wrapped = put(networks, "dense", mask)
    with tf.GradientTape() as tape:
        divergences = {path: kl_divergence(layer) for path, layer in variational_layers(wrapped).items()}
        total = tf.add_n(list(divergences.values()))
    kernels = [kernel for kernel, _ in mask_variables(wrapped).values()]
    for gradient, kept in zip(tape.gradient(total, kernels), mask.values(), strict=True):
        assert np.all(gradient.numpy()[~kept] == 0)
    for path, layer in variational_layers(wrapped).items():
        kept = mask[f"{path}/kernel"]
        each = divergence_by_hand(layer.kernel.numpy(), softplus(layer.kernel_rho.numpy()), 0.8)[kept].sum()
        each += divergence_by_hand(layer.bias.numpy(), softplus(layer.bias_rho.numpy()), 0.8).sum()
        assert float(divergences[path]) == pytest.approx(each, rel=1e-5)


@pytest.mark.parametrize(("name", "estimator"), WAYS)
def test_a_layer_wholly_empty_is_its_bias(networks, name, estimator):
    wrapped = put(networks, name, {path: np.zeros(s, bool) for path, s in kernel_shapes(networks[name][0]).items()})
    images = images_for(wrapped)
    logits = variational_layers(wrapped)["logits"]
    noise = Draw(SEED, 0, estimator).normal(logits.place, BIAS, [3]).numpy()
    bias = logits.bias.numpy() + softplus(logits.bias_rho.numpy()) * noise
    np.testing.assert_allclose(draw_of(wrapped, images, estimator), np.broadcast_to(bias, (4, 3)), rtol=1e-6)
    _, divergences, gradients = _computed(wrapped, images, estimator)
    assert np.isfinite(divergences).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_posteriors_show_the_mask(networks):
    mask = random_mask(kernel_shapes(networks["dense"][0]), [0.3, 0.0], 0)
    wrapped = put(networks, "dense", mask)
    for path, layer in variational_layers(wrapped).items():
        posterior, kept = layer.kernel_posterior.distribution, mask[f"{path}/kernel"]
        np.testing.assert_array_equal(posterior.stddev().numpy() != 0, kept)
        np.testing.assert_array_equal(posterior.mean().numpy() != 0, kept)


REMAIN = {"inputs": [0, 2, 3, 5, 6], "hidden": [0, 1, 3]}
"""What is left of 7 inputs and 4 hidden units."""


def _dense(inputs, hidden):
    layers = keras.layers
    keras.backend.reset_uids()
    return broad(keras.Sequential([layers.Input((inputs,)), layers.Dense(hidden, "relu"), layers.Dense(3)]), prior=0.6)


def _conv(inputs, hidden):
    layers = keras.layers
    keras.backend.reset_uids()
    stack = [layers.Input((5, 5, inputs)), layers.Conv2D(hidden, 3, activation="relu"), layers.Conv2D(3, 2)]
    return broad(keras.Sequential([*stack, layers.Flatten()]), prior=0.6)


@pytest.mark.parametrize(
    ("build", "estimator"),
    [*itertools.product([_dense], ESTIMATORS), *itertools.product([_conv], ESTIMATORS[:2])],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_pruned_network_is_the_one_from_which_the_pruned_weights_were_cut_out(build, estimator):
    """Inputs and hidden units are pruned whole: the same outputs, divergence and gradients as of the smaller network.

    Only the biases of the hidden units that nothing reads remain.
    """
    large, small = build(7, 4), build(5, 3)
    first, second = variational_layers(large).values()
    inputs, hidden, outputs = REMAIN["inputs"], REMAIN["hidden"], [0, 1, 2]
    window = [list(range(size)) for size in first.kernel.shape[:-2]]
    window_2 = [list(range(size)) for size in second.kernel.shape[:-2]]
    index = {
        "kernel": (np.ix_(*window, inputs, hidden), np.ix_(*window_2, hidden, outputs)),
        "bias": (np.ix_(hidden), np.ix_(outputs)),
    }
    mask = {}
    for layer, cut, number in zip((first, second), variational_layers(small).values(), (0, 1), strict=True):
        for name in ("kernel", "kernel_rho", "bias", "bias_rho"):
            getattr(cut, name).assign(getattr(layer, name).numpy()[index[name.removesuffix("_rho")][number]])
        kept = np.zeros(layer.kernel.shape, bool)
        kept[index["kernel"][number]] = True
        mask[f"{layer.name}/kernel"] = kept
    wrapped = with_mask(large, mask)
    first, second = variational_layers(wrapped).values()

    images = images_for(large)
    rows = list(range(len(images)))
    middle = [[0]] * (images.ndim - 2)
    ones = [1] * (images.ndim - 2)
    parts = {
        (first.place, KERNEL): (first.kernel.shape, (*window, inputs, hidden)),
        (first.place, BIAS): ((4,), (hidden,)),
        (first.place, SIGNS_IN): ((len(rows), *ones, 7), (rows, *middle, inputs)),
        (first.place, SIGNS_OUT): ((len(rows), *ones, 4), (rows, *middle, hidden)),
        (first.place, OUTPUT): ((len(rows), 4), (rows, hidden)),
        (second.place, KERNEL): (second.kernel.shape, (*window_2, hidden, outputs)),
        (second.place, SIGNS_IN): ((len(rows), *ones, 4), (rows, *middle, hidden)),
    }
    paths = [f"{layer}/{name}" for layer in ("dense", "dense_1") for name in ("kernel", "kernel_rho", "bias")]
    paths = [path.replace("dense", "conv2d") if build is _conv else path for path in paths]

    def computed(model, images, draw):
        variables = [named_variables(model)[path][1] for path in paths]
        with tf.GradientTape() as tape:
            with drawing(draw):
                outputs = model(images)
            loss = tf.reduce_sum(tf.square(outputs))
        divergence = sum(float(kl_divergence(layer)) for layer in variational_layers(model).values())
        return outputs.numpy(), divergence, tape.gradient(loss, variables)

    found, divergence, gradients = computed(wrapped, images, Draw(SEED, 2, estimator))
    expected, smaller, theirs = computed(small, images[..., inputs], Cut(SEED, 2, estimator, parts=parts))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    unread = divergence_by_hand(first.bias.numpy()[2], softplus(first.bias_rho.numpy()[2]), 0.6)
    assert divergence - unread == pytest.approx(smaller, rel=1e-5)
    for path, gradient, other in zip(paths, gradients, theirs, strict=True):
        at = index[path.rpartition("/")[2].removesuffix("_rho")][int(path.split("/")[0].endswith("_1"))]
        np.testing.assert_allclose(gradient.numpy()[at], other, rtol=1e-4, atol=1e-4)
