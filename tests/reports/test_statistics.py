import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfticket.evaluation.metrics import log_probabilities, reliability_record
from tfticket.reports.statistics import Estimate, mean_interval, pool_bins


def test_a_case_worked_by_hand():
    found = mean_interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3)  # the 97.5 % point of Student's t with 2 degrees of freedom
    assert (found.mean, found.count) == (2.0, 3)
    assert (found.low, found.high) == pytest.approx((2.0 - half, 2.0 + half))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12).filter(lambda values: np.std(values) > 1e-3))
def test_the_interval_is_the_one_sample_t_tests(values):
    found = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("count", [*range(2, 36), 100])
def test_the_stored_points_of_students_t_are_scipys(count):
    values = np.arange(count, dtype=float)
    half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)
    assert mean_interval(values).high - values.mean() == pytest.approx(half, rel=1e-12)


def test_one_value_has_no_interval():
    assert mean_interval([0.3]) == Estimate(mean=0.3, low=None, high=None, count=1)


def test_equal_values_have_an_interval_of_no_length():
    assert mean_interval([0.25] * 4) == Estimate(mean=0.25, low=0.25, high=0.25, count=4)


def test_the_interval_holds_the_true_mean_in_95_of_100_samples():
    samples = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 5))
    found = [mean_interval(sample) for sample in samples]
    coverage = np.mean([estimate.low <= 3.0 <= estimate.high for estimate in found])
    assert abs(coverage - 0.95) < 3 * math.sqrt(0.95 * 0.05 / len(samples))


def test_bins_are_pooled_by_hand():
    one = {"count": [0, 1, 3], "confidence": [None, 0.5, 0.8], "accuracy": [None, 1.0, 0.0]}
    two = {"count": [0, 0, 1], "confidence": [None, None, 0.9], "accuracy": [None, None, 1.0]}
    pooled = pool_bins([one, two])
    np.testing.assert_array_equal(pooled["count"], [0, 1, 4])
    np.testing.assert_allclose(pooled["confidence"], [np.nan, 0.5, 0.825])
    np.testing.assert_allclose(pooled["accuracy"], [np.nan, 1.0, 0.25])


def test_pooled_bins_are_those_of_all_rows_together():
    random = np.random.default_rng(0)
    log_probs, labels = log_probabilities(2 * random.normal(size=(300, 3))), random.integers(0, 3, 300)
    parts = [slice(0, 20), slice(20, 120), slice(120, 300)]
    pooled = pool_bins([reliability_record(log_probs[part], labels[part]) for part in parts])
    for name, whole in reliability_record(log_probs, labels).items():
        np.testing.assert_allclose(pooled[name], np.array(whole, dtype=float))
