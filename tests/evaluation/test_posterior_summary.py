import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tfticket.evaluation.posterior_summary import QUANTILES, kl_divergence, share_at_bound, summarise_posterior
from tfticket.pruning.scores import posterior_stddev


@given(st.floats(-1000, 1000))
def test_softplus_is_stable(rho):
    found = float(posterior_stddev(np.array(rho)))
    assert math.isfinite(found)
    assert found >= max(rho, 0)
    if abs(rho) < 30:
        assert found == pytest.approx(math.log1p(math.exp(rho)))


@pytest.mark.parametrize(("mean", "deviation", "prior"), [(0.0, 1.0, 1.0), (0.3, 0.2, 1.0), (-2.0, 0.7, 0.5)])
def test_the_divergence_is_the_integral_that_defines_it(mean, deviation, prior):
    x = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    ours, theirs = norm(mean, deviation), norm(0, prior)
    integral = np.trapezoid(ours.pdf(x) * (ours.logpdf(x) - theirs.logpdf(x)), x)
    assert kl_divergence(np.array([mean]), np.array([deviation]), prior) == pytest.approx(integral, abs=1e-9)
    assert kl_divergence(np.full(3, mean), np.full(3, deviation), prior) == pytest.approx(3 * integral, abs=1e-8)


def network():
    """Three layers: one half pruned, one whole, one emptied without bias."""
    random = np.random.default_rng(0)
    shapes = {"a/kernel": (20, 30), "a/bias": (30,), "b/kernel": (5, 4), "b/bias": (4,), "inner/c/kernel": (2, 2)}
    weights = {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    weights |= {f"{path}_rho": random.normal(-3, 1, shape).astype(np.float32) for path, shape in shapes.items()}
    mask = {
        "a/kernel": random.random((20, 30)) < 0.5,
        "b/kernel": np.ones((5, 4), bool),
        "inner/c/kernel": np.zeros((2, 2), bool),
    }
    return mask, weights


def test_what_is_told_of_a_layer_is_of_its_survivors():
    mask, weights = network()
    found = summarise_posterior(mask, weights, prior=0.5)
    assert list(found) == ["a", "b", "inner/c"]
    kept = mask["a/kernel"]
    mean, sigma = weights["a/kernel"][kept], np.log1p(np.exp(weights["a/kernel_rho"][kept]))
    assert found["a"]["magnitude"] == pytest.approx(np.abs(mean).mean(), rel=1e-6)
    np.testing.assert_allclose(found["a"]["sigma"], np.percentile(sigma, QUANTILES), rtol=1e-5)
    np.testing.assert_allclose(found["a"]["snr"], np.percentile(np.abs(mean) / sigma, QUANTILES), rtol=1e-5)
    assert found["a"]["sigma"] == sorted(found["a"]["sigma"])


def test_a_pruned_weight_does_not_count_whatever_its_rho():
    mask, weights = network()
    before = summarise_posterior(mask, weights, 1.0)
    weights["a/kernel_rho"][~mask["a/kernel"]] = 1e4
    weights["a/kernel"][~mask["a/kernel"]] = 0
    assert summarise_posterior(mask, weights, 1.0) == before


def test_the_divergence_of_a_layer_has_its_bias_and_an_emptied_one_has_no_more():
    mask, weights = network()
    found = summarise_posterior(mask, weights, 0.5)
    parts = [
        kl_divergence(weights[path][kept], posterior_stddev(weights[f"{path}_rho"][kept].astype(float)), 0.5)
        for path, kept in (("b/kernel", mask["b/kernel"]), ("b/bias", np.ones(4, bool)))
    ]
    assert found["b"]["divergence"] == pytest.approx(sum(parts))
    assert found["inner/c"] == {"magnitude": None, "sigma": None, "snr": None, "divergence": 0.0}


def test_extreme_weights_stay_finite_and_json():
    weights = {"a/kernel": np.array([[0.0, 1.0]], np.float32), "a/kernel_rho": np.array([[-2000, 500.0]], np.float32)}
    found = summarise_posterior({"a/kernel": np.ones((1, 2), bool)}, weights, 1.0)
    assert "NaN" not in (text := json.dumps(found))
    assert "Infinity" not in text


def moved(kernel, bias=()):
    """Rhos at 0, and the same moved by so much: a layer of a mask that keeps all but the last kernel entry."""
    after = {"a/kernel_rho": np.array([kernel], np.float32), "a/bias_rho": np.array(bias, np.float32)}
    mask = {"a/kernel": np.array([[True] * (len(kernel) - 1) + [False]])}
    return mask, {path: np.zeros_like(array) for path, array in after.items()}, after


@pytest.mark.parametrize(
    ("kernel", "bias", "share"),
    [
        ([0.5, 0.1, 0.0, 9.0], [0.0], 0.25),  # a pruned weight does not count
        ([0.46, -0.5, 0.44, 0.0], [0.45], 0.75),  # up or down, and from 90 % of the way on
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.6], [], 0.0),  # nothing survives
    ],
)
def test_deviations_at_the_bound_are_those_that_went_nearly_as_far_as_all_learning_rates_together(kernel, bias, share):
    assert share_at_bound(*moved(kernel, bias), 0.5 - 1e-9) == pytest.approx(share)


def test_a_layer_without_a_bias_has_none_at_the_bound():
    mask, start, after = moved([0.5, 0.5, 0.0])
    del after["a/bias_rho"]
    assert share_at_bound(mask, start, after, 0.5 - 1e-9) == 1.0
