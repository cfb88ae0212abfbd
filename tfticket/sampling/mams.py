"""Metropolis-adjusted microcanonical sampling: trajectories of a jittered length, accepted by their energy error.

References:
    Robnik, Cohn-Gordon and Seljak (2025), "Metropolis adjusted microcanonical Hamiltonian Monte Carlo",
    arXiv 2503.01707. See ``microcanonical``.
"""

import math

import numpy as np

from tfticket.config import SampleConfig
from tfticket.sampling.microcanonical import Particle, leapfrog, random_direction
from tfticket.sampling.protocol import (
    DIVERGENCE,
    QUARTER_PERIOD,
    Density,
    SampleStats,
    State,
    Tuning,
    jittered_steps,
)


class Mams:
    """Metropolis-adjusted microcanonical sampling.

    Args:
        density: Of the variables that the sampler moves; at least 2.
        trajectory_length: Mean length of a trajectory, in whitened deviations.
    """

    tuning: Tuning = "acceptance"

    def __init__(self, density: Density, trajectory_length: float = QUARTER_PERIOD) -> None:
        self._density, self.trajectory_length = density, trajectory_length

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient."""
        log_density, gradient = self._density.log_density_and_gradient(position)
        return State(position, (np.float64(log_density), gradient))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""
        gradient: np.ndarray = state.results[1]
        return gradient

    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Propose the end of a trajectory; see ``protocol.Sampler``."""
        position, (log_density, gradient) = state
        size = len(position)
        steps = jittered_steps(self.trajectory_length, step_size, random, most_steps)
        particle = Particle(position, random_direction(size, random), float(log_density), gradient)
        error, taken = 0.0, 0
        while taken < steps and error < DIVERGENCE:
            particle, change = leapfrog(self._density, particle, step_size)
            error, taken = error + change, taken + 1
        acceptance_rate = math.exp(min(0.0, -error)) if error < DIVERGENCE else 0.0
        if random.random() < acceptance_rate:
            state = State(particle.position, (np.float64(particle.log_density), particle.gradient))
        stats = SampleStats(
            log_density=float(state.results[0]),
            acceptance_rate=acceptance_rate,
            step_size=step_size,
            n_steps=taken,
            diverging=not error < DIVERGENCE,
        )
        return state, stats


def build(density: Density, config: SampleConfig) -> Mams:
    """Return the sampler of a configuration."""
    return Mams(density, config.trajectory_length or QUARTER_PERIOD)
