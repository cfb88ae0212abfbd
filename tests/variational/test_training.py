"""Training and predictions of variational networks, masked."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tests.refusals import refused
from tests.variational.small import ESTIMATORS
from tfticket.api import TrainedTicket
from tfticket.backend import keras
from tfticket.config import TrainConfig
from tfticket.errors import Stopped
from tfticket.evaluation.predictive import mean_prediction, predict
from tfticket.models import build_model, to_variational
from tfticket.network import network_of
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks
from tfticket.training.loop import Segment, gradient_loop
from tfticket.variational.noise import noise_seeds

L = keras.layers


def plain():
    stack = [L.Input((8, 8, 1)), L.Flatten(), L.Dense(16, "relu", name="hidden"), L.Dense(10, name="logits")]
    return keras.Sequential(stack)


@pytest.fixture(scope="module")
def data():
    return tt.load_data(**DIGITS)


@pytest.fixture(scope="module")
def ticket():
    """Half of the weights, without a whole input, a whole hidden unit, and all that one class depends on."""
    dense, random = tt.Ticket.dense(to_variational(plain()), seed=7), np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in dense.mask.items()}
    mask["hidden/kernel"][20] = mask["hidden/kernel"][:, 3] = mask["logits/kernel"][:, 5] = False
    return replace(dense, mask=mask)


def run(ticket, data, config, seed=3, **options):
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=seed, **options)


def config_of(epochs="24it", **objective):
    objective = {"draws": 2, "temperature": 0.1, "evaluation_draws": 3} | objective
    adam = {"name": "adam", "learning_rate": 1e-2}
    return TrainConfig(epochs=epochs, evaluate_every="12it", batch_size=50, optimiser=adam, objective=objective)


@pytest.mark.parametrize(
    ("estimator", "xla"),
    [*(pytest.param(name, True, marks=pytest.mark.slow) for name in ESTIMATORS), ("flipout", False)],
)
def test_a_training_of_each_estimator(ticket, data, estimator, xla, request):
    """Cut anywhere it has the same bits; other seeds have others; what is pruned does not move.

    Nor is it traced again for another temperature, other weights of the divergence, another mask.
    """
    if not xla:
        request.getfixturevalue("without_xla")
    config, saved = config_of(estimator=estimator), []
    whole = run(ticket, data, config, hooks=Hooks(checkpoint=saved.append, checkpoint_seconds=0.0))
    loop = gradient_loop(ticket.model, config, capacity=12)
    slots = [array for name, array in loop.state().items() if name.startswith("optimiser/")]
    for path, kept in ticket.mask.items():
        rho, start = whole.weights[f"{path}_rho"], ticket.start[f"{path}_rho"]
        assert np.all(whole.weights[path][~kept] == 0)
        np.testing.assert_array_equal(rho[~kept], start[~kept])
        assert np.all(rho[kept] != start[kept])
        assert sum(np.all(slot[~kept] == 0) for slot in slots if slot.shape == kept.shape) == 4  # two moments of two
    predicted = predict(ticket.model, ticket.mask, whole.weights, data.x_validation, draws=3, seed=3).argmax(-1)
    assert whole.history[-1]["accuracy"] == pytest.approx(np.mean(predicted == data.y_validation))

    for cuts in (1, 2):
        checkpoint, trained, saved = None, None, []
        while trained is None:
            looks = iter([False] * cuts + [True] * 9)
            hooks = Hooks(checkpoint, saved.append, segment_seconds=1e-3, should_stop=looks.__next__)
            try:
                trained = run(ticket, data, config, hooks=hooks)
            except Stopped:
                checkpoint = saved[-1]
        assert len(saved) > 1
        assert trained.history == whole.history
        assert_same(trained.weights, whole.weights)

    other = run(ticket, data, config, seed=4)
    assert np.all(other.weights["logits/bias_rho"] != whole.weights["logits/bias_rho"])
    sparser = replace(ticket, mask={path: kept & (ticket.start[path] > 0) for path, kept in ticket.mask.items()})
    run(sparser, data, config_of(estimator=estimator, temperature=1.0, kl_weights={"hidden": 3.0}, kl_warmup="5it"))
    assert loop._segment.experimental_get_tracing_count() == 1


def test_it_learns_and_the_divergence_widens_what_the_data_leave_open(ticket, data, without_xla):
    trained = run(ticket, data, config_of(epochs="180it"))
    assert trained.history[-1]["accuracy"] > 0.65
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    unread = trained.weights["hidden/bias_rho"][3] - ticket.start["hidden/bias_rho"][3]
    assert unread > 1  # the unit's bias only reaches what it is read by


def predictions_by_hand(network, images, draws, seed):
    (noise,) = noise_seeds(seed, "evaluation", 0, 1)
    logits = np.stack([network.logits(images, noise, index) for index in range(draws)]).astype(np.float64)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return (odds / odds.sum(-1, keepdims=True)).mean(0)


def test_predictions_are_means_over_draws_of_weights_that_all_rows_share(ticket, data, monkeypatch):
    """Neither the order of the rows nor the tiles in which they are computed matter."""
    wide = {path: array + 3.0 if path.endswith("_rho") else array for path, array in ticket.start.items()}
    images = data.x_train[:250]
    log_probs = predict(ticket.model, ticket.mask, wide, images, draws=4, seed=9)
    network = network_of(ticket.model)
    np.testing.assert_allclose(np.exp(log_probs), predictions_by_hand(network, images, 4, 9), rtol=1e-5)
    order = np.random.default_rng(0).permutation(len(images))
    np.testing.assert_array_equal(mean_prediction(network, images[order], 4, 9), log_probs[order])
    with monkeypatch.context() as tiles:
        tiles.setattr(network, "tile", 60)
        tiles.setattr(network, "sampled_tile", 100)
        np.testing.assert_allclose(mean_prediction(network, images, 4, 9), log_probs, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(mean_prediction(network, images, 4, 9), log_probs)
    for draws, seed in ((4, 8), (3, 9)):
        assert np.all(mean_prediction(network, images, draws, seed) != log_probs)


def test_bad_trainings_and_predictions_are_refused(ticket, data):
    deterministic = tt.Ticket.dense(plain(), seed=7)
    stack = [L.Input((8, 8, 1)), L.Conv2D(2, 5, name="conv"), L.Flatten(), L.Dense(10, name="logits")]
    convolutional = tt.Ticket.dense(to_variational(keras.Sequential(stack)))
    weights = {"objective": {"kl_weights": {"conv": 2.0}}}
    for of, train, field, suggestion in (
        (ticket, {"objective": {"draws": 0}}, "objective.draws", None),
        (ticket, {"objective": {"temperature": -1}}, "objective.temperature", None),
        (ticket, weights, "train.objective.kl_weights", None),
        (ticket, {"precision": "bfloat16"}, "train.precision", "float32"),
        (deterministic, weights, "train.objective", None),
        (convolutional, {"objective": {"estimator": "local"}}, "train.objective.estimator", "flipout"),
    ):
        with refused(field, suggestion):
            tt.train(of, data, train=train)
    for draws in (0, -1, 1.5, True):
        with refused("draws", None, str(draws)):
            TrainedTicket(ticket, ticket.start, []).predict(data.x_validation[:2], draws=draws)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet-20", "vit-tiny"])
def test_deep_networks_take_two_draws(name):
    ticket = tt.Ticket.dense(to_variational(build_model(name, input_shape=(32, 32, 3), num_classes=10)), seed=1)
    loop = gradient_loop(ticket.model, TrainConfig(batch_size=4, objective={"draws": 2}), 2)
    loop.start(ticket.mask, ticket.start)
    images = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3)).astype(np.uint8)
    rows, moves = np.arange(8, dtype=np.int32).reshape(2, 4), np.zeros((2, 4, 0), np.int32)
    factors = np.full((2, len(loop.network.variational)), 1e-4, np.float32)
    given = images, np.arange(8, dtype=np.int32), rows, moves, np.float32([1e-3] * 2)
    assert np.isfinite(loop.run(Segment(*given, noise_seeds(0, "noise", 0, 2), factors))).all()
