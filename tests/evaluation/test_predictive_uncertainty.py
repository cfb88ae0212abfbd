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

LOGITS = arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(2, 4)), elements=st.floats(-40, 40)
)
SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=40)


def drawn(draws=6, rows=30, classes=4, seed=0):
    """Log probabilities [draws, rows, classes]."""
    logits = 3 * np.random.default_rng(seed).normal(size=(draws * rows, classes))
    return log_probabilities(logits).reshape(draws, rows, classes)


@given(LOGITS)
def test_the_parts_make_the_whole_and_none_is_negative(logits):
    log_probs = np.array([log_probabilities(draw) for draw in logits])
    found = PosteriorPredictive(log_probs).uncertainty
    mean = np.exp(log_probs).mean(axis=0)
    np.testing.assert_allclose(found.entropy, entr(mean).sum(axis=-1), atol=1e-12)
    np.testing.assert_allclose(found.aleatoric, entr(np.exp(log_probs)).sum(axis=-1).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.aleatoric + found.epistemic, found.entropy, atol=1e-12)
    assert found.epistemic.min() >= 0
    assert found.entropy.max() <= math.log(logits.shape[2]) + 1e-12
    assert found.means() == pytest.approx({name: getattr(found, name).mean() for name in found.means()})


def test_draws_that_agree_know_no_less_together_and_sure_ones_that_do_not_know_nothing():
    one = drawn(1)
    assert PosteriorPredictive(one).uncertainty.epistemic.max() == 0
    np.testing.assert_allclose(PosteriorPredictive(np.repeat(one, 4, axis=0)).uncertainty.epistemic, 0, atol=1e-12)
    with np.errstate(divide="ignore"):
        against = np.log(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    found = PosteriorPredictive(against).uncertainty
    assert (found.entropy[0], found.aleatoric[0]) == (pytest.approx(math.log(2)), 0)
    assert found.epistemic[0] == pytest.approx(math.log(2))


def test_entropy_is_largest_where_nothing_is_known_and_0_of_what_is_certain():
    with np.errstate(divide="ignore"):
        found = entropies(np.log(np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]])))
    np.testing.assert_allclose(found, [math.log(4), 0, math.log(2)])
    assert entropies(np.array([[0.0, -1e30]])) == 0


def test_draws_are_taken_in_one_by_one_and_none_is_kept():
    whole, most, alive = drawn(8), [], []

    def draws():
        for log_probs in whole:
            most.append(sum(one() is not None for one in alive))
            log_probs = log_probs.copy()
            alive.append(weakref.ref(log_probs))
            yield log_probs
            del log_probs

    found = PosteriorPredictive(draws())
    assert max(most) <= 2
    np.testing.assert_allclose(found.log_probs, logsumexp(whole, axis=0) - math.log(8), rtol=1e-12)
    np.testing.assert_allclose(found.uncertainty.aleatoric, entropies(whole).mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(PosteriorPredictive(iter(whole[:1])).log_probs, whole[0])


# Rows from elsewhere


@given(SCORES, SCORES)
def test_the_auroc_is_that_of_scikit_learn_ties_among_them(inside, outside):
    labels = [0] * len(inside) + [1] * len(outside)
    theirs = roc_auc_score(labels, inside + outside)
    assert auroc(np.array(inside, float), np.array(outside, float)) == pytest.approx(theirs)


def test_the_auroc_counts_pairs():
    assert auroc(np.array([0.0, 1.0]), np.array([2.0])) == 1
    assert auroc(np.array([2.0]), np.array([0.0, 1.0])) == 0
    assert auroc(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == 0.75


def test_strangeness_has_a_score_of_each_kind_and_epistemic_ones_of_draws_alone():
    log_probs = drawn()
    pooled = PosteriorPredictive(log_probs)
    found = ood_scores(pooled.log_probs, pooled.uncertainty)
    assert set(found) == {"confidence", "entropy", "epistemic"}
    np.testing.assert_allclose(found["confidence"], 1 - np.exp(pooled.log_probs).max(axis=1))
    np.testing.assert_array_equal(found["entropy"], pooled.uncertainty.entropy)
    assert set(ood_scores(log_probs[0])) == {"confidence", "entropy"}


def test_rows_that_are_nearly_sure_are_still_told_apart():
    found = ood_scores(log_probabilities(np.array([[60.0, 0.0], [50.0, 0.0]])))["confidence"]
    assert 0 < found[0] < found[1] < 1e-20


def test_rows_of_which_draws_disagree_are_told_by_their_epistemic_entropy_and_not_by_noise_alone():
    random = np.random.default_rng(1)
    noisy = np.repeat(log_probabilities(np.zeros((50, 4)) + random.normal(0, 0.01, (50, 4)))[None], 6, axis=0)
    strange = log_probabilities(20 * random.normal(size=(6 * 50, 4))).reshape(6, 50, 4)
    inside, outside = (ood_scores(one.log_probs, one.uncertainty) for one in map(PosteriorPredictive, (noisy, strange)))
    found = aurocs(inside, outside)
    assert found["epistemic"] == 1
    assert found["entropy"] < 0.1
