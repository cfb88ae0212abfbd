"""Variational training over surviving weights against Keras' layers with the same noise. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.plans import assert_same
from tests.refusals import refused
from tests.sampling.problems import L, network, random_data
from tfticket.backend import tf
from tfticket.config import TrainConfig
from tfticket.errors import Stopped
from tfticket.evaluation.predictive import predict
from tfticket.sparse.noise import draw_normals
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks
from tfticket.variational.noise import Draw, noise_seeds

INDEPENDENT = {"estimator": "independent", "evaluation_draws": 3}


@pytest.fixture(scope="module")
def images():
    """Small images, and a ticket of a variational network."""
    random = np.random.default_rng(0)
    layers = (
        L.Conv2D(4, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(5, activation="tanh", name="hidden"),
        L.Dense(3),
    )
    data = random_data(random, (8, 7, 2), rows=90)
    model = tt.to_variational(network((8, 7, 2), *layers), {"deviation": 0.3, "prior": 0.7})
    ticket = tt.Ticket.dense(model, seed=1, data=data)
    mask = {path: random.random(kept.shape) < 0.4 for path, kept in ticket.mask.items()}
    return replace(ticket, mask=mask), data


def run(ticket, data, objective, hooks=None, **options):
    values = {"batch_size": 20, "epochs": "15it", "evaluate_every": "5it", "engine": "sparse"} | options
    config = TrainConfig(**values, objective=INDEPENDENT | objective)
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, 3, hooks=hooks)


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("size", [1, 10, 1001])
def test_the_noise_of_survivors_is_that_of_keras_layers(size, place):
    (key,) = noise_seeds(3, "noise", 5, 6)
    expected = Draw(tf.constant(key), 2, "independent").normal(place, 1, [size]).numpy()
    pairs, entries = (size + 1) // 2, np.arange(size)
    columns = np.full(size, 8 * place + 1), entries - pairs * (entries >= pairs), np.full(size, pairs), entries >= pairs
    normals = np.empty(size, np.float32)
    draw_normals(np.stack(columns, axis=1).astype(np.int64), key.view(np.uint32), 2, normals)
    np.testing.assert_allclose(normals, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ({}, {}),
        ({"draws": 3, "temperature": 0.1, "kl_weights": {"hidden": 2.0}}, {"batch_size": 33, "weight_decay": 0.1}),
        ({"draws": 4, "loss": "predictive", "kl_warmup": "5it"}, {}),
        (
            {"draws": 2, "loss": "predictive", "scaled": True},
            {"weight_decay": 0.1, "augment": {"crop": 1}, "optimiser": {"name": "sgd", "learning_rate": 1e-4}},
        ),
        ({"draws": 2}, {"weight_decay": 0.1, "decoupled": True}),
    ],
)
def test_the_objective_and_the_weights_are_those_of_keras(images, objective, options):
    ours, theirs = (run(*images, objective, engine=engine, **options) for engine in ("sparse", "keras"))
    assert (ours.engine, theirs.engine) == ("sparse", "keras")
    for row, expected in zip(ours.history, theirs.history, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert row == pytest.approx(expected, rel=2e-3)
    for path, start in images[0].start.items():
        moved = np.abs(theirs.weights[path] - start).max()
        np.testing.assert_allclose(ours.weights[path], theirs.weights[path], rtol=0, atol=2e-3 * moved + 1e-6)


def test_a_training_that_is_stopped_goes_on_to_the_same_bits(images):
    whole, checkpoints = run(*images, {"draws": 2}), []
    with pytest.raises(Stopped):
        run(*images, {"draws": 2}, Hooks(checkpoint=checkpoints.append, should_stop=lambda: True))
    rest = run(*images, {"draws": 2}, Hooks(resume=checkpoints[0]))
    assert_same(rest.weights, whole.weights)
    assert rest.history == whole.history


def test_predictions_have_the_draws_of_keras(images):
    ticket, data = images
    trained = run(ticket, data, {})
    ours, theirs = (
        predict(ticket.model, ticket.mask, trained.weights, data.x_test, draws=3, seed=5, engine=name)
        for name in ("sparse", "keras")
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_other_estimators_are_trained_by_keras(images, monkeypatch):
    monkeypatch.setattr("tfticket.training.engine.dense_from", lambda mask: 0.5)
    assert run(*images, {"estimator": "flipout"}, engine="auto").engine == "keras"
    assert run(*images, {}, engine="auto").engine == "sparse"
    with refused("train.engine", "keras", "flipout"):
        run(*images, {"estimator": "flipout"})
