"""Needs TensorFlow."""

import math
import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.config import Initialiser, Sgd, TrainConfig
from tfticket.models import initial_weights, kernel_shapes, model_from_spec, named_variables, spec_of, unprunable_layers
from tfticket.models.spec import names_for_draws
from tfticket.models.vit import _vit
from tfticket.registry import MODELS
from tfticket.training.batches import RowOrder
from tfticket.training.gradient import train_weights

PARAMETERS = {
    "lenet-300-100": {(28, 28, 1): 266_610, (32, 32, 3): 953_010},
    "lenet-5": {(28, 28, 1): 431_080, (32, 32, 3): 657_080},
    "conv-2": {(32, 32, 3): 4_301_642, (28, 28, 1): 3_317_450},
    "conv-4": {(32, 32, 3): 2_425_930, (28, 28, 1): 1_933_258},
    "conv-6": {(32, 32, 3): 2_262_602, (28, 28, 1): 1_802_698},
    "resnet-18": {(32, 32, 3): 11_173_962},
    "resnet-20": {(32, 32, 3): 272_474},
    "resnet-110": {(32, 32, 3): 1_730_714},
    "vgg-11": {(32, 32, 3): 9_228_362},
    "vgg-16": {(32, 32, 3): 14_724_042},
    "vgg-19": {(32, 32, 3): 20_035_018},
    "vit-tiny": {(32, 32, 3): 5_362_762},
    "vit-base": {(32, 32, 3): 85_152_010},
}
"""Trainable parameters; of the papers, or of PyTorch's networks of that name."""
KERNEL_COUNT = {
    "lenet-5": 4,
    "resnet-18": 1 + 16 + 3 + 1,
    "resnet-20": 1 + 18 + 2 + 1,
    "resnet-110": 1 + 108 + 2 + 1,
    "vgg-11": 8 + 1,
    "vgg-16": 13 + 1,
    "vgg-19": 16 + 1,
    "vit-tiny": 1 + 12 * 6 + 1,
    "vit-base": 1 + 12 * 6 + 1,
}
"""Stem, convolutions of the blocks, shortcuts, the last layer; patches, attention and dense layers, the last layer."""
DEEP = ("vgg-11", "vgg-16", "vgg-19", "resnet-18", "resnet-110", "vit-tiny", "vit-base")
"""Ten seconds to half a minute each to trace; a smaller one of each family is quick."""
QUICK_FIRST = [pytest.param(name, marks=pytest.mark.slow if name in DEEP else ()) for name in MODELS]
DENSE_LAYERS = {"dense_2/kernel": (256, 256), "dense_3/kernel": (256, 10)}
BLOCK_1 = {"conv_1/kernel": (3, 3, 3, 64), "conv_2/kernel": (3, 3, 64, 64)}
BLOCK_2 = {"conv_3/kernel": (3, 3, 64, 128), "conv_4/kernel": (3, 3, 128, 128)}
BLOCK_3 = {"conv_5/kernel": (3, 3, 128, 256), "conv_6/kernel": (3, 3, 256, 256)}
KERNELS = {
    "lenet-300-100": {"dense_1/kernel": (3072, 300), "dense_2/kernel": (300, 100), "dense_3/kernel": (100, 10)},
    "conv-2": BLOCK_1 | {"dense_1/kernel": (16 * 16 * 64, 256)} | DENSE_LAYERS,
    "conv-4": BLOCK_1 | BLOCK_2 | {"dense_1/kernel": (8 * 8 * 128, 256)} | DENSE_LAYERS,
    "conv-6": BLOCK_1 | BLOCK_2 | BLOCK_3 | {"dense_1/kernel": (4 * 4 * 256, 256)} | DENSE_LAYERS,
}
"""Of 32x32x3 images and 10 classes."""


def test_every_model_has_a_row():
    assert set(PARAMETERS) == set(KERNELS) | set(KERNEL_COUNT) == set(MODELS)


@pytest.mark.parametrize("name", QUICK_FIRST)
def test_models_have_the_published_size_and_so_many_kernels_and_end_in_logits(name):
    for classes, (shape, count) in zip((10, 7), PARAMETERS[name].items(), strict=False):
        model = tt.build_model(name, input_shape=shape, num_classes=classes)
        features = kernel_shapes(model)[list(kernel_shapes(model))[-1]][0]
        found = sum(math.prod(variable.shape) for variable in model.trainable_weights)
        assert found == count - (10 - classes) * (features + 1)
        assert len(kernel_shapes(model)) == (KERNEL_COUNT.get(name) or len(KERNELS[name]))
        assert unprunable_layers(model) in ({}, {"class": "ClassToken", "positions": "Positions"})
        assert model.output_shape == (None, classes)


@pytest.mark.parametrize("name", ["one block of vit", *QUICK_FIRST])
def test_one_step_under_a_mask_moves_the_survivors_only(name, photographs, monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", 8)
    one_block = name == "one block of vit"
    model = _vit("vit", 24, 3, (32, 32, 3), 10, "he_normal", 1) if one_block else tt.build_model(name, photographs)
    dense = tt.Ticket.dense(model, seed=1)
    random = np.random.default_rng(0)
    ticket = replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()})
    config = TrainConfig(epochs="2it", batch_size=2)
    trained = train_weights(ticket.model, ticket.mask, ticket.start, photographs, config, seed=0)
    assert np.isfinite(trained.history[0]["loss"])
    for path, kept in ticket.mask.items():
        assert np.all(trained.weights[path][~kept] == 0)
        assert np.any(trained.weights[path][kept] != ticket.start[path][kept])


@pytest.mark.parametrize("size", [8, 9])
def test_a_residual_blocks_branches_look_at_the_same_pixels(size):
    model = tt.build_model("resnet-20", input_shape=(2 * size, 2 * size, 3), num_classes=10)
    path = "stage_2_block_1_conv_1"
    before = model.get_layer(f"{path}_pad").input
    outputs = [model.get_layer(name).output for name in (path, "stage_2_block_1_shortcut")]
    branches = keras.Model(before, outputs)
    centre = np.zeros((3, 3, 16, 32), np.float32)
    centre[1, 1] = random = np.random.default_rng(0).normal(size=(16, 32))
    branches.get_layer(path).kernel.assign(centre)
    branches.get_layer("stage_2_block_1_shortcut").kernel.assign(random[None, None])
    images = np.random.default_rng(1).normal(size=(2, *before.shape[1:])).astype(np.float32)
    convolved, shortcut = branches(images)
    np.testing.assert_allclose(convolved, shortcut, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", KERNELS)
def test_models_have_the_published_kernels_in_the_order_of_their_layers(name):
    shapes = kernel_shapes(tt.build_model(name, input_shape=(32, 32, 3), num_classes=10))
    assert list(shapes.items()) == list(KERNELS[name].items())


@pytest.mark.parametrize("name", [*KERNELS, "lenet-5"])
def test_models_end_in_logits_and_have_a_relu_after_every_other_kernel(name):
    layers = [layer for layer in tt.build_model(name, input_shape=(32, 32, 3), num_classes=10).layers if layer.weights]
    assert [layer.activation.__name__ for layer in layers] == ["relu"] * (len(layers) - 1) + ["linear"]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv-6", (7, 9, 1)),
        ("conv-6", (28, 4, 1)),
        ("conv-4", (3, 3, 3)),
        ("conv-2", (1, 32, 3)),
        ("vgg-11", (7, 9, 3)),
        ("lenet-5", (3, 3, 1)),
    ],
)
def test_images_too_small_for_the_pools_are_refused(name, shape):
    said = f"{name} cannot be built for images of {shape}: "
    why = r"its layer \w+_\d has too few pixels left\. Take larger images, or another network\."
    with pytest.raises(tt.InputError, match=f"^{re.escape(said)}{why}$"):
        tt.build_model(name, input_shape=shape, num_classes=10)


def test_another_fault_is_told_without_that_remedy(monkeypatch):
    def fails(shape, classes, initialiser):
        raise ValueError("First line.\n\nThe cause.\n\nCall arguments received by layer x:\n  inputs")

    monkeypatch.setattr("tfticket.models.lenet.lenet_5", fails)
    with pytest.raises(tt.InputError, match=r"images of \(28, 28, 1\): The cause\.$"):
        tt.build_model("lenet-5", input_shape=(28, 28, 1), num_classes=10)


@pytest.mark.parametrize("shape", [(0, 28, 1), 28, (28.5, 28, 1), (None, None, 1), (28, 28), "abc", (True, 28, 1)])
def test_a_shape_that_no_image_has_is_refused(shape):
    with pytest.raises(tt.InputError, match=r"input_shape is .*expected height, width and channels"):
        tt.build_model("lenet-300-100", input_shape=shape, num_classes=10)


@pytest.mark.parametrize("classes", [0, 1, 2.5, True, "10", -3])
def test_a_number_of_classes_that_cannot_be_is_refused(classes):
    with pytest.raises(tt.InputError, match=r"num_classes is .*expected a whole number of 2 or more"):
        tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=classes)
    spec = {"name": "lenet-5", "input_shape": [28, 28, 1], "num_classes": classes, "initialiser": "he_normal"}
    with pytest.raises(tt.InputError, match="num_classes is"):
        model_from_spec(spec)


@pytest.mark.parametrize("given", [{"input_shape": (32, 32, 3)}, {"num_classes": 5}, {"num_classes": 1}])
def test_what_contradicts_the_data_is_refused(given, data):
    with pytest.raises(tt.InputError, match=r"Leave them out|2 or more"):
        tt.build_model("lenet-300-100", data, **given)
    assert tt.build_model("lenet-300-100", data, input_shape=[28, 28, 1], num_classes=10)


def test_images_just_large_enough_for_the_pools_are_taken():
    assert tt.build_model("conv-6", input_shape=(8, 9, 1), num_classes=10).output_shape == (None, 10)


@pytest.fixture(scope="module")
def photographs():
    """24 training, 8 validation and 1,000 test rows."""
    return tt.load_data("cifar-10-small", train_rows=24, validation_rows=8, stratify=True)


@pytest.mark.parametrize("initialiser", get_args(Initialiser))
def test_equal_layers_of_a_new_model_begin_apart(initialiser):
    model = tt.build_model("resnet-20", input_shape=(8, 8, 3), num_classes=10, initialiser=initialiser)
    first, second = (model.get_layer(f"stage_1_block_1_conv_{number}").kernel for number in (1, 2))
    assert np.any(first != second)


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("conv")])
def test_a_convolutional_tickets_step_is_the_masked_gradient_of_the_plain_network(name, photographs, monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", 8)  # images in one evaluation
    plain = tt.build_model(name, photographs)
    dense = tt.Ticket.dense(plain, seed=1)
    random = np.random.default_rng(0)
    ticket = replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()})
    start = {path: weights * ticket.mask.get(path, True) for path, weights in ticket.start.items()}
    variables = {path: variable for path, (_, variable) in named_variables(plain).items()}
    for path, variable in variables.items():
        variable.assign(start[path])
    (rows,) = RowOrder(3, 24, 8).batches(0, 1)
    with tf.GradientTape() as tape:
        logits = plain(photographs.x_train[rows] / np.float32(255))
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(photographs.y_train[rows], logits))
    gradients = dict(zip(variables, tape.gradient(loss, list(variables.values())), strict=True))

    config = TrainConfig(epochs="1it", batch_size=8, optimiser=Sgd(learning_rate=0.5, momentum=0.0))
    trained = train_weights(ticket.model, ticket.mask, ticket.start, photographs, config, seed=3)
    assert trained.history[0]["loss"] == pytest.approx(float(loss), rel=1e-5)
    for path, gradient in gradients.items():
        step = 0.5 * gradient.numpy() * ticket.mask.get(path, True)
        assert np.linalg.norm(step) > 0
        assert np.linalg.norm(start[path] - trained.weights[path] - step) < 1e-3 * np.linalg.norm(step)
    for path, kept in ticket.mask.items():
        assert np.all(trained.weights[path][~kept] == 0)


def test_untruncated_initialisers_are_normal_distributions_of_the_same_variance():
    for cut, whole, scale, fan in (
        ("glorot_normal", "glorot_untruncated", 1.0, (784 + 300) / 2),
        ("he_normal", "he_untruncated", 2.0, 784),
    ):
        drawn = {
            name: initial_weights(
                tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10, initialiser=name), 0
            )
            for name in (cut, whole)
        }
        sd = math.sqrt(scale / fan)
        for name, weights in drawn.items():
            assert weights["dense_1/kernel"].std() == pytest.approx(sd, rel=0.01), name
        assert kstest(drawn[whole]["dense_1/kernel"].ravel() / sd, "norm").pvalue > 1e-3
        assert np.abs(drawn[cut]["dense_1/kernel"]).max() < 2.3 * sd < np.abs(drawn[whole]["dense_1/kernel"]).max()


@pytest.mark.parametrize("initialiser", ["glorot_normal", "glorot_uniform", "he_normal", "he_uniform"])
def test_initial_kernels_are_distributed_as_keras_draws_them(initialiser):
    model = tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10, initialiser=initialiser)
    ours = initial_weights(model, seed=0)
    for path in kernel_shapes(model):
        theirs = keras.initializers.get({"class_name": initialiser, "config": {"seed": 5}})(ours[path].shape).numpy()
        assert ks_2samp(ours[path].ravel(), theirs.ravel()).pvalue > 1e-3
        assert np.abs(ours[path]).max() <= np.abs(theirs).max() * 1.05
    assert not ours["dense_1/bias"].any()


def test_initial_weights_come_from_the_seed_alone():
    model = tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10)
    one, same, other = (initial_weights(model, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["dense_2/kernel"], same["dense_2/kernel"])
    assert np.all(one["dense_2/kernel"] != other["dense_2/kernel"])


@pytest.mark.parametrize(
    "initialiser",
    [
        keras.initializers.RandomNormal(0.5, 0.1),
        keras.initializers.TruncatedNormal(0.5, 0.1),
        keras.initializers.RandomUniform(-0.2, 0.4),
        keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal"),
        keras.initializers.LecunUniform(),
        keras.initializers.Orthogonal(),
    ],
    ids=lambda initialiser: type(initialiser).__name__,
)
def test_a_layers_own_initialiser_is_drawn_from(initialiser):
    images = keras.Input((20, 20, 1))
    x = keras.layers.Conv2D(30, 5, kernel_initializer=initialiser, name="conv")(images)
    model = keras.Model(images, keras.layers.Dense(3, name="out")(keras.layers.Flatten()(x)))
    one, same = initial_weights(model, 0), initial_weights(model, 0)
    np.testing.assert_array_equal(one["conv/kernel"], same["conv/kernel"])
    theirs = type(initialiser).from_config({**initialiser.get_config(), "seed": 3})((5, 5, 1, 30)).numpy()
    assert ks_2samp(one["conv/kernel"].ravel(), theirs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("name", QUICK_FIRST)
def test_a_registered_model_is_described_by_name_and_built_again(name):
    model = tt.build_model(name, input_shape=(20, 16, 1), num_classes=3, initialiser="he_uniform")
    spec = spec_of(model)
    assert spec == {"name": name, "input_shape": [20, 16, 1], "num_classes": 3, "initialiser": "he_uniform"}
    again = model_from_spec(spec)
    assert list(named_variables(again)) == list(named_variables(model))
    for each in (model, again):
        assert names_for_draws(each) == {path: path for path in named_variables(model)}


def test_a_users_model_is_described_by_its_config_and_built_again():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="only")])
    again = model_from_spec(spec_of(model))
    assert kernel_shapes(again) == {"only/kernel": (16, 3)}


def sequential(*layers):
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), *layers])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: "lenet", "Expected a tf_keras model"),
        (lambda: Subclassed(), "subclassed"),
        (lambda: keras.Sequential([keras.layers.Dense(2)]), "not built"),
        (lambda: sequential(keras.layers.Dense(3, activation="softmax")), "logits"),
        (lambda: sequential(keras.layers.Dense(3), keras.layers.Softmax()), "logits"),
        (lambda: sequential(keras.layers.Dense(3, activation="sigmoid")), "logits"),
        (lambda: sequential(keras.layers.Dense(3, kernel_regularizer="l2")), "regularisers"),
        (lambda: sequential(), "to prune"),
        (lambda: sequential(keras.layers.Dropout(0.5), keras.layers.Dense(3)), "Dropout"),
        (lambda: keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 3)]), "rows, classes"),
    ],
)
def test_models_that_cannot_be_tickets_are_refused(model, message):
    with pytest.raises(tt.InputError, match=message):
        tt.Ticket.dense(model())


def test_a_description_that_would_run_code_is_refused():
    model = sequential(keras.layers.Dense(3))
    spec = spec_of(model)
    spec["keras"]["config"]["layers"][-1]["module"] = "os"
    with pytest.raises(tt.InputError, match="would run code"):
        model_from_spec(spec)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(tt.InputError, match="Did you mean 'lenet-300-100'"):
        tt.build_model("lenet300", input_shape=(28, 28, 1), num_classes=10)
    with pytest.raises(tt.InputError, match="initialiser"):
        tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10, initialiser="zeros")


def test_depthwise_kernels_are_drawn_from_the_seed_too():
    images = keras.Input((8, 8, 2))
    x = keras.layers.Flatten()(keras.layers.SeparableConv2D(3, 3, name="separable")(images))
    model = keras.Model(images, keras.layers.Dense(3)(x))
    one, same, other = (initial_weights(model, seed) for seed in (0, 0, 1))
    for name in ("depthwise_kernel", "pointwise_kernel"):
        np.testing.assert_array_equal(one[f"separable/{name}"], same[f"separable/{name}"])
        assert np.all(one[f"separable/{name}"] != other[f"separable/{name}"])


class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight("factor", shape[-1:], initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


def test_a_weight_without_a_known_initialiser_is_refused_unless_the_models_own_are_taken():
    model = sequential(Scaled(name="scaled"), keras.layers.Dense(3, name="out"))
    with pytest.raises(tt.InputError, match="scaled names no initialiser"):
        tt.Ticket.dense(model)
    assert tt.Ticket.dense(model, start="current").start["scaled/factor"].tolist() == [1.0] * 16
