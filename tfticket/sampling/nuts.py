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
from tfticket.sampling.types import Info, LogDensity, State


class Nuts:
    """No-U-Turn sampler.

    Args:
        log_density: Of the sampler's variables.
        max_tree_depth: The trajectory doubles at most so often: at most 2^depth - 1 gradients a draw.
    """

    def __init__(self, log_density: LogDensity, max_tree_depth: int) -> None:
        self._kernel = tfp.mcmc.NoUTurnSampler(log_density, np.float64(1.0), max_tree_depth)
        self._init = tf.function(self._kernel.bootstrap_results, autograph=False)
        self._step = tf.function(self._one_step, autograph=False)

    def init(self, position: np.ndarray) -> State:
        """The state at a position, float64 [size]; one gradient."""
        at = tf.constant(position, tf.float64)
        return State(at, self._init(at))

    def gradient(self, state: State) -> np.ndarray:
        """The log density's gradient at a state, float64 [size]."""
        found: np.ndarray = tf.nest.flatten(state.results.grads_target_log_prob)[0].numpy()
        return found

    def step(self, state: State, step_size: float, scale: np.ndarray, seed: tuple[int, int]) -> tuple[State, Info]:
        """One draw; see ``types.Sampler``."""
        position, results = self._step(state.position, state.results, tf.constant(step_size * scale), tf.constant(seed))
        gradients = int(results.leapfrogs_taken)
        info = Info(
            log_density=float(results.target_log_prob),
            energy=-float(results.energy),  # TFP's has the other sign
            acceptance_rate=min(1.0, math.exp(min(0.0, float(results.log_accept_ratio)))),
            step_size=step_size,
            tree_depth=math.ceil(math.log2(gradients + 1)),
            n_steps=gradients,
            diverging=bool(results.has_divergence),
            reached_cap=bool(results.reach_max_depth),
        )
        return State(position, results), info

    def _one_step(self, position: Any, results: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
        moved = self._kernel.one_step(position, results._replace(step_size=step_size), seed=seed)
        return moved[0], moved[1]._replace(step_size=results.step_size)


def build(log_density: LogDensity, config: SampleConfig, warming_up: bool) -> Nuts:
    """The sampler that a configuration asks for."""
    return Nuts(log_density, config.depth_in_warmup if warming_up else config.max_tree_depth)
