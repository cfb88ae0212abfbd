"""Train masked weights by gradient descent: segments of the compiled loop, with the host's work between them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from tfticket.config import TrainConfig, check_augment, check_lengths
from tfticket.config.durations import Moments, iterations_in
from tfticket.data import Dataset
from tfticket.errors import Diverged, InputError, Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, nll
from tfticket.training.batches import Augmentations, RowOrder
from tfticket.training.engine import make_loop
from tfticket.training.hooks import Checkpoint, Hooks, TrainingResult
from tfticket.training.optimisers import learning_rates
from tfticket.training.segment import Loop, Segment
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import noise_seeds
from tfticket.variational.objective import check_objective, kl_coefficients

MAX_SEGMENT = 1000
"""Maximum number of iterations in one call of the compiled loop."""


def train_weights(
    spec: Spec,
    mask: Mask,
    start: Weights,
    data: Dataset,
    config: TrainConfig,
    seed: int,
    *,
    first_iteration: int = 0,
    until: int | None = None,
    keep: tuple[str, ...] = (),
    hooks: Hooks | None = None,
) -> TrainingResult:
    """Train a masked network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        start: Path -> array, of every weight.
        data: Training and validation rows.
        config: Optimiser, schedule, length.
        seed: Of the order of the rows, of augmentation, and of a variational network's noise and evaluations.
        first_iteration: Position in the schedule and the order of rows to begin at: k for weights rewound to
            iteration k.
        until: Iteration of the schedule at which to evaluate, make a checkpoint and end; None: its last.
        keep: Moments whose weights are kept.
        hooks: Checkpoints, progress, stopping.

    Raises:
        Stopped: ``hooks.should_stop`` returned True; a checkpoint was made.
        Diverged: The loss is not finite; the message names the iteration. The last checkpoint stands.
    """
    hooks, clock = hooks or Hooks(), _Clock()
    schedule = _make_schedule(config, len(data.x_train), first_iteration, until, keep)
    loop = _build_loop(spec, mask, config, schedule, data, clock)
    segment_inputs = _segment_inputs(data, config, seed, loop)
    run = _begin(loop, mask, start, first_iteration, hooks.resume)
    saved = time.perf_counter()
    if run.iteration in schedule.kept:
        run.kept[run.iteration] = run.weights

    while run.iteration < schedule.last:
        first, last = run.iteration, schedule.end_of_segment(run.iteration, loop.length_for(hooks.segment_seconds))
        with clock.measure("first_call" if loop.fresh else "training", last - first):
            losses = loop.run(segment_inputs(first, last))
        before, run.weights, run.iteration = run.weights, loop.weights(), last
        _check_finite(losses, run.weights, first, partial(loop.undefined_constraints, before))
        run.losses.extend(losses.tolist())
        if last in schedule.kept:
            run.kept[last] = run.weights
        if last in schedule.evaluations:
            with clock.measure("evaluation"):
                run.history.append(_evaluate(loop, data, last, run.losses, config, seed))
            run.losses = []
            hooks.evaluated(run.history[-1])
        hooks.progress(last, schedule.last)
        stopping = last < schedule.last and hooks.should_stop()
        due = last < schedule.last and time.perf_counter() - saved >= hooks.checkpoint_seconds
        if hooks.checkpoint is not None and (stopping or due or last == until):
            hooks.checkpoint(run.checkpoint(loop))
            saved = time.perf_counter()
        if stopping:
            raise Stopped(f"stopped at iteration {last:,} of {schedule.last:,}")

    _check_pruned(run.weights, mask)
    return TrainingResult(run.weights, run.kept, run.history, run.iteration, clock.totals(), loop.engine, loop.jit)


@dataclass(frozen=True)
class _Schedule:
    """Iterations at which the compiled loop returns to the host.

    Attributes:
        last: The last iteration.
        evaluations: Iterations that are followed by an evaluation.
        kept: Iterations whose weights are kept.
        capacity: Maximum length of a segment.
    """

    last: int
    evaluations: Moments
    kept: set[int]
    capacity: int

    def end_of_segment(self, iteration: int, length: int) -> int:
        """Return the end of the segment that begins at an iteration and has at most this length."""
        return min(
            self.evaluations.after(iteration), *(kept for kept in self.kept if kept > iteration), iteration + length
        )


def _make_schedule(config: TrainConfig, rows: int, first: int, until: int | None, keep: tuple[str, ...]) -> _Schedule:
    total = iterations_in(config.epochs, rows, config.batch_size)
    evaluations = Moments(config.evaluate_every, rows, config.batch_size, total)
    kept = {iterations_in(moment, rows, config.batch_size) for moment in keep}
    check_lengths(config, f"{first}it", rows)
    capacity = min(MAX_SEGMENT, evaluations.longest)
    if until is not None:
        if not first < until <= total:
            message = f"Training is to end at iteration {until:,}; expected one from {first + 1:,} to {total:,}."
            raise InputError(message, field="until")
        total, evaluations = until, replace(evaluations, total=until)
    if late := [moment for moment in kept if moment > total]:
        raise InputError(
            f"Weights of iteration {min(late):,} are to be kept, but training ends at {total:,} ({config.epochs}). "
            "Rewind to an earlier moment, or train longer.",
            field="keep",
        )
    return _Schedule(total, evaluations, kept, capacity)


@dataclass
class _Clock:
    """Wall time by phase, in seconds."""

    seconds: dict[str, float] = field(default_factory=lambda: {"training": 0.0, "evaluation": 0.0, "first_call": 0.0})
    iterations: int = 0
    """Iterations timed by 'training'."""

    @contextmanager
    def measure(self, phase: str, iterations: int = 0) -> Iterator[None]:
        """Add the time within the context to a phase."""
        began = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - began
        self.iterations += iterations if phase == "training" else 0

    def totals(self) -> dict[str, float]:
        """Return all phases, and the mean time of an iteration."""
        return self.seconds | {"an_iteration": self.seconds["training"] / max(1, self.iterations)}


def _build_loop(spec: Spec, mask: Mask, config: TrainConfig, schedule: _Schedule, data: Dataset, clock: _Clock) -> Loop:
    """Return the compiled loop, new or reused, after checking that data and configuration fit its network."""
    with clock.measure("first_call"):
        loop = make_loop(spec, mask, config, schedule.capacity)
    if not loop.fresh:
        clock.seconds["first_call"] = 0.0
    check_objective(config.objective, loop.variational)
    check_augment(config.augment, data.input_shape)
    loop.check(data)
    return loop


def _segment_inputs(data: Dataset, config: TrainConfig, seed: int, loop: Loop) -> Callable[[int, int], Segment]:
    """Return a function (first iteration, iteration after the last) -> inputs of the compiled loop."""
    rows, layers = len(data.x_train), loop.variational
    order = RowOrder(seed, rows, config.batch_size)
    augmentations = Augmentations(seed, rows, config.batch_size, config.augment)
    images, labels = loop.load(data)

    def segment(first: int, last: int) -> Segment:
        return Segment(
            images=images,
            labels=labels,
            rows=order.batches(first, last),
            moves=augmentations.batches(first, last),
            rates=learning_rates(config, rows, first, last),
            noise=noise_seeds(seed, "noise", first, last) if layers else np.zeros((last - first, 0), np.int32),
            kl_coefficients=kl_coefficients(config, layers, rows, first, last),
        )

    return segment


@dataclass
class _Run:
    """Progress of a training: see ``Checkpoint``."""

    iteration: int
    weights: Weights
    kept: dict[int, Weights] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def checkpoint(self, loop: Loop) -> Checkpoint:
        """Return a copy that later iterations do not alter."""
        return Checkpoint(self.iteration, loop.state(), dict(self.kept), list(self.history), list(self.losses))


def _begin(loop: Loop, mask: Mask, start: Weights, iteration: int, resume: Checkpoint | None) -> _Run:
    """Begin a training, or resume it from a checkpoint."""
    if resume is None:
        loop.start(mask, start)
        return _Run(iteration, loop.weights())
    loop.restore(mask, resume.state)
    kept, history, losses = dict(resume.kept), list(resume.history), list(resume.losses)
    return _Run(resume.iteration, loop.weights(), kept, history, losses)


def _check_finite(losses: np.ndarray, weights: Weights, first: int, undefined: Callable[[], list[str]]) -> None:
    """Refuse losses or weights that are not finite.

    Each loss is computed before its update, so only the weights show the last update. ``undefined`` returns the paths
    whose constraint is to blame.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        problem, iteration = f"training loss became {losses[bad[0]]}", first + int(bad[0])
    elif all(np.isfinite(array).all() for array in weights.values()):
        return
    else:
        problem, iteration = "weights became infinite or undefined", first + len(losses) - 1
    if paths := undefined():
        raise InputError(
            f"The constraint of {', '.join(paths)} returned values that are not finite; expected finite ones, of the "
            "weights' shape. Fix the constraint.",
            field="model",
        )
    raise Diverged(f"The {problem} at iteration {iteration:,}. Lower the learning rate, or look at the data.")


def _check_pruned(weights: Weights, mask: Mask) -> None:
    for path, kept in mask.items():
        back = int(np.count_nonzero(weights[path][~kept]))
        if back:
            raise TfticketError(
                f"{back:,} pruned weights of {path} came back in training; this is a fault of tfticket."
            )


def _evaluate(
    loop: Loop, data: Dataset, iteration: int, losses: list[float], config: TrainConfig, seed: int
) -> dict[str, Any]:
    draws = config.objective.evaluation_draws
    log_probs = loop.log_probs(data.x_validation, draws, seed)
    if not np.isfinite(value := nll(log_probs, data.y_validation)):
        raise Diverged(f"The validation NLL became {value} at iteration {iteration:,}. Lower the learning rate.")
    row: dict[str, Any] = {"iteration": iteration, "loss": float(np.mean(losses))}
    row |= all_metrics(log_probs, data.y_validation)
    if config.evaluate_test:
        row["test"] = all_metrics(loop.log_probs(data.x_test, draws, seed), data.y_test)
    return row
