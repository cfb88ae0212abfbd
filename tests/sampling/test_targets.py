"""The densities of the reference targets: gradients, and posteriors that can be had without sampling."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from tests.sampling.problems import central_differences
from tests.sampling.targets import REFERENCES, stored
from tfticket.backend import tf
from tfticket.sampling.metric import Metric

BUILT = pytest.mark.parametrize("reference", [build() for build in REFERENCES.values()], ids=list(REFERENCES))

SCALES = {
    "eight_schools": ([9], [np.linspace(-8, 4, 60)]),
    "kidscore_momiq": ([2], [np.linspace(2.7, 3.1, 20)]),
    "kidscore_interaction": ([4], [np.linspace(2.7, 3.1, 20)]),
    "sblrc": ([5], [np.linspace(-0.35, 0.5, 20)]),
    "brownian_motion": ([], []),
    "radon_minnesota": ([86, 87], [np.linspace(-3.8, -1.2, 9), np.linspace(-0.35, -0.19, 6)]),
}
"""Log scales of a target, given which its other variables are normal, and values of them over the posterior."""


@BUILT
def test_gradients_of_any_metric_are_those_of_the_log_density_in_numpy_and_as_tensors(reference):
    random, target = np.random.default_rng(0), reference.target
    target.metric = Metric.diagonal(random.uniform(0.5, 2, target.size))
    at = random.normal(size=target.size) / 2
    value, gradient = target.log_density_and_gradient(at)
    some = random.permutation(target.size)[:20]
    differences = central_differences(lambda there: target.log_density_and_gradient(there)[0], at, some)
    np.testing.assert_allclose(gradient[some], differences, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())
    with tf.GradientTape() as tape:
        tensor = tf.constant(at)
        tape.watch(tensor)
        as_tensor = target.as_tensor()(tensor)
    assert float(as_tensor) == value
    np.testing.assert_array_equal(tape.gradient(as_tensor, tensor), gradient)


@BUILT
def test_quantities_are_those_of_the_reference(reference):
    draws = np.random.default_rng(0).normal(size=(3, reference.target.size))
    assert reference.to_quantities(draws).shape == (3, len(reference.means))
    assert reference.means.shape == reference.errors.shape
    if reference.deviations is not None:
        assert (reference.errors < reference.deviations / 50).all()


def moments(reference, scales, grids):
    """Means and deviations of the quantities: sums over log scales, exact in all other variables, which are normal."""
    function, size = reference.target.log_density_and_gradient, reference.target.size
    rest = np.setdiff1d(np.arange(size), scales)
    units = np.eye(size)[rest]
    log_weights, means, variances = [], [], []
    for values in product(*grids):
        at = np.zeros(size)
        at[scales] = values
        gradient = function(at)[1][rest]
        precision = gradient - np.array([function(at + unit)[1][rest] for unit in units])
        covariance = np.linalg.inv(precision)
        centre = at + units.T @ covariance @ gradient
        log_weights.append(function(centre)[0] - np.linalg.slogdet(precision)[1] / 2)
        quantities = reference.to_quantities(np.vstack([centre, centre + units]))
        slopes = quantities[1:] - quantities[0]
        means.append(quantities[0])
        variances.append(np.sum(slopes * (covariance @ slopes), axis=0))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    weights /= weights.sum()
    mean = weights @ np.array(means)
    return mean, np.sqrt(weights @ (np.array(variances) + (np.array(means) - mean) ** 2))


@pytest.mark.parametrize("name", SCALES)
def test_integrals_agree_with_the_reference(name):
    reference = REFERENCES[name]()
    means, deviations = moments(reference, *SCALES[name])
    assert np.abs((means - reference.means) / reference.errors).max() < 3
    assert (reference.errors < deviations / 50).all()
    if reference.deviations is not None:
        np.testing.assert_allclose(deviations, reference.deviations, rtol=0.02)


def test_the_mode_of_item_response_is_near_its_mean():
    reference = REFERENCES["item_response"]()

    def negative(u):
        value, gradient = reference.target.log_density_and_gradient(u)
        return -value, -gradient

    mode = minimize(negative, np.zeros(501), jac=True, method="L-BFGS-B").x
    distances = (mode - reference.means) / reference.deviations
    assert np.abs(distances).max() < 0.3
    assert np.sqrt(np.mean(distances**2)) < 0.1


def test_stochastic_volatility_is_the_density_of_its_model():
    reference = REFERENCES["stochastic_volatility"]()
    prices = np.array(stored("stochastic_volatility")["closing_prices"])
    returns = np.diff(prices) - np.diff(prices).mean()

    def by_distributions(u):
        persistence, mean, shock, *h = reference.to_quantities(u[None])[0]
        share = (1 + persistence) / 2
        scales = shock * np.r_[1 / np.sqrt(1 - persistence**2), np.ones(99)]
        centres = mean + persistence * (np.r_[mean, h[:-1]] - mean)
        priors = (
            stats.beta.logpdf(share, 20, 1.5) + stats.cauchy.logpdf(mean, 0, 5) + stats.halfcauchy.logpdf(shock, 0, 2)
        )
        log_likelihood = stats.norm.logpdf(returns, 0, np.exp(np.array(h) / 2)).sum()
        jacobian = np.log(share * (1 - share)) + np.log(shock) + np.log(scales).sum()
        return priors + stats.norm.logpdf(h, centres, scales).sum() + log_likelihood + jacobian

    points = np.random.default_rng(0).normal(size=(3, 103)) + np.r_[2, 6, -1, np.zeros(100)]
    differences = [reference.target.log_density_and_gradient(u)[0] - by_distributions(u) for u in points]
    np.testing.assert_allclose(differences, differences[0], rtol=1e-9)
