"""What all samplers have in common: a state, what is told of a step, and three functions."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

LogDensity = Callable[[Any], Any]
"""A float64 tensor [size] -> its log density, a float64 tensor []; differentiable."""


class State(NamedTuple):
    """What the next step needs.

    Attributes:
        position: float64 tensor [size].
        results: The kernel's own: log density, gradient and the like.
    """

    position: Any
    results: Any


class Info(NamedTuple):
    """What one step tells.

    Attributes:
        log_density: Of the new position, up to a constant.
        energy: Of the Hamiltonian system after the step: -log density + kinetic energy.
        acceptance_rate: Mean of min(1, e^(energy at the start - energy)) over the trajectory.
        step_size: In units of the scale.
        tree_depth: Doublings of the trajectory; of a fixed length, 0.
        n_steps: Gradients.
        diverging: The energy ran away.
        reached_cap: The trajectory was cut off before it turned.
    """

    log_density: float
    energy: float
    acceptance_rate: float
    step_size: float
    tree_depth: int
    n_steps: int
    diverging: bool
    reached_cap: bool


class Sampler(Protocol):
    """A Markov chain's transition."""

    def init(self, position: np.ndarray) -> State:
        """The state at a position, float64 [size]."""

    def gradient(self, state: State) -> np.ndarray:
        """The log density's gradient at a state, float64 [size]."""

    def step(self, state: State, step_size: float, scale: np.ndarray, seed: tuple[int, int]) -> tuple[State, Info]:
        """One transition.

        Args:
            state: Where the chain is.
            step_size: Of the leapfrog integrator, in units of ``scale``.
            scale: float64 [size]: one over the root of the diagonal mass.
            seed: Of this step's draws.
        """
