"""Predictive uncertainty, scores of rows out of distribution, and summaries of posteriors."""

import json
import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import entr, logsumexp
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.posterior_summary import kl_divergence, share_at_bound, summarise_posterior
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, auroc, aurocs, entropies, ood_scores
from tfticket.pruning.scores import posterior_stddev

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(2, 4))


@given(arrays(np.float64, SHAPES, elements=st.floats(-40, 40)))
def test_the_mean_prediction_and_its_uncertainty(logits):
    draws = np.array([log_probabilities(draw) for draw in logits])
    predictive, probabilities = PosteriorPredictive(iter(draws)), np.exp(draws)
    np.testing.assert_allclose(predictive.log_probs, logsumexp(draws, axis=0) - math.log(len(draws)), atol=1e-12)
    parts = predictive.uncertainty
    np.testing.assert_allclose(parts.entropy, entr(probabilities.mean(axis=0)).sum(axis=-1), atol=1e-12)
    np.testing.assert_allclose(parts.aleatoric, entr(probabilities).sum(axis=-1).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(parts.aleatoric + parts.epistemic, parts.entropy, atol=1e-12)
    assert parts.epistemic.min() >= 0
    assert parts.means() == {part: getattr(parts, part).mean() for part in ("entropy", "aleatoric", "epistemic")}


def test_entropies_of_even_and_sure_predictions():
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.25] * 4, [0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(entropies(log_probs), [math.log(4), math.log(2), 0, 0])
    assert entropies(np.array([[0.0, -1e30]])) == 0
    opposite = PosteriorPredictive(log_probs[2:, None]).uncertainty
    assert opposite.means() == pytest.approx({"entropy": math.log(2), "aleatoric": 0, "epistemic": math.log(2)})


def test_draws_are_accumulated_and_none_is_kept():
    most, alive = [], []

    def draws():
        for number in range(8):
            most.append(sum(draw() is not None for draw in alive))
            log_probs = log_probabilities(np.random.default_rng(number).normal(size=(30, 4)))
            alive.append(weakref.ref(log_probs))
            yield log_probs
            del log_probs

    PosteriorPredictive(draws())
    assert max(most) <= 2


SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_the_auroc_is_that_of_scikit_learn_ties_among_them(inside, outside):
    theirs = roc_auc_score([0] * len(inside) + [1] * len(outside), inside + outside)
    assert auroc(np.array(inside, float), np.array(outside, float)) == pytest.approx(theirs)


def test_scores_of_rows_out_of_distribution():
    """Draws that disagree have epistemic entropy; noise alone has none, though its entropy is larger."""
    random, scores = np.random.default_rng(1), []
    noisy = np.repeat(log_probabilities(random.normal(0, 0.01, (50, 4)))[None], 6, axis=0)
    strange = log_probabilities(20 * random.normal(size=(6 * 50, 4))).reshape(6, 50, 4)
    for predictive in map(PosteriorPredictive, (noisy, strange)):
        scores.append(ood_scores(predictive.log_probs, predictive.uncertainty))
        np.testing.assert_allclose(scores[-1]["confidence"], 1 - np.exp(predictive.log_probs).max(axis=1))
        for name in ("entropy", "epistemic"):
            np.testing.assert_array_equal(scores[-1][name], getattr(predictive.uncertainty, name))
    areas = aurocs(*scores)
    assert (areas["epistemic"], areas["entropy"] < 0.1) == (1, True)
    nearly_sure = ood_scores(log_probabilities(np.array([[60.0, 0.0], [50.0, 0.0]])))
    assert list(nearly_sure) == ["confidence", "entropy"]  # of one prediction
    assert 0 < nearly_sure["confidence"][0] < nearly_sure["confidence"][1] < 1e-20


# Posteriors


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
    kept = random.random((20, 30)) < 0.5
    weights["a/kernel_rho"][~kept] = 1e4
    summary = summarise_posterior({"a/kernel": kept, "inner/b/kernel": np.zeros((2, 2), bool)}, weights, prior=0.5)
    assert list(summary) == ["a", "inner/b"]
    assert summary["inner/b"] == {"magnitude": None, "sigma": None, "snr": None, "divergence": 0.0}
    mean, sigma = weights["a/kernel"][kept], np.log1p(np.exp(weights["a/kernel_rho"][kept]))
    assert summary["a"]["magnitude"] == pytest.approx(np.abs(mean).mean(), rel=1e-6)
    np.testing.assert_allclose(summary["a"]["sigma"], np.percentile(sigma, [5, 25, 50, 75, 95]), rtol=1e-5)
    snr = np.percentile(np.abs(mean) / sigma, [5, 25, 50, 75, 95])
    np.testing.assert_allclose(summary["a"]["snr"], snr, rtol=1e-5)
    biases = kl_divergence(weights["a/bias"], np.log1p(np.exp(weights["a/bias_rho"])), 0.5)
    assert summary["a"]["divergence"] == pytest.approx(kl_divergence(mean, sigma, 0.5) + biases, rel=1e-5)


def test_extreme_weights_stay_finite():
    np.testing.assert_allclose(posterior_stddev(np.array([-1000.0, -30, 0, 1000])), [0, np.exp(-30), np.log(2), 1000])
    weights = {"a/kernel": np.array([[0.0, 1.0]], np.float32), "a/kernel_rho": np.array([[-2000, 500.0]], np.float32)}
    json.dumps(summarise_posterior({"a/kernel": np.ones((1, 2), bool)}, weights, 1.0), allow_nan=False)


@pytest.mark.parametrize(("kernel", "bias", "share"), [
    ([0.5, 0.1, 0.0, 9.0], [0.0], 0.25),  # the last entry is pruned and does not count
    ([0.46, -0.5, 0.44, 0.0], [0.45], 0.75),  # up or down, and from 90 % of the way on
    ([0.0, 0.0], [0.0, 0.0], 0.0),
    ([0.6], [], 0.0),  # nothing survives
    ([0.5, 0.5, 0.0], None, 1.0),  # without a bias
])  # fmt: skip
def test_deviations_at_the_bound_moved_nearly_as_far_as_all_learning_rates_together(kernel, bias, share):
    after = {"a/kernel_rho": np.array([kernel], np.float32)}
    after |= {} if bias is None else {"a/bias_rho": np.array(bias, np.float32)}
    start = {path: np.zeros_like(array) for path, array in after.items()}
    mask = {"a/kernel": np.array([[True] * (len(kernel) - 1) + [False]])}
    assert share_at_bound(mask, start, after, 0.5 - 1e-9) == pytest.approx(share)
