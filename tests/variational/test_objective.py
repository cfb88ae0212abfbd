"""What is minimised: on given logits, and by one update of the compiled loop."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from tests.refusals import refused
from tests.variational.small import SEED, broad, divergence_by_hand, own_model, softplus, weights_of
from tfticket.backend import keras, tf
from tfticket.config import TrainConfig
from tfticket.config.variational import Objective
from tfticket.models import kernel_shapes, spec_of, to_variational, variational_layers
from tfticket.network import network_of
from tfticket.pruning.mask import dense_mask
from tfticket.training.loop import Segment, gradient_loop
from tfticket.variational.noise import Draw, drawing
from tfticket.variational.objective import check_objective, kl_coefficients, negative_log_likelihood

ROWS = 8


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(0).normal(0, 3, (5, 7, 4)).astype(np.float32), np.arange(7, dtype=np.int32) % 4


def log_likelihood(logits, labels):
    """[draws, rows]."""
    return log_softmax(np.float64(logits), -1)[:, np.arange(len(labels)), labels]


def nll(logits, labels, loss):
    return float(negative_log_likelihood(logits, labels, loss))


def test_elbo_is_the_mean_log_likelihood_and_predictive_that_of_the_mean_prediction(logits):
    each = log_likelihood(*logits)
    expected = -(logsumexp(each, 0) - np.log(5)).mean()
    assert nll(*logits, "elbo") == pytest.approx(-each.mean(), rel=1e-5)
    assert nll(*logits, "predictive") == pytest.approx(expected, rel=1e-5)
    assert expected < -each.mean()  # Jensen
    single = logits[0][:1], logits[1]
    assert nll(*single, "predictive") == pytest.approx(nll(*single, "elbo"), rel=1e-5)
    vanishing = np.array([[[0.0, 300.0]], [[0.0, 200.0]]], np.float32)
    assert nll(vanishing, np.zeros(1, np.int32), "predictive") == pytest.approx(200 + np.log(2), rel=1e-5)


def test_coefficients_are_temperature_times_weight_over_rows_and_rise_in_the_warm_up():
    objective = {"temperature": 0.5, "kl_weights": {"second": 0.1}, "kl_warmup": "1ep"}
    config = TrainConfig(batch_size=10, objective=objective)
    coefficients = kl_coefficients(config, ["first", "second"], 40, 0, 6)
    assert coefficients.dtype == np.float32
    rising = np.array([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(coefficients, 0.5 / 40 * np.outer(rising, [1.0, 0.1]), rtol=1e-6)
    np.testing.assert_array_equal(kl_coefficients(config, ["first", "second"], 40, 2, 5), coefficients[2:5])
    np.testing.assert_allclose(kl_coefficients(TrainConfig(), ["first"], 40, 7, 9), 1 / 40)


# One update


@pytest.fixture(scope="module")
def update():
    """One update by plain gradient descent: loss, and weights after it."""
    network = broad(own_model("conv2d"), prior=0.8)
    spec, random = spec_of(network), np.random.default_rng(3)
    images = random.integers(0, 255, (40, 6, 6, 2)).astype(np.uint8)
    labels = random.integers(0, 3, 40).astype(np.int32)
    start, mask = weights_of(network), dense_mask(kernel_shapes(network))
    rows = np.arange(ROWS, dtype=np.int32)[None]

    def run(factors=(0.01, 0.01), rate=1e-2, **train):
        config = TrainConfig(batch_size=ROWS, optimiser={"name": "sgd", "momentum": 0.0}, **train)
        loop = gradient_loop(spec, config, 1)
        loop.start(mask, start)
        moves, noise = np.zeros((1, ROWS, 0), np.int32), SEED[None]
        given = tf.constant(images), tf.constant(labels), rows, moves
        losses = loop.run(Segment(*given, np.float32([rate]), noise, np.float32([factors])))
        return float(losses[0]), loop.network.read()

    run.spec, run.start, run.mask, run.images, run.labels = spec, start, mask, images[:ROWS], labels[:ROWS]
    return run


def test_a_loss_is_the_fit_and_each_divergence_once_however_many_draws(update):
    """Three draws and both losses; the batch normalisation's running means are of each draw in turn."""
    network = network_of(update.spec)
    network.assign(update.mask, update.start)
    shared, logits, running = {}, [], update.start["norm/moving_mean"]
    for index in range(3):
        with drawing(Draw(SEED, index, "flipout", shared)):
            inputs = network.inputs(tf.constant(update.images))
            logits.append(network.model(inputs, training=True).numpy())
            mean = network.variational["conv"](inputs).numpy().mean((0, 1, 2))
        running = 0.99 * running + 0.01 * mean
    each = log_likelihood(np.stack(logits), update.labels)
    conv, kernel, bias = (
        divergence_by_hand(update.start[path], softplus(update.start[f"{path}_rho"]), 0.8).sum()
        for path in ("conv/kernel", "logits/kernel", "logits/bias")
    )
    fits = {"elbo": -each.mean(), "predictive": -(logsumexp(each, 0) - np.log(3)).mean()}
    for loss, fit in fits.items():
        value, weights = update((0.01, 0.002), objective={"draws": 3, "loss": loss})
        assert value == pytest.approx(fit + 0.01 * conv + 0.002 * (kernel + bias), rel=1e-4)
        np.testing.assert_allclose(weights["norm/moving_mean"], running, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decoupled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_scaled_loss_has_gradients_of_all_rows_and_all_but_deviations_decays(update, decoupled):
    loss, plain = update()
    _, decayed = update(weight_decay=0.5, decoupled=decoupled)
    for path, array in plain.items():
        decay = 0 if path.endswith("_rho") or "moving" in path else 1e-2 * 0.5 * update.start[path]
        np.testing.assert_allclose(array - decayed[path], decay, rtol=1e-2, atol=1e-6 if np.any(decay) else 0)
    same, scaled = update(rate=1e-2 / 40, objective={"scaled": True})
    assert same == loss
    for path, array in plain.items():
        np.testing.assert_allclose(scaled[path], array, rtol=1e-4, atol=1e-5)


# Refusals


def used_twice():
    images, again = keras.Input((4,)), keras.layers.Dense(4, name="again")
    inner = keras.Sequential([keras.layers.Dense(4, name="inner")], name="nested")
    return keras.Model(images, keras.layers.Dense(2, name="logits")(inner(inner(again(again(images))))))


@pytest.mark.parametrize(
    ("build", "layers"), [(lambda: own_model("conv1d"), ["conv", "causal"]), (used_twice, ["nested/inner", "again"])]
)
def test_local_noise_is_refused_where_weights_act_in_several_places(build, layers):
    model = to_variational(build())
    wrapped = network_of(spec_of(model)).variational  # as in training, where wrappers call the layers
    for known in (variational_layers(model), wrapped):
        with refused("train.objective.estimator", "flipout", *layers):
            check_objective(Objective(estimator="local"), known)
    check_objective(Objective(estimator="local"), variational_layers(to_variational(own_model("dense"))))


def test_a_weight_for_an_unknown_layer_is_refused():
    layers, objective = variational_layers(broad(own_model("conv2d"))), Objective(kl_weights={"conv": 0.5, "dens": 2.0})
    for known, mentions in ((layers, ["'dens'", "conv, logits"]), ({}, ["deterministic", "model.variational"])):
        with refused("train.objective.kl_weights", None, *mentions):
            check_objective(objective, known)
    check_objective(Objective(kl_weights={"conv": 0.5}), layers)
