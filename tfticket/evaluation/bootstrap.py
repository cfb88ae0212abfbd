"""Bootstrap intervals over rows: the uncertainty of a metric due to the rows of a split, not to seeds."""

import numpy as np

from tfticket import seeds
from tfticket.evaluation.metrics import BINS, METRICS, bin_of_width, correct_rows

_BATCH = 100
"""Resamples drawn together; they take 8 MB for 10,000 rows."""


def bootstrap_intervals(
    log_probs: np.ndarray, labels: np.ndarray, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Return the percentile interval of every metric.

    Every metric is a function of sums over rows, so a resample is a matrix product of row counts and summands.
    Calibration errors are biased upwards in small samples, and more so in resampled ones.

    Args:
        log_probs: [rows, classes].
        labels: [rows].
        seed: Of the resampling.
        resamples: Number of resamples.
        level: Coverage.

    Returns:
        Metric -> (low, high), in the metric's unit.

    References:
        Efron and Tibshirani (1993), "An introduction to the bootstrap", section 13.3.
    """
    summands, rows = _summands(log_probs, labels), len(labels)
    random = seeds.generator(seed, "bootstrap")
    parts = []
    for begin in range(0, resamples, _BATCH):
        count = min(_BATCH, resamples - begin)
        indices = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        counts = np.bincount(indices.ravel(), minlength=count * rows).reshape(count, rows)
        parts.append(_metrics(counts.astype(np.float64) @ summands, rows))
    values = np.concatenate(parts, axis=1)
    ends = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=1)
    return {name: (float(low), float(high)) for name, low, high in zip(METRICS, *ends, strict=True)}


def _summands(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the summands of each row, float64 [rows, 3 + 3 BINS].

    Correct, negative log probability, squared distance; then in the row's bin of confidence 1, confidence, correct.
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
    """Return every metric of every resample, in the order of ``METRICS``: float64 [metrics, resamples]."""
    count, confidence, correct = sums[:, 3:].T.reshape(3, BINS, -1)
    gap = np.abs(correct - confidence)
    mace = np.sum(gap / np.maximum(count, 1), axis=0) / np.count_nonzero(count, axis=0)
    return np.stack([*(sums[:, :3].T / rows), gap.sum(axis=0) / rows, mace])
