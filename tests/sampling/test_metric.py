"""Metrics of draws and gradients, against closed forms and blackjax."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tests.sampling.blackjax_reference import correlated_draws
from tfticket.sampling.metric import Metric, fit_metric

BLACKJAX = json.loads((Path(__file__).parent / "blackjax_reference.json").read_text())


def inverse_mass(metric):
    """Of the sampler's variables, as a matrix."""
    low_rank = np.eye(len(metric.scale)) + metric.vectors * (metric.eigenvalues - 1) @ metric.vectors.T
    return metric.scale[:, None] * low_rank * metric.scale


def normal(random, size, stretches=(30, 8, 0.05)):
    """A factor of a covariance: scales over four decades, and some directions stretched or shrunk."""
    stretch = np.array(stretches) - 1
    vectors = np.linalg.qr(random.normal(size=(size, len(stretch))))[0]
    return np.geomspace(0.01, 100, size)[:, None] * (np.eye(size) + vectors * stretch @ vectors.T)


def drawn(factor, count, random):
    draws = random.normal(size=(count, len(factor))) @ factor.T
    return draws + 5, -draws @ np.linalg.inv(factor @ factor.T)


def test_a_metric_is_blackjaxs():
    draws, gradients = correlated_draws()
    metric = fit_metric(draws, gradients, added_draws=1e-5)  # blackjax's gamma
    assert 0 < metric.rank < len(metric.scale)
    np.testing.assert_allclose(metric.scale, BLACKJAX["scale"], rtol=1e-9)
    np.testing.assert_allclose(inverse_mass(metric), BLACKJAX["inverse_mass"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit_metric(draws, gradients, low_rank=False).scale, BLACKJAX["scale"], rtol=1e-9)


def test_the_metric_of_a_normal_posterior_is_its_covariance():
    """Up to eigenvalues within the cutoff with more draws than variables; with fewer, in the directions that count."""
    random = np.random.default_rng(0)
    factor = normal(random, 10)
    metric = fit_metric(*drawn(factor, 30, random), added_draws=1e-5)
    condition = np.linalg.cond(np.linalg.solve(_factor(metric), factor))
    assert condition < 2**0.5 * 1.05  # eigenvalues within the cutoff are left
    factor = normal(random, 60)
    draws, gradients = drawn(factor, 40, random)
    left = [
        np.linalg.cond(np.linalg.solve(_factor(fit_metric(draws, gradients, low_rank)), factor)) for low_rank in (0, 1)
    ]
    assert left[1] < left[0] / 8


@pytest.mark.parametrize("count", [10, 60])
def test_a_low_rank_metric_of_few_draws_freezes_no_direction(count):
    """With fewer draws than stretched directions too, and it is rounder than a diagonal one."""
    random = np.random.default_rng(0)
    factor = normal(random, 400, np.geomspace(0.05, 20, 80))
    draws, gradients = drawn(factor, count, random)
    diagonal, low_rank = (
        np.linalg.svd(np.linalg.solve(_factor(fit_metric(draws, gradients, rank)), factor), compute_uv=False)
        for rank in (False, True)
    )
    assert low_rank.max() < diagonal.max()
    assert low_rank.max() / low_rank.min() < diagonal.max() / diagonal.min()


def _factor(metric):
    return np.stack([metric.to_position(row) for row in np.eye(len(metric.scale))], axis=1)


def test_variables_and_gradients_are_whitened_by_one_linear_map():
    draws, gradients = correlated_draws()
    metric, random = fit_metric(draws, gradients), np.random.default_rng(0)
    factor, u = _factor(metric), random.normal(size=12)
    np.testing.assert_allclose(factor @ factor.T, inverse_mass(metric), rtol=1e-9)
    np.testing.assert_allclose(
        factor, metric.scale[:, None] * sqrtm(inverse_mass(metric) / np.outer(*[metric.scale] * 2))
    )
    np.testing.assert_allclose(metric.to_whitened(u), np.linalg.solve(factor, u))
    np.testing.assert_allclose(metric.whiten_gradient(u), factor.T @ u)
    np.testing.assert_allclose(metric.unwhiten_gradient(metric.whiten_gradient(u)), u)


@pytest.mark.parametrize("low_rank", [False, True])
def test_variables_that_stand_still_keep_their_scale(low_rank):
    draws, gradients = correlated_draws()
    draws[:, 3], gradients[:, 5] = 1.0, 0.0
    metric = fit_metric(draws, gradients, low_rank)
    assert metric.scale[3] == metric.scale[5] == 1
    assert np.isfinite(inverse_mass(metric)).all()
    still = fit_metric(np.ones((5, 4)), np.ones((5, 4)), low_rank)
    np.testing.assert_array_equal(inverse_mass(still), np.eye(4))


def test_a_metric_without_correlations_has_no_vectors():
    metric = Metric.diagonal(np.array([2.0, 0.5]))
    np.testing.assert_array_equal(metric.to_position(np.ones(2)), metric.scale)
    assert (metric.rank, repr(metric)) == (0, "Metric(2 variables, rank 0)")
