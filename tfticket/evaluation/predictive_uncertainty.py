"""Predictive uncertainty, its decomposition, and out-of-distribution detection: functions on log probabilities.

References:
    Depeweg et al. (2018), "Decomposition of uncertainty in Bayesian deep learning for efficient and risk-sensitive
    learning", section 3; Kendall and Gal (2017), "What uncertainties do we need in Bayesian deep learning for computer
    vision?"; Hendrycks and Gimpel (2017), "A baseline for detecting misclassified and out-of-distribution examples in
    neural networks".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Uncertainty:
    """Decomposed entropy of predictions, float64 [rows], in nats.

    Attributes:
        entropy: Of the mean prediction.
        aleatoric: Mean entropy of the draws: the uncertainty that remains when the weights are known.
    """

    entropy: np.ndarray
    aleatoric: np.ndarray

    @property
    def epistemic(self) -> np.ndarray:
        """Mutual information of label and weights, entropy - aleatoric, >= 0."""
        result: np.ndarray = np.maximum(self.entropy - self.aleatoric, 0.0)
        return result

    def means(self) -> dict[str, float]:
        """Return 'entropy', 'aleatoric' and 'epistemic', means over rows."""
        return {name: float(np.mean(getattr(self, name))) for name in ("entropy", "aleatoric", "epistemic")}


class PosteriorPredictive:
    """Mean prediction over draws, accumulated without storing the draws.

    Args:
        draws: Log probabilities float64 [rows, classes] of each draw, at least one.

    Attributes:
        log_probs: Log of the mean prediction, float64 [rows, classes].
        uncertainty: Of the mean prediction.
    """

    def __init__(self, draws: Iterable[np.ndarray]) -> None:
        for count, log_probs in enumerate(draws, start=1):
            if count == 1:
                total, entropy = log_probs, entropies(log_probs)
            else:
                total, entropy = np.logaddexp(total, log_probs), entropy + entropies(log_probs)
        self.log_probs: np.ndarray = total if count == 1 else total - np.log(count)
        self.uncertainty = Uncertainty(entropies(self.log_probs), entropy / count)


def entropies(log_probs: np.ndarray) -> np.ndarray:
    """Return -sum p log p in nats, [...], of log probabilities [..., classes]; 0 log 0 is 0."""
    probabilities = np.exp(log_probs)
    terms = np.multiply(probabilities, log_probs, out=np.zeros_like(probabilities), where=probabilities > 0)
    result: np.ndarray = -terms.sum(axis=-1)
    return result


def ood_scores(log_probs: np.ndarray, uncertainty: Uncertainty | None = None) -> dict[str, np.ndarray]:
    """Return out-of-distribution scores, higher for rows unlike the training rows.

    Args:
        log_probs: Of the mean prediction, [rows, classes].
        uncertainty: Of the same rows; None for a deterministic network, which has one prediction.

    Returns:
        'confidence': 1 - largest probability; 'entropy'; with ``uncertainty`` also 'epistemic'; each [rows].
    """
    others = np.exp(log_probs)
    others[np.arange(len(others)), np.argmax(log_probs, axis=1)] = 0.0
    # Sum of the other classes: 1 - a probability near 1 would round to 0.
    scores = {"confidence": others.sum(axis=1), "entropy": entropies(log_probs)}
    return scores if uncertainty is None else {**scores, "epistemic": uncertainty.epistemic}


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the probability that a row from outside scores higher than one from inside; ties count one half.

    Args:
        inside: Scores of rows of the training distribution, [rows].
        outside: Scores of other rows, [other rows].
    """
    ordered = np.sort(inside)
    below, not_above = np.searchsorted(ordered, outside), np.searchsorted(ordered, outside, "right")
    return float(np.mean(below + not_above) / (2 * len(ordered)))


def aurocs(inside: Mapping[str, np.ndarray], outside: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the AUROC by each of the ``ood_scores``."""
    return {name: auroc(scores, outside[name]) for name, scores in inside.items()}
