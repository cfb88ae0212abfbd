"""Metrics: pure functions on log probabilities and labels."""

import numpy as np
from scipy.special import log_softmax


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Log of the softmax, float64 [rows, classes], from logits [rows, classes]."""
    result: np.ndarray = log_softmax(logits.astype(np.float64), axis=1)
    return result


def accuracy(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of rows whose most probable class is the label."""
    return float(np.mean(np.argmax(log_probs, axis=1) == labels))


def nll(log_probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the label, in nats a row."""
    return float(-np.mean(log_probs[np.arange(len(labels)), labels]))


def all_metrics(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every metric by name.

    Args:
        log_probs: [rows, classes].
        labels: Integers [rows].
    """
    return {"accuracy": accuracy(log_probs, labels), "nll": nll(log_probs, labels)}
