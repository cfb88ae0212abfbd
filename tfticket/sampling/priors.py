"""Priors of the sampled weights, and the unconstrained variables that a sampler moves.

A sampler moves u over all real numbers. A weight with a normal prior is u itself. A bounded weight is
w = low + (high - low) / (1 + exp(-u)), and the density of u includes the Jacobian of that map.
"""

import math
from dataclasses import dataclass

import numpy as np

from tfticket.config import PriorConfig
from tfticket.sparse.layout import Layout


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent priors, one per coordinate.

    Attributes:
        centre, scale: float64 [size]: mean and standard deviation of a normal prior; middle and half the width of a
            bounded one.
        bounded: bool [size]: True where the prior is uniform.
    """

    centre: np.ndarray
    scale: np.ndarray
    bounded: np.ndarray

    def __repr__(self) -> str:
        return f"Prior({len(self.scale):,} weights, {np.count_nonzero(self.bounded):,} of them bounded)"

    @classmethod
    def of(cls, layout: Layout, kernels: PriorConfig, others: PriorConfig) -> "Prior":
        """Return the priors of a ticket's weights.

        Args:
            layout: Order of theta.
            kernels: Prior of kernels.
            others: Prior of biases and the like; for the scale of a normalisation, 'gamma', it is shifted by 1.
        """
        centre, scale = np.zeros(layout.size), np.ones(layout.size)
        bounded = np.zeros(layout.size, bool)
        for path, part in layout.slices.items():
            config = kernels if path in layout.mask else others
            centre[part] = config.centre + (path.rpartition("/")[2] == "gamma")
            scale[part] = config.half_width if config.is_bounded else config.deviation
            if config.is_glorot:
                scale[part] = _glorot(config, layout, path)
            bounded[part] = config.is_bounded
        return cls(centre, scale, bounded)

    def constrain(self, u: np.ndarray) -> np.ndarray:
        """Map the sampler's variables to weights, float64 [..., size]."""
        if not self.bounded.any():
            return u
        return np.where(self.bounded, self.centre + self.scale * np.tanh(u / 2), u)

    def unconstrain(self, weights: np.ndarray) -> np.ndarray:
        """Map weights to the sampler's variables; weights on or beyond a bound are moved just inside."""
        if not self.bounded.any():
            return weights
        inside = np.clip((weights - self.centre) / self.scale, -1 + 1e-9, 1 - 1e-9)
        return np.where(self.bounded, 2 * np.arctanh(inside), weights)

    @np.errstate(over="ignore", invalid="ignore")  # of a diverging trajectory
    def log_density_and_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the normalised log density of u, and its gradient, float64 [size]."""
        residual = (u - self.centre) / self.scale
        log_density = -0.5 * residual**2 - np.log(self.scale) - 0.5 * math.log(2 * math.pi)
        gradient = -residual / self.scale
        if self.bounded.any():  # the logistic density, whatever the bounds: e^-u / (1 + e^-u)^2
            log_density = np.where(self.bounded, -np.abs(u) - 2 * np.log1p(np.exp(-np.abs(u))), log_density)
            gradient = np.where(self.bounded, -np.tanh(u / 2), gradient)
        return float(log_density.sum()), gradient

    def slope(self, u: np.ndarray) -> np.ndarray:
        """Return dw / du, float64 [size]."""
        return np.where(self.bounded, self.scale / 2 / np.cosh(np.clip(u, -700, 700) / 2) ** 2, 1.0)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Draw the sampler's variables from the prior."""
        normal, uniform = random.normal(size=self.centre.shape), random.random(self.centre.shape)
        quantile = np.clip(uniform, 1e-12, 1 - 1e-12)
        return np.where(self.bounded, np.log(quantile / (1 - quantile)), self.centre + self.scale * normal)


def _glorot(config: PriorConfig, layout: Layout, path: str) -> float:
    """Return the scale of a Glorot prior: variance factor * 2 / (fan in + fan out); bounds at sqrt(3) deviations.

    References:
        Glorot and Bengio (2010), equations 12 and 16.
    """
    shape = layout.shapes[path]
    field = math.prod(shape[:-2])
    fans = field * (shape[-2] + shape[-1])
    if config.fan == "surviving":
        fans *= max(layout.mask[path].mean(), 1 / layout.mask[path].size)
    variance = config.factor * 2.0 / fans
    return math.sqrt(variance * (3.0 if config.is_bounded else 1.0))
