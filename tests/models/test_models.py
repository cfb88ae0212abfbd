"""Needs TensorFlow."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

import tfticket as tt
from tfticket.backend import keras
from tfticket.models import initial_weights, kernel_shapes, model_from_spec, named_variables, spec_of
from tfticket.registry import MODELS

PARAMETERS = {"lenet-300-100": {(28, 28, 1): 266_610, (32, 32, 3): 953_010}}


def test_every_model_has_a_row():
    assert set(PARAMETERS) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_models_have_the_published_size(name):
    for shape, count in PARAMETERS[name].items():
        assert tt.build_model(name, input_shape=shape, num_classes=10).count_params() == count


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


def test_a_registered_model_is_described_by_name_and_built_again():
    model = tt.build_model("lenet-300-100", input_shape=(8, 8, 1), num_classes=3, initialiser="he_uniform")
    spec = spec_of(model)
    assert spec == {"name": "lenet-300-100", "input_shape": [8, 8, 1], "num_classes": 3, "initialiser": "he_uniform"}
    assert list(named_variables(model_from_spec(spec))) == list(named_variables(model))


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
