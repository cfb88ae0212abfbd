"""Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket import seeds
from tfticket.backend import keras
from tfticket.registry import CONTROLS, resolve
from tfticket.tickets.controls import random_mask, reinitialise


@pytest.fixture(scope="module")
def ticket():
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(8, 8, 1), num_classes=10), seed=4)
    random = np.random.default_rng(0)
    return replace(dense, mask={path: random.random(kept.shape) < 0.3 for path, kept in dense.mask.items()}, level=3)


def test_reinitialising_keeps_the_mask_and_draws_all_kernels_anew_even_at_the_tickets_seed(ticket):
    for seed in (4, 5):
        control = reinitialise(ticket, seed)
        assert control.mask is ticket.mask
        for path in ticket.mask:
            assert not np.any(control.start[path] == ticket.start[path])
            assert np.std(control.start[path]) == pytest.approx(np.std(ticket.start[path]), rel=0.1)
        assert control.initial is control.start


class Constant(keras.layers.Layer):
    """Holds a number that is not trained and has no initialiser."""

    def build(self, shape):
        self.number = self.add_weight("number", (), initializer="zeros", trainable=False)

    def call(self, inputs):
        return inputs + self.number


def test_reinitialising_keeps_the_tickets_constants():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), Constant(name="constant"), keras.layers.Dense(3, name="out")]
    )
    model.get_layer("constant").number.assign(5.0)
    control = reinitialise(tt.Ticket.dense(model, seed=1), seed=2)
    assert control.start["constant/number"] == 5


def test_a_random_mask_keeps_the_start_and_each_layers_count(ticket):
    control = random_mask(ticket, seed=4)
    assert control.start is ticket.start
    assert control.survivors == ticket.survivors
    for path, kept in ticket.mask.items():
        overlap = np.mean(control.mask[path][kept])
        assert overlap == pytest.approx(kept.mean(), abs=5 / np.sqrt(kept.sum()))


def test_a_random_mask_is_drawn_by_the_paths_of_a_registered_network(ticket):
    control = random_mask(ticket, seed=4)
    for path, kept in ticket.mask.items():
        drawn = seeds.generator(4, "random mask", path).permutation(kept.ravel()).reshape(kept.shape)
        np.testing.assert_array_equal(control.mask[path], drawn)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_seeded_and_say_what_they_are(name, ticket):
    control = resolve(CONTROLS[name].target)
    one, same, other = control(ticket, 1), control(ticket, 1), control(ticket, 2)
    assert one.provenance["control"] == name
    assert one.level == ticket.level
    path = "dense_1/kernel"
    np.testing.assert_array_equal(one.mask[path], same.mask[path])
    np.testing.assert_array_equal(one.start[path], same.start[path])
    assert np.any(one.mask[path] != other.mask[path]) or np.any(one.start[path] != other.start[path])


def test_after_learning_rate_rewinding_a_random_mask_starts_from_the_initial_weights(ticket):
    trained = {path: array * ticket.mask.get(path, True) for path, array in ticket.start.items()}
    rewound = replace(ticket, start=trained, provenance={"rewind": "none"})
    control = random_mask(rewound, seed=4)
    assert control.start is ticket.initial
    assert all(control.start[path][kept].all() for path, kept in control.mask.items())
