"""Metrics, their bootstrap intervals, and the evaluations that they select."""

import json

import numpy as np
import pytest
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, log_loss

from tfticket import (
    backend,  # noqa: F401  before TFP, which needs its Keras
    seeds,
)
from tfticket.evaluation import metrics
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import all_metrics, log_probabilities, reliability
from tfticket.evaluation.model_selection import select_evaluations


def drawn(rows, sharper=1.0):
    """Log probabilities, and labels that are drawn from them; or predicted more sharply than they are drawn."""
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(rows, 4))
    return log_probabilities(sharper * logits), np.argmax(logits + random.gumbel(size=logits.shape), axis=1)


def test_a_case_worked_by_hand():
    log_probs = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    labels = np.array([0, 2, 0, 1])
    # Confidences 0.5, 0.7, 0.6, 0.6 in the bins (0.4, 0.5], (0.6, 0.7], (0.5, 0.6]; right, right, wrong, wrong.
    expected = {"accuracy": 0.5, "nll": -np.log(0.5 * 0.7 * 0.3 * 0.2) / 4, "brier": (0.375 + 0.14 + 0.86 + 1.04) / 4}
    expected |= {"ece": (0.5 + 2 * 0.6 + 0.3) / 4, "mace": (0.5 + 0.6 + 0.3) / 3}
    assert all_metrics(log_probs, labels) == pytest.approx(expected)
    diagram = reliability(log_probs, labels)
    assert ([*diagram.count], [*diagram.index], [*diagram.accuracy]) == ([1, 2, 1], [4, 5, 6], [1, 0, 1])
    np.testing.assert_allclose(diagram.confidence, [0.5, 0.6, 0.7])
    halves, mass = (0.5 + abs(1 / 3 - 1.9 / 3)) / 2, (abs(0.5 - 0.55) + abs(0.5 - 0.65)) / 2
    assert metrics.mace(log_probs, labels, bins=2) == pytest.approx(halves)
    assert metrics.mace(log_probs, labels, bins=2, by="mass") == pytest.approx(mass)


def test_two_predictions_are_compared():
    first, second = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.log([[0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])
    assert metrics.label_agreement(first, second) == 0.5
    assert metrics.total_variation(first, second) == pytest.approx((0.3 + 0.1) / 2)


def test_edges_and_extremes():
    edges = np.log(np.array([[0.8, 0.2], [0.75, 0.25], [0.81, 0.19]]))
    assert [*reliability(edges, np.zeros(3, int), bins=5).count] == [2, 1]  # an edge belongs to the bin below it
    assert [*reliability(np.log(np.full((1, 20), 0.05)), np.array([0])).index] == [0]
    extreme = log_probabilities(np.array([[1e30, 0.0], [-1e4, 1e4]], np.float32))
    np.testing.assert_allclose(extreme, [[0.0, -1e30], [-2e4, 0.0]], rtol=1e-6)
    sure = all_metrics(log_probabilities(np.array([[0.0, 900.0], [900.0, 0.0]])), np.array([1, 0]))
    assert sure == {"accuracy": 1, "nll": 0, "brier": 0, "ece": 0, "mace": 0}
    np.testing.assert_array_equal(metrics.log_of(np.array([0.0, 1.0])), [np.log(np.finfo(float).tiny), 0])
    values = [0.3, np.nan, 0.1, 0.3, -np.inf, 0.2]
    assert [metrics.ranking(values, name) for name in ("accuracy", "nll")] == [[0, 3, 5, 2, 1, 4], [2, 5, 0, 3, 1, 4]]


LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-50, 50, width=32))


@given(LOGITS, st.floats(-1000, 1000))
def test_log_probabilities_are_normalised_and_independent_of_the_level_of_the_logits(logits, level):
    log_probs = log_probabilities(logits)
    assert log_probs.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.diff(log_probs, axis=1), np.diff(logits.astype(float), axis=1), atol=1e-10)
    np.testing.assert_allclose(log_probabilities(logits.astype(np.float64) + level), log_probs, atol=1e-10)


@pytest.mark.parametrize("sharper", [1.0, 3.0])
def test_metrics_are_those_of_scikit_learn_and_tensorflow_probability(sharper):
    log_probs, labels = drawn(500, sharper)
    assert metrics.accuracy(log_probs, labels) == accuracy_score(labels, log_probs.argmax(axis=1))
    assert metrics.nll(log_probs, labels) == pytest.approx(log_loss(labels, np.exp(log_probs)))
    theirs = tfp.stats.brier_score(labels, log_probs)  # without the constant 1, its docstring says
    assert metrics.brier(log_probs, labels) == pytest.approx(1 + float(np.mean(theirs)))
    for bins in (1, 7, 10, 15):
        theirs = tfp.stats.expected_calibration_error(bins, logits=log_probs.astype(np.float32), labels_true=labels)
        assert metrics.ece(log_probs, labels, bins) == pytest.approx(float(theirs), abs=1e-6)


def test_bins_hold_every_row_and_a_record_has_every_bin():
    log_probs, labels = drawn(101)
    for by in ("width", "mass"):
        diagram = reliability(log_probs, labels, 10, by)
        assert diagram.count.sum() == 101
        assert {*diagram.count} == {10, 11} if by == "mass" else diagram.count.min() > 0
        assert np.all(np.diff(diagram.confidence) > 0)
        right = np.average(diagram.accuracy, weights=diagram.count)
        assert right == pytest.approx(metrics.accuracy(log_probs, labels))
    record, diagram = metrics.reliability_record(log_probs[:30], labels[:30]), reliability(log_probs[:30], labels[:30])
    assert json.loads(json.dumps(record)) == record
    empty = sorted({*range(10)} - {*diagram.index})
    assert empty
    for name, values in record.items():
        assert [values[index] for index in diagram.index] == getattr(diagram, name).tolist()
        assert [values[index] for index in empty] == [0 if name == "count" else None] * len(empty)


@pytest.mark.parametrize(
    ("options", "resamples", "quantiles"),
    [({}, 1000, (0.025, 0.975)), ({"seed": 3, "resamples": 130, "level": 0.9}, 130, (0.05, 0.95))],
)
def test_intervals_are_quantiles_of_the_metrics_of_resampled_rows(options, resamples, quantiles):
    log_probs, labels = drawn(40)
    stream, chosen = seeds.generator(options.get("seed", 0), "bootstrap"), []
    while len(chosen) < resamples:  # drawn a hundred at a time
        chosen.extend(stream.integers(0, 40, (min(100, resamples - len(chosen)), 40)))
    values = [all_metrics(log_probs[rows], labels[rows]) for rows in chosen]
    intervals = bootstrap_intervals(log_probs, labels, **options)
    assert list(intervals) == list(values[0])
    for name, interval in intervals.items():
        assert interval == pytest.approx(tuple(np.quantile([each[name] for each in values], quantiles))), name


def test_each_criterion_selects_an_evaluation_the_earliest_of_equal_ones():
    history = [
        {"iteration": 10 * number, "accuracy": validation, "test": {"accuracy": test, "mace": number}}
        for number, (validation, test) in enumerate([(0.8, 0.70), (0.9, 0.72), (0.85, 0.75), (0.9, 0.75), (0.84, 0.71)])
    ]
    assert select_evaluations(history) == {
        "last": {"iteration": 40, "accuracy": 0.71, "mace": 4},
        "best by validation": {"iteration": 10, "accuracy": 0.72, "mace": 1},
        "best by test": {"iteration": 20, "accuracy": 0.75, "mace": 2},
    }
    del history[0]["test"]
    assert select_evaluations(history) == select_evaluations([]) == {}
