"""Checkpoints, hooks and results of a training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tfticket.training.segment import State
from tfticket.types import Weights


@dataclass
class TrainingResult:
    """Result of a training.

    Attributes:
        weights: Trained weights, 0 off the mask.
        kept: Iteration -> weights at that moment, for rewinding.
        history: One row per evaluation: iteration, loss (mean since the previous evaluation), metrics on validation
            rows; with ``evaluate_test``, metrics on test rows under 'test'.
        iterations: The last iteration.
        seconds: Wall time: 'first_call' (of a new loop: building the wrapped network, compilation, the first segment),
            'training' (the compiled loop otherwise), 'evaluation'; and 'an_iteration', the mean over the iterations
            timed by 'training', 0 if there are none.
        engine: 'keras' or 'sparse'.
        jit: True if XLA compiled the loop.
    """

    weights: Weights
    kept: dict[int, Weights]
    history: list[dict[str, Any]]
    iterations: int
    seconds: dict[str, float]
    engine: str
    jit: bool

    def __repr__(self) -> str:
        sizes = f"{self.iterations:,} iterations, {len(self.weights)} weights, {len(self.history)} evaluations"
        return f"TrainingResult({sizes})"


@dataclass(frozen=True)
class Checkpoint:
    """A training's state at the end of a segment. Everything but the tensors can be written as JSON.

    Attributes:
        iteration: Iterations done.
        state: Weights and optimiser slots.
        kept: Iteration -> weights kept for rewinding so far.
        history: Evaluations so far.
        losses: Losses since the last evaluation.
    """

    iteration: int
    state: State
    kept: dict[int, Weights]
    history: list[dict[str, Any]]
    losses: list[float]

    def __repr__(self) -> str:
        return f"Checkpoint(iteration {self.iteration:,}, {len(self.state)} tensors)"


@dataclass(frozen=True)
class Hooks:
    """Callbacks between segments; the defaults do nothing.

    Attributes:
        resume: The checkpoint to resume from.
        checkpoint: Called with a checkpoint at most ``checkpoint_seconds`` apart, before stopping, and at the end of
            a training that ends before its schedule does.
        checkpoint_seconds: Longest time between two checkpoints.
        segment_seconds: Duration of a segment, after which the hooks are called.
        evaluated: Called with each new row of the history.
        progress: Called with (iterations done, iterations in all).
        should_stop: Called after each segment.
    """

    resume: Checkpoint | None = None
    checkpoint: Callable[[Checkpoint], None] | None = None
    checkpoint_seconds: float = 30.0
    segment_seconds: float = 5.0
    evaluated: Callable[[dict[str, Any]], None] = lambda row: None
    progress: Callable[[int, int], None] = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False
