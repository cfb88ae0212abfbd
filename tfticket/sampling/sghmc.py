"""Stochastic gradient Hamiltonian Monte Carlo: momentum and friction, by minibatches, plain, preconditioned, in cycles.

With h the step size, a the friction, g an estimate of the gradient from a minibatch, z standard normal and G a
diagonal, 1 without preconditioning:

    y <- y + v,    v <- (1 - a) v + h G g(y) + sqrt(2 a h G) z.

G, an inverse mass, is learnt in the warm-up and then kept. Friction 1 is Langevin dynamics (``sgld``). Of a normal
posterior of precision p whose minibatch gradients have variance s, draws have the variance

    1 / p * (1 + h s / (2 a)) / (1 - h p / (4 - 2 a)),

above the posterior's, 1 / p: the bias falls as the step size does, with larger minibatches and with more friction.

References:
    Chen, Fox and Guestrin (2014), "Stochastic gradient Hamiltonian Monte Carlo", equation 15 without an estimate of the
    gradient's noise; Springenberg, Klein, Falkner and Hutter (2016), "Bayesian optimization with robust Bayesian neural
    networks", section 4.1 (a mass learnt in the burn-in); cycles: see ``stochastic_gradients.Schedule``.
"""

import math

import numpy as np

from tfticket.config import SampleConfig
from tfticket.sampling.protocol import MinibatchDensity, SampleStats, State, Tuning
from tfticket.sampling.stochastic_gradients import Preconditioner, Schedule, minibatches, stats_of, steps_of


class Sghmc:
    """Stochastic gradient Hamiltonian Monte Carlo.

    Args:
        density: Of the variables that the sampler moves.
        learning_rate: Step along the gradient of the mean log density a row, as an optimiser's with momentum: the step
            size is this over the number of rows.
        friction: Share of the velocity that a step loses: 1 - an optimiser's momentum.
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
        friction: float,
        batch_size: int,
        schedule: Schedule,
        preconditioned: bool = False,
    ) -> None:
        self._density, self._friction, self._schedule = density, friction, schedule
        self._batch_size, self._preconditioned = min(batch_size, density.rows), preconditioned
        self.step_size = learning_rate / density.rows

    def init(self, position: np.ndarray) -> State:
        """Return the state at rest at a position, float64 [size], by one gradient."""
        log_density, gradient = self._density.log_density_and_gradient(position)
        preconditioner = Preconditioner.of(len(position), self._preconditioned)
        velocity = np.zeros_like(position)
        return State(position, (np.int64(0), preconditioner, velocity, np.float64(log_density), gradient))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density over all rows at a state, float64 [size]."""
        gradient: np.ndarray = state.results[4]
        return gradient

    @np.errstate(over="ignore", invalid="ignore")  # of a diverging chain
    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Move for one draw's minibatches, ``most_steps`` or not; see ``protocol.Sampler``.

        A draw that overflows is not taken, and the chain is at rest again.
        """
        position, (number, preconditioner, velocity, _, _) = state
        rows, warming_up, h = self._density.rows, number < self._schedule.warmup, step_size
        batches, steps = minibatches(rows, self._batch_size, random), 0
        for factor, noisy in self._schedule.of_draw(int(number)):
            h, steps = factor * step_size, steps + 1
            position = position + velocity
            gradient = self._density.minibatch_gradient(position, next(batches))
            if warming_up:
                preconditioner = preconditioner.update(gradient / rows)
            scale = h * preconditioner.scale
            velocity = (1 - self._friction) * velocity + scale * gradient
            if noisy:
                velocity = velocity + np.sqrt(2 * self._friction * scale) * random.normal(size=len(position))
            if not np.isfinite(velocity).all():
                break
        log_density, gradient = self._density.log_density_and_gradient(position)
        diverging = not (math.isfinite(log_density) and np.isfinite(gradient).all() and np.isfinite(velocity).all())
        if diverging:
            position, (_, preconditioner, _, log_density, gradient) = state
            velocity = np.zeros_like(position)
        cost = steps * self._batch_size / rows + 1
        stats = stats_of(position, float(log_density), gradient, h, cost, diverging)
        results = (np.int64(number + 1), preconditioner, velocity, np.float64(log_density), gradient)
        return State(position, results), stats


LEARNING_RATE = 0.03
"""Default of ``learning_rate``."""

PRECONDITIONED_LEARNING_RATE = 3e-4
"""The same with a preconditioner: the step of a gradient of root mean square 1."""


def build(density: MinibatchDensity, config: SampleConfig) -> Sghmc:
    """Return the sampler of a configuration."""
    rate = PRECONDITIONED_LEARNING_RATE if config.preconditioned else LEARNING_RATE
    steps = steps_of(density, config.batch_size, config.steps_per_draw)
    schedule = Schedule(steps, config.draws_per_cycle, config.warmup)
    return Sghmc(
        density, config.learning_rate or rate, config.friction, config.batch_size, schedule, config.preconditioned
    )
