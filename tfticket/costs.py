"""What an experiment will cost: its trainings, their length, and the time they took where it was measured."""

import functools
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from tfticket.data.known import source_of
from tfticket.durations import iterations_in


@dataclass(frozen=True)
class Cost:
    """What an experiment computes.

    Attributes:
        trainings: How many by gradient descent.
        iterations: Of each.
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
        said = f"{work}: {self.time} of training on {self.machine}"
        if not self.chains:
            return said
        chains = f"{self.chains} chain{'s' * (self.chains > 1)}"
        return f"{said}; {chains} of at most {self.gradients:,} gradients over all training rows, not in that time"

    @property
    def time(self) -> str:
        """The time in words."""
        return "not measured" if self.seconds is None else duration_text(self.seconds)


def cost_of(config: Any) -> Cost:
    """The cost of an experiment that says how many ``trainings`` it takes; evaluation and compiling come on top.

    A step is taken to last as long as the measured one of the nearest batch size, and longer in proportion if its
    batch is larger: for smaller batches that is too much rather than too little.

    Raises:
        InputError: The data are the user's own, and cannot be read.
    """
    from tfticket.data import training_rows  # what reads files is slow to import

    rows = training_rows(config.data)
    iterations = iterations_in(config.train.epochs, rows, config.train.batch_size)
    source = None if config.data.path else source_of(config.data.name)
    shape = "x".join(map(str, source.size[2])) if source else ""
    steps, machine = _measured()
    measured = {batch: seconds for (name, batch), seconds in steps.items() if name == f"{config.model.name} {shape}"}
    chains = getattr(config, "samplings", 0)
    trainings = config.trainings - chains
    sampled = (chains, config.sample.most_gradients if chains else 0)
    if not measured:
        return Cost(trainings, iterations, None, machine, *sampled)
    batch = min(measured, key=lambda batch: abs(math.log(batch / config.train.batch_size)))
    step = measured[batch] * max(1.0, config.train.batch_size / batch)
    return Cost(trainings, iterations, trainings * iterations * step, machine, *sampled)


@functools.lru_cache(maxsize=1)
def _measured() -> tuple[dict[tuple[str, int], float], str]:
    """Seconds of a step, by network with shape and by batch size, and the machine: what the benchmark wrote."""
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
