"""Hamiltonian Monte Carlo with trajectories of a jittered or a fixed number of steps, by ``tfp.mcmc``.

References:
    Neal (2011), "MCMC using Hamiltonian dynamics", section 3.
"""

import math
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.sampling.protocol import (
    DIVERGENCE,
    QUARTER_PERIOD,
    Density,
    SampleStats,
    State,
    Tuning,
    jittered_steps,
)


class Hmc:
    """Hamiltonian Monte Carlo.

    Args:
        density: Of the variables that the sampler moves.
        trajectory_length: Mean length of a trajectory, in whitened deviations.
        leapfrog_steps: Per draw, each of one gradient; None: as many as the length needs.
    """

    tuning: Tuning = "acceptance"

    def __init__(
        self, density: Density, trajectory_length: float = QUARTER_PERIOD, leapfrog_steps: int | None = None
    ) -> None:
        self._kernel = tfp.mcmc.HamiltonianMonteCarlo(
            density.as_tensor(), np.float64(1.0), 1, store_parameters_in_results=True
        )  # without it the kernel ignores the step size, and the number of steps, in the results
        self.trajectory_length, self._steps = trajectory_length, leapfrog_steps
        self._init = tf.function(self._kernel.bootstrap_results, autograph=False)
        self._step = tf.function(self._one_step, autograph=False)

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient."""
        tensor = tf.constant(position, tf.float64)
        return State(tensor, self._init(tensor))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""
        gradient: np.ndarray = tf.nest.flatten(state.results.accepted_results.grads_target_log_prob)[0].numpy()
        return gradient

    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Draw once; see ``protocol.Sampler``."""
        if self._steps is None:
            steps = jittered_steps(self.trajectory_length, step_size, random, most_steps)
        else:
            steps = self._steps if most_steps is None else min(self._steps, most_steps)
        seed = tf.constant(random.integers(2**31, size=2).astype(np.int32))
        position, results = self._step(
            state.position, state.results, tf.constant(step_size, tf.float64), tf.constant(steps), seed
        )
        proposal = results.proposed_results
        momentum = proposal.final_momentum if results.is_accepted else proposal.initial_momentum
        log_density = float(results.accepted_results.target_log_prob)
        log_ratio = float(results.log_accept_ratio)
        stats = SampleStats(
            log_density=log_density,
            energy=-log_density + 0.5 * float(tf.reduce_sum(tf.square(momentum))),
            acceptance_rate=math.exp(min(0.0, log_ratio)) if math.isfinite(log_ratio) else 0.0,
            step_size=step_size,
            n_steps=steps,
            diverging=not log_ratio >= -DIVERGENCE,
        )
        return State(position, results), stats

    def _one_step(self, position: Any, results: Any, step_size: Any, steps: Any, seed: Any) -> tuple[Any, Any]:
        accepted = results.accepted_results
        own = {"step_size": accepted.step_size, "num_leapfrog_steps": accepted.num_leapfrog_steps}
        given = accepted._replace(step_size=step_size, num_leapfrog_steps=steps)
        position, after = self._kernel.one_step(position, results._replace(accepted_results=given), seed=seed)
        return position, after._replace(
            accepted_results=after.accepted_results._replace(**own),
            proposed_results=after.proposed_results._replace(**own),
        )


def build(density: Density, config: SampleConfig) -> Hmc:
    """Return the sampler of a configuration."""
    return Hmc(density, config.trajectory_length or QUARTER_PERIOD, config.leapfrog_steps)
