"""Training and predictions of variational networks, masked."""

import time
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.variational.small import ESTIMATORS
from tfticket.api import TrainedTicket
from tfticket.backend import keras
from tfticket.config import TrainConfig
from tfticket.errors import InputError, Stopped
from tfticket.evaluation.predictive import mean_prediction, predict
from tfticket.models import build_model, to_variational
from tfticket.network import network_of
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks
from tfticket.training.loop import Segment, gradient_loop
from tfticket.variational.noise import noise_seeds

OBJECTIVE = {"draws": 2, "temperature": 0.1, "evaluation_draws": 3}


def plain():
    layers = keras.layers
    stack = [layers.Input((28, 28, 1)), layers.AveragePooling2D(4), layers.Flatten()]
    return keras.Sequential([*stack, layers.Dense(16, "relu", name="hidden"), layers.Dense(10, name="logits")])


@pytest.fixture(scope="module")
def ticket():
    """Half of the weights, without a whole input, a whole hidden unit, and all that one class is told by."""
    dense = tt.Ticket.dense(to_variational(plain()), seed=7)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in dense.mask.items()}
    mask["hidden/kernel"][20] = mask["hidden/kernel"][:, 3] = mask["logits/kernel"][:, 5] = False
    return replace(dense, mask=mask)


def run(ticket, data, config, seed=3, **options):
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=seed, **options)


def config_of(epochs="24it", every="12it", **objective):
    adam = {"name": "adam", "learning_rate": 1e-2}
    return TrainConfig(epochs=epochs, evaluate_every=every, optimiser=adam, objective=OBJECTIVE | objective)


def test_it_learns_and_the_divergence_widens_what_the_data_leave_open(ticket, data):
    config = config_of(epochs="180it")
    trained = run(ticket, data, config)
    assert trained.history[-1]["accuracy"] > 0.65
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    unread = trained.weights["hidden/bias_rho"][3] - ticket.start["hidden/bias_rho"][3]
    assert unread > 1  # the unit's bias only reaches what it is read by


def test_the_history_has_the_predictions_of_the_weights_it_records(ticket, data):
    trained = run(ticket, data, config_of())
    log_probs = predict(ticket.model, ticket.mask, trained.weights, data.x_validation, draws=3, seed=3)
    found = np.mean(log_probs.argmax(-1) == data.y_validation)
    assert trained.history[-1]["accuracy"] == pytest.approx(found)


@pytest.mark.parametrize(
    "estimator", [pytest.param(each, marks=[pytest.mark.slow] * (each == "independent")) for each in ESTIMATORS]
)
def test_a_training_of_each_estimator(ticket, data, estimator):
    """Cut anywhere it has the same bits; other seeds have others; what is pruned does not move.

    Nor is it traced again for another temperature, other weights of the divergence, another mask.
    """
    config = config_of(estimator=estimator)
    saved = []
    whole = run(ticket, data, config, hooks=Hooks(checkpoint=saved.append, checkpoint_seconds=0.0))
    for path, kept in ticket.mask.items():
        assert np.all(whole.weights[path][~kept] == 0)
        rho = f"{path}_rho"
        np.testing.assert_array_equal(whole.weights[rho][~kept], ticket.start[rho][~kept])
        assert np.all(whole.weights[rho][kept] != ticket.start[rho][kept])
    loop = gradient_loop(ticket.model, config, capacity=12)
    slots = [array for name, array in loop.state().items() if name.startswith("optimiser/")]
    for kept in ticket.mask.values():
        assert sum(np.all(slot[~kept] == 0) for slot in slots if slot.shape == kept.shape) == 4  # two moments of two

    for cuts in (1, 2):
        checkpoint, trained, saved = None, None, []
        while trained is None:
            looks = iter(range(100))
            hooks = Hooks(
                resume=checkpoint,
                checkpoint=saved.append,
                segment_seconds=1e-3,
                should_stop=lambda looks=looks, cuts=cuts: next(looks) >= cuts,
            )
            try:
                trained = run(ticket, data, config, hooks=hooks)
            except Stopped:
                checkpoint = saved[-1]
        assert len(saved) > 1
        assert trained.history == whole.history
        for path, array in whole.weights.items():
            np.testing.assert_array_equal(trained.weights[path], array)

    other = run(ticket, data, config, seed=4)
    assert np.all(other.weights["logits/bias_rho"] != whole.weights["logits/bias_rho"])
    sparser = replace(ticket, mask={path: kept & (ticket.start[path] > 0) for path, kept in ticket.mask.items()})
    run(sparser, data, config_of(estimator=estimator, temperature=1.0, kl_weights={"hidden": 3.0}, kl_warmup="5it"))
    assert loop._segment.experimental_get_tracing_count() == 1


def predictions_by_hand(network, images, draws, seed):
    (noise,) = noise_seeds(seed, "evaluation", 0, 1)
    logits = np.stack([network.logits(images, noise, index) for index in range(draws)]).astype(np.float64)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return (odds / odds.sum(-1, keepdims=True)).mean(0)


def test_predictions_are_means_over_draws_of_weights_that_all_rows_share(ticket, data, monkeypatch):
    """Neither the order of the rows nor the tiles in which they are computed matter."""
    wide = {path: array + 3.0 if path.endswith("_rho") else array for path, array in ticket.start.items()}
    images = data.x_validation[:250]
    log_probs = predict(ticket.model, ticket.mask, wide, images, draws=4, seed=9)
    network = network_of(ticket.model)
    np.testing.assert_allclose(np.exp(log_probs), predictions_by_hand(network, images, 4, 9), rtol=1e-5)
    order = np.random.default_rng(0).permutation(len(images))
    np.testing.assert_array_equal(mean_prediction(network, images[order], 4, 9), log_probs[order])
    monkeypatch.setattr(network, "tile", 60)
    monkeypatch.setattr(network, "sampled_tile", 100)
    np.testing.assert_allclose(mean_prediction(network, images, 4, 9), log_probs, rtol=1e-4, atol=1e-5)
    monkeypatch.undo()
    np.testing.assert_array_equal(mean_prediction(network, images, 4, 9), log_probs)
    for draws, seed in ((4, 8), (3, 9)):
        assert np.all(mean_prediction(network, images, draws, seed) != log_probs)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"objective": {"draws": 0}}, "draws"),
        ({"objective": {"temperature": -1}}, "temperature"),
        ({"objective": {"kl_weights": {"conv": 2.0}}}, r"no variational layer 'conv'\. Known: hidden, logits"),
        ({"precision": "bfloat16"}, "bfloat16 is not for variational networks. Take float32"),
    ],
)
def test_a_bad_training_is_refused(ticket, data, train, message):
    with pytest.raises(InputError, match=message):
        tt.train(ticket, data, train=train)


def test_what_other_networks_cannot_do_is_refused(data):
    deterministic = tt.Ticket.dense(plain(), seed=7)
    with pytest.raises(InputError, match=r"the network is deterministic\. Leave it out"):
        tt.train(deterministic, data, train={"objective": {"kl_weights": {"hidden": 2.0}}})
    layers = keras.layers
    conv = layers.Conv2D(2, 5, 4, name="conv")
    own = keras.Sequential([layers.Input((28, 28, 1)), conv, layers.Flatten(), layers.Dense(10, name="logits")])
    with pytest.raises(InputError, match=r"in several places in conv\. Take flipout"):
        tt.train(tt.Ticket.dense(to_variational(own)), data, train={"objective": {"estimator": "local"}})


@pytest.mark.parametrize("draws", [0, -1, 1.5, True])
def test_a_prediction_takes_a_draw_or_more(ticket, data, draws):
    with pytest.raises(InputError, match="expected an integer >= 1"):
        TrainedTicket(ticket, ticket.start, []).predict(data.x_validation[:2], draws=draws)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seconds"), [("resnet-20", 60), ("vit-tiny", 240)])
def test_deep_networks_take_two_draws_in_reasonable_time(name, seconds):
    """The first update builds and traces everything; the time is CPU's, which a busy machine stretches less."""
    ticket = tt.Ticket.dense(to_variational(build_model(name, input_shape=(32, 32, 3), num_classes=10)), seed=1)
    began = time.process_time()
    loop = gradient_loop(ticket.model, TrainConfig(batch_size=4, objective={"draws": 2}), 2)
    loop.start(ticket.mask, ticket.start)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (8, 32, 32, 3)).astype(np.uint8), np.arange(8, dtype=np.int32)
    rows, moves = np.arange(8, dtype=np.int32).reshape(2, 4), np.zeros((2, 4, 0), np.int32)
    factors = np.full((2, len(loop.network.variational)), 1e-4, np.float32)
    losses = loop.run(
        Segment(images, labels, rows, moves, np.float32([1e-3] * 2), noise_seeds(0, "noise", 0, 2), factors)
    )
    assert np.isfinite(losses).all()
    assert time.process_time() - began < seconds
