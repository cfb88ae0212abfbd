"""A sampler together with its warm-up: transitions, and what they teach about the metric and the step size."""

import math
from typing import Any, cast

import numpy as np

from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.errors import InputError
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.protocol import Density, FixedStepSampler, Sampler, SampleStats, State, TrajectorySampler
from tfticket.sampling.warmup import Adaptation, reasonable_step_size, stable_step_size


class TunedSampler:
    """A Markov chain of a density's variables u.

    Args:
        density: Whose metric the warm-up replaces.
        size: Number of variables.
        config: Sampler, its options and the length of the warm-up.

    Raises:
        InputError: A microcanonical sampler of fewer than two variables.

    Attributes:
        adaptation: State of the warm-up.
        state: Of the sampler, in whitened variables.
    """

    state: State

    def __init__(self, density: Density, size: int, config: SampleConfig) -> None:
        if config.method in ("mams", "mclmc") and size < 2:
            raise InputError(
                f"The data reach {size} of this ticket's weights; {config.method} turns a direction, so it needs "
                "at least two. Use method: nuts.",
                field="sample.method",
                suggestion="nuts",
            )
        self._density = density
        self._sampler: Sampler = resolve(SAMPLERS[config.method].target)(density, config)
        self._tunes_length = config.tunes_trajectory_length
        depth = config.warmup_tree_depth
        self._most_in_warmup = 2**depth - 1 if config.method == "nuts" and depth is not None else None
        low_rank, tuning = config.metric == "low-rank", self._sampler.tuning
        self.adaptation = Adaptation.begin(config.warmup, size, config.target_acceptance, low_rank, tuning)

    @property
    def variables(self) -> np.ndarray:
        """The present u, float64 [size]."""
        return self._density.metric.to_position(np.asarray(self.state.position))

    @property
    def results(self) -> list[np.ndarray]:
        """The sampler's results, flattened, for a checkpoint."""
        return [np.asarray(part) for part in tf.nest.flatten(self.state.results, expand_composites=True)]

    def begin(self, variables: np.ndarray, random: np.random.Generator) -> None:
        """Take the metric of the warm-up from u on, float64 [size], and search for a step size."""
        adaptation, density = self.adaptation, self._density
        self._take_over()
        whitened = density.metric.to_whitened(variables)
        self.state = self._sampler.init(whitened)
        if adaptation.tuning == "fixed":
            step_size = cast(FixedStepSampler, self._sampler).step_size
        elif adaptation.tuning == "energy error":
            step_size = stable_step_size(self._sampler, whitened, random, adaptation.step_size)
        else:
            step_size = reasonable_step_size(density, whitened, random)
        adaptation.dual.restart(step_size)

    def restore(self, adaptation: Adaptation, whitened: np.ndarray, results: list[np.ndarray]) -> None:
        """Go on from a checkpoint: the warm-up, the whitened variables, float64 [size], and ``results``."""
        self.adaptation = adaptation
        self._take_over()
        pattern = self._sampler.init(whitened)
        convert: Any = tf.constant if tf.is_tensor(pattern.position) else np.asarray
        parts = [convert(part) for part in (whitened, *results)]
        self.state = tf.nest.pack_sequence_as(pattern, parts, expand_composites=True)

    def _take_over(self) -> None:
        """Give the metric and the trajectory length of the warm-up to the density and the sampler."""
        self._density.metric = self.adaptation.metric
        if self._tunes_length:
            cast(TrajectorySampler, self._sampler).trajectory_length = self.adaptation.trajectory_length

    def step(self, random: np.random.Generator) -> SampleStats:
        """Make one transition, in the warm-up by a trajectory as short as its window allows."""
        adaptation = self.adaptation
        caps = [adaptation.most_steps, self._most_in_warmup if adaptation.done < adaptation.total else None]
        most_steps = min((cap for cap in caps if cap is not None), default=None)
        self.state, stats = self._sampler.step(self.state, adaptation.step_size, random, most_steps)
        return stats

    def learn(self, stats: SampleStats, random: np.random.Generator) -> None:
        """Teach a transition to the warm-up; where a window begins, take its metric and search for a step size."""
        variables = self.variables
        gradient = self._density.metric.unwhiten_gradient(self._sampler.gradient(self.state))
        error = math.inf if stats.diverging else stats.energy_error or 0.0
        if self.adaptation.update(variables, gradient, stats.log_density, stats.acceptance_rate, error):
            self.begin(variables, random)
