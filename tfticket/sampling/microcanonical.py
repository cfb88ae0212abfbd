"""Microcanonical dynamics: a particle of constant speed 1, whose direction turns towards higher densities.

With g the gradient of the log density, e = g / abs(g) and delta = step / 2 * abs(g) / (d - 1), half a step turns

    u <- (u + e (sinh(delta) + (e.u) (cosh(delta) - 1))) / (cosh(delta) + (e.u) sinh(delta)),

which changes the kinetic energy by (d - 1) log(cosh(delta) + (e.u) sinh(delta)); the position moves by step * u.

Here steps and lengths are those of the papers over sqrt(d), so that a variable moves by about one step, as with the
momenta of HMC, and its step sizes and lengths compare.

References:
    Robnik, De Luca, Silverstein and Seljak (2023), "Microcanonical Hamiltonian Monte Carlo", arXiv 2212.08549;
    Robnik and Seljak (2024), "Fluctuation without dissipation: microcanonical Langevin Monte Carlo", arXiv 2303.18221.
"""

import math
from typing import NamedTuple

import numpy as np

from tfticket.sampling.protocol import Density


class Particle(NamedTuple):
    """A point of a trajectory.

    Attributes:
        position, gradient: Whitened variables and the gradient of their log density, float64 [size].
        direction: Unit vector, float64 [size].
        log_density: At the position.
    """

    position: np.ndarray
    direction: np.ndarray
    log_density: float
    gradient: np.ndarray


def random_direction(size: int, random: np.random.Generator) -> np.ndarray:
    """Return a unit vector, uniform on the sphere."""
    normal = random.normal(size=size)
    return np.asarray(normal / np.linalg.norm(normal))


def refresh(direction: np.ndarray, step_size: float, length: float, random: np.random.Generator) -> np.ndarray:
    """Turn a direction at random, so that it is forgotten over ``length``: u <- normalised(u + nu z).

    nu^2 = (exp(2 step / length) - 1) / d.
    """
    nu = math.sqrt(math.expm1(2 * step_size / length) / len(direction))
    turned = direction + nu * random.normal(size=len(direction))
    return np.asarray(turned / np.linalg.norm(turned))


def turn(direction: np.ndarray, gradient: np.ndarray, step_size: float) -> tuple[np.ndarray, float]:
    """Turn a direction towards the gradient for a time; return it and the change of the kinetic energy."""
    norm = float(np.linalg.norm(gradient))
    if norm == 0:
        return direction, 0.0
    uphill = gradient / norm
    delta = step_size * norm / (len(direction) - 1)
    cosine = float(uphill @ direction)
    decay = math.exp(-2 * delta)  # all over e^delta, lest cosh overflows
    turned = 2 * math.exp(-delta) * direction + uphill * (1 - decay + cosine * (1 + decay - 2 * math.exp(-delta)))
    growth = 0.5 * (1 + decay + cosine * (1 - decay))
    change = (len(direction) - 1) * (delta + math.log(max(growth, 1e-300)))
    return turned / np.linalg.norm(turned), change


def leapfrog(density: Density, particle: Particle, step_size: float) -> tuple[Particle, float]:
    """Make one step, by one gradient; return the particle and the change of its energy, in nats."""
    step = step_size * math.sqrt(len(particle.position))
    direction, first = turn(particle.direction, particle.gradient, step / 2)
    position = particle.position + step * direction
    log_density, gradient = density.log_density_and_gradient(position)
    if not (math.isfinite(log_density) and np.isfinite(gradient).all()):
        return particle, math.inf
    direction, second = turn(direction, gradient, step / 2)
    return Particle(position, direction, log_density, gradient), first + second - (log_density - particle.log_density)
