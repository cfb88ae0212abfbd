"""Constraints on weights in training: they act, and pruned weights stay 0. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.config import SampleConfig
from tfticket.errors import Diverged, InputError
from tfticket.sampling.build import check_engine
from tfticket.training.batches import RowOrder

L = keras.layers
TRAIN = {
    "epochs": "6it",
    "batch_size": 20,
    "evaluate_every": "6it",
    "optimiser": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.0},
}


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
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = random.integers(0, 256, (120, 6, 6)) // 2 + 40 * labels[:, None, None]
    images = images.astype(np.uint8)
    return tt.load_data("few", x_train=images, y_train=labels, x_test=images, y_test=labels)


def dense(**constraints):
    layers = [L.Flatten(), L.Dense(8, activation="relu", name="c", **constraints), L.Dense(3, name="out")]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def convolutional(**constraints):
    layers = [L.Conv2D(4, 3, activation="relu", name="c", **constraints), L.Flatten(), L.Dense(3, name="out")]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def pruned(model, data):
    """A ticket with half of its weights, and a unit without inputs."""
    ticket = tt.Ticket.dense(model, data=data)
    random = np.random.default_rng(1)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in ticket.mask.items()}
    mask["c/kernel"][..., 0] = False
    return replace(ticket, mask=mask)


CONSTRAINTS = {
    "of Keras' guide": CenterAround(0.1),
    "undefined": Normalised(),
    "NonNeg": keras.constraints.NonNeg(),
    "UnitNorm": keras.constraints.UnitNorm(),
    "MaxNorm": keras.constraints.MaxNorm(0.3),
}


def test_it_acts_in_a_loop_that_xla_compiles(data):  # first: the others do without XLA
    ticket = pruned(dense(kernel_constraint=CenterAround(0.1)), data)
    weights = tt.train(ticket, data, train=TRAIN).weights["c/kernel"]
    kept = ticket.mask["c/kernel"]
    assert not np.any(weights[~kept])
    assert weights[kept].mean() > 0.1


@pytest.fixture(scope="module")
def unconstrained(data, without_xla):
    return tt.train(pruned(dense(), data), data, train=TRAIN).weights


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_acts_after_each_update_and_the_mask_after_it(name, data, unconstrained):
    """Against the same training written out."""
    constraint = CONSTRAINTS[name]
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
    assert np.any(unconstrained["c/kernel"] != trained.weights["c/kernel"]), "the constraint does something"


@pytest.mark.parametrize("build", [dense, convolutional])
def test_tickets_of_a_network_with_constraints_are_found(build, data, without_xla, tmp_path):
    model = build(kernel_constraint=CenterAround(), bias_constraint="non_neg")
    tickets = tt.find_tickets(model, data, sparsity=0.7, levels=2, train=TRAIN)
    tickets[-1].save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    weights = tt.train(ticket, data, train=TRAIN).weights
    assert not np.any(weights["c/kernel"][~ticket.mask["c/kernel"]])
    assert weights["c/bias"].min() >= 0


def test_the_mask_holds_in_another_precision_and_with_a_decay_too(data, without_xla):
    ticket = pruned(dense(kernel_constraint=CenterAround(0.1)), data)
    for change in ({"precision": "bfloat16"}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}):
        weights = tt.train(ticket, data, train=TRAIN | change).weights["c/kernel"]
        assert not np.any(weights[~ticket.mask["c/kernel"]])
        assert np.all(weights[ticket.mask["c/kernel"]] != 0)


@pytest.mark.parametrize("constraint", [CenterAround(0.5), keras.constraints.NonNeg()], ids=["own", "NonNeg"])
def test_a_variational_layers_constraint_is_on_its_means(constraint, data, without_xla):
    ticket = pruned(tt.to_variational(dense(kernel_constraint=constraint)), data)
    weights = tt.train(ticket, data, train=TRAIN).weights
    kept = ticket.mask["c/kernel"]
    assert not np.any(weights["c/kernel"][~kept])
    assert weights["c/kernel"][kept].min() >= 0
    assert weights["c/kernel"][kept].mean() > 0.1 or isinstance(constraint, keras.constraints.NonNeg)
    assert np.all(np.isfinite(weights["c/kernel_rho"]))


def test_chains_refuse_constraints(data):
    model = dense(kernel_constraint=CenterAround(), bias_constraint="non_neg")
    message = r"would ignore: c/kernel \(CenterAround\), c/bias \(NonNeg\)"
    with pytest.raises(InputError, match=message):
        tt.sample(tt.Ticket.dense(model, data=data), data, draws=1, warmup=20)
    with pytest.raises(InputError, match=message):
        check_engine(model, SampleConfig(), 0.1)
    check_engine(dense(kernel_constraint=CenterAround(), trainable=False), SampleConfig(), 0.1)


def test_a_function_as_a_constraint_is_refused_since_keras_does_not_keep_it(data):
    with pytest.raises(InputError, match=r"its layer c \(Dense\) cannot be rebuilt"):
        tt.Ticket.dense(dense(kernel_constraint=shifted), data=data)


MISTAKES = {
    "None": lambda w: None,
    "a part": lambda w: w[:1],
    "a part of unknown size": lambda w: tf.boolean_mask(w, w[:, 0] > 1e9),
    "NaN": lambda w: w * np.nan,
    "infinity": lambda w: w / 0.0,
    "NumPy": lambda w: np.clip(w, -1, 1),
    "numpy()": lambda w: tf.constant(w.numpy()),
    "a list": lambda w: [w],
    "an array": lambda w: np.zeros(w.shape, np.float32),
    "float64": lambda w: tf.cast(w, tf.float64),
    "int32": lambda w: tf.cast(w, tf.int32),
    "bool": lambda w: w > 0,
    "string": lambda w: tf.fill(tf.shape(w), "a"),
    "ragged": lambda w: tf.RaggedTensor.from_tensor(w),
    "sparse": lambda w: tf.sparse.from_dense(w),
}


class Returning(keras.constraints.Constraint):
    """Returns what a user's mistake may."""

    def __init__(self, what="None"):
        self.what = what

    def __call__(self, w):
        if self.what == "an error":
            raise RuntimeError("not here")
        if self.what == "NaN of the trained":
            return tf.where(w > 1e-3, w, tf.sqrt(w))
        if self.what == "None from the second call on":
            self.calls = getattr(self, "calls", 0) + 1
            return w if self.calls == 1 else None
        if self.what == "an if":
            return w if tf.reduce_sum(w) > 0 else -w
        return MISTAKES[self.what](w)

    def get_config(self):
        return {"what": self.what}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("None", r"Returning, the constraint of c/kernel, returned None; expected a tensor of .* \(36, 8\)"),
        ("a part", r"the constraint of c/kernel, returned the shape \(1, 8\); expected"),
        ("a part of unknown size", r"returned the shape \(0, 8\); expected|fails with .*; expected a tensor"),
        ("NumPy", r"fails with .*; expected a tensor .* without NumPy, \.numpy\(\) or an if about weights"),
        ("numpy()", "fails with .*; expected a tensor"),
        ("an if", "fails with .*; expected a tensor"),
        ("None from the second call on", "returned None; expected a tensor .* at each call"),
        ("a list", "returned (List|list).*; expected"),
        ("an array", "returned ndarray; expected"),
        ("float64", "returned float64; expected a tensor of the weights' type and shape, float32"),
        ("int32", "returned int32; expected"),
        ("bool", "returned bool; expected"),
        ("string", "returned string; expected"),
        ("ragged", "returned RaggedTensor; expected"),
        ("sparse", "returned SparseTensor; expected"),
        ("an error", r"the constraint of c/kernel, fails with RuntimeError: not here; expected"),
        ("NaN", r"^The constraint of c/kernel returned values that are not finite; expected finite ones"),
        ("infinity", r"^The constraint of c/kernel returned values that are not finite"),
        ("NaN of the trained", r"^The constraint of c/kernel returned values that are not finite"),
    ],
)
def test_a_constraint_that_returns_no_weights_is_named(what, message, data, without_xla):
    for network in (dense, lambda **options: tt.to_variational(dense(**options))):
        ticket = tt.Ticket.dense(network(kernel_constraint=Returning(what)), data=data)
        with pytest.raises(InputError, match=message):
            tt.train(ticket, data, train=TRAIN)


def test_a_training_that_diverges_by_itself_is_not_blamed_on_its_constraint(data, without_xla):
    ticket = tt.Ticket.dense(dense(kernel_constraint=CenterAround()), data=data)
    optimiser = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(Diverged, match="Lower the learning rate"):
        tt.train(ticket, data, train=TRAIN | {"optimiser": optimiser})
