"""Stochastic gradient Langevin dynamics: unadjusted steps by minibatches, plain, preconditioned or in cycles.

With h the step size, g an estimate of the gradient from a minibatch, z standard normal and G a diagonal, 1 without
preconditioning:

    y <- y + h G g + sqrt(2 h G) z.

G is learnt in the warm-up and then kept, so that its own derivative, which Li et al. leave out, is 0. Of a normal
posterior of precision p whose minibatch gradients have variance s, draws have the variance

    1 / p * (1 + h s / 2) / (1 - h p / 2),

above the posterior's, 1 / p: the bias falls as the step size does, and with larger minibatches.

References:
    Welling and Teh (2011), "Bayesian learning via stochastic gradient Langevin dynamics", equation 4, with h half their
    step size; Li, Chen, Carlson and Carin (2016), "Preconditioned stochastic gradient Langevin dynamics for deep neural
    networks", algorithm 1; cycles: see ``stochastic_gradients.Schedule``.
"""

import math

import numpy as np

from tfticket.config import SampleConfig
from tfticket.sampling.protocol import MinibatchDensity, SampleStats, State, Tuning
from tfticket.sampling.stochastic_gradients import Preconditioner, Schedule, minibatches, stats_of, steps_of


class Sgld:
    """Stochastic gradient Langevin dynamics.

    Args:
        density: Of the variables that the sampler moves.
        learning_rate: Step along the gradient of the mean log density a row, as an optimiser's: the step size is this
            over the number of rows.
        batch_size: Rows of a minibatch.
        schedule: Steps of each draw.
        preconditioned: Whether steps are over the root mean square of gradients.

    Attributes:
        step_size: h.
    """

    tuning: Tuning = "fixed"

    def __init__(
        self,
        density: MinibatchDensity,
        learning_rate: float,
        batch_size: int,
        schedule: Schedule,
        preconditioned: bool = False,
    ) -> None:
        self._density, self._schedule, self._preconditioned = density, schedule, preconditioned
        self._batch_size = min(batch_size, density.rows)
        self.step_size = learning_rate / density.rows

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient."""
        log_density, gradient = self._density.log_density_and_gradient(position)
        preconditioner = Preconditioner.of(len(position), self._preconditioned)
        return State(position, (np.int64(0), preconditioner, np.float64(log_density), gradient))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density over all rows at a state, float64 [size]."""
        gradient: np.ndarray = state.results[3]
        return gradient

    @np.errstate(over="ignore", invalid="ignore")  # of a diverging chain
    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Move for one draw's minibatches, ``most_steps`` or not; see ``protocol.Sampler``.

        A draw that overflows is not taken.
        """
        position, (number, preconditioner, _, _) = state
        rows, warming_up, h = self._density.rows, number < self._schedule.warmup, step_size
        batches, steps = minibatches(rows, self._batch_size, random), 0
        for factor, noisy in self._schedule.of_draw(int(number)):
            h, steps = factor * step_size, steps + 1
            gradient = self._density.minibatch_gradient(position, next(batches))
            if warming_up:
                preconditioner = preconditioner.update(gradient / rows)
            scale = h * preconditioner.scale
            position = position + scale * gradient
            if noisy:
                position = position + np.sqrt(2 * scale) * random.normal(size=len(position))
            if not np.isfinite(position).all():
                break
        log_density, gradient = self._density.log_density_and_gradient(position)
        diverging = not (math.isfinite(log_density) and np.isfinite(gradient).all())
        if diverging:
            position, (_, preconditioner, log_density, gradient) = state
        cost = steps * self._batch_size / rows + 1
        stats = stats_of(position, float(log_density), gradient, h, cost, diverging)
        return State(position, (np.int64(number + 1), preconditioner, np.float64(log_density), gradient)), stats


LEARNING_RATE = 0.3
"""Default of ``learning_rate``."""

PRECONDITIONED_LEARNING_RATE = 3e-3
"""The same with a preconditioner: the step of a gradient of root mean square 1."""


def build(density: MinibatchDensity, config: SampleConfig) -> Sgld:
    """Return the sampler of a configuration."""
    rate = PRECONDITIONED_LEARNING_RATE if config.preconditioned else LEARNING_RATE
    steps = steps_of(density, config.batch_size, config.steps_per_draw)
    schedule = Schedule(steps, config.draws_per_cycle, config.warmup)
    return Sgld(density, config.learning_rate or rate, config.batch_size, schedule, config.preconditioned)
