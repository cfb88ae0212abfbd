"""Where chains begin: a draw from the prior, a ticket's weights, or near a mode that gradient ascent finds."""

import math

import numpy as np

from tfticket.sampling.posterior import Posterior

SHRINKAGE = 0.2
"""Factor of the prior's draw from which an ascent begins: a whole one saturates units."""

LEARNING_RATE = 0.02
"""Of Adam at the beginning of an ascent; it falls to 0 as half a cosine."""


def ascend(posterior: Posterior, random: np.random.Generator, gradients: int) -> np.ndarray:
    """Return where full-batch Adam on the log density ends, u float64 [size], from a small draw of the prior.

    No weight of a ticket is used, so that chains from different draws are independent. The end is near a mode, which is
    no typical point: the chain falls from there to lower densities, and learns its metric after that.

    Args:
        posterior: To be climbed.
        random: Source of the first draw.
        gradients: Number of steps.

    References:
        Kingma and Ba (2015), algorithm 1 (Adam).
    """
    centre = np.where(posterior.prior.bounded, 0.0, posterior.prior.centre)
    u = centre + SHRINKAGE * (posterior.prior.draw(random) - centre)
    first, second = np.zeros_like(u), np.zeros_like(u)
    for number in range(1, gradients + 1):
        _, gradient = posterior.log_density_and_gradient(u)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * (number - 1) / gradients))
        scaled = first / (1 - 0.9**number) / (np.sqrt(second / (1 - 0.999**number)) + 1e-8)
        u = u + rate * scaled
    return u
