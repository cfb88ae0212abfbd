"""The cost of an experiment: its trainings and chains, and their time, if it was measured."""

import functools
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from tfticket.config import DataConfig
from tfticket.config.durations import Moments, iterations_in
from tfticket.config.training import CONV_DENSE_FROM, DENSE_FROM
from tfticket.data.identity import source_by_name
from tfticket.dry_lab import PlannedStep
from tfticket.registry import PRESETS

EVALUATED = 0.5
"""Time to evaluate a row by a draw, of a training step's time for it; measured of LeNet-300-100."""

SPARSE = {"lenet-300-100": (DENSE_FROM, 0.08, 3.7)}
SPARSE |= dict.fromkeys(("lenet-5", "conv-2", "conv-4", "conv-6"), (CONV_DENSE_FROM, 0.2, 3.8))
"""Network -> largest density that the sparse engine trains, and its time over that of Keras: fixed, and per density.

Measured of LeNet-300-100 and of Conv-2.
"""

BESIDE_GRADIENTS = 1.1
"""Time of a draw of a chain, its predictions among it, over that of its gradients; measured of LeNet-300-100."""


@dataclass(frozen=True)
class Cost:
    """The cost of an experiment.

    Attributes:
        trainings: How many by gradient descent.
        iterations: Of the longest.
        training_seconds: Of all of them and their evaluations, by the measured time of a step; None for a network or
            images that were not measured.
        machine: What the time holds for.
        chains: How many Markov chains.
        gradients: Of each, over all training rows; of trees at most, and without searches for step sizes.
        chain_seconds: Of all of them, at most, by the measured time of a gradient; None where it was not measured.
        seconds: Of all together; None where a part is not known.
    """

    trainings: int
    iterations: int
    training_seconds: float | None
    machine: str
    chains: int = 0
    gradients: int = 0
    chain_seconds: float | None = 0.0
    seconds: float | None = field(init=False)

    def __post_init__(self) -> None:
        parts = [self.training_seconds, self.chain_seconds]
        known = [part for part in parts if part is not None]
        object.__setattr__(self, "seconds", sum(known) if len(known) == len(parts) else None)

    def __str__(self) -> str:
        work = f"{self.trainings} training{'s' * (self.trainings != 1)} of up to {self.iterations:,} iterations"
        said = f"{work}: {self._on_machine(self.training_seconds)}, with evaluations, without compiling"
        if not self.chains:
            return said
        chains = f"{self.chains} chain{'s' * (self.chains > 1)}"
        work = f"{chains} of up to about {self.gradients:,} gradients over all training rows"
        return f"{said}; {work}: {self._on_machine(self.chain_seconds, 'up to ')}"

    def _on_machine(self, seconds: float | None, before: str = "") -> str:
        if seconds is None:
            return "their time was not measured"
        return f"{before}{duration_text(seconds)} on {self.machine}"

    @property
    def time(self) -> str:
        """The time in words; 'up to' where chains are in it."""
        if self.seconds is None:
            return "not measured"
        return f"{'up to ' * (self.chains > 0)}{duration_text(self.seconds)}".replace("up to < 1", "< 1")


def cost_of(steps: Iterable[PlannedStep]) -> Cost:
    """Return what planned steps cost; compiling comes on top.

    An iteration is taken to last as long as the measured one of the nearest batch size, and longer in proportion if its
    batch is larger: for smaller batches that is too much rather than too little. One of a variational network lasts
    as many times as long as it has draws. Evaluations take ``EVALUATED`` of an iteration's time for as many rows and
    draws. Chains are taken to have all trees at the cap on their depth.

    Raises:
        InputError: The data are the user's own, and cannot be read.
    """
    groups: dict[tuple[Any, ...], list[PlannedStep]] = {}
    for step in steps:
        if step.kind in ("train", "member", "evaluate", "sample"):
            groups.setdefault(_alike(step), []).append(step)
    trainings = chains = iterations = gradients = 0
    training_seconds: list[float | None] = []
    chain_seconds: list[float | None] = []
    for step, *others in groups.values():
        number = 1 + len(others)
        if step.kind == "sample":
            chains += number * (step.config.first == 0)  # the others go on with it
            gradients = max(gradients, step.config.sample.most_gradients(_rows(step.config.data)[0]))
            chain_seconds.append(_times(number, _chain_seconds(step)))
        elif step.kind == "evaluate":
            training_seconds.append(_times(number, _evaluation_seconds(step)))
        else:
            trainings += number
            first, last = _bounds(step)
            iterations = max(iterations, last - first)
            training_seconds.append(_times(number, _training_seconds(step)))
    return Cost(trainings, iterations, _sum(training_seconds), _measured()[1], chains, gradients, _sum(chain_seconds))


def _alike(step: PlannedStep) -> tuple[Any, ...]:
    """Return what steps that cost the same have in common, of their data the object, which a plan's steps share."""
    config, network = step.config, (step.kind, step.model.name if step.model else "", step.is_variational)
    if step.kind == "evaluate":
        evaluated = id(config.data), id(config.out_of_distribution), config.draws, config.passes
        return *network, *_alike(step.inputs["trained"]), *evaluated
    if step.kind == "sample":
        return *network, id(config.data), id(config.sample), config.first, step.result()["density"]
    train, objective = config.train, config.train.objective
    length = train.epochs, train.batch_size, train.evaluate_every, train.evaluate_test
    bounds = (config.first, config.last) if step.kind == "member" else ()
    return *network, id(config.data), *length, objective.draws, objective.evaluation_draws, *bounds, _of_keras(step)


def _of_keras(step: PlannedStep) -> float:
    """Return the time of an iteration over that of Keras: less than 1 for a ticket that the sparse engine trains."""
    if step.kind != "train" or step.model is None or step.is_variational or step.config.engine == "keras":
        return 1.0
    density = float(step.result()["density"])
    largest, fixed, per_density = SPARSE.get(step.model.name, (0.0, 1.0, 0.0))
    return fixed + per_density * density if density <= largest else 1.0


def _sum(seconds: Iterable[float | None]) -> float | None:
    total = 0.0
    for part in seconds:
        if part is None:
            return None
        total += part
    return total


def _times(number: int, seconds: float | None) -> float | None:
    return None if seconds is None else number * seconds


def _bounds(step: PlannedStep) -> tuple[int, int]:
    """Return the first and the last iteration of a training, or of a member's generation."""
    if step.kind == "member":
        return step.config.first, step.config.last
    train = step.config.train
    return 0, iterations_in(train.epochs, _rows(step.config.data)[0], train.batch_size)


@functools.lru_cache(maxsize=4)
def _rows(data: DataConfig) -> tuple[int, int, int]:
    """Return rows for training, validation and test."""
    from tfticket.data import split_rows  # what reads files is slow to import

    return split_rows(data)


def _network(step: PlannedStep) -> str:
    """Return what measurements call a step's network: its name and the shape of its images."""
    data = step.config.data
    source = None if data.path else source_by_name(data.name)
    shape = "x".join(map(str, source.size[2])) if source else ""
    return f"{step.model.name if step.model else ''} {shape}"


def _chain_seconds(step: PlannedStep) -> float | None:
    """Return the time of a chain, by the measured times of the sparse engine's gradients.

    A gradient is taken to last as long as the measured one of the nearest density above, or where there is none longer
    than that of the highest in proportion; and in proportion to the rows. None where no gradient was measured.
    """
    measured: dict[float, float] = {}
    network, sample, left = _network(step), step.config.sample, step.result()["density"]
    for (name, count), seconds in _measured()[0].items():
        whose, _, density = name.partition(" gradient at ")
        if whose == network and density:
            measured[float(density)] = seconds / count
    if sample.engine == "keras" or not measured:
        return None
    nearest = min((sparsity for sparsity in measured if sparsity >= 0.99 * left), default=max(measured))
    row = measured[nearest] * max(1.0, left / nearest)
    rows = _rows(step.config.data)[0]
    gradients = sample.most_gradients(rows)
    if first := step.config.first:
        gradients -= sample.model_copy(update={"draws": first}).most_gradients(rows)
    return float(BESIDE_GRADIENTS * gradients * rows * row)


def _measured_iteration(step: PlannedStep) -> tuple[int, float] | None:
    """Return the measured batch size nearest to a training's, and the time of a draw of an iteration, in seconds."""
    network = _network(step) + " variational" * step.is_variational
    measured = {batch: seconds for (name, batch), seconds in _measured()[0].items() if name == network}
    if not measured:
        return None
    batch = min(measured, key=lambda batch: abs(math.log(batch / step.config.train.batch_size)))
    return batch, measured[batch]


def _training_seconds(step: PlannedStep) -> float | None:
    """Return the time of a training or of a member's generation with the evaluations in it; None: not measured."""
    if (measured := _measured_iteration(step)) is None:
        return None
    batch, seconds = measured
    train, (rows, validation, test) = step.config.train, _rows(step.config.data)
    first, last = _bounds(step)
    draws, evaluation_draws = (
        (train.objective.draws, train.objective.evaluation_draws) if step.is_variational else (1, 1)
    )
    iteration = draws * seconds * max(1.0, train.batch_size / batch) * _of_keras(step)
    until, before = (Moments(train.evaluate_every, rows, train.batch_size, end) for end in (last, first + 1))
    evaluations = len(until) - (len(before) - 1)  # each counts its end
    evaluated = evaluations * evaluation_draws * (validation + test * train.evaluate_test)
    return float((last - first) * iteration + EVALUATED * seconds / batch * evaluated)


def _evaluation_seconds(step: PlannedStep) -> float | None:
    """Return the time of the evaluation of trained weights; None where it was not measured."""
    trained, config = step.inputs["trained"], step.config
    if (measured := _measured_iteration(trained)) is None:
        return None
    batch, seconds = measured
    _, validation, test = _rows(config.data)
    outside = _rows(config.out_of_distribution)[2] if config.out_of_distribution is not None else 0
    draws, passes = (config.draws, config.passes) if step.is_variational else (1, 1)
    return float(EVALUATED * seconds / batch * draws * (validation + test * passes + outside))


@functools.lru_cache(maxsize=1)
def _measured() -> tuple[dict[tuple[str, int], float], str]:
    """Seconds of a step, by network with shape and by batch size, and the machine: what the benchmark wrote.

    Of a variational network it is a draw's share of the step. Of a network 'gradient at' a density they are those of a
    chain's gradient, by rows.
    """
    record = json.loads((files(PRESETS) / "costs.json").read_text(encoding="utf-8"))
    rows = [(*row["name"].rsplit(" x ", 1), row["value"]) for row in record["benchmarks"]["costs"]["rows"]]
    return {(name, int(batch)): seconds for name, batch, seconds in rows}, f"{record['machine']['threads']} cores"


def duration_text(seconds: float) -> str:
    """A time as people say it: '5 min', '2.5 h', '12 d', '3 y'."""
    if seconds < 60:
        return "< 1 min"
    for unit, size, limit in (("min", 60, 90), ("h", 3600, 48), ("d", 86400, 730)):
        if seconds < limit * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 31_557_600:.1f} y"
