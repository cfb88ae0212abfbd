"""Normal posteriors layer by layer: how large, how sure, how far from the prior. NumPy alone."""

from typing import Any

import numpy as np

from tfticket.pruning.mask import layer_of
from tfticket.pruning.scores import deviation_of
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


def _normal(weights: Weights, path: str) -> tuple[np.ndarray, np.ndarray]:
    return weights[path].astype(np.float64), np.maximum(deviation_of(weights[f"{path}_rho"]), _SMALLEST)


def _quantiles(values: np.ndarray) -> list[float]:
    result: list[float] = np.percentile(values, QUANTILES).tolist()
    return result
