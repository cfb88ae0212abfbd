import json

import numpy as np
import pytest
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from sklearn.metrics import accuracy_score, log_loss

from tfticket import backend  # noqa: F401  before TFP, which needs its Keras
from tfticket.evaluation.metrics import (
    BINS,
    METRICS,
    accuracy,
    all_metrics,
    brier,
    ece,
    log_of,
    log_probabilities,
    mace,
    nll,
    reliability,
    reliability_record,
)

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-50, 50, width=32))


def drawn(rows, sharper=1.0):
    """Log probabilities, and labels that are drawn from them; or predicted more sharply than they are drawn."""
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(rows, 4))
    return log_probabilities(sharper * logits), np.argmax(logits + random.gumbel(size=logits.shape), axis=1)


def test_a_case_worked_by_hand():
    log_probs = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 2, 0, 1])
    assert accuracy(log_probs, labels) == 0.5
    assert nll(log_probs, labels) == pytest.approx(-np.log(0.5 * 0.7 * 0.3 * 0.2) / 4)
    assert brier(log_probs, labels) == pytest.approx((0.375 + 0.14 + 0.86 + 1.04) / 4)
    # Confidences 0.5, 0.7, 0.6, 0.6 in the bins (0.4, 0.5], (0.6, 0.7], (0.5, 0.6]; right, right, wrong, wrong.
    diagram = reliability(log_probs, labels)
    assert ([*diagram.count], [*diagram.index], [*diagram.accuracy]) == ([1, 2, 1], [4, 5, 6], [1, 0, 1])
    np.testing.assert_allclose(diagram.confidence, [0.5, 0.6, 0.7])
    assert ece(log_probs, labels) == pytest.approx((0.5 + 2 * 0.6 + 0.3) / 4)
    assert mace(log_probs, labels) == pytest.approx((0.5 + 0.6 + 0.3) / 3)
    assert mace(log_probs, labels, bins=2) == pytest.approx((0.5 + abs(1 / 3 - 1.9 / 3)) / 2)
    assert mace(log_probs, labels, bins=2, by="mass") == pytest.approx((abs(0.5 - 0.55) + abs(0.5 - 0.65)) / 2)
    assert all_metrics(log_probs, labels) == {name: metric(log_probs, labels) for name, metric in METRICS.items()}


def test_edges_and_extremes():
    edges = np.log(np.array([[0.8, 0.2], [0.75, 0.25], [0.81, 0.19]]))
    assert [*reliability(edges, np.zeros(3, int), bins=5).count] == [2, 1]  # an edge belongs to the bin below it
    extreme = log_probabilities(np.array([[1e30, 0.0], [-1e4, 1e4]], np.float32))
    np.testing.assert_allclose(extreme, [[0.0, -1e30], [-2e4, 0.0]], rtol=1e-6)
    sure = all_metrics(log_probabilities(np.array([[0.0, 900.0], [900.0, 0.0]])), np.array([1, 0]))
    assert sure == {"accuracy": 1, "nll": 0, "brier": 0, "ece": 0, "mace": 0}
    np.testing.assert_array_equal(log_of(np.array([0.0, 1.0])), [np.log(np.finfo(float).tiny), 0])


@given(LOGITS, st.floats(-1000, 1000), st.floats(-700, 700))
def test_log_probabilities_are_normalised_and_independent_of_the_level_of_the_logits(logits, level, margin):
    log_probs = log_probabilities(logits)
    assert log_probs.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(log_probabilities(logits.astype(np.float64) + level), log_probs, atol=1e-10)
    assert np.exp(log_probabilities(np.array([[margin, 0.0]]))[0, 0]) == pytest.approx(expit(margin))


@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_metrics_are_those_of_scikit_learn_and_tensorflow_probability(sharper):
    log_probs, labels = drawn(500, sharper)
    assert accuracy(log_probs, labels) == accuracy_score(labels, log_probs.argmax(axis=1))
    assert nll(log_probs, labels) == pytest.approx(log_loss(labels, np.exp(log_probs)))
    theirs = tfp.stats.brier_score(labels, log_probs)  # without the constant 1, its docstring says
    assert brier(log_probs, labels) == pytest.approx(1 + float(np.mean(theirs)))
    for bins in (1, 7, 10, 15):
        theirs = tfp.stats.expected_calibration_error(bins, logits=log_probs.astype(np.float32), labels_true=labels)
        assert ece(log_probs, labels, bins) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("by", ["width", "mass"])
def test_bins_hold_every_row_once_and_no_bin_is_empty(by):
    log_probs, labels = drawn(101)
    diagram = reliability(log_probs, labels, 10, by)
    assert diagram.count.sum() == 101
    assert {*diagram.count} == {10, 11} if by == "mass" else diagram.count.min() > 0
    assert np.all(np.diff(diagram.confidence) > 0)
    assert np.average(diagram.accuracy, weights=diagram.count) == pytest.approx(accuracy(log_probs, labels))


def test_a_record_has_every_bin_as_json_and_the_calibration_errors_follow_from_it():
    log_probs, labels = drawn(30)
    record = json.loads(json.dumps(reliability_record(log_probs, labels)))
    diagram, count = reliability(log_probs, labels), np.array(record["count"])
    assert count.min() == 0
    for name, values in record.items():
        assert len(values) == BINS
        assert [values[index] for index in diagram.index] == getattr(diagram, name).tolist()
        assert {values[index] for index in np.flatnonzero(count == 0)} == ({0} if name == "count" else {None})
    gap = np.abs(np.array(record["accuracy"], float) - np.array(record["confidence"], float))
    assert np.nanmean(gap) == pytest.approx(mace(log_probs, labels))
    assert np.nansum(gap * count) / 30 == pytest.approx(ece(log_probs, labels))
