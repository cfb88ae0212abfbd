"""Networks made variational: what changes, what stays, and that a ticket carries it."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.plans import assert_same
from tests.refusals import refused
from tests.rounding import assert_equal_but_for_rounding
from tests.variational.small import MODELS, SEED, broad, draw_of, drawn, images_for, own_model, softplus, weights_of
from tfticket.backend import keras, tf
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

L = keras.layers
LENET = {"input_shape": (28, 28, 1), "num_classes": 10}


@pytest.mark.parametrize("name", MODELS)
def test_prunable_layers_get_deviations_and_everything_else_stays(name):
    model = own_model(name)
    variational = to_variational(model)
    assert kernel_shapes(variational) == kernel_shapes(model)
    plain, weights = weights_of(model), weights_of(variational)
    assert [path for path in weights if not path.endswith("_rho")] == list(plain)
    assert_same(weights, plain)
    layers = {path.rpartition("/")[0] for path in kernel_shapes(model)}
    deviations = {f"{path}_rho": array.shape for path, array in plain.items() if path.rpartition("/")[0] in layers}
    assert {path: array.shape for path, array in weights.items() if path.endswith("_rho")} == deviations
    images = images_for(model)
    for training in (False, True):  # without a draw it computes with its means
        expected = model(images, training=training)
        assert_equal_but_for_rounding(variational(images, training=training), expected, terms=100)


@pytest.mark.parametrize("name", ["conv1d", "grouped", "nested", "twice unlike", "residual"])
def test_a_model_made_from_the_description_takes_the_same_draws(name):
    model = broad(own_model(name))
    again = model_from_spec(spec_of(model))
    for path, (_, variable) in named_variables(again).items():
        variable.assign(weights_of(model)[path])
    configs = [{p: layer.get_config() for p, layer in variational_layers(each).items()} for each in (model, again)]
    assert configs[0] == configs[1]
    images = images_for(model)
    np.testing.assert_array_equal(draw_of(again, images), draw_of(model, images))


def test_a_registered_network_and_the_places_of_layers():
    lenet = to_variational(build_model("lenet-5", **LENET))
    assert list(variational_layers(lenet)) == [path.removesuffix("/kernel") for path in kernel_shapes(lenet)]
    layers = variational_layers(to_variational(own_model("nested"))).values()
    assert len({layer.place for layer in layers}) == len(layers) == 2


def test_a_ticket_saved_and_loaded_predicts_the_same_bits(tmp_path):
    options = {"prior": 0.5, "deviation": 0.2, "means": "own"}
    ticket = tt.Ticket.dense(to_variational(own_model("conv2d"), options), seed=3)
    ticket.save(tmp_path / "ticket.safetensors")
    again = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert (again.model, again.model["variational"]) == (ticket.model, options)
    images, logits = np.random.default_rng(0).integers(0, 255, (3, 6, 6, 2)).astype(np.uint8), []
    for each in (ticket, again):
        network = network_of(each.model)
        network.assign(each.mask, each.start)
        logits.append(network.logits(images, SEED))
        assert {float(layer.prior.scale) for layer in network.variational.values()} == {0.5}
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize(("name", "deviation"), [("dense", 1e3), ("grouped", 0.01), ("conv1d", 0.01), ("lenet", 0.3)])
def test_means_are_uniform_and_deviations_are_the_same_part_of_their_bound(name, deviation):
    """Means U(-b, b) and deviations d b, b = 1 / sqrt(fan in), of kernels and biases."""
    model = build_model("lenet-300-100", **LENET) if name == "lenet" else own_model(name)
    weights = initial_weights(to_variational(model, {"deviation": deviation}), seed=5)
    for path, shape in kernel_shapes(model).items():
        bound = 1 / np.sqrt(np.prod(shape[:-1]))
        for part in {path, path.replace("kernel", "bias")} & weights.keys():
            mean, rho = weights[part], weights[f"{part}_rho"]
            np.testing.assert_allclose(softplus(rho), deviation * bound, rtol=1e-5)
            assert np.abs(mean).max() <= bound
            if mean.size >= 300:
                assert mean.std() == pytest.approx(bound / np.sqrt(3), rel=0.1)
                assert np.abs(mean).max() > 0.9 * bound


def test_start_weights_come_from_the_seed_and_own_means_are_those_of_the_deterministic_network():
    def start(seed, means):  # unnamed layers get other names each time
        plain = keras.Sequential([L.Input((6, 6, 2)), L.Flatten(), L.Dense(3)])
        weights = initial_weights(to_variational(plain, {"means": means}), seed)
        return list(weights.values()), list(initial_weights(plain, seed).values())

    for means in ("fan-in", "own"):
        (first, plain), (again, _), (other, _) = (start(seed, means) for seed in (5, 5, 6))
        assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
        assert any(np.any(left != right) for left, right in zip(first, other, strict=True))
        own = [any(np.array_equal(array, mean) for mean in first) for array in plain]
        assert all(own) == (means == "own")


def test_batch_normalisation_takes_the_statistics_of_each_draw():
    """Folded draws would be normalised together: a draw's channels would not have mean 0 and variance 1."""
    model = broad(own_model("conv2d"))
    inner = keras.Model(model.inputs, model.get_layer("norm").output)
    outputs = drawn(inner, images_for(model, rows=32), "independent", 4, training=True)
    np.testing.assert_allclose(outputs.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.var((1, 2, 3)), 1, atol=1e-2)


def test_frozen_and_constrained_layers_stay_so():
    conv, dense = L.Conv2D(3, 3, trainable=False), L.Dense(3, kernel_constraint="non_neg", name="dense")
    model = to_variational(keras.Sequential([L.Input((6, 6, 2)), conv, L.Flatten(), dense]))
    assert [variable.name.partition("/")[0] for variable in model.trainable_variables] == ["dense"] * 4
    assert model.get_layer("dense").kernel.constraint is not None


def test_a_pruned_weight_of_a_tickets_model_is_0_in_every_draw():
    ticket = tt.Ticket.dense(to_variational(own_model("dense")))
    ticket = replace(ticket, mask={path: np.zeros_like(kept) for path, kept in ticket.mask.items()})
    model = ticket.build_model()
    for layer in (layer for layer in model.layers if hasattr(layer, "bias_rho")):
        layer.bias_rho.assign(tf.fill(layer.bias_rho.shape, -200.0))  # deviations of 0
        layer.bias.assign(tf.zeros_like(layer.bias))
    images = np.ones((2, *model.input_shape[1:]), np.float32)
    np.testing.assert_array_equal(draw_of(model, images, "independent"), 0.0)


# Refusals


def sequential(*layers):
    return keras.Sequential([L.Input((6, 6, 2)), *layers])


def within(model):
    images = keras.Input(model.input_shape[1:])
    return keras.Model(images, L.Dense(3)(model(images)))


@pytest.mark.parametrize(
    ("build", "mention"),
    [
        (lambda: sequential(L.DepthwiseConv2D(3), L.GlobalAveragePooling2D()), "Dense, Conv1D or Conv2D"),
        (lambda: sequential(L.Flatten(), L.Dense(3, dtype="float64", name="wide")), "wide computes in float64"),
        (lambda: to_variational(own_model("dense")), "variational already"),
        (lambda: keras.models.clone_model(to_variational(own_model("dense"))), "variational already"),
        (lambda: within(to_variational(own_model("dense"))), "variational already"),
    ],
)
def test_what_cannot_become_variational_is_refused(build, mention):
    with refused("model", None, mention):
        to_variational(build())


def test_a_bad_option_is_refused():
    for field, value in (("prior", 0), ("prior", 1e-30), ("deviation", -1), ("deviation", 1e-40), ("means", "zero")):
        with refused(field):
            to_variational(own_model("dense"), {field: value})
    with refused("priors", "prior"):
        to_variational(own_model("dense"), {"priors": 1.0})


def test_variational_layers_of_other_origin_are_refused():
    """A network put together of them would be trained without its objective."""
    with refused("model", None, "dense, logits"):
        spec_of(keras.models.clone_model(to_variational(own_model("dense"))))
    for attribute, value in (("trainable", False), ("activation", keras.activations.tanh)):
        model = to_variational(own_model("dense"))
        setattr(model.get_layer("dense"), attribute, value)
        with refused("model", None, "to_variational"):
            tt.Ticket.dense(model)
