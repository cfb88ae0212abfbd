"""Normalisation to a network's input; the second half needs TensorFlow."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfticket as tt
from tests.refusals import refused
from tfticket.config.schema import validate
from tfticket.data import Normalisation
from tfticket.data.normalisation import FLOAT_TILE, IDENTITY, TILE, UNIT, standard, standard_floats
from tfticket.errors import InputError


def applied(normalisation, images):
    """The input, in float64."""
    return images * np.array(normalisation.scale) + np.array(normalisation.shift)


# The constants


@given(st.integers(1, 3), st.sampled_from([1, 2, TILE - 1, TILE, TILE + 1]), st.integers(0, 10))
def test_the_constants_of_pixels_are_those_of_numpy(channels, rows, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, random.integers(2, 257, channels), (rows, 2, 3, channels), dtype=np.int64)
    images[0, 0, 0], images[0, 0, 1] = 0, 1  # so that no channel is constant
    mean, deviation = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))
    constants = standard(images.astype(np.uint8))
    np.testing.assert_allclose(constants.scale, 1 / deviation, rtol=1e-12)
    np.testing.assert_allclose(constants.shift, -mean / deviation, rtol=1e-12)


@given(st.integers(1, 3), st.sampled_from([1, 2, 50]), st.floats(-1e5, 1e5), st.integers(0, 10))
def test_the_constants_of_floats_are_those_of_numpy(features, rows, mean, seed):
    values = np.random.default_rng(seed).normal(mean, 3, (rows, 2, features)).astype(np.float32)
    constants = standard_floats(values)
    flat = values.reshape(-1, features).astype(np.float64)
    np.testing.assert_allclose(constants.offset, flat.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(constants.scale, 1 / flat.std(axis=0), rtol=1e-9)
    assert (constants.dtype, constants.shift) == ("float32", (0.0,) * features)


def test_constants_of_mnist_of_constant_channels_of_floats_far_from_0_and_of_many_tiles(mnist, colour):
    constants = standard(mnist.x_train)  # whose sums leave int64
    assert 1 / (255 * constants.scale[0]) == pytest.approx(0.3081, abs=1e-4)
    assert -constants.shift[0] / (255 * constants.scale[0]) == pytest.approx(0.1307, abs=1e-4)
    images = colour.x_train.copy()
    images[..., 1] = 7
    constants = standard(images)
    assert constants.scale[1] == 1 / 255
    np.testing.assert_allclose(applied(constants, images)[..., 1], 0, atol=1e-15)
    for value in (0.1, -1e30):
        values = np.stack([np.full(999, value), np.arange(999)], axis=1).astype(np.float32)
        constants = standard_floats(values)
        assert (constants.offset[0], constants.scale[0]) == (np.float32(value), 1)
    values = (1e6 + np.random.default_rng(0).integers(-8, 9, (1000, 1))).astype(np.float32)
    constants = standard_floats(values)
    inputs = (values - np.float32(constants.offset)) * np.float32(constants.scale)
    assert (inputs.mean(), inputs.std()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=1e-5))
    values = np.random.default_rng(0).normal(size=(FLOAT_TILE + 3, 2)).astype(np.float32)
    np.testing.assert_allclose(standard_floats(values).scale, 1 / values.std(axis=0, dtype=np.float64), rtol=1e-12)


# As JSON


numbers = st.integers(1, 4).flatmap(lambda n: st.tuples(*[st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)] * 3))


@given(numbers)
def test_constants_are_written_and_read_back_to_the_bit(parts):
    scale, shift, offset = parts
    for floats in ({}, {"offset": offset, "dtype": "float32"}):
        there = Normalisation(scale=scale, shift=shift, **floats)
        assert Normalisation.model_validate(json.loads(json.dumps(there.model_dump(mode="json")))) == there


REFUSED = [None, {"scale": [True], "shift": [0.0]}, {"scale": "1", "shift": "0"}, {"scale": [1], "shift": ["0"]}]
REFUSED += [{"scale": [1.0, 1.0]}, {"scale": [], "shift": []}, {"offset": [1.0]}, {"scale": [1.0], "mean": [0.0]}]
REFUSED += [{"offset": [0.0, 0.0], "dtype": "float32"}, {"dtype": "float64"}, {"scale": [float("nan")]}]


def test_defaults_are_pixels_by_255_and_values_that_are_no_normalisation_are_refused():
    assert UNIT.model_dump() == {"scale": (1 / 255,), "shift": (0.0,)}
    assert IDENTITY.model_dump(mode="json") == {"scale": [1], "shift": [0], "dtype": "float32", "offset": [0]}
    for values in (*REFUSED, {"scale": [10**400]}):
        with pytest.raises(InputError, match=r"^here: "):
            validate(Normalisation, values, where="here")


# In a ticket


@pytest.fixture(scope="module")
def loaded(colour, without_xla):
    """Data of three channels whose constants differ."""
    rows = {**colour._asdict(), "x_train": colour.x_train // [1, 2, 5], "x_test": colour.x_test // [1, 2, 5]}
    rows = {name: array.astype(np.uint8) for name, array in rows.items()}
    return {kind: tt.load_data("mine", **rows, normalise=kind) for kind in ("unit", "standard")}


def small_model():
    from tfticket.backend import keras

    layers = [keras.layers.Dense(20, "relu", name="hidden"), keras.layers.Dense(10, name="logits")]
    return keras.Sequential([keras.layers.InputLayer([32, 32, 3]), keras.layers.Flatten(), *layers])


def untrained(ticket):
    return tt.TrainedTicket(ticket, ticket.start, [])


def softmax(logits):
    exponentials = np.exp(np.float64(logits) - np.max(logits, axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_a_loaded_ticket_predicts_as_a_plain_model_does_on_normalised_images(loaded, tmp_path):
    data, model = loaded["standard"], small_model()
    tt.Ticket.dense(model, data=data).save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert ticket.model["normalisation"] == data.normalisation.model_dump(mode="json")
    rows = data.x_train.astype(np.float64)
    inputs = ((data.x_test - rows.mean(axis=(0, 1, 2))) / rows.std(axis=(0, 1, 2))).astype(np.float32)
    expected = softmax(ticket.build_model()(inputs).numpy())
    np.testing.assert_allclose(untrained(ticket).predict(data.x_test), expected, atol=1e-5)
    other = tt.TrainedTicket(tt.Ticket.dense(model), ticket.start, []).predict(data.x_test)
    assert np.abs(other - expected).max() > 0.01
    with refused("rows", None, "float32"):
        untrained(ticket).predict(data.x_test.astype(np.float32))


def test_a_ticket_is_trained_on_the_inputs_of_its_data(loaded):
    data = loaded["standard"]
    ticket = tt.Ticket.dense(small_model(), data=data)
    trained = tt.train(ticket, data, train={"epochs": "1it", "batch_size": 270, "optimiser": {"name": "sgd"}})
    flat = applied(data.normalisation, data.x_train).reshape(270, -1)
    hidden = np.maximum(flat @ ticket.start["hidden/kernel"], 0)
    gradient = hidden.T @ (softmax(hidden @ ticket.start["logits/kernel"]) - np.eye(10)[data.y_train]) / 270
    moved = trained.weights["logits/kernel"] - ticket.start["logits/kernel"]
    np.testing.assert_allclose(moved, -0.1 * gradient, atol=1e-5)


def test_a_ticket_for_pixels_by_255_names_no_normalisation_and_refuses_data_of_other_inputs(loaded):
    ticket = tt.Ticket.dense(small_model(), data=loaded["unit"])
    assert ticket.model.keys() == {"keras"}
    for use in (tt.train, lambda ticket, data: tt.evaluate(untrained(ticket), data)):
        with refused("data.normalise", "unit", "Ticket.dense(model, data=data)"):
            use(ticket, loaded["standard"])
    constants = untrained(tt.Ticket.dense(small_model(), data=loaded["standard"]))
    assert tt.evaluate(constants, loaded["unit"]) == tt.evaluate(constants, loaded["standard"]), "it brings its own"


def test_constants_are_for_each_channel_or_for_all_and_damaged_ones_are_refused(loaded):
    ticket = tt.Ticket.dense(small_model(), data=loaded["standard"])

    def predict(number):
        other = {**ticket.model, "normalisation": {"scale": [1.0] * number, "shift": [0.5] * number}}
        return untrained(replace(ticket, model=other)).predict(loaded["unit"].x_test[:9])

    np.testing.assert_array_equal(predict(1), predict(3))
    with refused("normalisation", None, "(32, 32, 3)", "2 channels"):
        predict(2)
    for values, mention in (
        ({"scale": [1.0, 2.0]}, "one number a channel"),
        ({"scale": [1e40]}, "scale holds 1e+40; expected at most 3.4e+38"),
        ({"scale": [1e-46]}, "scale holds 1e-46"),
        ({"shift": [-1e40]}, "shift holds -1e+40"),
        ({"dtype": "float32", "offset": [1e40]}, "offset holds 1e+40"),
    ):
        with pytest.raises(InputError, match=r"^The ticket's normalisation: ") as error:
            replace(ticket, model={**ticket.model, "normalisation": values})
        assert mention in str(error.value)
