"""Metrics: pure functions on log probabilities and labels.

In all of them ``log_probs`` is float [rows, classes] and ``labels`` integer [rows]. A row's confidence is its largest
probability; the row is correct if that is the label's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

BINS = 10
"""Of calibration, unless something else is said."""

Metric = Callable[[np.ndarray, np.ndarray], float]


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Log of the softmax, float64 [rows, classes], from logits [rows, classes]."""
    from scipy.special import log_softmax  # slow to import, and planning only ranks

    result: np.ndarray = log_softmax(logits.astype(np.float64), axis=1)
    return result


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities that are means; one that is 0 counts as the smallest number that there is."""
    logarithms: np.ndarray = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return logarithms


def correct_rows(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Bool [rows]: whether the most probable class is the label."""
    result: np.ndarray = np.argmax(log_probs, axis=1) == labels
    return result


def bin_of_width(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Which of the bins (0, 1/bins], (1/bins, 2/bins], ... a confidence is in, int [rows]."""
    result: np.ndarray = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return result


def accuracy(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of rows whose most probable class is the label."""
    return float(np.mean(correct_rows(log_probs, labels)))


def nll(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the label, in nats a row."""
    return float(-np.mean(log_probs[np.arange(len(labels)), labels]))


def brier(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the rows of the squared distance between the probabilities and the label's unit vector, 0 to 2.

    References:
        Brier (1950), equation 2.
    """
    distance = np.exp(log_probs)
    distance[np.arange(len(labels)), labels] -= 1.0
    return float(np.mean(np.sum(distance**2, axis=1)))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: the bins that hold rows, in the order of their confidence.

    Attributes:
        index: Which of all bins, from 0, int [bins].
        count: Rows, int [bins].
        confidence: Their mean confidence, [bins].
        accuracy: Fraction of them that are correct, [bins].
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
    """Accuracy beside confidence.

    Args:
        log_probs: [rows, classes].
        labels: [rows].
        bins: How many bins; empty ones are left out.
        by: Bins of equal width, (0, 1/bins], (1/bins, 2/bins], ...; or of equal mass, as many rows in each as can be.
    """
    confidence, correct = np.exp(np.max(log_probs, axis=1)), correct_rows(log_probs, labels)
    if by == "width":
        bin_of = bin_of_width(confidence, bins)
    else:
        bin_of = np.empty(len(confidence), int)
        bin_of[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    count = np.bincount(bin_of, minlength=bins)
    held = count > 0
    sums = (np.bincount(bin_of, values, minlength=bins)[held] for values in (confidence, correct))
    return Reliability(np.flatnonzero(held), count[held], *(total / count[held] for total in sums))


def reliability_record(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, list[Any]]:
    """All ``BINS`` bins of equal width as JSON keeps them, so that evaluations can be pooled bin by bin.

    Args:
        log_probs: [rows, classes].
        labels: [rows].

    Returns:
        'count', 'confidence' and 'accuracy', each of ``BINS`` values; of an empty bin 0, None and None.
    """
    found = reliability(log_probs, labels)
    record: dict[str, list[Any]] = {"count": [0] * BINS, "confidence": [None] * BINS, "accuracy": [None] * BINS}
    for name, values in record.items():
        for index, value in zip(found.index.tolist(), getattr(found, name).tolist(), strict=True):
            values[index] = value
    return record


def ece(log_probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean over rows of their bin's abs(accuracy - confidence), bins of equal width.

    References:
        Guo et al. (2017), equation 3.
    """
    found = reliability(log_probs, labels, bins)
    return float(np.average(found.gap, weights=found.count))


def mace(log_probs: np.ndarray, labels: np.ndarray, bins: int = BINS, by: Literal["width", "mass"] = "width") -> float:
    """Mean absolute calibration error: the mean over bins that hold rows of abs(accuracy - confidence), unweighted.

    References:
        "Bayesian lottery ticket hypothesis", section 3.
    """
    return float(np.mean(reliability(log_probs, labels, bins, by).gap))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "nll": nll, "brier": brier, "ece": ece, "mace": mace}
"""What every evaluation records."""


def all_metrics(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every metric by name.

    Args:
        log_probs: [rows, classes].
        labels: Integers [rows].
    """
    return {name: metric(log_probs, labels) for name, metric in METRICS.items()}


def ranking(values: Sequence[float], metric: str) -> list[int]:
    """Places of a metric's values, the best first: the highest accuracy, the lowest of any other.

    Values that are not finite come last; of equal ones the first comes first.
    """
    sign = -1 if metric == "accuracy" else 1
    return sorted(range(len(values)), key=lambda place: _worse_last(sign * values[place]))


def _worse_last(value: float) -> tuple[bool, float]:
    finite = math.isfinite(value)
    return not finite, value if finite else 0.0
