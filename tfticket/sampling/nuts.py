"""The No-U-Turn sampler, by ``tfp.mcmc``.

A diagonal mass matrix M enters as step sizes: with p ~ N(0, 1) in each coordinate, q <- q + e s p and
p <- p + e s dlogp/dq are the leapfrog steps of mass M = 1 / s^2.

References:
    Hoffman and Gelman (2014), "The No-U-Turn Sampler"; Betancourt (2017), appendix A (multinomial sampling along the
    trajectory), as implemented by TensorFlow Probability.
"""

import math
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.sampling.protocol import LogDensity, SampleStats, State


class Nuts:
    """No-U-Turn sampler.

    Args:
        log_density: Of the variables that the sampler moves.
        max_tree_depth: Largest number of doublings: at most 2^depth - 1 gradients per draw.
    """

    def __init__(self, log_density: LogDensity, max_tree_depth: int) -> None:
        self._kernel = tfp.mcmc.NoUTurnSampler(log_density, np.float64(1.0), max_tree_depth)
        self._init = tf.function(self._kernel.bootstrap_results, autograph=False)
        self._step = tf.function(self._one_step, autograph=False)

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient."""
        tensor = tf.constant(position, tf.float64)
        return State(tensor, self._init(tensor))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""
        gradient: np.ndarray = tf.nest.flatten(state.results.grads_target_log_prob)[0].numpy()
        return gradient

    def step(
        self, state: State, step_size: float, inverse_mass_sqrt: np.ndarray, seed: tuple[int, int]
    ) -> tuple[State, SampleStats]:
        """Draw once; see ``protocol.Sampler``."""
        step_sizes = tf.constant(step_size * inverse_mass_sqrt)
        position, results = self._step(state.position, state.results, step_sizes, tf.constant(seed))
        n_steps = int(results.leapfrogs_taken)
        stats = SampleStats(
            log_density=float(results.target_log_prob),
            energy=-float(results.energy),  # TFP negates it
            acceptance_rate=min(1.0, math.exp(min(0.0, float(results.log_accept_ratio)))),
            step_size=step_size,
            tree_depth=math.ceil(math.log2(n_steps + 1)),
            n_steps=n_steps,
            diverging=bool(results.has_divergence),
            reached_max_treedepth=bool(results.reach_max_depth),
        )
        return State(position, results), stats

    def _one_step(self, position: Any, results: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
        position, after = self._kernel.one_step(position, results._replace(step_size=step_size), seed=seed)
        return position, after._replace(step_size=results.step_size)


def build(log_density: LogDensity, config: SampleConfig, warming_up: bool) -> Nuts:
    """Return the sampler of a configuration."""
    return Nuts(log_density, config.depth_in_warmup if warming_up else config.max_tree_depth)
