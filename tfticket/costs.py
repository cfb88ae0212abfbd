"""What an experiment will cost: its trainings, their length, and the time they took where it was measured."""

import functools
import json
import math
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Cost:
    """What an experiment computes.

    Attributes:
        trainings: How many by gradient descent.
        iterations: Of the longest.
        seconds: Of all of them and their evaluations, by the measured time of a step; None for a network or images that
            were not measured.
        machine: What the time holds for.
        chains: How many Markov chains, whose time is not in ``seconds``.
        gradients: Of each, over all training rows, at most.
    """

    trainings: int
    iterations: int
    seconds: float | None
    machine: str
    chains: int = 0
    gradients: int = 0

    def __str__(self) -> str:
        work = f"{self.trainings} training{'s' * (self.trainings > 1)} of up to {self.iterations:,} iterations"
        time = "its time was not measured" if self.seconds is None else f"{self.time} on {self.machine}"
        said = f"{work}: {time}, with evaluations, without compiling"
        if not self.chains:
            return said
        chains = f"{self.chains} chain{'s' * (self.chains > 1)}"
        return f"{said}; {chains} of at most {self.gradients:,} gradients over all training rows, not in that time"

    @property
    def time(self) -> str:
        """The time in words."""
        return "not measured" if self.seconds is None else duration_text(self.seconds)


def cost_of(config: Any) -> Cost:
    """The cost of an experiment that says what ``work`` it takes; compiling comes on top.

    A step is taken to last as long as the measured one of the nearest batch size, and longer in proportion if its
    batch is larger: for smaller batches that is too much rather than too little. One of a variational network lasts
    as many times as long as it has draws. Evaluations take ``EVALUATED`` of a step's time for as many rows and draws.

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
    chains, passes = getattr(config, "samplings", 0), getattr(config, "evaluation_passes", 1)
    network = f"{config.model.name} {shape}"
    seconds = [_seconds(network, work, rows, outside, passes) for work in config.work if work.trainings]
    known = [each for each in seconds if each is not None]
    return Cost(
        trainings=sum(work.counted for work in config.work),
        iterations=max(
            iterations_in(work.train.epochs, rows[0], work.train.batch_size) for work in config.work if work.trainings
        ),
        seconds=sum(known) if len(known) == len(seconds) else None,
        machine=_measured()[1],
        chains=chains,
        gradients=config.sample.most_gradients if chains else 0,
    )


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

    Of a variational network it is a draw's share of the step.
    """
    found = json.loads((files("experiments") / "presets" / "costs.json").read_text(encoding="utf-8"))
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
