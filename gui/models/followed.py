"""A run that is followed: its state, its trainings, and their curves, one seed at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.runs.follow import RunFollower, Training
from tfticket.runs.progress import Progress, read_progress
from tfticket.runs.run_folder import state_of
from tfticket.runs.summary import status_facts

from .ended import UNREADABLE
from .names import ArmNames

METRICS = ("accuracy", "nll", "mace", "ece", "brier")
"""Of the second plot, in this order; those that the run measures."""
Axis = Literal["iteration", "time"]
"""What curves are drawn against: iterations, or seconds of training, of the run of one seed."""


@dataclass(frozen=True)
class Band:
    """The stretch of a level on the x axis.

    Attributes:
        level: Which.
        density: Fraction of the weights that remains; None where nothing says it.
        begin, end: Iterations or seconds of the run of one seed.
    """

    level: int
    density: float | None
    begin: float
    end: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one arm along the run; NaN between levels.

    Attributes:
        key: The run's folder, '' of that in focus; arm; replicate or chain.
        name: What it is called.
        together: What it and the others of its arm are called: 'NUTS, 2 chains'.
        x: Iterations or seconds of the run of one seed, float [points].
        raw: As measured, in the metric's own unit, float [points].
        smooth: Smoothed within each training, float [points].
    """

    key: tuple[str, Arm, int]
    name: str
    together: str
    x: np.ndarray
    raw: np.ndarray
    smooth: np.ndarray


class FollowedRun:
    """Follows a run.

    Attributes:
        run: Its folder.
        state: As its folder says it.
        said: What it said when it failed or stopped; ''.
        problem: Why it cannot be read; ''.
        progress: How far it is; None where nothing says it.
        name_of: What it calls an arm.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.state = self.said = self.problem = ""
        self.progress: Progress | None = None
        self.name_of = ArmNames(run)
        self._follower = RunFollower(run)
        self._arrays: dict[str, tuple[Any, dict[str, np.ndarray]]] = {}

    def poll(self) -> bool:
        """Read what is new; whether anything is. A damaged or vanished folder becomes ``problem``."""
        before = (self.progress, self.state, self.said, self.problem)
        new = False
        try:
            new = self._follower.poll()
            self.progress = read_progress(self.run)
            status = status_facts(self.run)
            if "damaged" in status:
                raise InputError(status["damaged"])
            self.state, self.said = state_of(self.run, status["state"]), status["message"]
            self.problem = ""
        except (InputError, OSError, ValueError, KeyError, TypeError) as error:
            gone = not self.run.is_dir()
            self.problem = "The run's folder is gone." if gone else UNREADABLE.format(why=error)
            self.state = "" if gone else "damaged"
        return new or before != (self.progress, self.state, self.said, self.problem)

    @property
    def trainings(self) -> Sequence[Training]:
        """All that the run has so far."""
        return [one for one in self._follower.trainings if "seed" in one.label]

    @property
    def log(self) -> Sequence[str]:
        """The log's lines, newest last."""
        return self._follower.log

    @property
    def seeds(self) -> list[int]:
        """Seeds that have begun."""
        return sorted({training.label["seed"] for training in self.trainings})

    @property
    def seed(self) -> int | None:
        """The seed that trains, else the last."""
        step = self.progress.step if self.progress is not None and self.state == "running" else None
        trained = (step or {}).get("label", {}).get("seed")
        trainings = self.trainings
        return trained if trained in self.seeds else trainings[-1].label["seed"] if trainings else None

    @property
    def arms(self) -> list[Arm]:
        """Arms of the run, the ticket first."""
        found = dict.fromkeys(map(arm_of, self.trainings))
        return sorted(found, key=lambda arm: arm != TICKET)

    @property
    def axes(self) -> list[Axis]:
        """What its curves can be drawn against: time only where its diaries tell it."""
        told = [second for training in self.trainings for second in training.seconds[:1]]
        return ["iteration", "time"] if told and np.all(np.isfinite(told)) else ["iteration"]

    def bands(self, seed: int | None, axis: Axis) -> list[Band]:
        """The levels of a seed, one after another."""
        lengths: dict[int, float] = {}
        densities: dict[int, float] = {}
        for training in self.of_seed(seed):
            level = level_of(training)
            lengths[level] = max(lengths.get(level, 0.0), self._length(training, axis))
            if training.label.get("density") is not None:
                densities.setdefault(level, training.label["density"])
        bands: list[Band] = []
        for level in sorted(lengths):
            begin = bands[-1].end if bands else 0.0
            bands.append(Band(level, densities.get(level), begin, begin + lengths[level]))
        return bands

    def curves(self, metric: str, seed: int | None, axis: Axis, smoothing: float) -> list[Curve]:
        """The curves of a metric ('loss' or one of ``METRICS``): all arms of a seed, the ticket first."""
        begins = {band.level: band.begin for band in self.bands(seed, axis)}
        parts: dict[tuple[Arm, int], list[Training]] = {}
        for training in self.of_seed(seed):
            key = (arm_of(training), number_of(training))
            parts.setdefault(key, []).append(training)
        found = []
        for arm, replicate in sorted(parts, key=lambda key: (self.arms.index(key[0]), key[1])):
            pieces = []
            for training in sorted(parts[arm, replicate], key=lambda one: begins[level_of(one)]):
                arrays = self._arrays_of(training)
                raw = arrays.get(metric, np.full(len(training.points), np.nan))
                pieces += [(begins[level_of(training)] + arrays[axis], raw, smoothed(raw, smoothing)), _GAP]
            x, raw, smooth = (np.concatenate(one) for one in zip(*pieces[:-1], strict=True))
            count = sum(other == arm for other, _ in parts)
            names = _names(self.name_of(arm), replicate, count, is_chain(parts[arm, replicate][0]))
            found.append(Curve(("", arm, replicate), *names, x, raw, smooth))
        return found

    def of_seed(self, seed: int | None) -> list[Training]:
        """A seed's trainings."""
        return [training for training in self.trainings if training.label["seed"] == seed]

    def _length(self, training: Training, axis: Axis) -> float:
        """How many iterations a training takes, as far as is known, or how many seconds it took so far."""
        if axis == "time":
            return max(training.seconds[-1] if training.seconds else 0.0, 0.001)
        last = float(training.points[-1]["iteration"]) if training.points else 1.0
        progress = self.progress
        if progress is not None and any(step["folder"] == training.folder for step in progress.steps):
            return max(last, float(progress.iterations))
        return last

    def _arrays_of(self, training: Training) -> dict[str, np.ndarray]:
        """A training's points as arrays, kept until it has others."""
        points, arrays = self._arrays.get(training.folder, (None, {}))
        if points is not training.points:
            names = {name for point in training.points[:1] for name in point if name in ("iteration", "loss", *METRICS)}
            arrays = {name: np.array([_number(point.get(name)) for point in training.points]) for name in names}
            arrays.setdefault("iteration", np.empty(0))
            arrays["time"] = np.array(training.seconds)
            self._arrays[training.folder] = (training.points, arrays)
        return arrays


_GAP = (np.full(1, np.nan),) * 3


def arm_of(training: Training) -> Arm:
    """Which arm a training is of."""
    arm: Arm = training.label.get("arm", TICKET)
    return arm


def number_of(training: Training) -> int:
    """Which of its arm's replicates, chains or members it is."""
    numbers = (training.label[name] for name in ("replicate", "chain", "member") if name in training.label)
    return int(next(numbers, 0))


def is_chain(training: Training) -> bool:
    """Whether it is a chain of a sampler, whose iterations are draws."""
    return "chain" in training.label


def _names(name: str, number: int, count: int, chain: bool) -> tuple[str, str]:
    """What one of the replicates or chains of an arm of a name is called, and all of them together."""
    if count == 1:
        return name, name
    if chain:
        return f"{name}, chain {number + 1}", f"{name}, {count} chains"
    return f"{name} ({number + 1})" if number else name, name


def level_of(training: Training) -> int:
    """Which level a training is of."""
    return int(training.label.get("level", 0))


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else np.nan
    except OverflowError:
        return np.nan


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving mean without the bias of its beginning; what is not finite stays as it is.

    Args:
        values: float [points].
        weight: 0 (as they are) to below 1: how much of the mean before counts.
    """
    if weight <= 0:
        return values
    mean, total, found = 0.0, 0.0, values.astype(float)
    for number, value in enumerate(values):
        if np.isfinite(value):
            mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
            found[number] = mean / total
    return found
