import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import entr, logsumexp
from sklearn.metrics import roc_auc_score

from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, auroc, aurocs, entropies, ood_scores

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(2, 4))
SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=40)


def log_of(*draws):
    with np.errstate(divide="ignore"):
        return np.log(np.array(draws, float))


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
    assert len(draws) > 1 or not parts.epistemic.any()


def test_entropies_worked_by_hand():
    even, sure = [0.25] * 4, [1, 0, 0, 0]
    np.testing.assert_allclose(entropies(log_of(even, sure, [0.5, 0.5, 0, 0])), [math.log(4), 0, math.log(2)])
    assert entropies(np.array([[0.0, -1e30]])) == 0
    opposite = PosteriorPredictive(log_of([sure], [sure[::-1]])).uncertainty
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


# Out of distribution


@given(SCORES, SCORES)
def test_the_auroc_is_that_of_scikit_learn_ties_among_them(inside, outside):
    theirs = roc_auc_score([0] * len(inside) + [1] * len(outside), inside + outside)
    assert auroc(np.array(inside, float), np.array(outside, float)) == pytest.approx(theirs)


def test_scores_of_rows_out_of_distribution():
    """Draws that disagree have epistemic entropy; noise alone has none, though its entropy is larger."""
    random = np.random.default_rng(1)
    noisy = np.repeat(log_probabilities(random.normal(0, 0.01, (50, 4)))[None], 6, axis=0)
    strange = log_probabilities(20 * random.normal(size=(6 * 50, 4))).reshape(6, 50, 4)
    predictive = [PosteriorPredictive(draws) for draws in (noisy, strange)]
    inside, outside = (ood_scores(each.log_probs, each.uncertainty) for each in predictive)
    for scores, each in zip((inside, outside), predictive, strict=True):
        np.testing.assert_allclose(scores["confidence"], 1 - np.exp(each.log_probs).max(axis=1))
        np.testing.assert_array_equal(scores["entropy"], each.uncertainty.entropy)
        np.testing.assert_array_equal(scores["epistemic"], each.uncertainty.epistemic)
    areas = aurocs(inside, outside)
    assert areas["epistemic"] == 1
    assert areas["entropy"] < 0.1
    nearly_sure = ood_scores(log_probabilities(np.array([[60.0, 0.0], [50.0, 0.0]])))
    assert list(nearly_sure) == ["confidence", "entropy"]  # of one prediction
    assert 0 < nearly_sure["confidence"][0] < nearly_sure["confidence"][1] < 1e-20
