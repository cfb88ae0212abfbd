"""What an experiment will cost: its trainings, their length, and the time they took where it was measured."""

import functools
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from tfticket.config import TrainConfig
from tfticket.data.known import source_of
from tfticket.durations import iterations_in


@dataclass(frozen=True)
class Work:
    """Trainings of one kind that an experiment takes.

    Attributes:
        trainings: How many.
        train: How long each is.
        variational: Whether it is of variational networks.
    """

    trainings: int
    train: TrainConfig
    variational: bool = False


@dataclass(frozen=True)
class Cost:
    """What an experiment computes.

    Attributes:
        trainings: How many by gradient descent.
        iterations: Of the longest.
        seconds: Of all of them, by the measured time of a step; None for a network or images that were not measured.
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
        work = f"{self.trainings} training{'s' * (self.trainings > 1)} of {self.iterations:,} iterations"
        time = "its time was not measured" if self.seconds is None else f"{self.time} of training"
        said = f"{work}: {time} on {self.machine}"
        if not self.chains:
            return said
        chains = f"{self.chains} chain{'s' * (self.chains > 1)}"
        return f"{said}; {chains} of at most {self.gradients:,} gradients over all training rows, not in that time"

    @property
    def time(self) -> str:
        """The time in words."""
        return "not measured" if self.seconds is None else duration_text(self.seconds)


def cost_of(config: Any) -> Cost:
    """The cost of an experiment that says what ``work`` it takes; evaluation and compiling come on top.

    A step is taken to last as long as the measured one of the nearest batch size, and longer in proportion if its
    batch is larger: for smaller batches that is too much rather than too little. One of a variational network lasts
    as many times as long as it has draws.

    Raises:
        InputError: The data are the user's own, and cannot be read.
    """
    from tfticket.data import training_rows  # what reads files is slow to import

    rows = training_rows(config.data)
    source = None if config.data.path else source_of(config.data.name)
    shape = "x".join(map(str, source.size[2])) if source else ""
    chains = getattr(config, "samplings", 0)
    lengths = [iterations_in(work.train.epochs, rows, work.train.batch_size) for work in config.work]
    steps = [_seconds(f"{config.model.name} {shape}", work) for work in config.work]
    together = [
        work.trainings * length * step
        for work, length, step in zip(config.work, lengths, steps, strict=True)
        if step is not None
    ]
    return Cost(
        trainings=sum(work.trainings for work in config.work),
        iterations=max(lengths),
        seconds=sum(together) if len(together) == len(steps) else None,
        machine=_measured()[1],
        chains=chains,
        gradients=config.sample.most_gradients if chains else 0,
    )


def _seconds(network: str, work: Work) -> float | None:
    """Of a step of a network on images of a shape, by what was measured."""
    network += " variational" * work.variational
    measured = {batch: seconds for (name, batch), seconds in _measured()[0].items() if name == network}
    if not measured:
        return None
    batch = min(measured, key=lambda batch: abs(math.log(batch / work.train.batch_size)))
    draws = work.train.objective.draws if work.variational else 1
    return draws * measured[batch] * max(1.0, work.train.batch_size / batch)


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
