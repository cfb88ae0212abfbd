"""Every sampler on the targets with public reference posteriors, from near their modes, as `start: trained` does."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.sampling.problems import effective, sample
from tests.sampling.targets import REFERENCES
from tfticket.config import SampleConfig

METHODS = {
    "nuts": {"draws": 600, "max_tree_depth": 7},
    "hmc": {"draws": 1500, "trajectory_length": 1.6},
    "mams": {"draws": 3000},
    "mclmc": {"draws": 3000},
}
FAST = [("mams", "eight_schools"), ("mclmc", "kidscore_interaction"), ("hmc", "kidscore_momiq")]


def near_the_mode(target):
    """Where L-BFGS from a standard normal start ends."""

    def negative(u):
        value, gradient = target.log_density_and_gradient(u)
        return -value, -gradient

    start = np.random.default_rng(0).normal(size=target.size)
    return minimize(negative, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x


@pytest.mark.parametrize(
    ("method", "name"),
    [
        pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
        for case in itertools.product(METHODS, REFERENCES)
    ],
)
def test_means_and_deviations_are_the_published_ones(method, name):
    """Within four combined standard errors; deviations within a quarter, where their error is not published."""
    reference = REFERENCES[name]()
    options = {"warmup": 500, "metric": "low-rank", "target_acceptance": 0.9} | METHODS[method]
    start = near_the_mode(reference.target)
    draws, *_ = sample(reference.target, start, SampleConfig(method=method, **options))
    quantities = reference.to_quantities(draws)
    errors = np.hypot(quantities.std(axis=0) / np.sqrt(effective(quantities)), reference.errors)
    distances = np.abs(quantities.mean(axis=0) - reference.means) / errors
    assert (effective(quantities) > 60).mean() > 0.9
    assert distances.max() < 4
    if reference.deviations is not None and name != "stochastic_volatility":  # whose mean has heavy tails
        np.testing.assert_allclose(quantities.std(axis=0) / reference.deviations, 1, atol=0.25)
