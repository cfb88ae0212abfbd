"""Priors of the sampled weights, and the variables in which a sampler moves.

A sampler moves u over all real numbers. A weight with a normal prior is u itself; one that is bounded is
w = low + (high - low) / (1 + exp(-u)), and the density of u carries that map's Jacobian.
"""

import math
from dataclasses import dataclass

import numpy as np

from tfticket.config import PriorConfig
from tfticket.sampling.layout import Layout


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent priors, one a coordinate.

    Attributes:
        centre, scale: float64 [size]: of a normal prior; of a bounded one, the interval's middle and half its width.
        bounded: bool [size]: whether the coordinate's prior is uniform.
    """

    centre: np.ndarray
    scale: np.ndarray
    bounded: np.ndarray

    def __repr__(self) -> str:
        return f"Prior({len(self.scale):,} weights, {np.count_nonzero(self.bounded):,} of them bounded)"

    @classmethod
    def of(cls, layout: Layout, kernels: PriorConfig, others: PriorConfig) -> "Prior":
        """The priors of a ticket's weights.

        Args:
            layout: Which weights.
            kernels: Of what can be pruned.
            others: Of biases and the like; a normalisation's scale, 'gamma', is centred on 1 more than that.
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
        """Weights of the sampler's variables, float64 [..., size]."""
        if not self.bounded.any():
            return u
        return np.where(self.bounded, self.centre + self.scale * np.tanh(u / 2), u)

    def unconstrain(self, weights: np.ndarray) -> np.ndarray:
        """The sampler's variables of weights; those on or beyond a bound come to lie just inside."""
        if not self.bounded.any():
            return weights
        inside = np.clip((weights - self.centre) / self.scale, -1 + 1e-9, 1 - 1e-9)
        return np.where(self.bounded, 2 * np.arctanh(inside), weights)

    @np.errstate(over="ignore", invalid="ignore")  # of a trajectory that has run away
    def log_density_and_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Log density of u, normalised, and its gradient, float64 [size]."""
        residual = (u - self.centre) / self.scale
        log_density = -0.5 * residual**2 - np.log(self.scale) - 0.5 * math.log(2 * math.pi)
        gradient = -residual / self.scale
        if self.bounded.any():  # the logistic density, whatever the bounds: e^-u / (1 + e^-u)^2
            log_density = np.where(self.bounded, -np.abs(u) - 2 * np.log1p(np.exp(-np.abs(u))), log_density)
            gradient = np.where(self.bounded, -np.tanh(u / 2), gradient)
        return float(log_density.sum()), gradient

    def slope(self, u: np.ndarray) -> np.ndarray:
        """Dw / du, float64 [size]."""
        return np.where(self.bounded, self.scale / 2 / np.cosh(np.clip(u, -700, 700) / 2) ** 2, 1.0)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """The sampler's variables of one draw from the prior."""
        normal, uniform = random.normal(size=self.centre.shape), random.random(self.centre.shape)
        edge = np.clip(uniform, 1e-12, 1 - 1e-12)
        return np.where(self.bounded, np.log(edge / (1 - edge)), self.centre + self.scale * normal)


def _glorot(config: PriorConfig, layout: Layout, path: str) -> float:
    """Scale of a Glorot prior: variance factor * 2 / (fan in + fan out); a bound is sqrt(3) deviations away.

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
