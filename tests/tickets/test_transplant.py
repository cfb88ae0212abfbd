"""Transplants between deterministic and variational networks."""

from dataclasses import replace

import numpy as np
import pytest

from tfticket.api import find_tickets, train
from tfticket.backend import keras
from tfticket.data import load_data
from tfticket.errors import InputError
from tfticket.evaluation.predictive import predict
from tfticket.models import build_model, to_variational
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.ticket import Ticket
from tfticket.tickets.transplant import to_deterministic, transplant

MODEL = {"input_shape": (28, 28, 1), "num_classes": 10}


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
    made = transplant(ticket, onto)
    for path, array in onto.start.items():
        expected = array if path.endswith("_rho") else ticket.start[path]
        np.testing.assert_array_equal(made.start[path], expected)
    assert made.mask is ticket.mask
    assert (made.level, made.iteration, made.model) == (4, 0, onto.model)
    assert made.density == ticket.density  # the exempt layer goes along
    assert made.provenance["transplanted"] == "start"


def test_a_mask_alone_leaves_the_other_networks_weights(ticket, onto):
    made = transplant(ticket, onto, "mask")
    for path, array in onto.start.items():
        np.testing.assert_array_equal(made.start[path], array)


def test_trained_weights_go_along(ticket, onto):
    trained = {path: array + 1 for path, array in ticket.start.items()}
    made = transplant(ticket, onto, "trained", trained)
    for path, array in trained.items():
        np.testing.assert_array_equal(made.start[path], array)
    with pytest.raises(InputError, match="give them"):
        transplant(ticket, onto, "trained")


def test_it_goes_back_and_predicts_the_same(ticket, onto):
    images = np.random.default_rng(1).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
    back = to_deterministic(transplant(ticket, onto))
    assert back.model == ticket.model
    expected, found = (predict(one.model, one.mask, one.start, images) for one in (ticket, back))
    np.testing.assert_array_equal(found, expected)
    assert to_deterministic(ticket) is ticket


@pytest.mark.parametrize(
    ("name", "classes", "message"),
    [
        ("lenet-5", 10, r"lenet-300-100 cannot be transplanted onto lenet-5: dense_1/kernel is shape \(784, 300\)"),
        ("lenet-300-100", 7, r"dense_3/kernel is shape \(100, 10\) in the first and shape \(100, 7\)"),
    ],
)
def test_another_architecture_is_refused_by_its_first_difference(ticket, name, classes, message):
    other = build_model(name, input_shape=(28, 28, 1), num_classes=classes)
    with pytest.raises(InputError, match=message):
        transplant(ticket, Ticket.dense(to_variational(other)))


def small(activation="relu", stride=1, side=28):
    keras.backend.reset_uids()
    layers = [
        keras.layers.Input((side, side, 1)),
        keras.layers.Conv2D(2, 3, stride, activation=activation, name="conv"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, name="logits"),
    ]
    return keras.Sequential(layers, name="own")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"activation": "tanh"}, "activation of conv is relu in the first and tanh in the second"),
        ({"stride": 2}, r"strides of conv is \(1, 1\) in the first and \(2, 2\) in the second"),
        ({"side": 32}, r"inputs are images \(28, 28, 1\) in the first and images \(32, 32, 1\) in the second"),
    ],
)
def test_another_architecture_of_the_same_weights_is_refused(other, message):
    with pytest.raises(InputError, match=message):
        transplant(Ticket.dense(small()), Ticket.dense(to_variational(small(**other))))
    transplant(Ticket.dense(small(**other)), Ticket.dense(to_variational(small(**other))))


def test_a_network_of_other_pixels_is_refused(ticket, onto):
    constants = {"normalisation": {"scale": [2.0], "shift": [0.0]}}
    with pytest.raises(InputError, match=r"the inputs' normalisation is pixels / 255 in the first and .*2\.0"):
        transplant(ticket, replace(onto, model=onto.model | constants))


def test_shuffled_survivors_of_a_trained_transplant_start_at_the_initial_weights(ticket, onto):
    trained = {path: array * ticket.mask.get(path, True) for path, array in ticket.start.items()}
    rewound = replace(ticket, start=trained, provenance=ticket.provenance | {"rewind": "none"})
    for moved in (transplant(ticket, onto, "trained", trained), transplant(rewound, onto)):
        assert all((moved.start[path][~kept] == 0).all() for path, kept in moved.mask.items())
        shuffled = shuffle_layerwise(moved, seed=0)
        for path, kept in shuffled.mask.items():
            np.testing.assert_array_equal(shuffled.start[path][kept], ticket.initial[path][kept])
    assert transplant(rewound, onto, "mask").start == onto.start


def test_a_pruned_network_cannot_receive(ticket, onto):
    with pytest.raises(InputError, match="pruned"):
        transplant(ticket, replace(onto, mask=ticket.mask))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda ticket, onto: (ticket, onto, "starts"), "Unknown weights to carry 'starts'. Did you mean 'start'"),
        (lambda ticket, onto: ("file", onto), "transplant takes a ticket, not str"),
        (lambda ticket, onto: (ticket, "file"), "transplant takes a ticket, not str"),
        (lambda ticket, onto: (ticket, onto, "trained", ticket), "give them"),
        (lambda ticket, onto: (ticket, onto, "start", ticket.start), "by 'trained' alone"),
        (lambda ticket, onto: (ticket, onto, "trained", {"dense/kernel": np.zeros(3)}), "dense_1/kernel is missing"),
        (
            lambda ticket, onto: (ticket, onto, "trained", {**ticket.start, "dense_2/bias": np.zeros(99)}),
            r"\(99,\), not",
        ),
    ],
)
def test_what_is_no_ticket_and_no_weights_of_it_is_refused(ticket, onto, arguments, message):
    with pytest.raises(InputError, match=message):
        transplant(*arguments(ticket, onto))


def test_what_is_no_ticket_has_no_network_of_means():
    with pytest.raises(InputError, match="to_deterministic takes a ticket, not dict"):
        to_deterministic({})


def test_tickets_by_what_a_network_is_sure_of(without_xla):
    data = load_data("mnist", train_rows=300, validation_rows=100)
    model = build_model("lenet-300-100", data)
    length = {"epochs": "4it", "batch_size": 50, "objective": {"draws": 2}}
    with pytest.raises(InputError, match="take the score magnitude"):
        find_tickets(model, data, sparsity=0.5, levels=1, score="snr", train=length)
    found = find_tickets(to_variational(model), data, sparsity=0.9, levels=1, score="snr", train=length)
    assert abs(found[1].density - 0.1) < 1e-4
    first = train(found[0], data, train=length).weights
    sigma = {path: np.logaddexp(0, first[f"{path}_rho"]) for path in found[1].mask}
    kept = np.concatenate([(np.abs(first[p]) / sigma[p])[m] for p, m in found[1].mask.items()])
    lost = np.concatenate([(np.abs(first[p]) / sigma[p])[~m] for p, m in found[1].mask.items()])
    assert kept.min() >= lost.max()
    for path, array in found[0].start.items():
        np.testing.assert_array_equal(found[1].start[path], array)  # rewound, scales too
