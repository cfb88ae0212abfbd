"""Training over surviving weights against Keras, cut anywhere, and refused. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tests.refusals import refused
from tests.sampling.problems import L, network, random_data, random_floats, random_mask, ticket_of
from tfticket.backend import keras
from tfticket.config import EvaluateStep, TrainConfig
from tfticket.errors import Diverged, Stopped
from tfticket.evaluation.predictive import network_with, predict
from tfticket.network import MaskedNetwork
from tfticket.tickets.evaluation import evaluate_weights
from tfticket.training import engine
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks

ADAM, SGD = {"name": "adam", "learning_rate": 0.01}, {"name": "sgd", "learning_rate": 0.05}
CONV = (L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(5, activation="tanh"), L.Dense(3))


def run(ticket, data, seed=3, **options):
    hooks = {name: options.pop(name) for name in ("hooks", "first_iteration", "until", "keep") if name in options}
    config = TrainConfig(**{"batch_size": 20, "epochs": "25it", "evaluate_every": "10it", "engine": "sparse"} | options)
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed, **hooks)


@pytest.fixture(scope="module")
def images():
    """Small images, and a ticket of a convolutional network."""
    random = np.random.default_rng(0)
    data, model = random_data(random, (8, 7, 2), rows=90), network((8, 7, 2), *CONV)
    return ticket_of(model, data, random_mask(random, model, 0.3)), data


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": ADAM},
        {"optimiser": ADAM, "weight_decay": 0.1, "batch_size": 7},
        {"optimiser": ADAM | {"beta_1": 0.5, "epsilon": 1e-3}, "weight_decay": 0.1, "decoupled": True},
        {"optimiser": SGD, "warmup": "5it", "milestones": ["12it"]},
        {"optimiser": SGD | {"nesterov": True}, "weight_decay": 0.1, "schedule": "cosine"},
        {"optimiser": SGD | {"momentum": 0.0}, "augment": {"flip": True, "crop": 2}, "batch_size": 33},
    ],
)
def test_weights_losses_and_metrics_are_those_of_keras(images, options):
    ours, theirs = (run(*images, engine=engine, **options) for engine in ("sparse", "keras"))
    assert (ours.engine, theirs.engine) == ("sparse", "keras")
    ticket = images[0]
    for path, start in ticket.start.items():
        moved = np.abs(theirs.weights[path] - start).max()
        np.testing.assert_allclose(ours.weights[path], theirs.weights[path], rtol=0, atol=1e-3 * moved + 1e-7)
        if path in ticket.mask:
            assert not ours.weights[path][~ticket.mask[path]].any()
    for row, expected in zip(ours.history, theirs.history, strict=True):
        assert row == pytest.approx(expected, rel=1e-3)


def test_features_of_all_scales_are_trained_as_by_keras():
    random = np.random.default_rng(1)
    data = random_floats(random, (6,), rows=64)
    model = network((6,), L.Dense(9, activation="relu"), L.Dense(3))
    ticket = ticket_of(model, data, random_mask(random, model, 0.5))
    ours, theirs = (run(ticket, data, engine=engine, optimiser=SGD) for engine in ("sparse", "keras"))
    for path in ticket.start:
        np.testing.assert_allclose(ours.weights[path], theirs.weights[path], rtol=1e-3, atol=1e-5)


def test_a_training_that_is_stopped_goes_on_to_the_same_bits(images):
    whole, checkpoints = run(*images, keep=("10it",)), []
    with pytest.raises(Stopped):
        run(*images, keep=("10it",), hooks=Hooks(checkpoint=checkpoints.append, should_stop=lambda: True))
    rest = run(*images, keep=("10it",), hooks=Hooks(resume=checkpoints[0], segment_seconds=0.0))
    assert_same(rest.weights, whole.weights)
    assert_same(rest.kept[10], whole.kept[10])
    assert rest.history == whole.history


def test_a_ticket_rewound_to_a_later_iteration_begins_there(images):
    ticket, data = images
    ours, theirs = (run(ticket, data, engine=engine, first_iteration=11) for engine in ("sparse", "keras"))
    assert [row["iteration"] for row in ours.history] == [20, 25]
    for path in ticket.start:
        np.testing.assert_allclose(ours.weights[path], theirs.weights[path], rtol=1e-3, atol=1e-5)


def test_a_training_that_diverges_says_so(images):
    with pytest.raises(Diverged, match="learning rate"):
        run(*images, optimiser=SGD | {"learning_rate": 3e38, "momentum": 0.99})


def test_auto_takes_the_sparse_engine_below_a_density_and_keras_for_networks_that_it_cannot_run(images, monkeypatch):
    ticket, data = images
    assert run(ticket, data, engine="auto").engine == "keras"
    monkeypatch.setattr(engine, "dense_from", lambda mask: 0.5)
    assert run(ticket, data, engine="auto").engine == "sparse"
    assert run(ticket, data, engine="auto", precision="bfloat16").engine == "keras"
    monkeypatch.setattr(engine, "has_gpu", lambda: True)
    assert run(ticket, data, engine="auto").engine == "keras"


def test_networks_that_the_engine_cannot_run_are_refused_by_the_layer(images):
    ticket, data = images
    norm = network((8, 7, 2), L.Flatten(), L.Dense(4), L.BatchNormalization(), L.Dense(3))
    constrained = network((8, 7, 2), L.Flatten(), L.Dense(3, kernel_constraint=keras.constraints.MaxNorm(1.0)))
    for model, mention in ((norm, "batch_normalization"), (constrained, "kernel has a constraint")):
        with refused("train.engine", "keras", mention):
            run(tt.Ticket.dense(model, data=data), data)
    with refused("train.engine", "keras", "bfloat16"):
        run(ticket, data, precision="bfloat16")
    empty = replace(ticket, mask={path: np.zeros_like(kept) for path, kept in ticket.mask.items()})
    with refused("train.engine", "keras", "no weight survives"):
        run(empty, data)


def test_digits_are_learnt_from_a_sparse_ticket():
    data = tt.load_data(**DIGITS)
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", data), seed=1, data=data)
    random = np.random.default_rng(0)
    ticket = replace(ticket, mask={path: random.random(kept.shape) < 0.1 for path, kept in ticket.mask.items()})
    accuracies = [
        tt.evaluate(tt.train(ticket, data, train={"epochs": 60, "batch_size": 20, "engine": name}), data)["accuracy"]
        for name in ("sparse", "keras")
    ]
    assert min(accuracies) > 0.8
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.03)


def test_predictions_over_surviving_weights_are_those_of_keras(images):
    ticket, data = images
    trained = run(ticket, data)
    ours, theirs = (
        predict(ticket.model, ticket.mask, trained.weights, data.x_test, engine=name) for name in ("sparse", "keras")
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert isinstance(network_with(ticket.model, ticket.mask, trained.weights), MaskedNetwork), "30 % are too many"
    evaluations = [
        evaluate_weights(ticket, trained.weights, data, EvaluateStep(engine=name)) for name in ("sparse", "keras")
    ]
    assert evaluations[0]["test"] == pytest.approx(evaluations[1]["test"], rel=1e-4)
    with refused("rows", None, "uint8"):
        predict(ticket.model, ticket.mask, trained.weights, np.zeros((3, 5)), engine="sparse")


@pytest.mark.slow
def test_accuracies_differ_by_less_than_the_spread_of_seeds():
    data = tt.load_data("mnist")
    tickets = tt.find_tickets(tt.build_model("lenet-300-100", data), data, sparsity=0.99, levels=8, train={"epochs": 1})
    training = {"epochs": 4, "batch_size": 60}
    accuracies = {
        name: np.array([
            tt.evaluate(tt.train(ticket, data, train=training | {"engine": name}, seed=seed), data)["accuracy"]
            for seed in range(5)
            for ticket in [tt.control(tickets.at(sparsity=0.99), "reinitialise", seed=seed)]
        ])
        for name in ("sparse", "keras")
    }  # fmt: skip
    assert abs(np.mean(accuracies["sparse"] - accuracies["keras"])) < np.std(accuracies["keras"], ddof=1), accuracies
    assert accuracies["sparse"].mean() > 0.85
