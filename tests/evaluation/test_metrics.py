import json
import math

import numpy as np
import pytest
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from tfticket import backend  # noqa: F401  before TFP, which needs its Keras
from tfticket.evaluation.metrics import (
    BINS,
    METRICS,
    accuracy,
    all_metrics,
    brier,
    ece,
    log_probabilities,
    mace,
    nll,
    reliability,
    reliability_record,
)

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-50, 50, width=32))


def test_a_case_worked_by_hand():
    log_probs = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 2, 0, 1])
    assert accuracy(log_probs, labels) == 0.5
    assert nll(log_probs, labels) == pytest.approx(-math.log(0.5 * 0.7 * 0.3 * 0.2) / 4)
    assert brier(log_probs, labels) == pytest.approx((0.375 + 0.14 + 0.86 + 1.04) / 4)
    # Confidences 0.5, 0.7, 0.6, 0.6 in the bins (0.4, 0.5], (0.6, 0.7], (0.5, 0.6]; right, right, wrong, wrong.
    found = reliability(log_probs, labels)
    assert [*found.count] == [1, 2, 1]
    assert [*found.index] == [4, 5, 6]
    np.testing.assert_allclose(found.confidence, [0.5, 0.6, 0.7])
    np.testing.assert_allclose(found.accuracy, [1, 0, 1])
    assert ece(log_probs, labels) == pytest.approx((0.5 + 2 * 0.6 + 0.3) / 4)
    assert mace(log_probs, labels) == pytest.approx((0.5 + 0.6 + 0.3) / 3)
    assert mace(log_probs, labels, bins=2) == pytest.approx((0.5 + abs(1 / 3 - 1.9 / 3)) / 2)
    assert mace(log_probs, labels, bins=2, by="mass") == pytest.approx((abs(0.5 - 0.55) + abs(0.5 - 0.65)) / 2)
    assert all_metrics(log_probs, labels) == {name: metric(log_probs, labels) for name, metric in METRICS.items()}


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
    whole = all_metrics(log_probs[::-1], labels[::-1])
    for name in ("accuracy", "nll", "brier"):
        rows = [METRICS[name](log_probs[[row]], labels[[row]]) for row in range(len(labels))]
        assert whole[name] == pytest.approx(np.mean(rows))
    for name in ("ece", "mace"):
        assert whole[name] == pytest.approx(METRICS[name](log_probs, labels))


# Calibration


def drawn(rows, classes=4, seed=0, sharper=1.0):
    """Log probabilities, and labels that are drawn from them; or predicted more sharply than they are drawn."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(rows, classes))
    labels = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    return log_probabilities(sharper * logits), labels


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_the_ece_is_that_of_tensorflow_probability(bins, sharper):
    log_probs, labels = drawn(500, sharper=sharper)
    theirs = tfp.stats.expected_calibration_error(bins, logits=log_probs.astype(np.float32), labels_true=labels)
    assert ece(log_probs, labels, bins) == pytest.approx(float(theirs), abs=1e-6)


def test_the_brier_score_is_that_of_tensorflow_probability():
    log_probs, labels = drawn(500)
    theirs = tfp.stats.brier_score(labels, log_probs)  # without the constant 1, its docstring says
    assert brier(log_probs, labels) == pytest.approx(1 + float(np.mean(theirs)))


def test_who_draws_from_the_prediction_is_calibrated_and_who_exaggerates_is_not():
    honest, sharp = (drawn(100_000, sharper=factor) for factor in (1.0, 3.0))
    for metric in (ece, mace):
        assert metric(*honest) < 0.02
        assert metric(*sharp) > 0.1


def test_who_is_always_right_and_sure_has_no_error():
    log_probs = log_probabilities(np.array([[0.0, 900.0], [900.0, 0.0]]))
    assert (brier(log_probs, np.array([1, 0])), ece(log_probs, np.array([1, 0])), mace(log_probs, [1, 0])) == (0, 0, 0)
    assert brier(log_probs, np.array([0, 1])) == 2


@pytest.mark.parametrize("by", ["width", "mass"])
def test_bins_hold_every_row_once_and_no_bin_is_empty(by):
    log_probs, labels = drawn(101)
    found = reliability(log_probs, labels, 10, by)
    assert found.count.sum() == 101
    assert found.count.min() > 0
    assert np.all(np.diff(found.confidence) > 0)
    if by == "mass":
        assert {*found.count} == {10, 11}
    assert np.average(found.accuracy, weights=found.count) == pytest.approx(accuracy(log_probs, labels))


def test_a_record_has_every_bin_and_is_json():
    log_probs, labels = drawn(30)
    record = json.loads(json.dumps(reliability_record(log_probs, labels)))
    found, empty = reliability(log_probs, labels), [index for index, count in enumerate(record["count"]) if not count]
    assert empty
    for name, values in record.items():
        assert len(values) == BINS
        assert [values[index] for index in found.index] == getattr(found, name).tolist()
        assert {values[index] for index in empty} == ({0} if name == "count" else {None})


def test_the_errors_of_calibration_can_be_had_from_the_record():
    log_probs, labels = drawn(200)
    record = {name: np.array(values, float) for name, values in reliability_record(log_probs, labels).items()}
    gap = np.abs(record["accuracy"] - record["confidence"])
    assert np.nanmean(gap) == pytest.approx(mace(log_probs, labels))
    assert np.nansum(gap * record["count"]) / 200 == pytest.approx(ece(log_probs, labels))


def test_a_confidence_on_an_edge_lies_below_it():
    log_probs = np.log(np.array([[0.8, 0.2], [0.75, 0.25], [0.81, 0.19]]))
    assert [*reliability(log_probs, np.zeros(3, int), bins=5).count] == [2, 1]
