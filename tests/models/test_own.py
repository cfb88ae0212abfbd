"""Networks of users' own: shared and nested layers, custom ones, functions and files. Needs TensorFlow."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.config import ModelConfig, StartStep
from tfticket.lab import fingerprint
from tfticket.models import kernel_shapes, left_alone, model_from_spec, named_variables
from tfticket.models import spec as module
from tfticket.network import network_of
from tfticket.schema import validate

layers = keras.layers
IMAGE = (28, 28, 1)


class Scaling(layers.Layer):
    """A layer of a user's own, without a kernel."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Forgetful(Scaling):
    def get_config(self):
        return {"name": self.name}


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


KERNELS = {
    shared: {"twice/kernel": (28, 28), "out/kernel": (784, 10)},
    nested: {"encoder/conv/kernel": (3, 3, 1, 3), "encoder/dense/kernel": (243, 6), "head/dense/kernel": (6, 10)},
    custom: {"out/kernel": (784, 10)},
    mixed: {"out/kernel": (5, 10)},
}


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_what_can_be_pruned_is_found_once_by_its_path(build):
    assert kernel_shapes(build()) == KERNELS[build]


def test_what_cannot_be_pruned_is_listed_and_stays_whole(data):
    ticket = tt.find_tickets(mixed(), data, sparsity=0.5, levels=1, train={"epochs": "2it"})[-1]
    assert left_alone(mixed()) == {"separable": "SeparableConv2D", "memory": "LSTM"}
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
    np.testing.assert_allclose(network.logits(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_training_keeps_pruned_weights_at_0_and_moves_the_others(build, data, tmp_path):
    ticket = tt.find_tickets(build(), data, sparsity=0.6, levels=1, train={"epochs": "3it"})[-1]
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


def test_a_layer_that_cannot_be_copied_is_named_with_the_reason():
    images = keras.Input(IMAGE)
    x = Forgetful(0.5, name="lost")(layers.Flatten()(images))
    with pytest.raises(tt.InputError, match=r"hopeless cannot be cloned: its layer lost \(Forgetful\).*factor"):
        tt.Ticket.dense(keras.Model(images, layers.Dense(10)(x), name="hopeless"))


def test_a_strangers_class_is_refused_until_a_model_with_it_was_built_here(data, tmp_path, monkeypatch):
    tt.Ticket.dense(custom()).save(tmp_path / "ticket.safetensors")
    monkeypatch.setattr(module, "_TRUSTED", {})
    stranger = tt.Ticket.load(tmp_path / "ticket.safetensors")
    with pytest.raises(tt.InputError, match="Scaling from"):
        model_from_spec(stranger.model)
    module.spec_of(custom())
    assert model_from_spec(stranger.model).get_layer("half").factor == 0.5


# By name: a function, a file

SOURCE = """
from tfticket.backend import keras

def build(input_shape, num_classes):
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(num_classes, name="out")(x), name="mine")

def wide(input_shape, num_classes):
    return build(input_shape, num_classes + 2)

def narrow(input_shape, num_classes):
    return build(input_shape, num_classes - 1)

def broken(input_shape, num_classes):
    raise RuntimeError("no idea")

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


@pytest.mark.parametrize("name", ["my_networks:build", "my_networks:wide"])
def test_a_function_in_the_current_folder_builds_a_network(package, data, name):
    model = tt.build_model(name, data)
    assert kernel_shapes(model) == {"out/kernel": (784, 10 if name.endswith("build") else 12)}
    assert tt.train(tt.Ticket.dense(model), data, train={"epochs": "2it"}).weights["out/kernel"].any()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_networks:biuld", "my_networks has no 'biuld'"),
        ("my_network:build", "no module 'my_network'"),
        ("my_networks.sub:build", "no module"),
        ("my_networks:text", "is str; expected a function"),
        ("my_networks:broken", "RuntimeError: no idea"),
        ("my_networks:narrow", "tells 9 classes"),
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


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_keras_file_is_refused(package, data, damage):
    model = tt.build_model("my_networks:build", data)
    model.save("mine.keras")
    content = (package / "mine.keras").read_bytes()
    (package / "mine.keras").write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(tt.InputError, match=r"mine\.keras"):
        tt.build_model("mine.keras", data)


def test_the_source_of_a_network_counts_in_its_fingerprint(package):
    config = StartStep(model=ModelConfig(name="my_networks:build"), seed=0)
    before = fingerprint("start", config, {})
    assert fingerprint("start", config, {}) == before
    (package / "my_networks.py").write_text(SOURCE + "\n# other\n")
    assert fingerprint("start", config, {}) != before


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


def test_many_networks_are_built_without_a_warning_of_retracing(data, caplog):
    for width in range(3, 10):
        model = keras.Sequential([keras.Input(IMAGE), layers.Flatten(), layers.Dense(width), layers.Dense(10)])
        tt.train(tt.Ticket.dense(model), data, train={"epochs": "1it"})
    assert tf.get_logger().name == "tensorflow"
    assert "retracing" not in caplog.text
