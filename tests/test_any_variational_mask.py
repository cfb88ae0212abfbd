"""Variational tickets are trained either way and sampled, on real data. Needs TensorFlow."""

import numpy as np
import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tfticket.tickets.transplant import is_rho

PLAIN = {"epochs": "4it", "batch_size": 50}
TRAIN = {**PLAIN, "objective": {"draws": 2}}
PRUNE = {"sparsity": 0.9, "levels": 2}
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_xla")]  # half a minute each


def check_methods(ticket, data):
    """A ticket is trained variationally, deterministically from its means, and sampled: under its mask each time."""
    plain = tt.to_deterministic(ticket)
    variational, deterministic = tt.train(ticket, data, train=TRAIN), tt.train(plain, data, train=PLAIN)
    chain = tt.sample(ticket, data, warmup=20, draws=3, max_tree_depth=2)
    for result in (variational, deterministic, chain):
        assert np.isfinite(list(tt.evaluate(result, data, "validation").values())).all()
    assert not any(is_rho(ticket.model, path) for path in deterministic.weights)
    assert chain.theta.shape == (1, 3, sum(ticket.survivors.values()) + 300 + 100 + 10)
    for path, kept in ticket.mask.items():
        rho = f"{path}_rho"
        np.testing.assert_array_equal(variational.weights[rho][~kept], ticket.start[rho][~kept])
        np.testing.assert_array_equal(plain.start[path], ticket.start[path])
        for result in (variational, deterministic):
            assert not result.weights[path][~kept].any()
            assert np.mean(result.weights[path][kept] != ticket.start[path][kept]) > 0.5
        assert np.mean(variational.weights[rho][kept] != ticket.start[rho][kept]) > 0.5
        draws = chain.kernel_draws(path.removesuffix("/kernel"))
        assert not draws[:, ~kept].any()
        assert (draws[:, kept] != 0).all()


def test_a_bayesian_ticket_is_trained_either_way_and_sampled_under_its_mask():
    data = tt.load_data(**DIGITS)
    model = tt.to_variational(tt.build_model("lenet-300-100", data))
    check_methods(tt.find_tickets(model, data, score="snr", **PRUNE, train=TRAIN)[-1], data)


def test_an_imp_ticket_is_carried_onto_a_variational_network_and_trains_back_to_its_own_bits():
    data = tt.load_data(**DIGITS)
    model = tt.build_model("lenet-300-100", data)
    onto = tt.Ticket.dense(tt.to_variational(model), seed=5, data=data)
    imp = tt.find_tickets(model, data, **PRUNE, train=PLAIN)[-1]
    trained = tt.train(imp, data, train=PLAIN).weights
    carried = tt.transplant(imp, onto)
    for ticket in (carried, tt.transplant(imp, onto, "trained", trained), tt.transplant(imp, onto, "mask")):
        check_methods(ticket, data)
    assert_same(tt.train(tt.to_deterministic(carried), data, train=PLAIN).weights, trained)
