"""Intervals over resampled rows: how far the rows of a split, not other seeds, decide a metric."""

import numpy as np

from tfticket import seeds
from tfticket.evaluation.metrics import BINS, METRICS, bin_of_width, correct_rows

_AT_ONCE = 100
"""Resamples drawn together: their numbers fill 8 MB for 10,000 rows."""


def bootstrap_intervals(
    log_probs: np.ndarray, labels: np.ndarray, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile interval of every metric.

    Every metric is a function of sums over rows, so that a resample is a product of how often it has each row and what
    is summed. Calibration errors are biased upwards in small samples, and more so in resampled ones.

    Args:
        log_probs: [rows, classes].
        labels: [rows].
        seed: Of the resampling.
        resamples: How many.
        level: Coverage.

    Returns:
        Metric -> (low, high), in the metric's unit.

    References:
        Efron and Tibshirani (1993), "An introduction to the bootstrap", section 13.3.
    """
    summed, rows = _summed(log_probs, labels), len(labels)
    random = seeds.generator(seed, "bootstrap")
    found = []
    for begin in range(0, resamples, _AT_ONCE):
        count = min(_AT_ONCE, resamples - begin)
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        found.append(_metrics(times.astype(np.float64) @ summed, rows))
    values = np.concatenate(found, axis=1)
    ends = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=1)
    return {name: (float(low), float(high)) for name, low, high in zip(METRICS, *ends, strict=True)}


def _summed(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What is summed of each row, float64 [rows, 3 + 3 BINS].

    Correct, negative log probability, squared distance; then by bin of confidence 1, confidence, correct.
    """
    rows = np.arange(len(labels))
    distance = np.exp(log_probs)
    distance[rows, labels] -= 1.0
    correct, confidence = correct_rows(log_probs, labels), np.exp(np.max(log_probs, axis=1))
    binned = np.zeros((3, BINS, len(labels)))
    binned[:, bin_of_width(confidence, BINS), rows] = np.ones_like(confidence), confidence, correct
    single = np.stack([correct, -log_probs[rows, labels], np.sum(distance**2, axis=1)])
    return np.concatenate([single, binned.reshape(3 * BINS, -1)]).T


def _metrics(sums: np.ndarray, rows: int) -> np.ndarray:
    """Every metric of every resample, in the order of ``METRICS``: float64 [metrics, resamples]."""
    count, confidence, correct = sums[:, 3:].T.reshape(3, BINS, -1)
    gap = np.abs(correct - confidence)
    mace = np.sum(gap / np.maximum(count, 1), axis=0) / np.count_nonzero(count, axis=0)
    return np.stack([*(sums[:, :3].T / rows), gap.sum(axis=0) / rows, mace])
