"""The interface of all samplers: a state of whitened variables, per-draw statistics, and three functions."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from tfticket.sampling.metric import Metric

LogDensity = Callable[[Any], Any]
"""A float64 tensor [size] -> its log density, a float64 tensor []; differentiable."""

DIVERGENCE = 1000.0
"""Growth of the energy, in nats, beyond which a trajectory has diverged, as in Stan."""

JITTER = (0.6, 1.4)
"""Range of a trajectory's length over its mean: a fixed length may come back to where it began."""


QUARTER_PERIOD = math.pi / 2
"""Length of a trajectory over which a normal variable of deviation 1 moves furthest on average."""

Tuning = Literal["acceptance", "energy error", "fixed"]
"""How a step size is found: by the acceptance rate, by the energy error of a step, or it is an option."""


class State(NamedTuple):
    """State of a chain, as the next step needs it.

    Attributes:
        position: Whitened variables, float64 [size].
        results: Kernel results: log density, gradient and the like.
    """

    position: Any
    results: Any


class SampleStats(NamedTuple):
    """Per-draw statistics, by ArviZ's names where it has one.

    Attributes:
        log_density: At the new position, up to a constant.
        acceptance_rate: Mean of min(1, e^(energy at the start - energy)) over the trajectory; 1 where all is accepted.
        step_size: Of the integrator, in whitened variables.
        n_steps: Cost in gradients over all rows: integrator steps, one gradient each; a minibatch counts as its share.
        diverging: Whether the energy error grew beyond bounds.
        tree_depth: Doublings of the trajectory; 0 for a trajectory of fixed length.
        reached_max_treedepth: Whether the trajectory was cut off before it turned.
        energy: Of the Hamiltonian system after the step: -log density + kinetic energy; None: microcanonical.
        energy_error: Mean over steps of the squared energy error, a variable; None where it is corrected for.
        temperature: Of stochastic gradients: -position . gradient / size, 1 on average where no bias is left.
    """

    log_density: float
    acceptance_rate: float
    step_size: float
    n_steps: float
    diverging: bool
    tree_depth: int = 0
    reached_max_treedepth: bool = False
    energy: float | None = None
    energy_error: float | None = None
    temperature: float | None = None


class Density(Protocol):
    """A log density that a metric whitens.

    Attributes:
        metric: From whitened variables to those of the density; samplers begin anew when it is replaced.
    """

    metric: Metric

    def log_density_and_gradient(self, whitened: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density up to a constant, and its gradient in whitened variables, float64 [size]."""

    def as_tensor(self) -> LogDensity:
        """Return the log density of whitened variables as a function of tensors, for ``tfp.mcmc``."""


class MinibatchDensity(Density, Protocol):
    """A log density that is a sum over rows.

    Attributes:
        rows: Number of rows.
    """

    @property
    def rows(self) -> int: ...

    def minibatch_gradient(self, whitened: np.ndarray, minibatch: np.ndarray) -> np.ndarray:
        """Return an unbiased estimate of the gradient in whitened variables, float64 [size].

        Args:
            whitened: float64 [size].
            minibatch: Indices of rows, int [any]; their sum is scaled to all rows.
        """


class Sampler(Protocol):
    """A Markov chain's transition, in whitened variables.

    Attributes:
        tuning: How the warm-up finds the step size: 'acceptance', of samplers that accept or reject proposals, so that
            the posterior is exact at any step size; 'energy error', of unadjusted ones; 'fixed': the sampler is a
            ``FixedStepSampler``, and neither step size nor metric are tuned.
    """

    tuning: Tuning

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size]."""

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""

    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Make one transition.

        Args:
            state: The current state.
            step_size: Of the integrator, in whitened variables.
            random: Source of this transition's randomness.
            most_steps: Most integrator steps, as in a warm-up; None: as the sampler's options say.
        """


class FixedStepSampler(Sampler, Protocol):
    """A sampler whose step size is an option.

    Attributes:
        step_size: In whitened variables.
    """

    step_size: float


class TrajectorySampler(Sampler, Protocol):
    """A sampler whose trajectories have a length that the warm-up may tune.

    Attributes:
        trajectory_length: Of later draws, in whitened deviations.
    """

    trajectory_length: float


def jittered_steps(length: float, step_size: float, random: np.random.Generator, most: int | None = None) -> int:
    """Return the number of steps of a trajectory of a mean length, at least 1 and at most ``most``."""
    steps = math.ceil(random.uniform(*JITTER) * length / step_size)
    return max(1, steps if most is None else min(steps, most))
