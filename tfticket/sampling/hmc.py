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
from tfticket.sampling.types import Info, LogDensity, State

DIVERGENCE = 1000.0
"""A trajectory whose energy has grown by more than this has diverged, as in NUTS."""


class Hmc:
    """Hamiltonian Monte Carlo.

    Args:
        log_density: Of the sampler's variables.
        leapfrog_steps: Gradients a draw.
    """

    def __init__(self, log_density: LogDensity, leapfrog_steps: int) -> None:
        self._kernel = tfp.mcmc.HamiltonianMonteCarlo(
            log_density, np.float64(1.0), leapfrog_steps, store_parameters_in_results=True
        )  # or it would go on with this step size, whatever the results say
        self._leapfrog_steps = leapfrog_steps
        self._init = tf.function(self._kernel.bootstrap_results, autograph=False)
        self._step = tf.function(self._one_step, autograph=False)

    def init(self, position: np.ndarray) -> State:
        """The state at a position, float64 [size]; one gradient."""
        at = tf.constant(position, tf.float64)
        return State(at, self._init(at))

    def gradient(self, state: State) -> np.ndarray:
        """The log density's gradient at a state, float64 [size]."""
        found: np.ndarray = tf.nest.flatten(state.results.accepted_results.grads_target_log_prob)[0].numpy()
        return found

    def step(self, state: State, step_size: float, scale: np.ndarray, seed: tuple[int, int]) -> tuple[State, Info]:
        """One draw; see ``types.Sampler``."""
        position, results = self._step(state.position, state.results, tf.constant(step_size * scale), tf.constant(seed))
        tried = results.proposed_results
        momentum = tried.initial_momentum if not results.is_accepted else tried.final_momentum
        log_density = float(results.accepted_results.target_log_prob)
        log_ratio = float(results.log_accept_ratio)
        info = Info(
            log_density=log_density,
            energy=-log_density + 0.5 * float(tf.reduce_sum(tf.square(momentum))),
            acceptance_rate=math.exp(min(0.0, log_ratio)) if math.isfinite(log_ratio) else 0.0,
            step_size=step_size,
            tree_depth=0,
            n_steps=self._leapfrog_steps,
            diverging=not log_ratio >= -DIVERGENCE,
            reached_cap=False,
        )
        return State(position, results), info

    def _one_step(self, position: Any, results: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
        accepted = results.accepted_results
        moved = self._kernel.one_step(
            position, results._replace(accepted_results=accepted._replace(step_size=step_size)), seed=seed
        )
        kept = moved[1].accepted_results._replace(step_size=accepted.step_size)
        return moved[0], moved[1]._replace(accepted_results=kept)


def build(log_density: LogDensity, config: SampleConfig, warming_up: bool) -> Hmc:
    """The sampler that a configuration asks for."""
    return Hmc(log_density, config.leapfrog_steps)
