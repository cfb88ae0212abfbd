"""Chains in memory, as a notebook has them. Needs TensorFlow."""

import numpy as np
import pytest
from scipy.special import softmax

import tfticket as tt
from tests.sampling.problems import L, network, random_data, random_mask, ticket_of
from tfticket.sampling.diagnostics import monitored_entries


@pytest.fixture(scope="module")
def found():
    """Two short chains over a masked dense layer, and the data."""
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


def test_the_prediction_is_the_mean_over_all_draws_of_all_chains(found):
    sampled, data = found
    expected = np.mean([by_hand(draw, sampled, data.x_test) for draw in sampled.theta.reshape(12, -1)], axis=0)
    np.testing.assert_allclose(sampled.predict(data.x_test), expected, atol=1e-6)


@pytest.mark.parametrize("chain", [0, 1])
def test_the_network_of_mean_weights_is_that_of_one_chain(found, chain):
    sampled, data = found
    expected = by_hand(sampled.theta[chain].mean(axis=0, dtype=float), sampled, data.x_test)
    np.testing.assert_allclose(sampled.predict(data.x_test, by="mean weights", chain=chain), expected, atol=1e-6)
    assert np.abs(expected - sampled.predict(data.x_test)).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "median"}, "by is 'median'; expected 'draws' or 'mean weights'"),
        ({"by": "mean weights", "chain": 2}, "chain is 2; expected a number from 0 to 1"),
        ({"by": "mean weights", "chain": -1}, "chain is -1; expected a number from 0 to 1"),
    ],
)
def test_what_there_is_no_prediction_of_is_refused(found, options, message):
    sampled, data = found
    with pytest.raises(tt.InputError, match=message):
        sampled.predict(data.x_test, **options)


@pytest.mark.parametrize("by", ["draws", "mean weights"])
def test_no_rows_have_no_predictions_of_chains(found, by):
    sampled, data = found
    assert sampled.predict(data.x_test[:0], by=by).shape == (0, 3)


@pytest.mark.parametrize("network", ["deterministic", "variational"])
def test_no_rows_have_no_predictions_of_a_trained_network(found, network):
    ticket, data = found[0].ticket, found[1]
    if network == "variational":
        ticket = tt.Ticket.dense(tt.to_variational(ticket.build_model()), data=data)
    probabilities = tt.TrainedTicket(ticket, ticket.start, []).predict(data.x_test[:0])
    assert (probabilities.shape, probabilities.dtype) == ((0, 3), np.float64)


@pytest.mark.parametrize("images", [np.zeros((3, 5)), np.zeros((3, 2, 3, 1)), [[0]]])
def test_images_of_another_shape_or_type_are_refused(found, images):
    with pytest.raises(tt.InputError, match=r"^Expected images uint8 \[rows, 2, 3, 1\]; got "):
        found[0].predict(images)


@pytest.mark.parametrize("seed", ["x", -1, True])
def test_a_seed_is_a_number_from_0(found, seed):
    with pytest.raises(tt.InputError, match=r"^The seed is "):
        tt.sample(found[0].ticket, found[1], seed=seed)


def test_kernels_of_all_draws_are_0_where_pruned(found):
    sampled, _ = found
    (mask,) = sampled.ticket.mask.values()
    kernels = sampled.kernel_draws("only")
    assert kernels.shape == (12, 6, 3)
    np.testing.assert_array_equal(kernels[:, mask], sampled.theta.reshape(12, -1)[:, : mask.sum()])
    assert not kernels[:, ~mask].any()
    with pytest.raises(tt.InputError, match="no prunable layer 'other'"):
        sampled.kernel_draws("other")


def test_it_says_what_it_is_and_which_engine_computed_it(found):
    sampled, _ = found
    assert repr(sampled).endswith(f"2 x 6 draws of {sampled.theta.shape[-1]} weights, sparse engine)")
    assert sampled.posterior.engine_reason == "Gradients over the surviving weights alone, on the CPU."
    assert sampled.diagnostics()["verdict"] == "not converged"


@pytest.mark.parametrize("size", [1, 7, 200, 201, 399, 599, 266_610])
def test_the_weights_looked_at_lie_evenly_over_theta(size):
    places = monitored_entries(size)
    assert len(places) == min(size, 200)
    assert (places[0], places[-1]) == (0, size - 1)
    gaps = np.diff(places)
    if size > 1:
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
