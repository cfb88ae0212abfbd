"""Networks of users' own: shared and nested layers, custom ones, functions and files. Needs TensorFlow."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

import tfticket as tt
from tests.rounding import assert_equal_but_for_rounding
from tfticket._experiments import imp
from tfticket.backend import keras, tf
from tfticket.config import ModelConfig, StartStep
from tfticket.config.schema import validate
from tfticket.fingerprint import fingerprint
from tfticket.models import (
    initial_weights,
    kernel_shapes,
    model_from_spec,
    named_variables,
    spec_of,
    trust,
    unprunable_layers,
)
from tfticket.models.variables import canonical_names
from tfticket.network import network_of
from tfticket.presets import load_experiment
from tfticket.registry import MODELS, Entry
from tfticket.tickets.controls import reinitialise, shuffle_layerwise

layers = keras.layers
IMAGE = (28, 28, 1)


class Scaling(layers.Layer):
    """A layer of a user's own, without a kernel."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor
        self.scaled = lambda inputs: inputs * factor  # no matter of a config

    def call(self, inputs):
        return self.scaled(inputs)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Forgetful(Scaling):
    def get_config(self):
        return {"name": self.name}


class Unwritable(Scaling):
    def get_config(self):
        return {**super().get_config(), "factor": object()}


class Plus(layers.Layer):
    """Works in float32 alone."""

    def call(self, inputs):
        return inputs + tf.constant(1.0)


class Holding(layers.Layer):
    """A layer that holds others, whose names Keras counts up."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(5, activation="relu")
        self.others = [layers.Dense(4, activation="relu"), layers.Dense(3)]

    def call(self, inputs):
        return self.others[1](self.others[0](self.first(inputs)))


class Nameless(Holding):
    """Keras makes its configuration, but finds the name only where it is called so, or in **kwargs."""

    def __init__(self, **options):
        super().__init__(**options)


class Tenth(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None, **options):
        return tf.fill(shape, 0.1)


class Mine(keras.Model):
    """A class of a user's own, used in the functional way."""


def cubed(x):
    return x**3


def relu(x):
    return x**2


def shared():
    images = keras.Input(IMAGE)
    twice = layers.Dense(28, activation="relu", name="twice")
    x = twice(twice(layers.Reshape((28, 28))(images)))
    return keras.Model(images, layers.Dense(10, name="out")(layers.Flatten()(x)), name="shared")


def nested():
    inside = keras.Input((28, 28, 1))
    x = layers.Conv2D(3, 3, strides=3, name="conv")(inside)
    encoder = keras.Model(inside, layers.Dense(6, name="dense")(layers.Flatten()(x)), name="encoder")
    head = keras.Sequential([keras.Input((6,)), layers.Dense(10, name="dense")], name="head")
    images = keras.Input(IMAGE)
    return keras.Model(images, head(encoder(images)), name="nested")


def custom():
    images = keras.Input(IMAGE)
    x = Scaling(0.5, name="half")(layers.Flatten()(images))
    return keras.Model(images, layers.Dense(10, name="out")(x), name="custom")


def mixed():
    images = keras.Input(IMAGE)
    x = layers.SeparableConv2D(4, 3, strides=3, name="separable")(images)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.LSTM(5, name="memory")(layers.Reshape((9, 36))(x))
    return keras.Model(images, layers.Dense(10, name="out")(x), name="mixed")


def attentive():
    images = keras.Input(IMAGE)
    rows = layers.Reshape((28, 28))(images)
    x = layers.MultiHeadAttention(2, 3, name="attention")(rows, rows)
    x = layers.Bidirectional(layers.LSTM(4), name="both")(layers.TimeDistributed(layers.Dense(6), name="each")(x))
    return keras.Model(images, layers.Dense(10, name="out")(Holding(name="holding")(x)), name="attentive")


def several_sizes():
    images = keras.Input(IMAGE)
    relu = layers.ReLU(name="relu")
    x = relu(layers.Dense(20, name="dense")(relu(layers.Flatten()(images))))
    return keras.Model(images, layers.Dense(10, name="out")(x), name="several_sizes")


def operations():
    images = keras.Input(IMAGE)
    x = tf.nn.relu(tf.reshape(images, (-1, 784))[:, :700] * 2.0 - 0.1)
    return keras.Model(images, layers.Dense(10, name="out")(x), name="operations")


def own_parts():
    images = keras.Input(IMAGE)
    x = layers.Dense(20, activation=cubed, kernel_initializer=Tenth(), name="dense")(layers.Flatten()(images))
    return Mine(images, layers.Dense(10, name="out")(x), name="own_parts")


KERNELS = {
    shared: {"twice/kernel": (28, 28), "out/kernel": (784, 10)},
    nested: {"encoder/conv/kernel": (3, 3, 1, 3), "encoder/dense/kernel": (243, 6), "head/dense/kernel": (6, 10)},
    custom: {"out/kernel": (784, 10)},
    mixed: {"out/kernel": (5, 10)},
    attentive: {"out/kernel": (3, 10)},
    several_sizes: {"dense/kernel": (784, 20), "out/kernel": (20, 10)},
    operations: {"out/kernel": (700, 10)},
    own_parts: {"dense/kernel": (784, 20), "out/kernel": (20, 10)},
}


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_what_can_be_pruned_is_found_once_by_its_path(build):
    assert kernel_shapes(build()) == KERNELS[build]


def test_what_cannot_be_pruned_is_listed_and_stays_whole(data):
    ticket = tt.find_tickets(mixed(), data, sparsity=0.5, levels=1, train={"epochs": "2it"})[-1]
    assert unprunable_layers(mixed()) == {"separable": "SeparableConv2D", "memory": "LSTM"}
    assert ticket.provenance["left_alone"] == {"separable": "SeparableConv2D", "memory": "LSTM"}
    assert ticket.survivors == {"out/kernel": 25}


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_a_tickets_network_computes_what_the_plain_one_does_with_pruned_weights(build, data):
    model = build()
    dense = tt.Ticket.dense(model, seed=1)
    random = np.random.default_rng(0)
    ticket = replace(dense, mask={path: random.random(kept.shape) < 0.4 for path, kept in dense.mask.items()})
    for path, (_, variable) in named_variables(model).items():
        variable.assign(ticket.start[path] * ticket.mask.get(path, True))
    images = data.x_test[:20]
    expected = model(images / np.float32(255)).numpy()
    network = network_of(ticket.model)
    network.assign(ticket.mask, ticket.start)
    assert_equal_but_for_rounding(network.logits(images), expected, terms=28 * 28)


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_training_keeps_pruned_weights_at_0_and_moves_the_others(build, data, without_xla, tmp_path):
    ticket = tt.find_tickets(build(), data, sparsity=0.6, levels=1, train={"epochs": "5it"})[-1]
    ticket.save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    trained = tt.train(ticket, data, train={"epochs": "5it"})
    for path, kept in ticket.mask.items():
        assert np.all(trained.weights[path][~kept] == 0)
        assert np.any(trained.weights[path] != ticket.start[path] * kept)


def test_a_nested_layer_is_exempt_by_its_path(data):
    options = {"sparsity": 0.5, "levels": 1, "train": {"epochs": "2it"}}
    ticket = tt.find_tickets(nested(), data, exempt=["head/dense"], **options)[-1]
    assert ticket.survivors["head/dense/kernel"] == 60
    assert abs(sum(ticket.survivors.values()) - 60 - 0.5 * (3 * 3 * 3 + 243 * 6)) <= 0.5


def test_weights_inside_a_layer_are_named_by_what_leads_to_them_and_have_its_initialisers():
    (model, again), seed = (attentive(), attentive()), 0
    paths = list(named_variables(model))
    assert paths == list(named_variables(again))
    for path in ("attention/query_dense/kernel", "each/kernel", "both/backward_layer/cell/bias", "out/bias"):
        assert path in paths
    assert [path for path in paths if path.startswith("holding") and path.endswith("kernel")] == [
        "holding/first/kernel",
        "holding/others/0/kernel",
        "holding/others/1/kernel",
    ]
    drawn = initial_weights(model, seed)
    for path, (_, variable) in named_variables(model).items():
        assert drawn[path].std() == pytest.approx(variable.numpy().std(), rel=0.5, abs=1e-6), path


@pytest.mark.parametrize("forget", [True, False])
def test_recurrent_layers_are_drawn_as_keras_draws_them(forget):
    images = keras.Input((28, 28))
    uniform = keras.initializers.RandomUniform(0.1, 0.3, seed=1)
    x = layers.LSTM(400, unit_forget_bias=forget, bias_initializer=uniform, return_sequences=True, name="lstm")(images)
    x = layers.Bidirectional(layers.LSTM(30, unit_forget_bias=forget), name="both")(x)
    model = keras.Model(images, layers.Dense(10)(layers.Concatenate()([x, layers.GRU(30, name="gru")(images)])))
    drawn = initial_weights(model, 0)
    for path, (_, variable) in named_variables(model).items():
        theirs = variable.numpy()
        if path == "lstm/bias":
            assert ks_2samp(drawn[path], theirs).pvalue > 1e-3
            assert np.array_equal(drawn[path] == 1, theirs == 1)
        elif path.endswith("bias"):
            np.testing.assert_array_equal(drawn[path], theirs)
        elif not path.endswith("recurrent_kernel"):
            assert ks_2samp(drawn[path].ravel(), theirs.ravel()).pvalue > 1e-3
        else:
            np.testing.assert_allclose(drawn[path] @ drawn[path].T, theirs @ theirs.T, atol=1e-4)


def unnamed():
    images = keras.Input(IMAGE)
    inside = keras.Sequential([layers.Dense(20, activation="relu"), layers.Dense(20, name="dense_0x")])
    x = inside(layers.Dense(20, activation="relu")(layers.Flatten()(images)))
    return keras.Model(images, layers.Dense(10)(Holding()(layers.Dense(20)(x))))


def test_the_same_lines_give_the_same_numbers_again_though_keras_counts_names_up():
    once, again = (tt.Ticket.dense(unnamed(), seed=1) for _ in range(2))
    assert list(once.start) != list(again.start)
    for change in (lambda ticket: ticket, lambda ticket: reinitialise(ticket, 2)):
        for ours, theirs in zip(change(once).start.values(), change(again).start.values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_automatic_names_count_from_0_in_the_models_order_and_others_stay():
    layers.Dense(1)
    names = [path.removesuffix("/kernel") for path in canonical_names(unnamed()).values() if path.endswith("/kernel")]
    assert names[:4] == ["dense", "sequential/dense", "sequential/dense_0x", "dense_1"]
    assert names[4:] == ["holding/first", "holding/others/0", "holding/others/1", "dense_2"]


def test_a_shuffle_of_an_own_network_is_the_same_again():
    tickets = [tt.Ticket.dense(unnamed()) for _ in range(2)]
    half = [np.random.default_rng(0).random(kept.shape) < 0.5 for kept in tickets[0].mask.values()]
    halved = [replace(ticket, mask=dict(zip(ticket.mask, half, strict=True))) for ticket in tickets]
    masks = [list(shuffle_layerwise(ticket, 3).mask.values()) for ticket in halved]
    for one, other, kept in zip(*masks, half, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.any(one != kept)


def ending(*last, name="refused"):
    return keras.Sequential([keras.Input(IMAGE), layers.Flatten(), *last], name=name)


def softmax_inside():
    images = keras.Input(IMAGE)
    head = keras.Sequential([keras.Input((784,)), layers.Dense(10, activation="softmax")])
    return keras.Model(images, head(layers.Flatten()(images)), name="refused")


def ends_in(function):
    images = keras.Input(IMAGE)
    return keras.Model(images, function(layers.Dense(10)(layers.Flatten()(images))), name="refused")


def tied_across_models():
    tied = layers.Dense(784, name="tied")
    encoder = keras.Sequential([keras.Input((784,)), tied], name="encoder")
    images = keras.Input(IMAGE)
    return keras.Model(images, layers.Dense(10)(tied(encoder(layers.Flatten()(images)))), name="refused")


def adapted():
    norm = layers.Normalization(name="norm")
    norm.adapt(np.ones((4, 784), np.float32))
    return ending(norm, layers.Dense(10))


def open_input():
    images = keras.Input((None, None, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(images))
    return keras.Model(images, layers.Dense(10)(x), name="refused")


def forgets_its_rows(dropout):
    return keras.Sequential(
        [keras.Input(IMAGE), layers.Reshape((28, 28)), layers.LSTM(3, **dropout, name="lstm"), layers.Dense(10)]
    )


class Other:
    """Holds a class that has another's name."""

    Scaling = type("Scaling", (Scaling,), {"__module__": "another"})


REFUSED = {
    "forgetful": (
        lambda: ending(Forgetful(0.5, name="lost"), layers.Dense(10)),
        r"refused cannot be cloned: its layer lost \(Forgetful\).*factor",
    ),
    "another name": (
        lambda: ending(Nameless(name="mine"), layers.Dense(10)),
        "refused cannot be cloned: a copy has not the same mine/first/kernel, .* its name too",
    ),
    "not to be written": (
        lambda: ending(Unwritable(0.5, name="lost"), layers.Dense(10)),
        r"refused cannot be cloned: its layer lost \(Unwritable\)",
    ),
    "a Lambda": (
        lambda: ending(layers.Lambda(cubed, name="code"), layers.Dense(10)),
        "code holds a lambda.*cannot keep",
    ),
    "a lambda": (
        lambda: ending(layers.Dense(10, activation=lambda x: x, name="code"), layers.Dense(10)),
        "code holds a lambda",
    ),
    "a name of Keras'": (
        lambda: ending(layers.Dense(10, activation=relu, name="mine"), layers.Dense(10)),
        "mine holds relu from .*another of this name",
    ),
    "two of a name": (
        lambda: ending(Scaling(0.5), Other.Scaling(0.5, name="other"), layers.Dense(10)),
        "other holds Scaling from another, but there is another",
    ),
    "adapted": (adapted, r"norm/count \(Normalization\) is int64.*mean="),
    "open": (open_input, r"sizes of its input open, \(None, None, 1\)"),
    "dropout": (lambda: forgets_its_rows({"dropout": 0.5}), "lstm.*random"),
    "recurrent dropout": (lambda: forgets_its_rows({"recurrent_dropout": 0.5}), "lstm.*random"),
    "softmax inside": (softmax_inside, "does not end in logits"),
    "softmax": (lambda: ends_in(tf.nn.softmax), "does not end in logits"),
    "sigmoid": (lambda: ends_in(tf.sigmoid), "does not end in logits"),
    "relu": (lambda: ends_in(tf.nn.relu), "does not end in logits"),
    "a ReLU": (lambda: ending(layers.Dense(10), layers.ReLU()), "does not end in logits"),
    "a LeakyReLU": (lambda: ending(layers.Dense(10), layers.LeakyReLU()), "does not end in logits"),
    "softmax reshaped": (
        lambda: ending(layers.Dense(10, activation="softmax"), layers.Reshape((10,))),
        "does not end in logits",
    ),
    "softmax cast": (
        lambda: ending(layers.Dense(10, activation="softmax"), layers.Activation("linear")),
        "does not end in logits",
    ),
    "one output": (lambda: ending(layers.Dense(1)), r"1 outputs; .* 2 or more classes. End it in Dense"),
    "tied": (tied_across_models, "encoder/tied/kernel and tied/kernel are one weight"),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_ticket_is_refused_with_the_reason(name, monkeypatch):
    monkeypatch.setattr(trust, "_USER_CODE", {"Scaling": Scaling})
    build, message = REFUSED[name]
    with pytest.raises(tt.InputError, match=message):
        tt.Ticket.dense(build())


@pytest.mark.parametrize("last", [layers.Reshape((10,)), layers.Activation("linear"), layers.BatchNormalization()])
def test_logits_may_be_reshaped(last):
    assert tt.Ticket.dense(ending(layers.Dense(10), last, name="taken")).mask


@pytest.mark.parametrize("outputs", [9, 11])
def test_another_number_of_outputs_than_of_classes_is_refused_before_training(outputs, data):
    model = ending(layers.Dense(outputs), name="mine")
    with pytest.raises(tt.InputError, match=rf"mine has {outputs} outputs; .* 10 classes. End it in Dense\(10\)"):
        tt.find_tickets(model, data, levels=1)


def test_too_few_outputs_are_told_with_the_remedy(data):
    ticket = tt.Ticket.dense(ending(layers.Dense(9), name="mine"))
    with pytest.raises(tt.InputError, match=r"has 9 classes.*ends in Dense\(10\)"):
        tt.train(ticket, data, train={"epochs": "1it"})


def test_a_layer_that_fails_in_another_precision_is_told(data):
    ticket = tt.Ticket.dense(ending(Plus(name="plus"), layers.Dense(10), name="narrow"))
    assert network_of(ticket.model).model is not None
    with pytest.raises(tt.InputError, match="narrow cannot be computed in bfloat16"):
        network_of(ticket.model, "bfloat16")


# Strangers' tickets


@pytest.fixture
def stranger(monkeypatch):
    """A process in which no model was described yet."""
    monkeypatch.setattr(trust, "_TRUSTED", set())
    monkeypatch.setattr(trust, "_USER_CODE", {})


@pytest.mark.parametrize("build", [custom, own_parts])
def test_a_strangers_class_is_refused_until_a_model_with_it_was_built_here(build, tmp_path, monkeypatch):
    tt.Ticket.dense(build()).save(tmp_path / "ticket.safetensors")
    monkeypatch.setattr(trust, "_TRUSTED", set())
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    with pytest.raises(tt.InputError, match=r"would run code.*build a model with it first"):
        loaded.build_model()
    spec_of(build())
    assert list(named_variables(loaded.build_model())) == list(loaded.start)


@pytest.mark.parametrize("build", [shared, nested, mixed, several_sizes, operations])
def test_a_strangers_ticket_of_keras_own_layers_is_built(build, stranger):
    spec = json.loads(json.dumps(tt.Ticket.dense(build()).model))
    trust._TRUSTED.clear()
    assert kernel_shapes(model_from_spec(spec)) == KERNELS[build]


@pytest.mark.parametrize("name", ["my_networks:build", "mine.keras"])
def test_a_ticket_names_registered_networks_only(name, package, tmp_path):
    tt.build_model("my_networks:build", input_shape=IMAGE, num_classes=10).save("mine.keras")
    del sys.modules["my_networks"]
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=IMAGE, num_classes=10))
    ticket.model["name"] = name
    ticket.save(tmp_path / "ticket.safetensors")
    with pytest.raises(tt.InputError, match=r"ticket\.safetensors: .*network"):
        tt.Ticket.load(tmp_path / "ticket.safetensors")
    with pytest.raises(tt.InputError, match="network"):
        model_from_spec(ticket.model)
    assert "my_networks" not in sys.modules


FOREIGN = {
    "a function of TensorFlow": {"class_name": "TFOpLambda", "config": {"function": "io.gfile.makedirs"}},
    "a method": {"class_name": "ClassMethod", "config": {"cls_symbol": "io.gfile.GFile", "method_name": "write"}},
    "an attribute": {"class_name": "InstanceMethod", "config": {"attr_name": "numpy"}},
    "an operation": {"class_name": "TensorFlowOpLayer", "config": {"node_def": {"op": "WriteFile"}}},
    "a Lambda": {"class_name": "Lambda", "module": "keras.layers"},
    "a Lambda by another name": {
        "class_name": "Other",
        "module": "tf_keras.src.layers.core.lambda_layer",
        "registered_name": "Lambda",
    },
    "a Keras function": {"class_name": "function", "config": "get_file", "module": "keras.utils"},
    "what Keras imports": {"class_name": "function", "config": "os.system", "module": "tf_keras.src.backend"},
    "a loader": {"class_name": "TFSMLayer", "config": {"filepath": "x"}, "module": "tf_keras.src.export.export_lib"},
    "another's registered class": {"class_name": "Dense", "module": "keras.layers", "registered_name": "mine>Other"},
    "an old form of it": {"class_name": "Lambda"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_a_strangers_config_would_run_is_refused(name, stranger):
    spec = json.loads(json.dumps(spec_of(operations())))
    trust._TRUSTED.clear()
    (layer,) = (layer for layer in spec["keras"]["config"]["layers"] if layer["config"].get("function") == "nn.relu")
    del layer["registered_name"]
    layer["config"].pop("function")
    new = {"module": layer["module"]} if "module" not in FOREIGN[name] and name != "an old form of it" else {}
    layer["module"] = None
    config = FOREIGN[name].get("config", {})
    layer |= new | FOREIGN[name] | {"config": config if isinstance(config, str) else layer["config"] | config}
    with pytest.raises(tt.InputError, match="would run code"):
        model_from_spec(spec)


def test_a_damaged_config_is_refused(stranger):
    spec = json.loads(json.dumps(spec_of(shared())))
    del spec["keras"]["config"]["layers"][2]["config"]["units"]
    with pytest.raises(tt.InputError, match="cannot be rebuilt from its Keras config"):
        model_from_spec(spec)


# By name: a function, a file

SOURCE = """
from tfticket.backend import keras

def build(input_shape, num_classes):
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(num_classes, name="out")(x), name="mine")

class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight("factor", shape[-1:], initializer="ones")

    def call(self, inputs):
        return inputs * self.factor

def scaled(input_shape, num_classes):
    x = [keras.Input(input_shape), keras.layers.Flatten(), Scaled(name="scaled"), keras.layers.Dense(num_classes)]
    return keras.Sequential(x)

def wide(input_shape, num_classes):
    return build(input_shape, num_classes + 2)

def narrow(input_shape, num_classes):
    return build(input_shape, num_classes - 1)

def broken(input_shape, num_classes):
    raise RuntimeError("no idea")

def nothing(input_shape, num_classes):
    build(input_shape, num_classes)

def unnamed(input_shape, num_classes, initialiser="glorot_normal"):
    dense = [keras.layers.Dense(20), keras.layers.Dense(num_classes)]
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), *dense])

def deep(input_shape, num_classes):
    pools = [keras.layers.MaxPooling2D(name=f"pool_{number}") for number in range(5)]
    return keras.Sequential([keras.Input(input_shape), *pools, keras.layers.Flatten(), keras.layers.Dense(num_classes)])

text = "no function"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A module `my_networks` in the current folder."""
    (tmp_path / "my_networks.py").write_text(SOURCE)
    (tmp_path / "fails_itself.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    for name in ("my_networks", "fails_itself"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.fixture
def installed(package, monkeypatch):
    """Registers targets as an installed package does, by the names of their functions."""
    names = ("unnamed", "two", "wide", "nothing", "missing")
    targets = {name: Entry(f"my_networks:{name}", "") for name in names} | {"gone": Entry("no_module:build", "")}
    (package / "my_networks.py").write_text(SOURCE + PACKAGE)
    monkeypatch.syspath_prepend(package)
    monkeypatch.setitem(vars(MODELS), "_all", {**MODELS, **targets})


PACKAGE = """
def two(input_shape, num_classes):
    pass

def wide(input_shape, num_classes, initialiser):
    return build(input_shape, num_classes + 2)

def nothing(input_shape, num_classes, initialiser):
    pass
"""


@pytest.mark.parametrize("name", ["my_networks:unnamed", "unnamed"])
def test_unnamed_layers_have_the_same_names_and_numbers_whatever_was_built_before(name, installed, data):
    once, again = (tt.build_model(name, data) for _ in range(2))
    assert list(kernel_shapes(once)) == list(kernel_shapes(again)) == ["dense/kernel", "dense_1/kernel"]
    spec = spec_of(once)
    assert list(named_variables(model_from_spec(spec))) == list(named_variables(once))
    one, other = (tt.Ticket.dense(model, seed=1).start for model in (once, again))
    for path, drawn in one.items():
        np.testing.assert_array_equal(drawn, other[path])
    ticket = tt.find_tickets(again, data, sparsity=0.5, levels=1, exempt=["dense_1"], train={"epochs": "1it"})[-1]
    assert ticket.survivors["dense_1/kernel"] == 200


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two", "fails with TypeError.*Expected a function"),
        ("wide", r"has 12 outputs; .*Dense\(10\)"),
        ("nothing", "returns NoneType"),
        ("missing", "fails with AttributeError.*entry point"),
        ("gone", "fails with ModuleNotFoundError.*entry point"),
    ],
)
def test_a_packages_network_that_cannot_be_had_is_refused_and_named(name, message, installed, data):
    target = "no_module:build" if name == "gone" else f"my_networks:{name}"
    with pytest.raises(tt.InputError, match=f"network {name} of an installed package, {target}, {message}"):
        tt.build_model(name, data)


def test_a_function_in_the_current_folder_builds_a_network(package, data):
    model = tt.build_model("my_networks:build", data)
    assert kernel_shapes(model) == {"out/kernel": (784, 10)}
    assert tt.train(tt.Ticket.dense(model), data, train={"epochs": "2it"}).weights["out/kernel"].any()


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ([], True),
        (["controls=[shuffle-layerwise]"], False),
        (["control_densities=[]"], False),
        (["model.start=seed"], True),
    ],
)
def test_that_weights_can_be_drawn_is_known_before_a_run(change, fails, package, monkeypatch):
    monkeypatch.setattr(trust, "_USER_CODE", {})
    config = load_experiment("quickstart", ["model.name=my_networks:scaled", "model.start=current", *change])
    with (
        pytest.raises(tt.InputError, match=r"scaled names no.*start='current'.*draw weights anew")
        if fails
        else nullcontext()
    ):
        imp.Imp().check_model(config)


def test_a_control_density_that_no_level_lies_near_is_told():
    (note,) = imp.Imp().check_model(load_experiment("quickstart", ["control_densities=[0.25, 0.0001]"]))
    assert note.startswith(
        "No level lies near the control density 0.0001 (the nearest is level 10, of density 0.01), so "
    )
    assert not imp.Imp().check_model(load_experiment("quickstart", ["control_densities=[0.0001]", "controls=[]"]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_networks:biuld", "my_networks has no 'biuld'"),
        ("my_network:build", "no module 'my_network'"),
        ("my_networks.sub:build", "no module"),
        ("my_networks:text", "is str; expected a function"),
        ("my_networks:broken", "RuntimeError: no idea"),
        ("my_networks:narrow", r"my_networks:narrow has 9 outputs; .*Dense\(10\)"),
        ("my_networks:wide", r"my_networks:wide has 12 outputs; .*Dense\(10\)"),
        ("my_networks:nothing", "my_networks:nothing returns NoneType; expected a tf_keras model"),
        ("my_networks:deep", "my_networks:deep fails with ValueError: its layer pool_4 has too few pixels left"),
        ("my_networks.py:build", r"Write it without .py: my_networks:build\."),
        ("sys:exit", "sys has no source file of its own"),
        ("fails_itself:build", "ModuleNotFoundError.*nothing_of_this_name"),
        ("missing.keras", r"there is no file .*missing\.keras"),
        ("lenet-5:", "Own networks: package.module:function"),
        ("lenet-6", "Did you mean 'lenet-5'"),
    ],
)
def test_a_network_that_cannot_be_had_is_refused_with_the_reason(package, data, name, message):
    with pytest.raises(tt.InputError, match=message):
        tt.build_model(name, data)


def test_a_keras_file_is_loaded_with_its_weights(package, data):
    model = tt.build_model("my_networks:build", data)
    model.save("mine.keras")
    again = tt.build_model("mine.keras", data)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    ticket = tt.Ticket.dense(again, start="current")
    np.testing.assert_array_equal(ticket.start["out/kernel"], model.get_weights()[0])


def test_a_file_that_is_not_there_is_told_before_it_must_be_trusted(package, call):
    code, _, err = call("run", "quickstart-smoke", "-o", "model.name=missing.keras")
    assert code == 2
    assert "there is no file" in err
    assert "--trust" not in err


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_keras_file_is_refused(package, data, damage):
    model = tt.build_model("my_networks:build", data)
    model.save("mine.keras")
    content = (package / "mine.keras").read_bytes()
    (package / "mine.keras").write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(tt.InputError, match=r"mine\.keras is damaged, or no .keras file. Write it again: model\.save"):
        tt.build_model("mine.keras", data)


def test_the_source_of_a_network_counts_in_its_fingerprint_as_it_was_imported(package, data):
    config = StartStep(model=ModelConfig(name="my_networks:build"), seed=0)
    before = fingerprint("start", config, {})
    (package / "my_networks.py").write_text(SOURCE + "\n# other\n")
    edited = fingerprint("start", config, {})
    assert edited != before
    tt.build_model("my_networks:build", data)
    (package / "my_networks.py").write_text(SOURCE)
    assert fingerprint("start", config, {}) == edited  # the code that runs here
    del sys.modules["my_networks"]
    assert fingerprint("start", config, {}) == before


def test_a_keras_file_counts_by_what_is_in_it(package, data):
    tt.build_model("my_networks:build", data).save("mine.keras")
    (package / "moved.keras").write_bytes((package / "mine.keras").read_bytes())
    (package / "other.keras").write_bytes((package / "mine.keras").read_bytes() + b"x")
    mine, moved, other = (
        fingerprint("start", StartStep(model=ModelConfig(name=f"{name}.keras"), seed=0), {})
        for name in ("mine", "moved", "other")
    )
    assert mine == moved != other


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "my_networks:build", "initialiser": "he_normal"}, "no say in an own network"),
        ({"name": "lenet-5", "start": "current"}, "is for own networks"),
    ],
)
def test_options_that_do_not_go_together_are_refused(values, message):
    with pytest.raises(tt.InputError, match=message):
        validate(ModelConfig, values, where="here")


@pytest.mark.slow
def test_many_networks_are_built_without_a_warning_of_retracing(data, caplog, monkeypatch):
    monkeypatch.setattr(tf.get_logger(), "propagate", True)  # or caplog hears nothing
    for width in range(3, 10):
        model = keras.Sequential([keras.Input(IMAGE), layers.Flatten(), layers.Dense(width), layers.Dense(10)])
        tt.train(tt.Ticket.dense(model), data, train={"epochs": "1it"})
    assert "retracing" not in caplog.text
