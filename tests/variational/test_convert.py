"""Networks made variational: what changes, what stays, and that a ticket carries it."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.rounding import assert_equal_but_for_rounding
from tests.variational.small import MODELS, SEED, broad, draw_of, drawn, images_for, own_model, softplus
from tfticket.backend import keras, tf
from tfticket.errors import InputError
from tfticket.models import (
    build_model,
    initial_weights,
    kernel_shapes,
    model_from_spec,
    named_variables,
    spec_of,
    to_variational,
    variational_layers,
)
from tfticket.network import network_of
from tfticket.variational.noise import Draw, drawing

LENET = {"input_shape": (28, 28, 1), "num_classes": 10}


def weights_of(model):
    return {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}


@pytest.mark.parametrize("name", MODELS)
def test_prunable_layers_get_deviations_and_everything_else_stays(name):
    model = own_model(name)
    made = to_variational(model)
    assert kernel_shapes(made) == kernel_shapes(model)
    plain, weights = weights_of(model), weights_of(made)
    assert [path for path in weights if not path.endswith("_rho")] == list(plain)
    for path, array in plain.items():
        np.testing.assert_array_equal(weights[path], array)
    layers = {path.rpartition("/")[0] for path in kernel_shapes(model)}
    deviations = {f"{path}_rho": array.shape for path, array in plain.items() if path.rpartition("/")[0] in layers}
    assert {path: array.shape for path, array in weights.items() if path.endswith("_rho")} == deviations
    images = images_for(model)
    for training in (False, True):  # without a draw it computes with its means
        plainly = model(images, training=training)
        assert_equal_but_for_rounding(made(images, training=training), plainly, terms=100)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "vit"])
def test_a_model_made_from_the_description_takes_the_same_draws(name):
    made = broad(own_model(name))
    again = model_from_spec(spec_of(made))
    for path, (_, variable) in named_variables(again).items():
        variable.assign(weights_of(made)[path])
    assert {path: layer.get_config() for path, layer in variational_layers(again).items()} == {
        path: layer.get_config() for path, layer in variational_layers(made).items()
    }
    images = images_for(made)
    np.testing.assert_array_equal(draw_of(again, images), draw_of(made, images))


def test_the_layers_of_a_network_draw_unrelated_noise():
    layers = variational_layers(to_variational(own_model("nested"))).values()
    assert len({layer.place for layer in layers}) == len(layers) == 2


def test_registered_networks():
    lenet = to_variational(build_model("lenet-5", **LENET))
    assert list(variational_layers(lenet)) == [path.removesuffix("/kernel") for path in kernel_shapes(lenet)]
    assert len(variational_layers(lenet)) == 4
    assert spec_of(lenet)["name"] == "lenet-5"
    resnet = to_variational(build_model("resnet-20", input_shape=(32, 32, 3), num_classes=10))
    weights = weights_of(resnet)
    assert len(variational_layers(resnet)) == 22
    assert sum(path.endswith("_rho") for path in weights) == 23  # 21 convolutions without a bias, a dense layer with
    assert {path.rpartition("/")[2] for path in weights if "_norm/" in path} == {
        *("gamma", "beta", "moving_mean", "moving_variance")
    }
    assert [path for path, layer in variational_layers(resnet).items() if layer.first] == ["stem"]


@pytest.mark.slow
def test_a_vision_transformer():
    vit = to_variational(build_model("vit-tiny", input_shape=(32, 32, 3), num_classes=10))
    weights = weights_of(vit)
    assert len(variational_layers(vit)) == 12 * 6 + 2
    points = {path for path in weights if "norm" in path} | {"class/token", "positions/embedding"}
    assert {path for path in weights if path.rpartition("/")[0] not in variational_layers(vit)} == points
    assert np.isfinite(draw_of(vit, np.zeros((2, 32, 32, 3), np.float32))).all()


def test_a_ticket_saved_and_loaded_predicts_the_same_bits(tmp_path):
    made = to_variational(own_model("conv2d"), {"prior": 0.5, "deviation": 0.2, "means": "own"})
    ticket = tt.Ticket.dense(made, seed=3)
    ticket.save(tmp_path / "ticket.safetensors")
    again = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert again.model == ticket.model
    assert again.model["variational"] == {"prior": 0.5, "deviation": 0.2, "means": "own"}
    images = np.random.default_rng(0).integers(0, 255, (3, 6, 6, 2)).astype(np.uint8)
    logits = []
    for each in (ticket, again):
        network = network_of(each.model)
        network.assign(each.mask, each.start)
        logits.append(network.logits(images, SEED))
        assert {float(layer.prior.scale) for layer in network.variational.values()} == {0.5}
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize("name", ["dense", "grouped", "conv1d"])
def test_initialisation(name):
    """Means U(-b, b) and deviations 0.01 b, b = 1 / sqrt(fan in), of kernels and biases."""
    made = to_variational(own_model(name))
    weights = initial_weights(made, seed=5)
    for path, shape in kernel_shapes(made).items():
        bound = 1 / np.sqrt(np.prod(shape[:-1]))
        for part in ("kernel", "bias"):
            mean = weights.get(path.replace("kernel", part))
            if mean is None:
                continue
            assert np.abs(mean).max() <= bound
            np.testing.assert_allclose(
                softplus(weights[path.replace("kernel", f"{part}_rho")]), 0.01 * bound, rtol=1e-5
            )


def test_means_are_uniform():
    made = to_variational(build_model("lenet-300-100", **LENET), {"deviation": 0.3})
    weights = initial_weights(made, seed=5)
    mean, bound = weights["dense_1/kernel"], 1 / 28
    assert mean.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert np.abs(mean).max() == pytest.approx(bound, rel=0.001)
    assert np.abs(weights["dense_1/bias"]).max() > 0.9 * bound
    np.testing.assert_allclose(softplus(weights["dense_1/kernel_rho"]), 0.3 * bound, rtol=1e-5)


def test_own_means_are_those_of_the_deterministic_network_of_that_seed():
    model = build_model("lenet-300-100", **LENET)
    plain = initial_weights(model, seed=5)
    own = initial_weights(to_variational(model, {"means": "own"}), seed=5)
    for path, array in plain.items():
        np.testing.assert_array_equal(own[path], array)


@pytest.mark.parametrize("means", ["fan-in", "own"])
def test_start_weights_come_from_the_seed_whatever_keras_counted_before(means):
    starts = []
    for _ in range(2):  # unnamed layers get other names each time
        plain = keras.Sequential([keras.layers.Input((6, 6, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
        starts.append(list(initial_weights(to_variational(plain, {"means": means}), seed=5).values()))
    for left, right in zip(*starts, strict=True):
        np.testing.assert_array_equal(left, right)
    other = initial_weights(to_variational(plain, {"means": means}), seed=6)
    assert any(np.any(left != right) for left, right in zip(starts[1], other.values(), strict=True))


def test_batch_normalisation_takes_the_statistics_of_each_draw():
    """Folded draws would be normalised together: a draw's channels would not have mean 0 and variance 1."""
    model = broad(own_model("conv2d"))
    images = images_for(model, rows=32)
    inner = keras.Model(model.inputs, model.get_layer("norm").output)
    outputs = drawn(inner, images, "independent", 4, training=True)
    np.testing.assert_allclose(outputs.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.var((1, 2, 3)), 1, atol=1e-2)


def test_frozen_and_constrained_layers_stay_so():
    layers = keras.layers
    conv = layers.Conv2D(3, 3, trainable=False, name="conv")
    dense = layers.Dense(3, kernel_constraint="non_neg", name="dense")
    made = to_variational(keras.Sequential([layers.Input((6, 6, 2)), conv, layers.Flatten(), dense]))
    assert [v.name.partition("/")[0] for v in made.trainable_variables] == ["dense"] * 4
    assert made.get_layer("dense").kernel.constraint is not None


def test_a_model_without_a_layer_to_convert_is_refused():
    layers = keras.layers
    model = keras.Sequential([layers.Input((6, 6, 2)), layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D()])
    with pytest.raises(InputError, match="no Dense, Conv1D or Conv2D layer that could become variational"):
        to_variational(model)


def test_twice_is_refused():
    made = to_variational(own_model("dense"))
    images = keras.Input(made.input_shape[1:])
    for model in (made, keras.models.clone_model(made), keras.Model(images, keras.layers.Dense(3)(made(images)))):
        with pytest.raises(InputError, match="is variational already"):
            to_variational(model)


def test_a_network_put_together_of_variational_parts_is_refused():
    """It would be trained without its objective."""
    with pytest.raises(InputError, match=r"dense, logits are variational.*then call to_variational"):
        spec_of(keras.models.clone_model(to_variational(own_model("dense"))))


def test_another_precision_is_refused():
    layers = keras.layers
    model = keras.Sequential([layers.Input((6, 6, 2)), layers.Flatten(), layers.Dense(3, dtype="float64", name="wide")])
    with pytest.raises(InputError, match=r"the layer wide computes in float64.*Leave its dtype out"):
        to_variational(model)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prior": 0}, "prior"),
        ({"deviation": -1}, "deviation"),
        ({"deviation": 1e-40}, "deviation: must be at least 1e-06"),
        ({"prior": 1e-30}, "prior: must be at least 1e-06"),
        ({"means": "zero"}, "means"),
        ({"priors": 1.0}, "prior"),
    ],
)
def test_a_bad_option_is_refused(config, message):
    with pytest.raises(InputError, match=message):
        to_variational(own_model("dense"), config)


def test_large_deviations_are_what_was_asked_for():
    made = to_variational(own_model("dense"), {"deviation": 1e3})
    np.testing.assert_allclose(softplus(made.get_layer("dense").kernel_rho), 1e3 / np.sqrt(72), rtol=1e-5)


@pytest.mark.parametrize(("what", "value"), [("trainable", False), ("activation", keras.activations.tanh)])
def test_a_layer_that_is_altered_afterwards_is_not_taken_for_what_it_was(what, value):
    made = to_variational(own_model("dense"))
    layer = next(layer for layer in made.layers if hasattr(layer, "kernel_rho"))
    setattr(layer, what, value)
    with pytest.raises(InputError, match="not a result of to_variational"):
        tt.Ticket.dense(made)


def test_a_pruned_weight_of_a_tickets_model_is_0_in_every_draw():
    ticket = tt.Ticket.dense(to_variational(own_model("dense")))
    ticket = replace(ticket, mask={path: np.zeros_like(kept) for path, kept in ticket.mask.items()})
    model = ticket.build_model()
    images = np.ones((2, *model.input_shape[1:]), np.float32)
    for layer in model.layers:
        if hasattr(layer, "bias_rho"):
            layer.bias_rho.assign(tf.fill(layer.bias_rho.shape, -200.0))  # deviations of 0
            layer.bias.assign(tf.zeros_like(layer.bias))
    with drawing(Draw(np.array([1, 2], np.int32), 0, "independent")):
        np.testing.assert_array_equal(model(images), 0.0)
