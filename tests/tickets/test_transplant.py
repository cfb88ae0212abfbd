"""Transplants between deterministic and variational networks."""

from dataclasses import replace

import numpy as np
import pytest

from tests.refusals import refused
from tfticket.backend import keras
from tfticket.evaluation.predictive import predict
from tfticket.models import build_model, to_variational
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.ticket import Ticket
from tfticket.tickets.transplant import to_deterministic, transplant

MODEL = {"input_shape": (8, 8, 1), "num_classes": 10}


@pytest.fixture(scope="module")
def onto():
    return Ticket.dense(to_variational(build_model("lenet-300-100", **MODEL)), seed=5)


@pytest.fixture(scope="module")
def ticket():
    dense = Ticket.dense(build_model("lenet-300-100", **MODEL), seed=3)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.1 for path, kept in dense.mask.items()}
    return replace(dense, mask=mask, level=4, provenance=dense.provenance | {"exempt": ("dense_3",)})


def test_weights_become_means_and_deviations_stay(ticket, onto):
    trained = {path: array + 1 for path, array in ticket.start.items()}
    for arguments, carried in ((("start",), ticket.start), (("mask",), {}), (("trained", trained), trained)):
        moved = transplant(ticket, onto, *arguments)
        for path, array in onto.start.items():
            np.testing.assert_array_equal(moved.start[path], carried.get(path, array))
        assert moved.mask is ticket.mask
        assert (moved.level, moved.iteration, moved.model) == (4, 0, onto.model)
        assert moved.density == ticket.density  # the exempt layer goes along
        assert moved.provenance["transplanted"] == arguments[0]


def test_a_transplant_back_predicts_the_same(ticket, onto):
    images = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    back = to_deterministic(transplant(ticket, onto))
    assert back.model == ticket.model
    expected, ours = (predict(each.model, each.mask, each.start, images) for each in (ticket, back))
    np.testing.assert_array_equal(ours, expected)
    assert to_deterministic(ticket) is ticket
    with refused("ticket", None, "dict"):
        to_deterministic({})


def test_shuffled_survivors_of_a_trained_transplant_start_at_the_initial_weights(ticket, onto):
    trained = {path: array * ticket.mask.get(path, True) for path, array in ticket.start.items()}
    rewound = replace(ticket, start=trained, provenance=ticket.provenance | {"rewind": "none"})
    for moved in (transplant(ticket, onto, "trained", trained), transplant(rewound, onto)):
        assert all((moved.start[path][~kept] == 0).all() for path, kept in moved.mask.items())
        shuffled = shuffle_layerwise(moved, seed=0)
        for path, kept in shuffled.mask.items():
            np.testing.assert_array_equal(shuffled.start[path][kept], ticket.initial[path][kept])
    assert transplant(rewound, onto, "mask").start == onto.start


def small(activation="relu", stride=1, side=28, name="conv"):
    keras.backend.reset_uids()
    conv, pool = keras.layers.Conv2D(2, 3, stride, activation=activation, name=name), keras.layers.GlobalMaxPooling2D()
    return keras.Sequential([keras.layers.Input((side, side, 1)), conv, pool, keras.layers.Dense(10)], name="own")


@pytest.mark.parametrize(
    ("other", "facts"),
    [
        ({"activation": "tanh"}, ("activation of conv", "relu", "tanh")),
        ({"stride": 2}, ("strides of conv", "(1, 1)", "(2, 2)")),
        ({"side": 32}, ("(28, 28, 1)", "(32, 32, 1)")),
        ({"name": "other"}, ("conv/kernel is shape (3, 3, 1, 2)", "missing in the second")),
    ],
)
def test_another_architecture_is_refused_by_its_first_difference(other, facts):
    with refused("onto", None, *facts):
        transplant(Ticket.dense(small()), Ticket.dense(to_variational(small(**other))))
    transplant(Ticket.dense(small(**other)), Ticket.dense(to_variational(small(**other))))


def test_networks_of_other_layers_classes_or_inputs_are_refused(ticket, onto):
    with refused("onto", None, "dense_3/kernel", "(100, 10)", "(100, 7)"):
        transplant(ticket, Ticket.dense(build_model("lenet-300-100", **MODEL | {"num_classes": 7})))
    constants = {"normalisation": {"scale": [2.0], "shift": [0.0]}}
    with refused("onto", None, "pixels / 255", "2.0"):
        transplant(ticket, replace(onto, model=onto.model | constants))
    with refused("onto", None, "pruned"):
        transplant(ticket, replace(onto, mask=ticket.mask))


@pytest.mark.parametrize(
    ("arguments", "field", "suggestion", "fact"),
    [
        (lambda ticket, onto: (ticket, onto, "starts"), "carried", "start", "starts"),
        (lambda ticket, onto: ("file", onto), "ticket", None, "str"),
        (lambda ticket, onto: (ticket, "file"), "ticket", None, "str"),
        (lambda ticket, onto: (ticket, onto, "trained"), "trained", None, ""),
        (lambda ticket, onto: (ticket, onto, "trained", ticket), "trained", None, ""),
        (lambda ticket, onto: (ticket, onto, "start", ticket.start), "trained", None, "'start'"),
        (lambda ticket, onto: (ticket, onto, "trained", {"a": np.zeros(3)}), "trained", None, "dense_1/kernel"),
        (lambda ticket, onto: (ticket, onto, "trained", ticket.start | {"dense_2/bias": [0]}), "trained", None, "(1,)"),
    ],
)
def test_arguments_that_are_no_tickets_or_weights_of_them_are_refused(ticket, onto, arguments, field, suggestion, fact):
    with refused(field, suggestion, fact):
        transplant(*arguments(ticket, onto))
