"""Simulation-based calibration of the samplers, start and warm-up among them, on a ticket of 30 weights.

Weights are drawn from the prior, and labels from the network that has them; among draws of the posterior, given those
labels, the rank of the weights is then uniform.

References:
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv 1804.06788; Saeilynoja, Buerkner and Vehtari (2022),
    "Graphical test for discrete uniformity" (bands of the ECDF).
"""

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from tests.sampling.problems import Target, posterior_of, random_data, small_network, ticket_of
from tfticket.config import SampleConfig
from tfticket.sampling.tuned_sampler import TunedSampler
from tfticket.sampling.warmup import Adaptation

DATA_SETS, WARMUP, DRAWS, ROWS, SIZE, SURVIVORS = 500, 60, 39, 40, 30, 22
METHODS = {
    "hmc": {"trajectory_length": 1.6, "thinning": 4},
    "mams": {"thinning": 4},
    "mclmc": {"thinning": 10},
}


def simulated():
    """The ticket's posterior on a data set of no meaning, and a function that draws weights and labels for it."""
    random, model = np.random.default_rng(0), small_network()
    data = random_data(random, (4, 4, 1), rows=ROWS)
    dense = ticket_of(model, data)
    entries = [(path, index) for path, part in dense.mask.items() for index in np.ndindex(part.shape)]
    mask = {path: np.zeros(part.shape, bool) for path, part in dense.mask.items()}
    for number in random.choice(len(entries), SURVIVORS, replace=False):
        path, index = entries[number]
        mask[path][index] = True
    ticket = ticket_of(model, data, mask)

    def draw(random):
        theta = random.normal(size=SIZE)
        posterior = posterior_of(ticket, data)
        chances = softmax(posterior.engine.logits(theta, posterior.engine.prepare(data.x_train)), axis=1)
        labels = (chances.cumsum(axis=1) < random.random((ROWS, 1))).sum(axis=1).clip(max=2).astype(np.int32)
        return theta, posterior_of(ticket, dataclasses.replace(data, y_train=labels))

    return draw


def bound(quantities):
    """Largest distance of a rank's ECDF from uniform that chance explains, for 99 % of all quantities together."""
    random, levels = np.random.default_rng(1), np.arange(1, DRAWS + 2) / (DRAWS + 1)
    largest = []
    for _ in range(20_000):
        counts = random.multinomial(DATA_SETS, np.full(DRAWS + 1, 1 / (DRAWS + 1)))
        largest.append(np.abs(counts.cumsum() / DATA_SETS - levels).max())
    return np.quantile(largest, 1 - 0.01 / quantities)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_ranks_of_the_true_weights_among_draws_are_uniform(method):
    config = SampleConfig(**{"method": method, "warmup": WARMUP, "draws": 1} | METHODS[method])
    draw, current, random = simulated(), [], np.random.default_rng(2)
    density = Target(SIZE, lambda u: current[-1].log_density_and_gradient(u))
    sampler = TunedSampler(density, SIZE, config)
    ranks = np.zeros((DATA_SETS, SIZE + 1), int)
    for row in ranks:
        truth, posterior = draw(random)
        assert posterior.size == SIZE
        current[:] = [posterior]
        sampler.adaptation = Adaptation.begin(WARMUP, SIZE, config.target_acceptance, tuning=sampler.adaptation.tuning)
        sampler.begin(posterior.prior.draw(random), random)
        for number in range(1, WARMUP + DRAWS * config.thinning + 1):
            stats = sampler.step(random)
            if number <= WARMUP:
                sampler.learn(stats, random)
            elif (number - WARMUP) % config.thinning == 0:
                u = sampler.variables
                below = np.append(u, posterior.log_density_and_gradient(u)[0])
                row += below < np.append(truth, posterior.log_density_and_gradient(truth)[0])
    ecdf = (ranks[:, :, None] <= np.arange(DRAWS + 1)).mean(axis=0)
    distance = np.abs(ecdf - np.arange(1, DRAWS + 2) / (DRAWS + 1)).max(axis=1)
    assert distance.max() < bound(SIZE + 1)
