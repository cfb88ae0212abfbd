"""What is minimised: on given logits, and by one update of the compiled loop."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from tests.variational.small import SEED, broad, divergence_by_hand, own_model, softplus
from tfticket.backend import keras, tf
from tfticket.config import TrainConfig
from tfticket.config.variational import Objective
from tfticket.errors import InputError
from tfticket.models import kernel_shapes, named_variables, spec_of, to_variational, variational_layers
from tfticket.network import network_of
from tfticket.pruning.mask import dense_mask
from tfticket.training.loop import gradient_loop
from tfticket.variational.noise import Draw, drawing
from tfticket.variational.objective import check_objective, divergence_factors, negative_log_likelihood

ROWS = 8


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(0).normal(0, 3, (5, 7, 4)).astype(np.float32), np.arange(7, dtype=np.int32) % 4


def log_likelihood(logits, labels):
    """[draws, rows]."""
    return log_softmax(np.float64(logits), -1)[:, np.arange(len(labels)), labels]


def test_elbo_is_the_mean_log_likelihood_and_predictive_that_of_the_mean_prediction(logits):
    each = log_likelihood(*logits)
    assert float(negative_log_likelihood(*logits, "elbo")) == pytest.approx(-each.mean(), rel=1e-5)
    expected = -(logsumexp(each, 0) - np.log(5)).mean()
    assert float(negative_log_likelihood(*logits, "predictive")) == pytest.approx(expected, rel=1e-5)
    assert expected < -each.mean()  # Jensen
    one = logits[0][:1], logits[1]
    assert float(negative_log_likelihood(*one, "predictive")) == pytest.approx(
        float(negative_log_likelihood(*one, "elbo")), rel=1e-5
    )


def test_predictive_stays_finite_where_probabilities_vanish():
    logits = np.array([[[0.0, 300.0]], [[0.0, 200.0]]], np.float32)
    assert float(negative_log_likelihood(logits, np.zeros(1, np.int32), "predictive")) == pytest.approx(
        200 + np.log(2), rel=1e-5
    )


def test_the_loss_is_torch_blues(logits):
    """Theirs is of all rows, and adds 1e-5 to probabilities."""
    vi = pytest.importorskip("torch_blue.vi", reason="a peer, never needed")
    torch = pytest.importorskip("torch")
    model = broad(own_model("dense"), prior=0.7)
    layer = variational_layers(model)["logits"]
    normal = vi.distributions.MeanFieldNormal
    theirs = vi.VILinear(*layer.kernel.shape, variational_distribution=normal(), prior=normal(0.0, 0.7))
    values = {
        "_weight_mean": layer.kernel.numpy().T,
        "_weight_log_std": np.log(softplus(layer.kernel_rho.numpy())).T,
        "_bias_mean": layer.bias.numpy(),
        "_bias_log_std": np.log(softplus(layer.bias_rho.numpy())),
    }
    theirs.load_state_dict({name: torch.tensor(array) for name, array in values.items()})
    loss = vi.AnalyticalKullbackLeiblerLoss(theirs, vi.distributions.Categorical(), dataset_size=900, heat=0.1)
    samples = logits[0] / 3  # no probability near 1e-5
    expected = loss(torch.tensor(samples), torch.tensor(logits[1])).item()
    config = TrainConfig(objective={"temperature": 0.1, "loss": "predictive"})
    factor = divergence_factors(config, ["logits"], 900, 0, 1)[0, 0]
    ours = 900 * (float(negative_log_likelihood(samples, logits[1], "predictive")) + factor * float(layer.divergence()))
    assert ours == pytest.approx(expected, rel=1e-3)


def test_factors():
    config = TrainConfig(
        batch_size=10, objective={"temperature": 0.5, "kl_weights": {"second": 0.1}, "kl_warmup": "1ep"}
    )
    factors = divergence_factors(config, ["first", "second"], 40, 0, 6)
    assert factors.dtype == np.float32
    rising = np.array([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(factors, 0.5 / 40 * np.outer(rising, [1.0, 0.1]), rtol=1e-6)
    np.testing.assert_array_equal(divergence_factors(config, ["first", "second"], 40, 2, 5), factors[2:5])
    np.testing.assert_allclose(divergence_factors(TrainConfig(), ["first"], 40, 7, 9), 1 / 40)


@pytest.fixture(scope="module")
def update():
    """One update by plain gradient descent: losses, weights before and after."""
    network = broad(own_model("conv2d"), prior=0.8)
    spec, random = spec_of(network), np.random.default_rng(3)
    images = random.integers(0, 255, (40, 6, 6, 2)).astype(np.uint8)
    labels = random.integers(0, 3, 40).astype(np.int32)
    start = {path: variable.numpy() for path, (_, variable) in named_variables(network).items()}
    mask = dense_mask(kernel_shapes(network))
    rows = np.arange(ROWS, dtype=np.int32)[None]

    def run(factors=(0.0, 0.0), rate=1e-2, **train):
        config = TrainConfig(batch_size=ROWS, optimiser={"name": "sgd", "momentum": 0.0}, **train)
        loop = gradient_loop(spec, config, 1)
        loop.start(mask, start)
        moves, noise = np.zeros((1, ROWS, 0), np.int32), SEED[None]
        given = tf.constant(images), tf.constant(labels), rows, moves
        losses = loop.run(*given, np.float32([rate]), noise, np.float32([factors]))
        return float(losses[0]), loop.network.read()

    run.spec, run.start, run.mask, run.images, run.labels = spec, start, mask, images, labels
    return run


def test_a_loss_is_the_fit_and_each_divergence_once_however_many_draws(update):
    """Three draws and both losses; the batch normalisation's running means are of each draw in turn."""
    network = network_of(update.spec)
    network.assign(update.mask, update.start)
    shared, logits, means = {}, [], []
    hidden = network.variational["conv"]
    for index in range(3):
        with drawing(Draw(SEED, index, "flipout", shared)):
            inputs = network.inputs(tf.constant(update.images[:ROWS]))
            logits.append(network.model(inputs, training=True).numpy())
            means.append(hidden(inputs).numpy().mean((0, 1, 2)))
    each = log_likelihood(np.stack(logits), update.labels[:ROWS])
    divergences = [
        divergence_by_hand(update.start[path], softplus(update.start[f"{path}_rho"]), 0.8).sum()
        for path in ("conv/kernel", "logits/kernel", "logits/bias")
    ]
    factors = (0.01, 0.002)
    total = 0.01 * divergences[0] + 0.002 * (divergences[1] + divergences[2])
    running = update.start["norm/moving_mean"]
    for mean in means:
        running = 0.99 * running + 0.01 * mean
    for loss, expected in (("elbo", -each.mean()), ("predictive", -(logsumexp(each, 0) - np.log(3)).mean())):
        found, weights = update(factors, objective={"draws": 3, "loss": loss})
        assert found == pytest.approx(expected + total, rel=1e-4)
        np.testing.assert_allclose(weights["norm/moving_mean"], running, rtol=1e-4, atol=1e-6)


def test_a_scaled_loss_has_gradients_of_all_training_rows(update):
    loss, plain = update((0.01, 0.01), rate=1e-2)
    same, scaled = update((0.01, 0.01), rate=1e-2 / 40, objective={"scaled": True})
    assert same == loss
    for path, array in plain.items():
        np.testing.assert_allclose(scaled[path], array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decoupled", [False, True])
def test_deviations_do_not_decay_and_all_else_does(update, decoupled):
    _, without = update((0.01, 0.01))
    _, decayed = update((0.01, 0.01), weight_decay=0.5, decoupled=decoupled)
    for path, array in without.items():
        if path.endswith("_rho") or "moving" in path:
            np.testing.assert_array_equal(decayed[path], array)
        else:
            np.testing.assert_allclose(array - decayed[path], 1e-2 * 0.5 * update.start[path], rtol=1e-2, atol=1e-6)


def test_bad_options_are_refused():
    for options in ({"draws": 0}, {"temperature": -0.1}, {"kl_weights": {"dense": -1}}, {"evaluation_draws": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            Objective(**options)


def test_a_weight_for_a_layer_that_there_is_not_is_refused():
    layers = variational_layers(broad(own_model("conv2d")))
    objective = Objective(kl_weights={"conv": 0.5, "dens": 2.0})
    with pytest.raises(InputError, match=r"no variational layer 'dens'\. Known: conv, logits\."):
        check_objective(objective, layers)
    with pytest.raises(InputError, match=r"none, the network is deterministic; set model\.variational"):
        check_objective(objective, {})
    check_objective(Objective(kl_weights={"conv": 0.5}), layers)


@pytest.mark.parametrize(("name", "others"), [("conv2d", "conv"), ("conv1d", "conv, causal"), ("twice", "twice")])
def test_local_noise_is_refused_where_weights_act_in_several_places(name, others):
    with pytest.raises(InputError, match=rf"in several places in {others}\. Take flipout"):
        check_objective(Objective(estimator="local"), variational_layers(broad(own_model(name))))
    check_objective(Objective(estimator="local"), variational_layers(broad(own_model("dense"))))


def test_local_noise_is_refused_for_a_dense_layer_that_is_used_twice():
    images = keras.Input((4,))
    again = keras.layers.Dense(4, name="again")
    inner = keras.Sequential([keras.layers.Dense(4, name="inner")], name="nested")
    outputs = keras.layers.Dense(2, name="logits")(inner(inner(again(again(images)))))
    model = to_variational(keras.Model(images, outputs))
    wrapped = network_of(spec_of(model)).variational  # as in training, where wrappers call the layers
    for layers in (variational_layers(model), wrapped):
        with pytest.raises(InputError, match=r"in several places in (nested/inner, again|again, nested/inner)\. Take"):
            check_objective(Objective(estimator="local"), layers)
