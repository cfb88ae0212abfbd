"""Simulation-based calibration: over data drawn from the model, the truth's rank among draws is uniform.

References:
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), "Validating Bayesian inference algorithms with
    simulation-based calibration".
"""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import chisquare

from tests.sampling.problems import L, dataset, network, posterior_of, sample, ticket_of
from tfticket.sampling.hmc import Hmc
from tfticket.sampling.nuts import Nuts

REPLICATES, KEPT, APART = 240, 19, 3
"""Data sets; draws of each that the truth is ranked among, so many steps apart."""
BINS = 10


class Changing:
    """The likelihood of rows whose labels change, so that a sampler is compiled once."""

    def __init__(self, engine):
        self._engine = engine
        self.rows = engine.rows

    def relabel(self, labels):
        self._engine._training.labels.flat[: self.rows] = labels

    def __getattr__(self, name):
        return getattr(self._engine, name)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "prior"), [("nuts", "uniform(-2, 1)"), ("hmc", "normal(0, 1)")])
def test_ranks_of_the_truth_are_uniform(method, prior):
    random = np.random.default_rng(8)
    images = random.integers(0, 256, (12, 1, 2, 1)).astype(np.uint8)
    data = dataset(images, np.arange(12) % 3)
    ticket = ticket_of(network((1, 2, 1), L.Flatten(), L.Dense(2, activation="tanh"), L.Dense(3)), data)
    ticket.mask[next(iter(ticket.mask))][0, 1] = False
    posterior = posterior_of(ticket, data, prior=prior)
    posterior.engine = engine = Changing(posterior.engine)
    target = posterior.target()
    sampler = Nuts(target, 6) if method == "nuts" else Hmc(target, 8)
    rows, ranks = engine.prepare(images), []
    for replicate in range(REPLICATES):
        truth = posterior.prior.draw(random)
        chances = softmax(engine.logits(posterior.prior.constrain(truth), rows).astype(float), axis=1)
        engine.relabel([random.choice(3, p=row / row.sum()) for row in chances])
        draws, _, _ = sample(
            sampler, posterior.log_density_and_gradient, posterior.prior.draw(random), 80, KEPT * APART, replicate
        )
        draws = draws[APART - 1 :: APART]
        likelihoods, own = (
            np.array([engine.log_likelihood_and_gradient(posterior.prior.constrain(at))[0] for at in points])
            for points in (draws, [truth])
        )
        ranks.append([*(draws < truth).sum(axis=0), np.sum(likelihoods < own[0])])
    for column in np.transpose(ranks):  # weights, biases, the log likelihood
        counts = np.bincount(column * BINS // (KEPT + 1), minlength=BINS)
        assert chisquare(counts).pvalue > 1e-3 / len(ranks[0])
