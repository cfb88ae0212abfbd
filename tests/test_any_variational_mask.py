"""Any mask, any method, of variational networks and of what is put on them, on real data. Needs TensorFlow."""

import numpy as np
import pytest

import tfticket as tt
from tfticket.tickets.transplant import is_rho

PLAIN = {"epochs": "4it", "batch_size": 50}
TRAIN = {**PLAIN, "objective": {"draws": 2}}
PRUNE = {"sparsity": 0.9, "levels": 2}
DRAWS = 3


@pytest.fixture(scope="module")
def few(without_xla):
    return tt.load_data("mnist", train_rows=200, validation_rows=50)


@pytest.fixture(scope="module")
def model(few):
    return tt.build_model("lenet-300-100", few)


@pytest.fixture(scope="module")
def onto(few, model):
    """An unpruned variational network of another seed."""
    return tt.Ticket.dense(tt.to_variational(model), seed=5, data=few)


@pytest.fixture(scope="module")
def bayesian(few, model):
    return tt.find_tickets(tt.to_variational(model), few, score="snr", **PRUNE, train=TRAIN)[-1]


@pytest.fixture(scope="module")
def imp(few, model):
    return tt.find_tickets(model, few, **PRUNE, train=PLAIN)[-1]


def drawn(bayesian, onto, few):
    sampler = tt.fit_survival_model(tt.to_deterministic(bayesian), few, images=20)
    mask_only = tt.draw_mc_ticket(sampler, tt.to_deterministic(onto), few, 2, images=20)
    return tt.transplant(mask_only, onto)


def trained(imp, onto, few):
    return tt.transplant(imp, onto, "trained", tt.train(imp, few, train=PLAIN).weights)


TICKETS = {
    "Bayesian IMP": lambda bayesian, imp, onto, few: bayesian,
    "Bayesian IMP, shuffled": lambda bayesian, imp, onto, few: tt.control(bayesian, "shuffle-layerwise"),
    "Bayesian IMP, initialised anew": lambda bayesian, imp, onto, few: tt.transplant(bayesian, onto, "mask"),
    "Bayesian IMP, drawn by Monte Carlo": lambda bayesian, imp, onto, few: drawn(bayesian, onto, few),
    "IMP, its start": lambda bayesian, imp, onto, few: tt.transplant(imp, onto),
    "IMP, its trained weights": lambda bayesian, imp, onto, few: trained(imp, onto, few),
    "IMP, its mask": lambda bayesian, imp, onto, few: tt.transplant(imp, onto, "mask"),
}
"""What a ticket's mask and weights are -> the ticket, of a variational network."""
QUICK = ("Bayesian IMP",)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TICKETS],
)
def ticket(request, bayesian, imp, onto, few):
    """Each ticket in turn."""
    return TICKETS[request.param](bayesian, imp, onto, few)


def check(found, few):
    metrics = tt.evaluate(found, few, "validation")
    assert np.isfinite(list(metrics.values())).all()
    assert 0 <= metrics["accuracy"] <= 1


def test_it_is_trained_variationally(ticket, few):
    found = tt.train(ticket, few, train=TRAIN)
    check(found, few)
    for path, kept in ticket.mask.items():
        scale = f"{path}_rho"
        assert not found.weights[path][~kept].any()
        np.testing.assert_array_equal(found.weights[scale][~kept], ticket.start[scale][~kept])
        for name in (path, scale):
            assert np.mean(found.weights[name][kept] != ticket.start[name][kept]) > 0.5


def test_it_is_trained_deterministically_from_its_means(ticket, few):
    plain = tt.to_deterministic(ticket)
    found = tt.train(plain, few, train=PLAIN)
    check(found, few)
    assert not any(is_rho(ticket.model, path) for path in found.weights)
    for path, kept in ticket.mask.items():
        np.testing.assert_array_equal(plain.start[path], ticket.start[path])
        assert not found.weights[path][~kept].any()
        assert np.mean(found.weights[path][kept] != ticket.start[path][kept]) > 0.5


def test_it_is_sampled_under_its_mask(ticket, few):
    sampled = tt.sample(ticket, few, warmup=20, draws=DRAWS, max_tree_depth=2)
    check(sampled, few)
    assert sampled.theta.shape == (1, DRAWS, sum(ticket.survivors.values()) + 300 + 100 + 10)
    for path, kept in ticket.mask.items():
        draws = sampled.kernel_draws(path.removesuffix("/kernel"))
        assert not draws[:, ~kept].any()
        assert (draws[:, kept] != 0).all()


@pytest.mark.slow
def test_their_masks_and_means_are_what_they_are_called(bayesian, imp, onto, few):
    made = {name: make(bayesian, imp, onto, few) for name, make in TICKETS.items()}
    first = "dense_1/kernel"
    for name, one in made.items():
        assert one.density == pytest.approx(0.1, abs=0.01), name
    for name in ("IMP, its start", "IMP, its trained weights", "IMP, its mask"):
        np.testing.assert_array_equal(made[name].mask[first], imp.mask[first], err_msg=name)
    np.testing.assert_array_equal(made["Bayesian IMP, initialised anew"].mask[first], bayesian.mask[first])
    assert made["Bayesian IMP, shuffled"].survivors == bayesian.survivors
    own = [made["Bayesian IMP, shuffled"], made["Bayesian IMP, drawn by Monte Carlo"], imp]
    assert all(np.mean(one.mask[first] != bayesian.mask[first]) > 0.02 for one in own)
    for name in ("Bayesian IMP, initialised anew", "IMP, its mask"):
        np.testing.assert_array_equal(made[name].start[first], onto.start[first], err_msg=name)


@pytest.mark.slow
def test_a_transplanted_ticket_is_trained_deterministically_as_if_it_had_stayed(imp, onto, few):
    expected = tt.train(imp, few, train=PLAIN).weights
    found = tt.train(tt.to_deterministic(tt.transplant(imp, onto)), few, train=PLAIN).weights
    assert list(found) == list(expected)
    for path, array in expected.items():
        np.testing.assert_array_equal(found[path], array, err_msg=path)
