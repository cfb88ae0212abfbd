"""The No-U-Turn sampler, by ``tfp.mcmc``.

References:
    Hoffman and Gelman (2014), "The No-U-Turn Sampler"; Betancourt (2017), "A conceptual introduction to Hamiltonian
    Monte Carlo", appendix A.4.2 (generalised criterion, multinomial choice), which TensorFlow Probability implements.
"""

import functools
import math
from typing import Any

import numpy as np
import tensorflow_probability as tfp

from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.sampling.protocol import Density, SampleStats, State, Tuning


class Nuts:
    """The No-U-Turn sampler.

    Args:
        density: Of the variables that the sampler moves.
        max_tree_depth: Largest number of doublings: at most 2^depth - 1 gradients per draw.
        trajectory_length: Length that a tree may have, in whitened deviations, so that the cap follows the step size;
            None: ``max_tree_depth`` alone.
    """

    tuning: Tuning = "acceptance"

    def __init__(self, density: Density, max_tree_depth: int, trajectory_length: float | None = None) -> None:
        self._target = density.as_tensor()
        self._depth, self._length = max_tree_depth, trajectory_length
        self._init = tf.function(self._kernel(1).bootstrap_results, autograph=False)

    def _kernel(self, depth: int) -> Any:
        return tfp.mcmc.NoUTurnSampler(self._target, np.float64(1.0), depth)

    @functools.cached_property
    def _steps(self) -> dict[int, Any]:
        """Largest depth -> compiled step."""
        return {}

    def init(self, position: np.ndarray) -> State:
        """Return the state at a position, float64 [size], by one gradient."""
        tensor = tf.constant(position, tf.float64)
        return State(tensor, self._init(tensor))

    def gradient(self, state: State) -> np.ndarray:
        """Return the gradient of the log density at a state, float64 [size]."""
        gradient: np.ndarray = tf.nest.flatten(state.results.grads_target_log_prob)[0].numpy()
        return gradient

    def depth(self, step_size: float, most_steps: int | None = None) -> int:
        """Return the cap on the tree's depth."""
        depths = [self._depth]
        if self._length is not None:
            depths.append(math.ceil(math.log2(self._length / step_size + 1)))
        if most_steps is not None:
            depths.append(int(math.log2(most_steps + 1)))
        return max(1, min(depths))

    def step(
        self, state: State, step_size: float, random: np.random.Generator, most_steps: int | None = None
    ) -> tuple[State, SampleStats]:
        """Draw once; see ``protocol.Sampler``."""
        depth = self.depth(step_size, most_steps)
        if depth not in self._steps:
            self._steps[depth] = tf.function(functools.partial(self._one_step, self._kernel(depth)), autograph=False)
        seed = tf.constant(random.integers(2**31, size=2).astype(np.int32))
        position, results = self._steps[depth](state.position, state.results, tf.constant(step_size, tf.float64), seed)
        n_steps = int(results.leapfrogs_taken)
        stats = SampleStats(
            log_density=float(results.target_log_prob),
            energy=-float(results.energy),  # TFP negates it
            acceptance_rate=min(1.0, math.exp(min(0.0, float(results.log_accept_ratio)))),
            step_size=step_size,
            tree_depth=math.ceil(math.log2(n_steps + 1)),
            n_steps=n_steps,
            diverging=bool(results.has_divergence),
            reached_max_treedepth=bool(results.reach_max_depth) and depth == self._depth,
        )
        return State(position, results), stats

    @staticmethod
    def _one_step(kernel: Any, position: Any, results: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
        position, after = kernel.one_step(position, results._replace(step_size=step_size), seed=seed)
        return position, after._replace(step_size=results.step_size)


def build(density: Density, config: SampleConfig) -> Nuts:
    """Return the sampler of a configuration."""
    return Nuts(density, config.max_tree_depth, config.trajectory_length)
