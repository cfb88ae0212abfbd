"""The interface of all samplers: a state, per-draw statistics, and three functions."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

LogDensity = Callable[[Any], Any]
"""A float64 tensor [size] -> its log density, a float64 tensor []; differentiable."""


class State(NamedTuple):
    """State of a chain, as the next step needs it.

    Attributes:
        position: float64 tensor [size].
        results: Kernel results: log density, gradient and the like.
    """

    position: Any
    results: Any


class SampleStats(NamedTuple):
    """Per-draw statistics, by ArviZ's names where it has one.

    Attributes:
        log_density: At the new position, up to a constant.
        energy: Of the Hamiltonian system after the step: -log density + kinetic energy.
        acceptance_rate: Mean of min(1, e^(energy at the start - energy)) over the trajectory.
        step_size: In units of ``inverse_mass_sqrt``.
        tree_depth: Doublings of the trajectory; 0 for a trajectory of fixed length.
        n_steps: Leapfrog steps, one gradient each.
        diverging: Whether the energy error grew beyond bounds.
        reached_max_treedepth: Whether the trajectory was cut off before it turned.
    """

    log_density: float
    energy: float
    acceptance_rate: float
    step_size: float
    tree_depth: int
    n_steps: int
    diverging: bool
    reached_max_treedepth: bool


class Sampler(Protocol):
    """A Markov chain's transition."""

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size]."""

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""

    def step(
        self, state: State, step_size: float, inverse_mass_sqrt: np.ndarray, seed: tuple[int, int]
    ) -> tuple[State, SampleStats]:
        """Make one transition.

        Args:
            state: The current state.
            step_size: Of the leapfrog integrator, in units of ``inverse_mass_sqrt``.
            inverse_mass_sqrt: float64 [size]: one over the root of the diagonal mass.
            seed: Of this step's randomness.
        """
