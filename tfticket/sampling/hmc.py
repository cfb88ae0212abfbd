"""Hamiltonian Monte Carlo with trajectories of a fixed number of steps, by ``tfp.mcmc``.

References:
    Neal (2011), "MCMC using Hamiltonian dynamics", section 3. The mass enters as in ``nuts``.
"""

import math
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.sampling.protocol import LogDensity, SampleStats, State

DIVERGENCE = 1000.0
"""Growth of the energy, in nats, beyond which a trajectory has diverged, as in NUTS."""


class Hmc:
    """Hamiltonian Monte Carlo.

    Args:
        log_density: Of the variables that the sampler moves.
        leapfrog_steps: Per draw; each takes one gradient.
    """

    def __init__(self, log_density: LogDensity, leapfrog_steps: int) -> None:
        self._kernel = tfp.mcmc.HamiltonianMonteCarlo(
            log_density, np.float64(1.0), leapfrog_steps, store_parameters_in_results=True
        )  # without it the kernel ignores the step size in the results
        self._leapfrog_steps = leapfrog_steps
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
        self, state: State, step_size: float, inverse_mass_sqrt: np.ndarray, seed: tuple[int, int]
    ) -> tuple[State, SampleStats]:
        """Draw once; see ``protocol.Sampler``."""
        step_sizes = tf.constant(step_size * inverse_mass_sqrt)
        position, results = self._step(state.position, state.results, step_sizes, tf.constant(seed))
        proposal = results.proposed_results
        momentum = proposal.final_momentum if results.is_accepted else proposal.initial_momentum
        log_density = float(results.accepted_results.target_log_prob)
        log_ratio = float(results.log_accept_ratio)
        stats = SampleStats(
            log_density=log_density,
            energy=-log_density + 0.5 * float(tf.reduce_sum(tf.square(momentum))),
            acceptance_rate=math.exp(min(0.0, log_ratio)) if math.isfinite(log_ratio) else 0.0,
            step_size=step_size,
            tree_depth=0,
            n_steps=self._leapfrog_steps,
            diverging=not log_ratio >= -DIVERGENCE,
            reached_max_treedepth=False,
        )
        return State(position, results), stats

    def _one_step(self, position: Any, results: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
        accepted = results.accepted_results
        position, after = self._kernel.one_step(
            position, results._replace(accepted_results=accepted._replace(step_size=step_size)), seed=seed
        )
        restored = after.accepted_results._replace(step_size=accepted.step_size)
        return position, after._replace(accepted_results=restored)


def build(log_density: LogDensity, config: SampleConfig, warming_up: bool) -> Hmc:
    """Return the sampler of a configuration."""
    return Hmc(log_density, config.leapfrog_steps)
