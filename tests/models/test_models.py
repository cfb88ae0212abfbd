"""Registered networks and initial weights. Needs TensorFlow."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

import tfticket as tt
from tests.refusals import refused
from tfticket.backend import keras, tf
from tfticket.config import Initialiser, Sgd, TrainConfig
from tfticket.models import initial_weights, kernel_shapes, model_from_spec, named_variables, spec_of, unprunable_layers
from tfticket.models.resnet import _resnet
from tfticket.models.spec import keras_initialiser, names_for_draws
from tfticket.models.vit import _vit
from tfticket.registry import MODELS
from tfticket.training.batches import RowOrder
from tfticket.training.gradient import train_weights

layers = keras.layers
GREY, COLOUR = (28, 28, 1), (32, 32, 3)
SIZES = {  # kernels; trainable parameters by the shape of an image, of the papers or PyTorch's networks of that name
    "lenet-300-100": (3, {GREY: 266_610, COLOUR: 953_010}), "lenet-5": (4, {GREY: 431_080, COLOUR: 657_080}),
    "conv-2": (5, {COLOUR: 4_301_642, GREY: 3_317_450}), "conv-4": (7, {COLOUR: 2_425_930, GREY: 1_933_258}),
    "conv-6": (9, {COLOUR: 2_262_602, GREY: 1_802_698}),
    "resnet-18": (1 + 16 + 3 + 1, {COLOUR: 11_173_962}),  # stem, convolutions, shortcuts, the last layer
    "resnet-20": (1 + 18 + 2 + 1, {COLOUR: 272_474}), "resnet-110": (1 + 108 + 2 + 1, {COLOUR: 1_730_714}),
    "vgg-11": (8 + 1, {COLOUR: 9_228_362}), "vgg-16": (13 + 1, {COLOUR: 14_724_042}),
    "vgg-19": (16 + 1, {COLOUR: 20_035_018}),
    "vit-tiny": (1 + 12 * 6 + 1, {COLOUR: 5_362_762}),  # patches, attention and dense layers, the last layer
    "vit-base": (1 + 12 * 6 + 1, {COLOUR: 85_152_010}),
}  # fmt: skip
DEEP = ("vgg-11", "vgg-16", "vgg-19", "resnet-18", "resnet-110", "vit-tiny", "vit-base")
"""Ten seconds to half a minute each to trace; a smaller one of each family is quick."""
KERNELS = {
    "lenet-300-100": {"dense_1/kernel": (3072, 300), "dense_2/kernel": (300, 100), "dense_3/kernel": (100, 10)},
    "conv-4": {
        "conv_1/kernel": (3, 3, 3, 64), "conv_2/kernel": (3, 3, 64, 64), "conv_3/kernel": (3, 3, 64, 128),
        "conv_4/kernel": (3, 3, 128, 128), "dense_1/kernel": (8 * 8 * 128, 256), "dense_2/kernel": (256, 256),
        "dense_3/kernel": (256, 10),
    },
}  # fmt: skip
KEPT = 0.3


def build(name, shape=COLOUR, classes=10, **options):
    return tt.build_model(name, input_shape=shape, num_classes=classes, **options)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in DEEP else ()) for n in MODELS])
def test_registered_networks_have_the_published_size_and_are_built_again_from_their_name(name):
    kernels, parameters = SIZES[name]
    for classes, (shape, count) in zip((10, 7), parameters.items(), strict=False):
        model = build(name, shape, classes, initialiser="he_uniform")
        features = kernel_shapes(model)[list(kernel_shapes(model))[-1]][0]
        size = sum(math.prod(variable.shape) for variable in model.trainable_weights)
        assert (len(kernel_shapes(model)), size) == (kernels, count - (10 - classes) * (features + 1))
        assert unprunable_layers(model) in ({}, {"class": "ClassToken", "positions": "Positions"})
        assert model.output_shape == (None, classes)
    spec = {"name": name, "input_shape": [*shape], "num_classes": classes, "initialiser": "he_uniform"}
    assert spec_of(model) == spec
    again = model_from_spec(spec)
    assert list(named_variables(again)) == list(named_variables(model))
    for each in (model, again):
        assert names_for_draws(each) == {path: path for path in named_variables(model)}


@pytest.mark.parametrize("name", [*KERNELS, "conv-6", "lenet-5"])
def test_plain_networks_have_the_published_kernels_and_a_relu_after_all_but_the_last(name):
    model = build(name)
    assert name not in KERNELS or list(kernel_shapes(model).items()) == list(KERNELS[name].items())
    activations = [layer.activation.__name__ for layer in model.layers if layer.weights]
    assert activations == ["relu"] * (len(activations) - 1) + ["linear"]


@pytest.mark.parametrize("size", [8, 9])
def test_the_branches_of_a_residual_block_look_at_the_same_pixels(size):
    model = _resnet("resnet", (16, 32), 1, (2 * size, 2 * size, 3), 10, "he_normal")
    path, shortcut = (f"stage_2_block_1_{name}" for name in ("conv_1", "shortcut"))
    before = model.get_layer(f"{path}_pad").input
    branches = keras.Model(before, [model.get_layer(name).output for name in (path, shortcut)])
    centre = np.zeros((3, 3, 16, 32), np.float32)
    centre[1, 1] = random = np.random.default_rng(0).normal(size=(16, 32))
    branches.get_layer(path).kernel.assign(centre)
    branches.get_layer(shortcut).kernel.assign(random[None, None])
    images = np.random.default_rng(1).normal(size=(2, *before.shape[1:])).astype(np.float32)
    np.testing.assert_allclose(*branches(images), rtol=1e-5, atol=1e-5)


# Training under a mask


@pytest.fixture(scope="module")
def few(colour):
    """24 training, 6 validation and 10 test images, by their height and width."""

    def load(step):
        rows = colour.few(3, 1)._asdict()
        rows |= {name: images[:, ::step, ::step] for name, images in rows.items() if name.startswith("x")}
        return tt.load_data("few", **rows, validation_rows=6, stratify=True)

    return {32: load(1), 8: load(4)}


def masked(model):
    dense, random = tt.Ticket.dense(model, seed=1), np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < KEPT for path, kept in dense.mask.items()})


def assert_only_survivors_move(trained, ticket):
    for path, kept in ticket.mask.items():
        assert np.all(trained.weights[path][~kept] == 0)
        assert np.any(trained.weights[path][kept] != ticket.start[path][kept])


@pytest.mark.parametrize("name", ["lenet-5", "conv-2", "resnet", "vit"])
def test_a_step_of_a_ticket_is_the_masked_gradient_of_the_plain_network(name, few, monkeypatch, without_xla):
    monkeypatch.setattr("tfticket.network.TILE", 8)  # images in one evaluation
    data = few[8 if name in ("resnet", "vit") else 32]
    if name == "resnet":
        plain = _resnet(name, (4, 8), 1, data.input_shape, 10, "he_normal")
    else:
        plain = _vit(name, 12, 3, data.input_shape, 10, "he_normal", 1) if name == "vit" else tt.build_model(name, data)
    ticket = masked(plain)
    start = {path: weights * ticket.mask.get(path, True) for path, weights in ticket.start.items()}
    for path, (_, variable) in named_variables(plain).items():
        variable.assign(start[path])
    trained_paths = {path: v for path, (_, v) in named_variables(plain).items() if v.trainable}
    (rows,) = RowOrder(3, 24, 8).batches(0, 1)
    with tf.GradientTape() as tape:
        logits = plain(data.x_train[rows] / np.float32(255), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(data.y_train[rows], logits))
    gradients = dict(zip(trained_paths, tape.gradient(loss, list(trained_paths.values())), strict=True))
    config = TrainConfig(epochs="1it", batch_size=8, optimiser=Sgd(learning_rate=0.5, momentum=0.0))
    trained = train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=3)
    assert trained.history[0]["loss"] == pytest.approx(float(loss), rel=1e-5)
    largest = max(np.linalg.norm(gradient) for gradient in gradients.values())
    for path, gradient in gradients.items():
        step = 0.5 * gradient.numpy() * ticket.mask.get(path, True)
        difference = np.linalg.norm(start[path] - trained.weights[path] - step)
        assert difference < 1e-3 * max(np.linalg.norm(step), 1e-3 * largest), path
    assert_only_survivors_move(trained, ticket)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DEEP, "conv-6", "resnet-20"])
def test_deep_networks_are_trained_under_a_mask(name, few, monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", 8)
    ticket = masked(tt.build_model(name, few[32]))
    config = TrainConfig(epochs="2it", batch_size=2)
    trained = train_weights(ticket.model, ticket.mask, ticket.start, few[32], config, seed=0)
    assert np.isfinite(trained.history[0]["loss"])
    assert_only_survivors_move(trained, ticket)


# Refusals


def test_networks_that_cannot_be_built_are_refused(data, monkeypatch):
    for name, shape, field, suggestion, mention in (
        ("lenet300", GREY, "name", "lenet-300-100", ""),
        ("lenet-5", (30,), "model.name", "lenet-300-100", "30 features"),
        ("conv-6", (7, 9, 1), "model.name", None, "its layer pool_"),
        ("lenet-5", (3, 3, 1), "model.name", None, "its layer conv_1"),
        ("vit-tiny", (30, 32, 3), "model.name", None, "30x32"),
        *(("lenet-5", shape, "input_shape", None, repr(shape)) for shape in ((0, 28, 1), 28, (28, 28), (True, 28, 1))),
    ):
        with refused(field, suggestion, mention):
            build(name, shape)
    for classes in (1, 2.5, True, "10"):
        spec = {"name": "lenet-5", "input_shape": [28, 28, 1], "num_classes": classes, "initialiser": "he_normal"}
        for call in (lambda classes=classes: build("lenet-5", GREY, classes), lambda spec=spec: model_from_spec(spec)):
            with refused("num_classes", None, repr(classes)):
                call()
    for sizes in ({"input_shape": COLOUR}, {"num_classes": 5}):
        with refused(*sizes):
            tt.build_model("lenet-300-100", data, **sizes)
    assert tt.build_model("lenet-300-100", data, input_shape=[28, 28, 1], num_classes=10)
    assert build("conv-6", (8, 9, 1)).output_shape == (None, 10), "just large enough for the pools"
    with refused("data"):
        tt.build_model("lenet-5", num_classes=10)
    with refused("initialiser", None, "zeros"):
        build("lenet-300-100", initialiser="zeros")

    def fails(shape, classes, initialiser):
        raise ValueError("First line.\n\nThe cause.\n\nCall arguments received by layer x:\n  inputs")

    monkeypatch.setattr("tfticket.models.lenet.lenet_5", fails)
    with pytest.raises(tt.InputError, match=r": The cause\.$"):
        build("lenet-5")


# Initial weights


KINDS = [*get_args(Initialiser), ("RandomNormal", 0.5, 0.1), ("TruncatedNormal", 0.5, 0.1), ("Orthogonal",)]
KINDS += [("RandomUniform", -0.2, 0.4), ("VarianceScaling", 3.0, "fan_out", "untruncated_normal")]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kernels_are_drawn_from_the_initialiser_of_their_layer_as_keras_draws_them(kind):
    if isinstance(kind, tuple):
        initialiser = {"class_name": kind[0], "config": getattr(keras.initializers, kind[0])(*kind[1:]).get_config()}
    else:
        initialiser = keras_initialiser(kind)
    conv = [layers.Conv2D(40, 5, padding="same", kernel_initializer=initialiser, name=f"conv_{n}") for n in (1, 2)]
    model = keras.Sequential([keras.Input((8, 8, 40)), *conv, layers.Flatten(), layers.Dense(3, name="out")])
    assert np.any(model.layers[0].kernel != model.layers[1].kernel), "equal layers begin apart"
    drawn = initial_weights(model, 0)["conv_1/kernel"]
    expected = keras.initializers.get(initialiser)
    theirs = type(expected).from_config({**expected.get_config(), "seed": 3})((5, 5, 40, 40)).numpy()
    assert ks_2samp(drawn.ravel(), theirs.ravel()).pvalue > 1e-3
    if not any(word in str(kind) for word in ("untruncated", "RandomNormal", "Orthogonal")):
        assert np.abs(drawn).max() <= np.abs(theirs).max() * 1.05


def test_untruncated_initialisers_are_normal_distributions_of_the_seed_alone():
    for name, scale, fan in (("glorot_untruncated", 1.0, (784 + 300) / 2), ("he_untruncated", 2.0, 784)):
        kernel = initial_weights(build("lenet-300-100", GREY, initialiser=name), 0)["dense_1/kernel"]
        assert kstest(kernel.ravel() / math.sqrt(scale / fan), "norm").pvalue > 1e-3
    separable = layers.SeparableConv2D(3, 3, name="separable")
    model = keras.Sequential([keras.Input((8, 8, 2)), separable, layers.Flatten(), layers.Dense(3, name="out")])
    first, same, other = (initial_weights(model, seed) for seed in (1, 1, 2))
    for name in ("separable/depthwise_kernel", "separable/pointwise_kernel", "out/kernel"):
        np.testing.assert_array_equal(first[name], same[name])
        assert np.all(first[name] != other[name])


@pytest.mark.parametrize("forget", [True, False])
def test_recurrent_layers_are_drawn_as_keras_draws_them(forget):
    images = keras.Input((28, 28))
    uniform = keras.initializers.RandomUniform(0.1, 0.3, seed=1)
    x = layers.LSTM(100, unit_forget_bias=forget, bias_initializer=uniform, return_sequences=True, name="lstm")(images)
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
        elif path.endswith("recurrent_kernel"):
            np.testing.assert_allclose(drawn[path] @ drawn[path].T, theirs @ theirs.T, atol=1e-4)
        else:
            assert ks_2samp(drawn[path].ravel(), theirs.ravel()).pvalue > 1e-3
