"""Scores, by which weights are ranked: the lowest are pruned. (trained weights, mask, seed) -> kernel path -> array."""

from collections.abc import Mapping

import numpy as np

from tfticket import seeds
from tfticket.errors import InputError
from tfticket.types import Mask

Scores = dict[str, np.ndarray]


def magnitude(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Return the absolute value of the trained weights (Han et al., 2015; Frankle and Carbin, 2019)."""
    return {path: np.abs(weights[path]) for path in mask}


def mu(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Return the absolute value of the posterior means ("Bayesian lottery ticket hypothesis", section 5)."""
    return {path: np.abs(mean) for path, (mean, _) in _posteriors(weights, mask, "mu").items()}


def snr(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Return the signal-to-noise ratio abs(mu) / sigma of the posterior (Blundell et al., 2015, section 3.4)."""
    return {path: np.abs(mean) / stddev for path, (mean, stddev) in _posteriors(weights, mask, "snr").items()}


def square(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Return sqrt(mu^2 + sigma^2) of the posterior ("Bayesian lottery ticket hypothesis", section 5)."""
    return {path: np.hypot(mean, stddev) for path, (mean, stddev) in _posteriors(weights, mask, "square").items()}


def posterior_stddev(rho: np.ndarray) -> np.ndarray:
    """Return the standard deviation softplus(rho) = log(1 + exp(rho)), float64, without overflow."""
    stddev: np.ndarray = np.logaddexp(0.0, rho.astype(np.float64))
    return stddev


def _posteriors(weights: Mapping[str, np.ndarray], mask: Mask, score: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return means and standard deviations of the kernels, float64."""
    for path in mask:
        if f"{path}_rho" not in weights:
            raise InputError(
                f"The score {score} ranks by a variational network's posteriors; {path} has none, the network is "
                "deterministic. Make it variational (model.variational: {}, or to_variational(model)), or take "
                "the score magnitude.",
                field="prune.score",
                suggestion="magnitude",
            )
    return {path: (weights[path].astype(np.float64), posterior_stddev(weights[f"{path}_rho"])) for path in mask}


def random(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Draw uniform scores, the control of every other score."""
    return {path: seeds.generator(seed, "random score", path).random(kept.shape) for path, kept in mask.items()}
