import json

import numpy as np
import pytest
from scipy.stats import norm

from tfticket.evaluation.posterior_summary import QUANTILES, kl_divergence, share_at_bound, summarise_posterior
from tfticket.pruning.scores import posterior_stddev


@pytest.mark.parametrize(("mean", "deviation", "prior"), [(0.0, 1.0, 1.0), (0.3, 0.2, 1.0), (-2.0, 0.7, 0.5)])
def test_the_divergence_is_the_integral_that_defines_it(mean, deviation, prior):
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    ours, theirs = norm(mean, deviation), norm(0, prior)
    integral = np.trapezoid(ours.pdf(x) * (ours.logpdf(x) - theirs.logpdf(x)), x)
    assert kl_divergence(np.full(3, mean), np.full(3, deviation), prior) == pytest.approx(3 * integral, abs=1e-8)


def test_a_layer_is_summarised_by_its_survivors_and_its_divergence_includes_the_bias():
    random = np.random.default_rng(0)
    shapes = {"a/kernel": (20, 30), "a/bias": (30,), "inner/b/kernel": (2, 2)}
    weights = {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    weights |= {f"{path}_rho": random.normal(-3, 1, shape).astype(np.float32) for path, shape in shapes.items()}
    mask = {"a/kernel": random.random((20, 30)) < 0.5, "inner/b/kernel": np.zeros((2, 2), bool)}
    weights["a/kernel_rho"][~mask["a/kernel"]] = 1e4  # of pruned weights
    summary, kept = summarise_posterior(mask, weights, prior=0.5), mask["a/kernel"]
    assert list(summary) == ["a", "inner/b"]
    assert summary["inner/b"] == {"magnitude": None, "sigma": None, "snr": None, "divergence": 0.0}
    mean, sigma = weights["a/kernel"][kept], np.log1p(np.exp(weights["a/kernel_rho"][kept]))
    assert summary["a"]["magnitude"] == pytest.approx(np.abs(mean).mean(), rel=1e-6)
    np.testing.assert_allclose(summary["a"]["sigma"], np.percentile(sigma, QUANTILES), rtol=1e-5)
    np.testing.assert_allclose(summary["a"]["snr"], np.percentile(np.abs(mean) / sigma, QUANTILES), rtol=1e-5)
    biases = kl_divergence(weights["a/bias"], np.log1p(np.exp(weights["a/bias_rho"])), 0.5)
    assert summary["a"]["divergence"] == pytest.approx(kl_divergence(mean, sigma, 0.5) + biases, rel=1e-5)


def test_extreme_weights_stay_finite():
    np.testing.assert_allclose(posterior_stddev(np.array([-1000.0, -30, 0, 1000])), [0, np.exp(-30), np.log(2), 1000])
    weights = {"a/kernel": np.array([[0.0, 1.0]], np.float32), "a/kernel_rho": np.array([[-2000, 500.0]], np.float32)}
    json.dumps(summarise_posterior({"a/kernel": np.ones((1, 2), bool)}, weights, 1.0), allow_nan=False)


@pytest.mark.parametrize(
    ("kernel", "bias", "share"),
    [
        ([0.5, 0.1, 0.0, 9.0], [0.0], 0.25),  # the last entry is pruned and does not count
        ([0.46, -0.5, 0.44, 0.0], [0.45], 0.75),  # up or down, and from 90 % of the way on
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.6], [], 0.0),  # nothing survives
        ([0.5, 0.5, 0.0], None, 1.0),  # without a bias
    ],
)
def test_deviations_at_the_bound_moved_nearly_as_far_as_all_learning_rates_together(kernel, bias, share):
    after = {"a/kernel_rho": np.array([kernel], np.float32)}
    if bias is not None:
        after["a/bias_rho"] = np.array(bias, np.float32)
    start = {path: np.zeros_like(array) for path, array in after.items()}
    mask = {"a/kernel": np.array([[True] * (len(kernel) - 1) + [False]])}
    assert share_at_bound(mask, start, after, 0.5 - 1e-9) == pytest.approx(share)
