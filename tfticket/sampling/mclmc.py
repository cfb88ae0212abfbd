"""Microcanonical Langevin Monte Carlo, unadjusted: every step is taken, and the step size bounds the bias.

References:
    Robnik and Seljak (2024), arXiv 2303.18221; Sommer, Robnik, Nozadze, Seljak and Ruegamer (2025), "Microcanonical
    Langevin ensembles: advancing the sampling of Bayesian neural networks", arXiv 2502.06335. See ``microcanonical``.
"""

import math

import numpy as np

from tfticket.config import SampleConfig
from tfticket.sampling.microcanonical import Particle, leapfrog, random_direction, refresh
from tfticket.sampling.protocol import DIVERGENCE, QUARTER_PERIOD, Density, SampleStats, State, Tuning


class Mclmc:
    """Unadjusted microcanonical Langevin Monte Carlo.

    Args:
        density: Of the variables that the sampler moves; at least 2.
        trajectory_length: Over which a direction is forgotten, in whitened deviations.
        steps: Integrator steps, so gradients, a draw; None: as many as cover the trajectory length.
    """

    tuning: Tuning = "energy error"

    def __init__(self, density: Density, trajectory_length: float = QUARTER_PERIOD, steps: int | None = None) -> None:
        self._density, self.trajectory_length, self._steps = density, trajectory_length, steps

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient; the first step draws its direction."""
        log_density, gradient = self._density.log_density_and_gradient(position)
        return State(position, (np.zeros_like(position), np.float64(log_density), gradient))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""
        gradient: np.ndarray = state.results[2]
        return gradient

    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Move for one draw's steps; see ``protocol.Sampler``. A step that diverges is not taken."""
        position, (direction, log_density, gradient) = state
        size = len(position)
        if not direction.any():
            direction = random_direction(size, random)
        particle = Particle(position, direction, float(log_density), gradient)
        steps = self._steps or max(1, round(self.trajectory_length / step_size))
        steps = steps if most_steps is None else min(steps, most_steps)
        squares, diverging = [], False
        for _ in range(steps):
            moved, error = leapfrog(self._density, particle, step_size)
            if not abs(error) < DIVERGENCE:
                diverging = True
                particle = particle._replace(direction=random_direction(size, random))
                continue
            squares.append(error**2)
            particle = moved._replace(direction=refresh(moved.direction, step_size, self.trajectory_length, random))
        stats = SampleStats(
            log_density=particle.log_density,
            acceptance_rate=1.0,
            step_size=step_size,
            n_steps=steps,
            diverging=diverging,
            energy_error=float(np.mean(squares)) / size if squares else math.inf,
        )
        results = (particle.direction, np.float64(particle.log_density), particle.gradient)
        return State(particle.position, results), stats


def build(density: Density, config: SampleConfig) -> Mclmc:
    """Return the sampler of a configuration."""
    return Mclmc(density, config.trajectory_length or QUARTER_PERIOD, config.steps_per_draw)
