import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from tfticket.evaluation.metrics import accuracy, all_metrics, log_probabilities, nll

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-50, 50, width=32))


def test_a_case_worked_by_hand():
    log_probs = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 2, 0, 1])
    assert accuracy(log_probs, labels) == 0.5
    assert nll(log_probs, labels) == pytest.approx(-math.log(0.5 * 0.7 * 0.3 * 0.2) / 4)
    assert all_metrics(log_probs, labels) == {"accuracy": accuracy(log_probs, labels), "nll": nll(log_probs, labels)}


@given(LOGITS, st.floats(-1000, 1000))
def test_log_probabilities_sum_to_one_in_double_precision_and_do_not_know_the_logits_level(logits, level):
    log_probs = log_probabilities(logits)
    assert log_probs.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(log_probabilities(logits.astype(np.float64) + level), log_probs, atol=1e-10)


@given(st.floats(-700, 700))
def test_two_classes_are_the_logistic_function(margin):
    log_probs = log_probabilities(np.array([[margin, 0.0]]))
    assert math.exp(log_probs[0, 0]) == pytest.approx(expit(margin))
    assert nll(log_probs, np.array([0])) == pytest.approx(np.logaddexp(0.0, -margin))


def test_extreme_logits_stay_finite():
    log_probs = log_probabilities(np.array([[1e30, 0.0], [-1e4, 1e4]], np.float32))
    np.testing.assert_allclose(log_probs, [[0.0, -1e30], [-2e4, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 10])
def test_who_knows_nothing_has_the_nll_of_a_guess(classes):
    log_probs = log_probabilities(np.zeros((7, classes), np.float32))
    assert nll(log_probs, np.arange(7) % classes) == pytest.approx(math.log(classes))


@given(LOGITS, st.randoms(use_true_random=False))
def test_metrics_are_means_over_rows_in_any_order(logits, random):
    labels = np.array([random.randrange(logits.shape[1]) for _ in logits])
    log_probs = log_probabilities(logits)
    rows = [all_metrics(log_probs[[row]], labels[[row]]) for row in range(len(labels))]
    whole = all_metrics(log_probs[::-1], labels[::-1])
    for name, value in whole.items():
        assert value == pytest.approx(np.mean([row[name] for row in rows]))
