import numpy as np
import pytest
from scipy.special import log_softmax

from tfticket import seeds
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import METRICS, all_metrics


@pytest.mark.parametrize(
    ("options", "resamples", "quantiles"),
    [({}, 1000, (0.025, 0.975)), ({"seed": 3, "resamples": 130, "level": 0.9}, 130, (0.05, 0.95))],
)
def test_intervals_are_quantiles_of_the_metrics_of_resampled_rows(options, resamples, quantiles):
    random = np.random.default_rng(0)
    log_probs, labels = log_softmax(2.0 * random.normal(size=(40, 4)), axis=1), random.integers(0, 4, 40)
    stream, chosen = seeds.generator(options.get("seed", 0), "bootstrap"), []
    while len(chosen) < resamples:  # drawn a hundred at a time
        chosen.extend(stream.integers(0, 40, (min(100, resamples - len(chosen)), 40)))
    metrics = [all_metrics(log_probs[rows], labels[rows]) for rows in chosen]
    intervals = bootstrap_intervals(log_probs, labels, **options)
    assert list(intervals) == list(METRICS)
    for name, interval in intervals.items():
        assert interval == pytest.approx(tuple(np.quantile([each[name] for each in metrics], quantiles))), name
