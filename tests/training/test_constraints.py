"""Constraints on weights in training: they act, and pruned weights stay 0. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket.backend import keras, tf
from tfticket.config import SampleConfig
from tfticket.errors import Diverged
from tfticket.sampling.build_posterior import check_engine
from tfticket.training.batches import RowOrder

L = keras.layers
SGD = {"name": "sgd", "learning_rate": 0.5, "momentum": 0.0}
TRAIN = {"epochs": "6it", "batch_size": 20, "evaluate_every": "6it", "optimiser": SGD}


class CenterAround(keras.constraints.Constraint):
    """The constraint of Keras' guide: it moves zeros."""

    def __init__(self, ref_value=0.0):
        self.ref_value = ref_value

    def __call__(self, w):
        return w - tf.reduce_mean(w) + self.ref_value

    def get_config(self):
        return {"ref_value": self.ref_value}


class Normalised(keras.constraints.Constraint):
    """Undefined for a unit without inputs."""

    def __call__(self, w):
        return w / tf.norm(w, axis=0)


def shifted(w):
    return w + 0.1


@pytest.fixture(scope="module")
def data():
    labels = np.arange(120) % 3
    images = np.random.default_rng(0).integers(0, 256, (120, 6, 6)) // 2 + 40 * labels[:, None, None]
    images = images.astype(np.uint8)
    return tt.load_data("few", x_train=images, y_train=labels, x_test=images, y_test=labels)


def dense(**constraints):
    layers = [L.Flatten(), L.Dense(8, activation="relu", name="c", **constraints), L.Dense(3, name="out")]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def pruned(model, data):
    """A ticket with half of its weights, and a unit without inputs."""
    ticket, random = tt.Ticket.dense(model, data=data), np.random.default_rng(1)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in ticket.mask.items()}
    mask["c/kernel"][..., 0] = False
    return replace(ticket, mask=mask)


def test_a_constraint_acts_in_a_loop_that_xla_compiles(data):  # first: the others do without XLA
    ticket = pruned(dense(kernel_constraint=CenterAround(0.1)), data)
    weights, kept = tt.train(ticket, data, train=TRAIN).weights["c/kernel"], ticket.mask["c/kernel"]
    assert not np.any(weights[~kept])
    assert weights[kept].mean() > 0.1


CONSTRAINTS = [CenterAround(0.1), Normalised(), keras.constraints.MaxNorm(0.3)]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda constraint: type(constraint).__name__)
def test_a_constraint_acts_after_each_update_and_the_mask_after_it(constraint, data, without_xla):
    """Against the same training written out."""
    ticket = pruned(dense(kernel_constraint=constraint), data)
    trained = tt.train(ticket, data, train=TRAIN)
    weights = {path: tf.Variable(array * ticket.mask.get(path, True)) for path, array in ticket.start.items()}
    for rows in RowOrder(0, len(data.x_train), 20).batches(0, 6):
        with tf.GradientTape() as tape:
            x = tf.reshape(tf.cast(data.x_train[rows], tf.float32) / 255.0, [20, -1])
            x = tf.nn.relu(x @ weights["c/kernel"] + weights["c/bias"])
            x = x @ weights["out/kernel"] + weights["out/bias"]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(data.y_train[rows], x))
        for path, gradient in tape.gradient(loss, weights).items():
            new = weights[path] - 0.5 * gradient * ticket.mask.get(path, True)
            new = constraint(new) if path == "c/kernel" else new
            weights[path].assign(tf.where(ticket.mask.get(path, True), new, 0.0))
    for path, expected in weights.items():
        np.testing.assert_allclose(trained.weights[path], expected.numpy(), rtol=1e-4, atol=1e-6, err_msg=path)
        assert not np.any(trained.weights[path][~ticket.mask.get(path, np.True_)])


def test_tickets_of_a_network_with_constraints_are_found(data, without_xla, tmp_path):
    conv = L.Conv2D(4, 3, name="c", kernel_constraint=CenterAround(), bias_constraint="non_neg")
    model = keras.Sequential([keras.Input((6, 6, 1)), conv, L.Flatten(), L.Dense(3, name="out")])
    tt.find_tickets(model, data, sparsity=0.7, levels=2, train=TRAIN)[-1].save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    weights = tt.train(ticket, data, train=TRAIN).weights
    assert not np.any(weights["c/kernel"][~ticket.mask["c/kernel"]])
    assert weights["c/bias"].min() >= 0


def test_the_mask_holds_in_another_precision_with_a_decay_and_in_variational_layers(data, without_xla):
    ticket = pruned(dense(kernel_constraint=CenterAround(0.1)), data)
    kept = ticket.mask["c/kernel"]
    for change in ({"precision": "bfloat16", "weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}):
        weights = tt.train(ticket, data, train=TRAIN | change).weights["c/kernel"]
        assert not np.any(weights[~kept])
        assert np.all(weights[kept] != 0)
    ticket = pruned(tt.to_variational(dense(kernel_constraint=CenterAround(0.5))), data)
    weights = tt.train(ticket, data, train=TRAIN).weights
    assert not np.any(weights["c/kernel"][~kept])
    assert weights["c/kernel"][kept].mean() > 0.1
    assert np.all(np.isfinite(weights["c/kernel_rho"]))


def test_chains_refuse_constraints_and_keras_does_not_keep_functions(data):
    model = dense(kernel_constraint=CenterAround(), bias_constraint="non_neg")
    listed = r"c/kernel \(CenterAround\), c/bias \(NonNeg\)"
    with pytest.raises(tt.InputError, match=listed):
        tt.sample(tt.Ticket.dense(model, data=data), data, draws=1, warmup=20)
    with pytest.raises(tt.InputError, match=listed):
        check_engine(model, SampleConfig(), 0.1)
    check_engine(dense(kernel_constraint=CenterAround(), trainable=False), SampleConfig(), 0.1)
    with refused("model", None, "c (Dense)"):
        tt.Ticket.dense(dense(kernel_constraint=shifted), data=data)


def fail(w, call):
    raise RuntimeError("not here")


MISTAKES = {
    "returned None": lambda w, call: None,
    "returned the shape (1, 8)": lambda w, call: w[:1],
    "expected a tensor of the weights' type and shape, float32 (36, 8)": lambda w, call: w[w[:, 0] > 9],
    "returned ndarray": lambda w, call: np.zeros(w.shape, np.float32),
    "returned float64": lambda w, call: tf.cast(w, tf.float64),
    "at each call": lambda w, call: w if call == 1 else None,
    "without NumPy": lambda w, call: np.clip(w, -1, 1),
    "RuntimeError: not here": fail,
    "not finite: NaN": lambda w, call: w * np.nan,
    "not finite: infinity": lambda w, call: w / 0.0,
}
"""A part of the message -> a user's mistake, given the weights and the number of the call."""


class Returning(keras.constraints.Constraint):
    """Returns what a user's mistake may."""

    def __init__(self, mistake=""):
        self.mistake, self.call = mistake, 0

    def __call__(self, w):
        self.call += 1
        return MISTAKES[self.mistake](w, self.call)

    def get_config(self):
        return {"mistake": self.mistake}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_constraint_that_returns_no_weights_is_named(mistake, data, without_xla):
    network = dense(kernel_constraint=Returning(mistake))
    networks = (network, tt.to_variational(network)) if mistake == "not finite: NaN" else (network,)
    for ticket in (tt.Ticket.dense(model, data=data) for model in networks):
        with refused("model", None, "constraint of c/kernel", mistake.partition(": N")[0].partition(": i")[0]):
            tt.train(ticket, data, train=TRAIN)


def test_a_training_that_diverges_by_itself_is_not_blamed_on_its_constraint(data, without_xla):
    ticket = tt.Ticket.dense(dense(kernel_constraint=CenterAround()), data=data)
    with pytest.raises(Diverged, match="Lower the learning rate"):
        tt.train(ticket, data, train=TRAIN | {"optimiser": SGD | {"learning_rate": 1e30}})
