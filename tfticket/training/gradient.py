"""Train masked weights by gradient descent: segments of the compiled loop, between them the host's work."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfticket.backend import on_device
from tfticket.config import TrainConfig, check_augment, check_lengths
from tfticket.data import Dataset
from tfticket.durations import Moments, iterations_in
from tfticket.errors import Diverged, InputError, Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, nll
from tfticket.evaluation.predictive import mean_prediction
from tfticket.network import MaskedNetwork, network_of
from tfticket.training.batches import Augmentations, RowOrder
from tfticket.training.constraints import check_constraints, undefined_constraints
from tfticket.training.loop import GradientLoop, State, gradient_loop
from tfticket.training.optimisers import learning_rates
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import noise_seeds
from tfticket.variational.objective import check_objective, kl_coefficients

MAX_SEGMENT = 1000
"""At most so many iterations in one call of the compiled loop."""


@dataclass
class Trained:
    """What a training leaves.

    Attributes:
        weights: Trained weights, 0 off the mask.
        kept: Iteration -> weights at that moment, for rewinding.
        history: One row an evaluation: iteration, loss (mean since the last), metrics on validation rows; if
            ``evaluate_test``, 'test': those on test rows.
        iterations: The last iteration.
        seconds: Wall time: 'first_call' (of a new loop: building the wrapped network, compilation, the first segment),
            'training' (the compiled loop otherwise), 'evaluation'; and 'an_iteration', the mean of those iterations
            that 'training' timed, 0 where there are none.
        jit: Whether XLA compiled the loop.
    """

    weights: Weights
    kept: dict[int, Weights]
    history: list[dict[str, Any]]
    iterations: int
    seconds: dict[str, float]
    jit: bool

    def __repr__(self) -> str:
        return f"Trained({self.iterations:,} iterations, {len(self.weights)} weights, {len(self.history)} evaluations)"


@dataclass(frozen=True)
class Checkpoint:
    """A training's state at a segment's end; JSON-able but for the tensors.

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
    """What happens between segments; the default does nothing.

    Attributes:
        resume: The checkpoint to go on from.
        checkpoint: Called with a checkpoint at most ``checkpoint_seconds`` apart, before stopping, and at the end of
            a training that ends before its schedule does.
        checkpoint_seconds: See there.
        segment_seconds: Compiled work between two looks at the hooks.
        evaluated: Called with each new row of the history.
        progress: Called with (iterations done, iterations in all).
        should_stop: Asked after each segment.
    """

    resume: Checkpoint | None = None
    checkpoint: Callable[[Checkpoint], None] | None = None
    checkpoint_seconds: float = 30.0
    segment_seconds: float = 5.0
    evaluated: Callable[[dict[str, Any]], None] = lambda row: None
    progress: Callable[[int, int], None] = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False


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
) -> Trained:
    """Train a masked network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        start: Path -> array, of every weight.
        data: Training and validation rows.
        config: Optimiser, schedule, length.
        seed: Of the order of the rows, of augmentation, and of a variational network's noise and evaluations.
        first_iteration: Where in the schedule and the order to begin: k for weights rewound to iteration k.
        until: End at this iteration of the schedule, evaluate there and make a checkpoint; None: at its end.
        keep: Moments whose weights are kept.
        hooks: Checkpoints, progress, stopping.

    Raises:
        Stopped: ``hooks.should_stop`` said so; a checkpoint was made.
        Diverged: The loss is not finite; says at which iteration. The last checkpoint stands.
    """
    hooks = hooks or Hooks()
    rows = len(data.x_train)
    total = iterations_in(config.epochs, rows, config.batch_size)
    evaluations = Moments(config.evaluate_every, rows, config.batch_size, total)
    moments = {iterations_in(moment, rows, config.batch_size) for moment in keep}
    check_lengths(config, f"{first_iteration}it", rows)
    capacity = min(MAX_SEGMENT, evaluations.longest)
    if until is not None:
        _check_until(until, first_iteration, total)
        total, evaluations = until, replace(evaluations, total=until)
    _check_kept(moments, total, config)

    seconds = {"training": 0.0, "evaluation": 0.0, "first_call": 0.0}
    began = time.perf_counter()
    loop = gradient_loop(spec, config, capacity=capacity)
    if loop.fresh:
        seconds["first_call"] += time.perf_counter() - began
    loop.network.check_data(data)
    check_augment(config.augment, data.input_shape)
    layers = loop.network.variational
    check_objective(config.objective, layers)
    order = RowOrder(seed, rows, config.batch_size)
    augmentations = Augmentations(seed, rows, config.batch_size, config.augment)
    images, labels = _on_device(data)
    if hooks.resume is None:
        loop.start(mask, start)
        check_constraints(loop.network)
        iteration, kept, history, losses = first_iteration, {}, [], []
    else:
        resume = hooks.resume
        loop.restore(mask, resume.state)
        iteration, kept = resume.iteration, dict(resume.kept)
        history, losses = list(resume.history), list(resume.losses)
    if iteration in moments:
        kept[iteration] = loop.network.read()

    saved, timed, weights = time.perf_counter(), 0, loop.network.read()
    while iteration < total:
        due = [evaluations.after(iteration), *(moment for moment in moments if moment > iteration)]
        end = min(*due, iteration + loop.length_for(hooks.segment_seconds))
        fresh = loop.fresh
        began = time.perf_counter()
        batches, moves = order.batches(iteration, end), augmentations.batches(iteration, end)
        noise = noise_seeds(seed, "noise", iteration, end) if layers else np.zeros((end - iteration, 0), np.int32)
        rates = learning_rates(config, rows, iteration, end)
        factors = kl_coefficients(config, layers, rows, iteration, end)
        segment = loop.run(images, labels, batches, moves, rates, noise, factors)
        seconds["first_call" if fresh else "training"] += time.perf_counter() - began
        timed += 0 if fresh else end - iteration
        before, weights = weights, loop.network.read()
        try:
            _check_finite(segment, weights, iteration)
        except Diverged:
            _check_constraints_finite(loop.network, mask, before)
            raise
        losses.extend(segment.tolist())
        iteration = end
        if iteration in moments:
            kept[iteration] = weights
        if iteration in evaluations:
            began = time.perf_counter()
            network = _in_float32(loop, spec, mask, weights)
            history.append(_evaluate(network, data, iteration, losses, config, seed))
            losses = []
            seconds["evaluation"] += time.perf_counter() - began
            hooks.evaluated(history[-1])
        hooks.progress(iteration, total)
        stopping = iteration < total and hooks.should_stop()
        old = iteration < total and time.perf_counter() - saved >= hooks.checkpoint_seconds
        if hooks.checkpoint is not None and (stopping or old or iteration == until):
            hooks.checkpoint(Checkpoint(iteration, loop.state(), dict(kept), list(history), list(losses)))
            saved = time.perf_counter()
        if stopping:
            raise Stopped(f"stopped at iteration {iteration:,} of {total:,}")

    _check_pruned(weights, mask)
    seconds["an_iteration"] = seconds["training"] / max(1, timed)
    return Trained(weights, kept, history, iteration, seconds, loop.network.jit)


def _check_until(until: int, first: int, total: int) -> None:
    if not first < until <= total:
        raise InputError(f"Training is to end at iteration {until:,}; expected one from {first + 1:,} to {total:,}.")


def _check_kept(moments: set[int], total: int, config: TrainConfig) -> None:
    late = [moment for moment in moments if moment > total]
    if late:
        raise InputError(
            f"Weights of iteration {min(late):,} are to be kept, but training ends at {total:,} ({config.epochs}). "
            "Rewind to an earlier moment, or train longer."
        )


def _check_finite(losses: np.ndarray, weights: Weights, first: int) -> None:
    """Losses are from before each update, so the last update shows in the weights alone."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        what, iteration = f"training loss became {losses[bad[0]]}", first + int(bad[0])
    elif all(np.isfinite(array).all() for array in weights.values()):
        return
    else:
        what, iteration = "weights became infinite or undefined", first + len(losses) - 1
    raise Diverged(f"The {what} at iteration {iteration:,}. Lower the learning rate, or look at the data.")


def _check_constraints_finite(network: MaskedNetwork, mask: Mask, weights: Weights) -> None:
    """Say of a training that diverged that a constraint made it so, if one is undefined of its last finite weights."""
    if paths := undefined_constraints(network, mask, weights):
        raise InputError(
            f"The constraint of {', '.join(paths)} returned values that are not finite; expected finite ones, of the "
            "weights' shape. Mend the constraint."
        ) from None


def _check_pruned(weights: Weights, mask: Mask) -> None:
    for path, kept in mask.items():
        back = int(np.count_nonzero(weights[path][~kept]))
        if back:
            raise TfticketError(
                f"{back:,} pruned weights of {path} came back in training; this is a fault of tfticket."
            )


def _in_float32(loop: GradientLoop, spec: Spec, mask: Mask, weights: Weights) -> MaskedNetwork:
    """The network to evaluate: the loop's own, or its copy in float32 where it computes in another precision."""
    network = network_of(spec)
    if network is not loop.network:
        network.assign(mask, weights)
    return network


def _evaluate(
    network: MaskedNetwork, data: Dataset, iteration: int, losses: list[float], config: TrainConfig, seed: int
) -> dict[str, Any]:
    draws = config.objective.evaluation_draws
    log_probs = mean_prediction(network, data.x_validation, draws, seed)
    if not np.isfinite(value := nll(log_probs, data.y_validation)):
        raise Diverged(f"The validation NLL became {value} at iteration {iteration:,}. Lower the learning rate.")
    row: dict[str, Any] = {"iteration": iteration, "loss": float(np.mean(losses))}
    row |= all_metrics(log_probs, data.y_validation)
    if config.evaluate_test:
        row["test"] = all_metrics(mean_prediction(network, data.x_test, draws, seed), data.y_test)
    return row


_device: list[tuple[np.ndarray, np.ndarray, Any, Any]] = []


def _on_device(data: Dataset) -> tuple[Any, Any]:
    """Training images and labels as tensors; the last ones stay on the device."""
    if not _device or _device[0][0] is not data.x_train or _device[0][1] is not data.y_train:
        _device[:] = [(data.x_train, data.y_train, on_device(data.x_train), on_device(data.y_train))]
    return _device[0][2:]
