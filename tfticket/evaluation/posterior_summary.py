"""Summaries of normal posteriors by layer: magnitude, uncertainty, divergence from the prior. NumPy only."""

from typing import Any

import numpy as np

from tfticket.pruning.mask import layer_of
from tfticket.pruning.scores import posterior_stddev
from tfticket.types import Mask, Weights

QUANTILES = (5, 25, 50, 75, 95)
"""Percentiles that summarise the weights of a layer."""

_SMALLEST = 1e-300
"""Smallest standard deviation, so that logarithms and ratios are finite."""


def kl_divergence(mean: np.ndarray, deviation: np.ndarray, prior: float) -> float:
    """Return the KL divergence, in nats, of independent normal distributions from N(0, prior), summed.

    Args:
        mean: float64 of any shape.
        deviation: Standard deviations, > 0, of the same shape.
        prior: Standard deviation.
    """
    ratio = deviation / prior
    return float(np.sum(0.5 * (ratio**2 + (mean / prior) ** 2 - 1.0) - np.log(ratio)))


def summarise_posterior(mask: Mask, weights: Weights, prior: float) -> dict[str, dict[str, Any]]:
    """Summarise the posterior of a variational network by layer.

    Args:
        mask: Kernel path -> boolean array.
        weights: Path -> means; path + '_rho' -> rho, the standard deviation is softplus(rho).
        prior: Standard deviation of every weight's normal prior.

    Returns:
        Layer -> 'magnitude', the mean of abs(mu); 'sigma' and 'snr', the ``QUANTILES`` of the standard deviation and
        of abs(mu) / sigma; these over the surviving weights of the kernel, None where none survives. And 'divergence',
        the KL divergence in nats of surviving weights and bias from the prior.
    """
    summary: dict[str, dict[str, Any]] = {}
    for path, kept in mask.items():
        mean, sigma = _normal(weights, path)
        mean, sigma = mean[kept], sigma[kept]
        alive = bool(kept.any())
        layer = layer_of(path)
        total = kl_divergence(mean, sigma, prior)
        if f"{layer}/bias" in weights:
            total += kl_divergence(*_normal(weights, f"{layer}/bias"), prior)
        summary[layer] = {
            "magnitude": float(np.mean(np.abs(mean))) if alive else None,
            "sigma": _quantiles(sigma) if alive else None,
            "snr": _quantiles(np.abs(mean) / sigma) if alive else None,
            "divergence": total,
        }
    return summary


AT_BOUND = 0.9
"""Fraction of the optimiser's bound beyond which a deviation counts as having reached it."""


def share_at_bound(mask: Mask, start: Weights, trained: Weights, bound: float) -> float:
    """Return the share of deviations that end about as far from their start as Adam could take them.

    Adam moves a parameter by about its learning rate per iteration, whatever the gradient. So rho moves by at most
    about the sum of all learning rates, and a small deviation changes by at most about the factor exp(that sum). A
    deviation beyond ``AT_BOUND`` of that reflects the length of the training, not the width of the posterior.

    Args:
        mask: Kernel path -> boolean array.
        start: Path + '_rho' -> rho at the start of the training.
        trained: The same at the end.
        bound: Sum of the learning rates over iterations.

    Returns:
        A fraction of surviving kernel entries and biases; 0 without any.
    """
    moved = [np.abs(trained[f"{path}_rho"] - start[f"{path}_rho"])[kept] for path, kept in mask.items()]
    biases = (f"{layer_of(path)}/bias_rho" for path in mask)
    moved += [np.abs(trained[path] - start[path]) for path in biases if path in trained]
    distances = np.concatenate([values.ravel() for values in moved]) if moved else np.zeros(0)
    return float(np.mean(distances >= AT_BOUND * bound)) if distances.size else 0.0


def _normal(weights: Weights, path: str) -> tuple[np.ndarray, np.ndarray]:
    return weights[path].astype(np.float64), np.maximum(posterior_stddev(weights[f"{path}_rho"]), _SMALLEST)


def _quantiles(values: np.ndarray) -> list[float]:
    result: list[float] = np.percentile(values, QUANTILES).tolist()
    return result
