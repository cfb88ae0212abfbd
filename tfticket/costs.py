"""What an experiment will cost: its trainings and chains, and the time they took where it was measured."""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from tfticket.config import TrainConfig, check_lengths
from tfticket.data.known import source_of
from tfticket.durations import Moments, generation_bounds, iterations_in


@dataclass(frozen=True)
class Work:
    """Trainings of one kind that an experiment takes.

    Attributes:
        trainings: How many.
        train: How long each is.
        variational: Whether it is of variational networks.
        generations: Of members of a population: how many parts each is cut in, which count as trainings.
        rewind: Where its tickets start again.
        where: The field that holds ``train``, for messages.
    """

    trainings: int
    train: TrainConfig
    variational: bool = False
    generations: int | None = None
    rewind: str = "0it"
    where: str = "train"

    @property
    def counted(self) -> int:
        """How many trainings the run counts as it goes."""
        return self.trainings * (self.generations or 1)


EVALUATED = 0.5
"""Time to evaluate a row by a draw, of a training step's time for it; measured of LeNet-300-100."""

BESIDE_GRADIENTS = 1.1
"""Time of a draw of a chain, its predictions among it, over that of its gradients; measured of LeNet-300-100."""


@dataclass(frozen=True)
class Cost:
    """What an experiment computes.

    Attributes:
        trainings: How many by gradient descent.
        iterations: Of the longest.
        training_seconds: Of all of them and their evaluations, by the measured time of a step; None for a network or
            images that were not measured.
        machine: What the time holds for.
        chains: How many Markov chains.
        gradients: Of each, over all training rows, at most.
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
        work = f"{self.trainings} training{'s' * (self.trainings > 1)} of up to {self.iterations:,} iterations"
        said = f"{work}: {self._on_machine(self.training_seconds)}, with evaluations, without compiling"
        if not self.chains:
            return said
        chains = f"{self.chains} chain{'s' * (self.chains > 1)}"
        work = f"{chains} of at most {self.gradients:,} gradients over all training rows"
        return f"{said}; {work}: {self._on_machine(self.chain_seconds, 'up to ')}"

    def _on_machine(self, seconds: float | None, before: str = "") -> str:
        if seconds is None:
            return "its time was not measured" if not before else "their time was not measured"
        return f"{before}{duration_text(seconds)} on {self.machine}"

    @property
    def time(self) -> str:
        """The time in words; 'up to' where chains are in it."""
        if self.seconds is None:
            return "not measured"
        return f"{'up to ' * (self.chains > 0)}{duration_text(self.seconds)}".replace("up to < 1", "< 1")


def cost_of(config: Any) -> Cost:
    """The cost of an experiment that says what ``work`` and ``chains_by_density`` it takes; compiling comes on top.

    A step is taken to last as long as the measured one of the nearest batch size, and longer in proportion if its
    batch is larger: for smaller batches that is too much rather than too little. One of a variational network lasts
    as many times as long as it has draws. Evaluations take ``EVALUATED`` of a step's time for as many rows and draws.
    Chains are taken to have all trees at the cap on their depth.

    Raises:
        InputError: The data are the user's own, and cannot be read; a training does not fit so many rows.
    """
    from tfticket.data import split_rows  # what reads files is slow to import

    rows = split_rows(config.data)
    for work in config.work:
        if work.trainings:
            check_lengths(work.train, work.rewind, rows[0], work.where)
    others = getattr(config, "out_of_distribution", None)
    outside = split_rows(others)[2] if others is not None else 0
    source = None if config.data.path else source_of(config.data.name)
    shape = "x".join(map(str, source.size[2])) if source else ""
    passes = getattr(config, "evaluation_passes", 1)
    network = f"{config.model.name} {shape}"
    chains: Mapping[float, int] = getattr(config, "chains_by_density", {})
    gradients = config.sample.most_gradients if chains else 0
    seconds = [_seconds(network, work, rows, outside, passes) for work in config.work if work.trainings]
    known = [each for each in seconds if each is not None]
    return Cost(
        trainings=sum(work.counted for work in config.work),
        iterations=max(
            iterations_in(work.train.epochs, rows[0], work.train.batch_size) for work in config.work if work.trainings
        ),
        training_seconds=sum(known) if len(known) == len(seconds) else None,
        machine=_measured()[1],
        chains=sum(chains.values()),
        gradients=gradients,
        chain_seconds=_chain_seconds(network, config.sample.engine, rows[0], gradients, chains) if chains else 0.0,
    )


def _chain_seconds(network: str, engine: str, rows: int, gradients: int, chains: Mapping[float, int]) -> float | None:
    """Of chains, by the measured times of the sparse engine's gradients.

    A gradient is taken to last as long as the measured one of the nearest density above, or where there is none longer
    than that of the highest in proportion; and in proportion to the rows.

    Args:
        network: Its name and the shape of its images.
        engine: What is asked for.
        rows: For training.
        gradients: Of a chain, at most.
        chains: Density -> how many.

    Returns:
        Seconds; None where no gradient was measured.
    """
    measured: dict[float, float] = {}
    for (name, count), seconds in _measured()[0].items():
        whose, _, density = name.partition(" gradient at ")
        if whose == network and density:
            measured[float(density)] = seconds / count
    if engine == "keras" or not measured:
        return None
    total = 0.0
    for left, number in chains.items():
        nearest = min((each for each in measured if each >= 0.99 * left), default=max(measured))
        row = measured[nearest] * max(1.0, left / nearest)
        total += number * BESIDE_GRADIENTS * gradients * rows * row
    return total


def _seconds(network: str, work: Work, rows: tuple[int, int, int], outside: int, passes: int) -> float | None:
    """Of all trainings of a kind, of a network on images of a shape, by what was measured.

    Args:
        network: Its name and the shape.
        work: The trainings.
        rows: For training, validation and test.
        outside: Test rows of data out of distribution.
        passes: Evaluations of a trained variational network on the test rows.
    """
    network += " variational" * work.variational
    measured = {batch: seconds for (name, batch), seconds in _measured()[0].items() if name == network}
    if not measured:
        return None
    train = work.train
    batch = min(measured, key=lambda batch: abs(math.log(batch / train.batch_size)))
    draws = train.objective.draws if work.variational else 1
    length = iterations_in(train.epochs, rows[0], train.batch_size)
    step = draws * measured[batch] * max(1.0, train.batch_size / batch)
    evaluation = EVALUATED * measured[batch] / batch * _rows_evaluated(work, length, rows, outside, passes)
    return work.trainings * (length * step + evaluation)


def _rows_evaluated(work: Work, length: int, rows: tuple[int, int, int], outside: int, passes: int) -> int:
    """Rows times draws of a training's evaluations: as it goes on, and in the end; a member's after each generation."""
    training, validation, test = rows
    draws = work.train.objective.evaluation_draws if work.variational else 1
    moments = Moments(work.train.evaluate_every, training, work.train.batch_size, length)
    evaluations = len(moments)
    if work.generations is not None:
        evaluations += sum(last not in moments for _, last in generation_bounds(0, length, work.generations))
    found = evaluations * (validation + test * work.train.evaluate_test)
    if work.generations is None:
        found += validation + test * (passes if work.variational else 1) + outside
    return draws * found


@functools.lru_cache(maxsize=1)
def _measured() -> tuple[dict[tuple[str, int], float], str]:
    """Seconds of a step, by network with shape and by batch size, and the machine: what the benchmark wrote.

    Of a variational network it is a draw's share of the step. Of a network 'gradient at' a density they are those of a
    chain's gradient, by rows.
    """
    found = json.loads((files("tfticket._experiments.presets") / "costs.json").read_text(encoding="utf-8"))
    rows = [(*row["name"].rsplit(" x ", 1), row["value"]) for row in found["benchmarks"]["costs"]["rows"]]
    return {(name, int(batch)): seconds for name, batch, seconds in rows}, f"{found['machine']['threads']} cores"


def duration_text(seconds: float) -> str:
    """A time as people say it: '5 min', '2.5 h', '12 d', '3 y'."""
    if seconds < 60:
        return "< 1 min"
    for unit, size, limit in (("min", 60, 90), ("h", 3600, 48), ("d", 86400, 730)):
        if seconds < limit * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 31_557_600:.1f} y"
