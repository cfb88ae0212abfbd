import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import bootstrap

from tfticket.evaluation import bootstrap as ours
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import METRICS, all_metrics


def rows(count, seed=0, classes=4):
    random = np.random.default_rng(seed)
    return log_softmax(2.0 * random.normal(size=(count, classes)), axis=1), random.integers(0, classes, count)


def test_the_rows_as_they_are_give_the_metrics_themselves():
    log_probs, labels = rows(500)
    sums = np.ones((1, 500)) @ ours._summands(log_probs, labels)
    assert dict(zip(METRICS, ours._metrics(sums, 500)[:, 0], strict=True)) == pytest.approx(
        all_metrics(log_probs, labels)
    )


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_are_scipys(metric):
    log_probs, labels = rows(300)

    def of_rows(chosen):
        return METRICS[metric](log_probs[chosen], labels[chosen])

    theirs = bootstrap(
        (np.arange(300),), of_rows, vectorized=False, method="percentile", n_resamples=2000, random_state=1
    )
    found = bootstrap_intervals(log_probs, labels, resamples=2000)[metric]
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert found == pytest.approx(tuple(theirs.confidence_interval), abs=0.12 * width)


def test_intervals_cover_the_true_accuracy_at_their_level_and_repeat():
    log_probs = np.log(np.array([[0.7, 0.3]]))
    random, covered, trials = np.random.default_rng(0), 0, 200
    for seed in range(trials):
        labels = (random.random(200) > 0.8).astype(int)
        low, high = bootstrap_intervals(np.repeat(log_probs, 200, 0), labels, seed, 200, level=0.9)["accuracy"]
        covered += low <= 0.8 <= high
    assert abs(covered / trials - 0.9) < 4 * np.sqrt(0.9 * 0.1 / trials)
    again = bootstrap_intervals(np.repeat(log_probs, 200, 0), labels, seed, 200, level=0.9)
    assert again["accuracy"] == (low, high)
