"""How unsure predictions are, of what kind, and whether that tells strange rows: pure functions on log probabilities.

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
    """Entropy of predictions, split; float64 [rows], in nats.

    Attributes:
        entropy: Of the mean prediction.
        aleatoric: Mean over draws of the draws' entropies: what remains unsure with all weights known.
    """

    entropy: np.ndarray
    aleatoric: np.ndarray

    @property
    def epistemic(self) -> np.ndarray:
        """Entropy - aleatoric: the mutual information of label and weights, >= 0."""
        result: np.ndarray = np.maximum(self.entropy - self.aleatoric, 0.0)
        return result

    def means(self) -> dict[str, float]:
        """'entropy', 'aleatoric' and 'epistemic', means over rows."""
        return {name: float(np.mean(getattr(self, name))) for name in ("entropy", "aleatoric", "epistemic")}


class Pooled:
    """Predictions of draws, taken in one after another: sums are kept, and no draw.

    Args:
        draws: Each float64 [rows, classes], one at least.

    Attributes:
        log_probs: Log of their mean prediction, float64 [rows, classes].
        uncertainty: Of that.
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
    """-sum p log p in nats, [...], from log probabilities [..., classes]; 0 log 0 is 0."""
    probabilities = np.exp(log_probs)
    terms = np.multiply(probabilities, log_probs, out=np.zeros_like(probabilities), where=probabilities > 0)
    result: np.ndarray = -terms.sum(axis=-1)
    return result


def strangeness(log_probs: np.ndarray, uncertainty: Uncertainty | None = None) -> dict[str, np.ndarray]:
    """Scores that are to be higher for rows unlike the training rows.

    Args:
        log_probs: Of the mean prediction, [rows, classes].
        uncertainty: Of the same rows; None: of a deterministic network, which has one prediction.

    Returns:
        'confidence': 1 - largest probability; 'entropy'; with ``uncertainty`` also 'epistemic'; each [rows].
    """
    others = np.exp(log_probs)
    others[np.arange(len(others)), np.argmax(log_probs, axis=1)] = 0.0
    # The sum of the others: 1 - a probability near 1 would be 0 for many rows.
    scores = {"confidence": others.sum(axis=1), "entropy": entropies(log_probs)}
    return scores if uncertainty is None else {**scores, "epistemic": uncertainty.epistemic}


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Probability that a row from outside scores higher than one from inside; ties count one half.

    Args:
        inside: Scores of rows of the distribution, [rows].
        outside: Scores of others, [rows of theirs].
    """
    ordered = np.sort(inside)
    below, not_above = np.searchsorted(ordered, outside), np.searchsorted(ordered, outside, "right")
    return float(np.mean(below + not_above) / (2 * len(ordered)))


def aurocs(inside: Mapping[str, np.ndarray], outside: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The AUROC by each of the scores from ``strangeness``."""
    return {name: auroc(scores, outside[name]) for name, scores in inside.items()}
