"""Any mask, any method, of variational networks and of what is put on them, on real data. Needs TensorFlow."""

import numpy as np
import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tfticket.tickets.transplant import is_rho

PLAIN = {"epochs": "4it", "batch_size": 50}
TRAIN = {**PLAIN, "objective": {"draws": 2}}
PRUNE = {"sparsity": 0.9, "levels": 2}
FIRST = "dense_1/kernel"
pytestmark = pytest.mark.usefixtures("without_xla")


@pytest.fixture(scope="module")
def data():
    return tt.load_data(**DIGITS)


@pytest.fixture(scope="module")
def model(data):
    return tt.build_model("lenet-300-100", data)


@pytest.fixture(scope="module")
def bayesian(data, model, without_xla):
    return tt.find_tickets(tt.to_variational(model), data, score="snr", **PRUNE, train=TRAIN)[-1]


@pytest.fixture(scope="module")
def tickets(bayesian, data, model):
    """Tickets of variational networks, the IMP ticket, and an unpruned variational network of another seed."""
    onto = tt.Ticket.dense(tt.to_variational(model), seed=5, data=data)
    imp = tt.find_tickets(model, data, **PRUNE, train=PLAIN)[-1]
    sampler = tt.fit_survival_model(tt.to_deterministic(bayesian), data, images=20)
    return {
        "shuffled": tt.control(bayesian, "shuffle-layerwise"),
        "initialised anew": tt.transplant(bayesian, onto, "mask"),
        "drawn": tt.transplant(tt.draw_mc_ticket(sampler, tt.to_deterministic(onto), data, 2, images=20), onto),
        "start": tt.transplant(imp, onto),
        "trained": tt.transplant(imp, onto, "trained", tt.train(imp, data, train=PLAIN).weights),
        "mask": tt.transplant(imp, onto, "mask"),
        "imp": imp,
        "onto": onto,
    }


def check_methods(ticket, data):
    """A ticket is trained variationally, deterministically from its means, and sampled: under its mask each time."""
    plain = tt.to_deterministic(ticket)
    variational, deterministic = tt.train(ticket, data, train=TRAIN), tt.train(plain, data, train=PLAIN)
    chain = tt.sample(ticket, data, warmup=20, draws=3, max_tree_depth=2)
    for result in (variational, deterministic, chain):
        metrics = tt.evaluate(result, data, "validation")
        assert np.isfinite(list(metrics.values())).all()
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


def test_a_bayesian_ticket_is_trained_either_way_and_sampled_under_its_mask(bayesian, data):
    check_methods(bayesian, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shuffled", "initialised anew", "drawn", "start", "trained", "mask"])
def test_any_other_ticket_is_trained_either_way_and_sampled_under_its_mask(name, tickets, data):
    check_methods(tickets[name], data)


@pytest.mark.slow
def test_masks_and_means_are_what_they_are_called(bayesian, tickets, data):
    imp, onto = tickets["imp"], tickets["onto"]
    assert all(tickets[name].density == pytest.approx(0.1, abs=0.01) for name in tickets if name != "onto")
    for name in ("start", "trained", "mask"):
        assert_same(tickets[name].mask, imp.mask)
    assert_same(tickets["initialised anew"].mask, bayesian.mask)
    assert tickets["shuffled"].survivors == bayesian.survivors
    for ticket in (tickets["shuffled"], tickets["drawn"], imp):
        assert np.mean(ticket.mask[FIRST] != bayesian.mask[FIRST]) > 0.02
    for name in ("initialised anew", "mask"):
        np.testing.assert_array_equal(tickets[name].start[FIRST], onto.start[FIRST])
    expected = tt.train(imp, data, train=PLAIN).weights
    transplanted = tt.train(tt.to_deterministic(tickets["start"]), data, train=PLAIN).weights
    assert list(transplanted) == list(expected)
    assert_same(transplanted, expected)
