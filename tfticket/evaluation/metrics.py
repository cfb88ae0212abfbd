"""Metrics: pure functions on log probabilities and labels.

``log_probs`` is float [rows, classes] and ``labels`` integer [rows] throughout. The confidence of a row is its largest
probability; the row is correct if that is the probability of its label.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

BINS = 10
"""Default number of calibration bins."""

Metric = Callable[[np.ndarray, np.ndarray], float]


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the log softmax, float64 [rows, classes], of logits [rows, classes]."""
    from scipy.special import log_softmax  # slow to import, and planning needs only ``ranking``

    result: np.ndarray = log_softmax(logits.astype(np.float64), axis=1)
    return result


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms of probabilities, with 0 replaced by the smallest positive number."""
    logarithms: np.ndarray = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return logarithms


def correct_rows(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return bool [rows]: True where the most probable class is the label."""
    result: np.ndarray = np.argmax(log_probs, axis=1) == labels
    return result


def bin_of_width(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin of each confidence among (0, 1/bins], (1/bins, 2/bins], ..., int [rows]."""
    result: np.ndarray = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return result


def accuracy(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of rows whose most probable class is the label."""
    return float(np.mean(correct_rows(log_probs, labels)))


def nll(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the label, in nats per row."""
    return float(-np.mean(log_probs[np.arange(len(labels)), labels]))


def brier(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean over rows of the squared distance between the probabilities and the one-hot label, 0 to 2.

    References:
        Brier (1950), equation 2.
    """
    distance = np.exp(log_probs)
    distance[np.arange(len(labels)), labels] -= 1.0
    return float(np.mean(np.sum(distance**2, axis=1)))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: the bins that hold rows, by increasing confidence.

    Attributes:
        index: Index among all bins, from 0, int [bins].
        count: Number of rows, int [bins].
        confidence: Mean confidence, [bins].
        accuracy: Fraction of correct rows, [bins].
    """

    index: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """abs(accuracy - confidence), [bins]."""
        result: np.ndarray = np.abs(self.accuracy - self.confidence)
        return result


def reliability(
    log_probs: np.ndarray, labels: np.ndarray, bins: int = BINS, by: Literal["width", "mass"] = "width"
) -> Reliability:
    """Return accuracy and confidence by bins of confidence.

    Args:
        log_probs: [rows, classes].
        labels: [rows].
        bins: Number of bins; empty ones are left out.
        by: 'width': bins of equal width, (0, 1/bins], (1/bins, 2/bins], ...; 'mass': bins of as equal numbers of rows
            as possible.
    """
    confidence, correct = np.exp(np.max(log_probs, axis=1)), correct_rows(log_probs, labels)
    if by == "width":
        bin_of = bin_of_width(confidence, bins)
    else:
        bin_of = np.empty(len(confidence), int)
        bin_of[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    count = np.bincount(bin_of, minlength=bins)
    occupied = count > 0
    sums = (np.bincount(bin_of, values, minlength=bins)[occupied] for values in (confidence, correct))
    return Reliability(np.flatnonzero(occupied), count[occupied], *(total / count[occupied] for total in sums))


def reliability_record(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, list[Any]]:
    """Return all ``BINS`` bins of equal width for JSON, so that evaluations can be pooled bin by bin.

    Args:
        log_probs: [rows, classes].
        labels: [rows].

    Returns:
        'count', 'confidence' and 'accuracy', ``BINS`` values each; 0, None and None for an empty bin.
    """
    diagram = reliability(log_probs, labels)
    record: dict[str, list[Any]] = {"count": [0] * BINS, "confidence": [None] * BINS, "accuracy": [None] * BINS}
    for name, values in record.items():
        for index, value in zip(diagram.index.tolist(), getattr(diagram, name).tolist(), strict=True):
            values[index] = value
    return record


def ece(log_probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean over rows of abs(accuracy - confidence) in their bin, bins of equal width.

    References:
        Guo et al. (2017), equation 3.
    """
    diagram = reliability(log_probs, labels, bins)
    return float(np.average(diagram.gap, weights=diagram.count))


def mace(log_probs: np.ndarray, labels: np.ndarray, bins: int = BINS, by: Literal["width", "mass"] = "width") -> float:
    """Mean absolute calibration error: the mean over bins that hold rows of abs(accuracy - confidence), unweighted.

    References:
        "Bayesian lottery ticket hypothesis", section 3.
    """
    return float(np.mean(reliability(log_probs, labels, bins, by).gap))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "nll": nll, "brier": brier, "ece": ece, "mace": mace}
"""Metrics that every evaluation records."""


def label_agreement(log_probs: np.ndarray, others: np.ndarray) -> float:
    """Fraction of rows to which two predictions, float [rows, classes] each, give the same label."""
    return float(np.mean(np.argmax(log_probs, axis=1) == np.argmax(others, axis=1)))


def total_variation(log_probs: np.ndarray, others: np.ndarray) -> float:
    """Mean over rows of the total variation distance of two predictions, float [rows, classes] each: 0 to 1."""
    return float(np.mean(0.5 * np.abs(np.exp(log_probs) - np.exp(others)).sum(axis=1)))


def all_metrics(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return every metric by name."""
    return {name: metric(log_probs, labels) for name, metric in METRICS.items()}


def ranking(values: Sequence[float], metric: str) -> list[int]:
    """Return indices of values of a metric, best first: the highest accuracy, the lowest of any other metric.

    Values that are not finite come last; ties keep their order.
    """
    sign = -1 if metric == "accuracy" else 1
    keys = [(False, sign * value) if math.isfinite(value) else (True, 0.0) for value in values]
    return sorted(range(len(values)), key=keys.__getitem__)
