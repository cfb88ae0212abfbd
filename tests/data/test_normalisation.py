"""The second half needs TensorFlow."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfticket as tt
from tfticket.config.schema import validate
from tfticket.data import Normalisation
from tfticket.data.normalisation import FLOAT_TILE, IDENTITY, TILE, UNIT, standard, standard_floats
from tfticket.errors import InputError


def applied(normalisation, images):
    """The input, in float64."""
    return images * np.array(normalisation.scale) + np.array(normalisation.shift)


# The constants


def test_the_training_rows_have_mean_0_and_deviation_1_in_each_channel(colour):
    values = applied(standard(colour.x_train), colour.x_train)
    np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=(0, 1, 2)), 1, rtol=1e-12)


@given(st.integers(1, 3), st.sampled_from([1, 2, TILE - 1, TILE, TILE + 1]), st.integers(0, 10))
def test_the_constants_are_those_of_numpy(channels, rows, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, random.integers(2, 257, channels), (rows, 2, 3, channels), dtype=np.int64)
    images[0, 0, 0] = 0
    images[0, 0, 1] = 1  # so that no channel is constant
    mean, deviation = (
        part.reshape(-1) for part in (images.mean(axis=(0, 1, 2), dtype=np.float64), images.std(axis=(0, 1, 2)))
    )
    found = standard(images.astype(np.uint8))
    np.testing.assert_allclose(found.scale, 1 / deviation, rtol=1e-12)
    np.testing.assert_allclose(found.shift, -mean / deviation, rtol=1e-12)


def test_the_constants_know_no_order_and_are_exact_beyond_int64(mnist):
    images = np.roll(mnist.x_train, 1, axis=0)
    assert standard(images) == standard(images[::-1]) == standard(mnist.x_train)
    pixels = images.astype(np.float64) / 255
    (scale,) = standard(images).scale
    assert 1 / (255 * scale) == pytest.approx(pixels.std(), rel=1e-9)


@pytest.mark.parametrize("pixel", [0, 7, 255])
def test_a_constant_channel_is_only_shifted(pixel, colour):
    images = colour.x_train.copy()
    images[..., 1] = pixel
    found = standard(images)
    assert found.scale[1] == 1 / 255
    np.testing.assert_allclose(applied(found, images)[..., 1], 0, atol=1e-15)
    np.testing.assert_allclose(applied(found, images)[..., [0, 2]].std(axis=(0, 1, 2)), 1, rtol=1e-12)


def test_mnist_has_the_constants_that_everybody_uses():
    found = tt.load_data("mnist", normalise="standard").normalisation
    assert 1 / (255 * found.scale[0]) == pytest.approx(0.3081, abs=1e-4)
    assert -found.shift[0] / (255 * found.scale[0]) == pytest.approx(0.1307, abs=1e-4)


def test_only_the_training_rows_count(colour):
    options = {"classes": [3, 5, 8], "validation_rows": 9, "train_rows": 20}
    data = tt.load_data("mine", **colour._asdict(), **options, normalise="standard")
    assert data.normalisation == standard(data.x_train)
    assert data.normalisation != standard(data.x_validation)


def test_without_a_word_the_input_is_pixels_by_255(data):
    assert data.normalisation == UNIT == Normalisation(scale=(1 / 255,), shift=(0.0,)) == Normalisation()


# Of floats


@given(st.integers(1, 3), st.sampled_from([1, 2, 50]), st.floats(-1e5, 1e5), st.integers(0, 10))
def test_the_constants_of_floats_are_those_of_numpy(features, rows, mean, seed):
    values = np.random.default_rng(seed).normal(mean, 3, (rows, 2, features)).astype(np.float32)
    found = standard_floats(values)
    flat = values.reshape(-1, features).astype(np.float64)
    np.testing.assert_allclose(found.offset, flat.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.scale, 1 / flat.std(axis=0), rtol=1e-9)
    assert (found.dtype, found.shift) == ("float32", (0.0,) * features)


def test_a_mean_far_above_the_deviation_costs_no_digits():
    values = (1e6 + np.random.default_rng(0).integers(-8, 9, (1000, 1))).astype(np.float32)
    found = standard_floats(values)
    inputs = (values - np.float32(found.offset)) * np.float32(found.scale)
    assert (inputs.mean(), inputs.std()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize("value", [0, 0.1, -1e30, 1e-40])
def test_a_constant_feature_is_0_whatever_its_value(value):
    values = np.stack([np.full(999, value), np.arange(999)], axis=1).astype(np.float32)
    found = standard_floats(values)
    assert (found.offset[0], found.scale[0]) == (np.float32(value), 1)


def test_many_rows_are_squared_in_tiles():
    values = np.random.default_rng(0).normal(size=(FLOAT_TILE + 3, 2)).astype(np.float32)
    np.testing.assert_allclose(standard_floats(values).scale, 1 / values.std(axis=0, dtype=np.float64), rtol=1e-12)


# As JSON


@given(
    st.integers(1, 4).flatmap(
        lambda size: st.tuples(*[st.lists(st.floats(-1e6, 1e6), min_size=size, max_size=size)] * 2)
    )
)
def test_what_is_written_is_read_back_to_the_bit(parts):
    there = Normalisation(scale=parts[0], shift=parts[1])
    assert Normalisation.model_validate(json.loads(json.dumps(there.model_dump(mode="json")))) == there


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "scale",
        1,
        {"scale": [True], "shift": [0.0]},
        {"scale": "1", "shift": "0"},
        {"scale": [1], "shift": ["0"]},
        {"scale": [1.0, 1.0]},
        {"shift": []},
        {"scale": [1.0], "shift": [0.0], "mean": [0.0]},
        {"offset": [1.0]},
        {"offset": [0.0, 0.0], "dtype": "float32"},
        {"offset": [], "dtype": "float32"},
        {"dtype": "float64"},
        {"scale": 1.0, "shift": 0.0},
        {"scale": [], "shift": []},
        {"scale": [1.0, 1.0], "shift": [0.0]},
        {"scale": ["much"], "shift": [0.0]},
        {"scale": [None], "shift": [0.0]},
        {"scale": [[1.0]], "shift": [[0.0]]},
        {"scale": [float("nan")], "shift": [0.0]},
        {"scale": [1.0], "shift": [float("inf")]},
        {"scale": [10**400], "shift": [0.0]},
    ],
    ids=lambda values: str(values)[:40],
)
def test_what_is_no_normalisation_is_refused(values):
    with pytest.raises(InputError, match=r"^here: "):
        validate(Normalisation, values, where="here")


def test_what_floats_need_is_written_of_floats_alone():
    assert UNIT.model_dump() == {"scale": (1 / 255,), "shift": (0.0,)}
    assert IDENTITY.model_dump(mode="json") == {"scale": [1], "shift": [0], "dtype": "float32", "offset": [0]}
    there = Normalisation(dtype="float32", scale=(2.0, 3.0), shift=(0.0, 1.0), offset=(0.5, 7.0))
    assert Normalisation.model_validate(json.loads(there.model_dump_json())) == there


def test_one_part_alone_leaves_the_other_at_pixels_by_255():
    assert validate(Normalisation, {"shift": [-1]}, where="here") == Normalisation(scale=(1 / 255,), shift=(-1.0,))
    assert validate(Normalisation, {"scale": [1]}, where="here") == Normalisation(scale=(1.0,), shift=(0.0,))


# In a ticket


@pytest.fixture(scope="module")
def loaded(colour):
    """Data of three channels whose constants differ, and the model for them."""
    rows = {**colour._asdict(), "x_train": colour.x_train // [1, 2, 5], "x_test": colour.x_test // [1, 2, 5]}
    rows = {name: array.astype(np.uint8) for name, array in rows.items()}
    return {kind: tt.load_data("mine", **rows, normalise=kind) for kind in ("unit", "standard")}


def small_model():
    from tfticket.backend import keras

    layers = [keras.layers.Dense(20, "relu", name="hidden"), keras.layers.Dense(10, name="logits")]
    return keras.Sequential([keras.layers.InputLayer([32, 32, 3]), keras.layers.Flatten(), *layers])


def softmax(logits):
    exponentials = np.exp(np.float64(logits) - np.max(logits, axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("make", ["small", "lenet-300-100"])
def test_a_loaded_ticket_predicts_what_a_plain_model_does_on_normalised_images(make, loaded, tmp_path):
    data = loaded["standard"]
    model = small_model() if make == "small" else tt.build_model(make, data)
    tt.Ticket.dense(model, data=data).save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert ticket.model["normalisation"] == data.normalisation.model_dump(mode="json")
    by_hand = data.x_train.astype(np.float64)
    mean, deviation = by_hand.mean(axis=(0, 1, 2)), by_hand.std(axis=(0, 1, 2))
    inputs = ((data.x_test - mean) / deviation).astype(np.float32)
    expected = softmax(ticket.build_model()(inputs).numpy())
    found = tt.TrainedTicket(ticket, ticket.start, []).predict(data.x_test)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    other = tt.TrainedTicket(tt.Ticket.dense(model), ticket.start, []).predict(data.x_test)
    assert np.abs(other - expected).max() > 0.01


def test_a_ticket_is_trained_on_the_inputs_of_the_data_it_was_made_for(loaded):
    data = loaded["standard"]
    ticket = tt.Ticket.dense(small_model(), data=data)
    trained = tt.train(ticket, data, train={"epochs": "1it", "batch_size": 270, "optimiser": {"name": "sgd"}})
    flat = applied(data.normalisation, data.x_train).reshape(270, -1)
    hidden = np.maximum(flat @ ticket.start["hidden/kernel"], 0)
    one_hot = np.eye(10)[data.y_train]
    gradient = hidden.T @ (softmax(hidden @ ticket.start["logits/kernel"]) - one_hot) / 270
    moved = trained.weights["logits/kernel"] - ticket.start["logits/kernel"]
    np.testing.assert_allclose(moved, -0.1 * gradient, atol=1e-5)


def test_a_ticket_without_constants_is_not_trained_on_data_that_have_them(loaded):
    ticket = tt.Ticket.dense(small_model())
    with pytest.raises(InputError, match=r"Ticket\.dense\(model, data=data\).*normalise='unit'"):
        tt.train(ticket, loaded["standard"], train={"epochs": "1it"})
    tt.train(ticket, loaded["unit"], train={"epochs": "1it"})


def test_a_ticket_without_constants_is_not_measured_on_data_that_have_them(loaded):
    ticket = tt.Ticket.dense(small_model())
    trained = tt.TrainedTicket(ticket, ticket.start, [])
    with pytest.raises(InputError, match=r"Ticket\.dense\(model, data=data\).*normalise='unit'"):
        tt.evaluate(trained, loaded["standard"])
    with_constants = tt.Ticket.dense(small_model(), data=loaded["standard"])
    trained = tt.TrainedTicket(with_constants, ticket.start, [])
    assert tt.evaluate(trained, loaded["unit"]) == tt.evaluate(trained, loaded["standard"]), "it brings its own"


def test_constants_of_another_number_of_channels_are_refused_in_use(loaded):
    ticket = tt.Ticket.dense(small_model(), data=loaded["standard"])
    two = {"scale": [1.0, 2.0], "shift": [0.0, 0.0]}
    other = replace(ticket, model={**ticket.model, "normalisation": two})
    with pytest.raises(InputError, match="takes images \\(32, 32, 3\\); the ticket's normalisation is for 2 channels"):
        tt.TrainedTicket(other, other.start, []).predict(loaded["standard"].x_test)
    one = {"scale": [1.0], "shift": [0.5]}
    every = replace(ticket, model={**ticket.model, "normalisation": one})
    thrice = replace(ticket, model={**ticket.model, "normalisation": {"scale": [1.0] * 3, "shift": [0.5] * 3}})
    found = [tt.TrainedTicket(each, each.start, []).predict(loaded["unit"].x_test[:9]) for each in (every, thrice)]
    np.testing.assert_array_equal(*found)


def test_pixels_by_255_leave_no_trace_in_a_ticket(loaded):
    without, with_data = (tt.Ticket.dense(small_model(), data=data) for data in (None, loaded["unit"]))
    assert "normalisation" not in without.model
    assert with_data.model["keras"].keys() == without.model["keras"].keys()
    assert "normalisation" not in with_data.model
    registered = tt.Ticket.dense(tt.build_model("lenet-300-100", loaded["unit"]), data=loaded["unit"])
    assert registered.model.keys() == {"name", "input_shape", "num_classes", "initialiser"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": [1.0, 2.0]}, ".*must have one number a channel"),
        ({"scale": ["1"]}, r"scale\.0"),
        ({"scale": [1e40]}, r"scale holds 1e\+40; expected at most 3\.4e\+38"),
        ({"scale": [1e-46]}, r"scale holds 1e-46; expected .* at least 1\.2e-38"),
        ({"shift": [-1e40]}, r"shift holds -1e\+40"),
        ({"dtype": "float32", "offset": [1e40]}, r"offset holds 1e\+40"),
        ({"scales": [1.0]}, ".*Did you mean 'scale'"),
        (7, r"expected a table such as \{scale: \.\.\.\}.*got 7"),
    ],
)
def test_a_damaged_normalisation_in_a_ticket_is_refused(values, message, loaded):
    ticket = tt.Ticket.dense(small_model(), data=loaded["standard"])
    with pytest.raises(InputError, match=rf"^The ticket's normalisation: {message}"):
        replace(ticket, model={**ticket.model, "normalisation": values})
