"""Parts of samplers by stochastic gradients: minibatches, cycles of the step size, a diagonal preconditioner.

Every draw ends with one gradient over all rows: the log density of a draw is exact, and so is its configurational
temperature -y . gradient / size, whose mean over the posterior is 1. A step size, or the noise of minibatches, that
inflates the variance of the draws shows as a temperature above 1.

References:
    Wenzel et al. (2020), "How good is the Bayes posterior in deep neural networks really?", appendix I (temperatures).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfticket.config.sampling import EXPLORATION, PASSES
from tfticket.sampling.protocol import MinibatchDensity, SampleStats

DECAY = 0.99
"""Weight of the past in the mean square of gradients (Li et al.)."""

DAMPING = 1e-5
"""Added to the root mean square of gradients a row (Li et al.)."""


def minibatches(rows: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield indices of rows, int64 [size], without end: permutations of all rows one after the other.

    The rows left over by a permutation wait for another, so each row is drawn with the same probability. Within a
    permutation no row comes twice, which lets the noise of its minibatches cancel.

    References:
        Shaw and Whalley (2025), "Random reshuffling for stochastic gradient Langevin dynamics", arXiv 2501.16055.
    """
    size = min(size, rows)
    while True:
        order = random.permutation(rows)
        for begin in range(0, rows - size + 1, size):
            yield order[begin : begin + size]


@dataclass(frozen=True)
class Schedule:
    """Steps of a chain's draws: a constant step size, or cycles of it.

    At step k of the T of a cycle the step size is that at its beginning times (cos(pi k / T) + 1) / 2. The first
    ``EXPLORATION`` of the steps are without noise and give no draws.

    Attributes:
        steps: Minibatches a draw.
        cycle: Draws of a cycle; None: a constant step size.
        warmup: Draws of the warm-up; a cycle begins after it.

    References:
        Zhang, Li, Zhang, Chen and Wilson (2020), "Cyclical stochastic gradient MCMC for Bayesian deep learning",
        equation 1 and algorithm 1.
    """

    steps: int
    cycle: int | None = None
    warmup: int = 0

    def of_draw(self, number: int) -> Iterator[tuple[float, bool]]:
        """Yield for each step before a draw, counted from the chain's beginning, its factor and whether it has noise.

        The factor is that of the step size.
        """
        if self.cycle is None:
            yield from ((1.0, True) for _ in range(self.steps))
            return
        total = round(self.cycle * self.steps / (1 - EXPLORATION))
        explored, place = total - self.cycle * self.steps, (number - self.warmup) % self.cycle
        for step in range(explored + place * self.steps if place else 0, explored + (place + 1) * self.steps):
            yield 0.5 * (math.cos(math.pi * step / total) + 1), step >= explored


class Preconditioner(NamedTuple):
    """Mean square of each variable's gradient a row; see ``scale``.

    Attributes:
        squares: float64 [size], or [0] without preconditioning.
        count: Minibatches so far.
    """

    squares: np.ndarray
    count: Any

    @classmethod
    def of(cls, size: int, preconditioned: bool) -> "Preconditioner":
        """Return one that has seen nothing."""
        return cls(np.zeros(size if preconditioned else 0), np.int64(0))

    @property
    def scale(self) -> np.ndarray:
        """G = 1 / (``DAMPING`` + root mean square), float64 [size]; [1] without preconditioning."""
        if not self.squares.size:
            return np.ones(1)
        return np.asarray(1 / (DAMPING + np.sqrt(self.squares)))

    def update(self, gradient: np.ndarray) -> "Preconditioner":
        """Learn from a gradient a row, float64 [size]: a plain mean at first, then one that forgets by ``DECAY``."""
        if not self.squares.size:
            return self
        weight = max(1 - DECAY, 1 / (int(self.count) + 1))
        return Preconditioner(self.squares + weight * (gradient**2 - self.squares), np.int64(self.count + 1))


def steps_of(density: MinibatchDensity, batch_size: int, steps: int | None) -> int:
    """Return the minibatches of a draw; None: ``PASSES`` over the rows."""
    return steps or PASSES * max(1, density.rows // min(batch_size, density.rows))


def stats_of(
    position: np.ndarray, log_density: float, gradient: np.ndarray, step_size: float, gradients: float, diverging: bool
) -> SampleStats:
    """Return the statistics of a draw.

    Args:
        position: Whitened, float64 [size].
        log_density: Over all rows.
        gradient: Over all rows, float64 [size].
        step_size: Of the last step.
        gradients: Cost of the draw, in gradients over all rows.
        diverging: Whether a number overflowed, so that the draw is the one before.
    """
    return SampleStats(
        log_density=log_density,
        acceptance_rate=1.0,
        step_size=step_size,
        n_steps=gradients,
        diverging=diverging,
        temperature=-float(position @ gradient) / len(position),
    )
