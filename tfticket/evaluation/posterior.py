"""Normal posteriors layer by layer: how large, how sure, how far from the prior. NumPy alone."""

from typing import Any

import numpy as np

from tfticket.pruning.mask import layer_of
from tfticket.pruning.scores import posterior_stddev
from tfticket.types import Mask, Weights

QUANTILES = (5, 25, 50, 75, 95)
"""In %, of what is told of a layer's weights."""

_SMALLEST = 1e-300
"""Standard deviations are at least so large, for logarithms and ratios to be finite."""


def divergence(mean: np.ndarray, deviation: np.ndarray, prior: float) -> float:
    """KL divergence in nats of independent normal distributions from N(0, prior), summed.

    Args:
        mean: float64 of any shape.
        deviation: Standard deviations, > 0, of the same shape.
        prior: Standard deviation.
    """
    ratio = deviation / prior
    return float(np.sum(0.5 * (ratio**2 + (mean / prior) ** 2 - 1.0) - np.log(ratio)))


def posterior_of(mask: Mask, weights: Weights, prior: float) -> dict[str, dict[str, Any]]:
    """What the posteriors of a variational network are like.

    Args:
        mask: Kernel path -> boolean array.
        weights: Path -> means; path + '_rho' -> rho, the standard deviation is softplus(rho).
        prior: Standard deviation of every weight's normal prior.

    Returns:
        Layer -> 'magnitude', the mean of abs(mu); 'sigma' and 'snr', the ``QUANTILES`` of the standard deviation and
        of abs(mu) / sigma; all of the surviving weights of its kernel, None where none is left. And 'divergence', the
        KL divergence in nats of surviving weights and bias from the prior.
    """
    found: dict[str, dict[str, Any]] = {}
    for path, kept in mask.items():
        mean, sigma = _normal(weights, path)
        mean, sigma = mean[kept], sigma[kept]
        some = bool(kept.any())
        layer = layer_of(path)
        total = divergence(mean, sigma, prior)
        if f"{layer}/bias" in weights:
            total += divergence(*_normal(weights, f"{layer}/bias"), prior)
        found[layer] = {
            "magnitude": float(np.mean(np.abs(mean))) if some else None,
            "sigma": _quantiles(sigma) if some else None,
            "snr": _quantiles(np.abs(mean) / sigma) if some else None,
            "divergence": total,
        }
    return found


AT_BOUND = 0.9
"""Fraction of the way to the optimiser's bound from which on a deviation counts as being there."""


def share_at_bound(mask: Mask, start: Weights, trained: Weights, bound: float) -> float:
    """Share of deviations that end about as far from their start as Adam could take them.

    Adam moves a parameter by about its learning rate an iteration, whatever the gradient. So rho moves by at most about
    the sum of all learning rates, and a small deviation changes at most by about the factor exp(that sum). A deviation
    that has gone ``AT_BOUND`` of the way says how long the training is, not how wide the posterior.

    Args:
        mask: Kernel path -> boolean array.
        start: Path + '_rho' -> rho at the start of the training.
        trained: The same at its end.
        bound: Sum of the learning rates of its iterations.

    Returns:
        Over surviving kernel entries and biases; 0 where there is none.
    """
    moved = [np.abs(trained[f"{path}_rho"] - start[f"{path}_rho"])[kept] for path, kept in mask.items()]
    biases = (f"{layer_of(path)}/bias_rho" for path in mask)
    moved += [np.abs(trained[path] - start[path]) for path in biases if path in trained]
    everything = np.concatenate([values.ravel() for values in moved]) if moved else np.zeros(0)
    return float(np.mean(everything >= AT_BOUND * bound)) if everything.size else 0.0


def _normal(weights: Weights, path: str) -> tuple[np.ndarray, np.ndarray]:
    return weights[path].astype(np.float64), np.maximum(posterior_stddev(weights[f"{path}_rho"]), _SMALLEST)


def _quantiles(values: np.ndarray) -> list[float]:
    result: list[float] = np.percentile(values, QUANTILES).tolist()
    return result
