"""Chains in memory, as a notebook has them. Needs TensorFlow."""

import numpy as np
import pytest
from scipy.special import softmax

import tfticket as tt
from tests.refusals import refused
from tests.sampling.problems import L, network, random_data, random_mask, ticket_of


@pytest.fixture(scope="module")
def sampled():
    """Two short chains over a masked dense layer."""
    random = np.random.default_rng(0)
    data, model = random_data(random, (2, 3, 1), rows=30), network((2, 3, 1), L.Flatten(), L.Dense(3, name="only"))
    ticket = ticket_of(model, data, random_mask(random, model, 0.6))
    options = {"method": "hmc", "warmup": 20, "draws": 6, "leapfrog_steps": 3, "engine": "sparse"}
    return tt.sample(ticket, data, chains=2, **options), data


def by_hand(theta, sampled, images):
    """Probabilities of a dense layer, float64."""
    (mask,) = sampled.ticket.mask.values()
    kernel = np.zeros(mask.shape)
    kernel[mask] = theta[: mask.sum()]
    return softmax(images.reshape(len(images), -1) / 255 @ kernel + theta[mask.sum() :], axis=1)


def test_predictions_are_means_over_all_draws_or_of_the_mean_weights_of_one_chain(sampled):
    chains, data = sampled
    expected = np.mean([by_hand(draw, chains, data.x_test) for draw in chains.theta.reshape(12, -1)], axis=0)
    np.testing.assert_allclose(chains.predict(data.x_test), expected, atol=1e-6)
    for number, theta in enumerate(chains.theta):
        by_mean = chains.predict(data.x_test, by="mean weights", chain=number)
        np.testing.assert_allclose(by_mean, by_hand(theta.mean(axis=0, dtype=float), chains, data.x_test), atol=1e-6)
        assert np.abs(expected - by_mean).max() > 1e-3
    for by in ("draws", "mean weights"):
        assert chains.predict(data.x_test[:0], by=by).shape == (0, 3)


@pytest.mark.parametrize("variational", [False, True])
def test_no_rows_have_no_predictions_of_a_trained_network(sampled, variational):
    ticket, data = sampled[0].ticket, sampled[1]
    if variational:
        ticket = tt.Ticket.dense(tt.to_variational(ticket.build_model()), data=data)
    probabilities = tt.TrainedTicket(ticket, ticket.start, []).predict(data.x_test[:0])
    assert (probabilities.shape, probabilities.dtype) == ((0, 3), np.float64)


def test_bad_arguments_are_refused(sampled):
    chains, data = sampled
    for options, mention in (({"by": "median"}, "'median'"), ({"chain": 2}, "0 to 1"), ({"chain": -1}, "-1")):
        with refused(next(iter(options)), None, mention):
            chains.predict(data.x_test, **options)
    for images in (np.zeros((3, 5)), np.zeros((3, 2, 3, 1)), [[0]]):
        with refused("rows", None, "uint8 [rows, 2, 3, 1]"):
            chains.predict(images)
    for seed in ("x", -1, True):
        with refused("seed", None, repr(seed)):
            tt.sample(chains.ticket, data, seed=seed)
    for number in (0, True, 1.5):
        with refused("chains", None, repr(number)):
            tt.sample(chains.ticket, data, chains=number)
    with pytest.warns(UserWarning, match="hmc does not read max_tree_depth"):
        tt.sample(chains.ticket, data, method="hmc", warmup=20, draws=1, leapfrog_steps=1, max_tree_depth=3)
    with refused("layer", "only", "onli"):
        chains.kernel_draws("onli")
    with refused("data", None, "ndarray"):
        tt.sample(chains.ticket, data.x_train)


def test_kernels_of_all_draws_are_0_where_pruned(sampled):
    chains, _ = sampled
    (mask,) = chains.ticket.mask.values()
    kernels = chains.kernel_draws("only")
    assert kernels.shape == (12, 6, 3)
    np.testing.assert_array_equal(kernels[:, mask], chains.theta.reshape(12, -1)[:, : mask.sum()])
    assert not kernels[:, ~mask].any()
    assert "2 x 6 draws" in repr(chains)
    assert chains.posterior.engine.name == "sparse"
    assert chains.diagnostics()["verdict"] == "not converged"
