"""A run that is followed live: its state, its trainings, and the curves of one seed at a time."""

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

from .reading import GONE, UNREADABLE, ArmNames

METRICS = ("accuracy", "nll", "mace", "ece", "brier")
"""Metrics to choose from, in this order."""
Axis = Literal["iteration", "time"]
"""X axis: iterations or seconds of training, of one seed."""


@dataclass(frozen=True)
class Band:
    """Interval of a level on the x axis.

    Attributes:
        density: Remaining fraction of the weights; None if unknown.
        begin, end: Iterations or seconds since the seed's start.
    """

    level: int
    density: float | None
    begin: float
    end: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one arm along the run; NaN between levels.

    Attributes:
        key: Name of an overlaid run, '' for the run in focus; arm; replicate or chain.
        group_name: Display name of all curves of the arm: 'NUTS, 2 chains'.
        x: Iterations or seconds since the seed's start, float [points].
        raw: Measured values, in the metric's unit, float [points].
        smooth: Values smoothed within each training, float [points].
    """

    key: tuple[str, Arm, int]
    name: str
    group_name: str
    x: np.ndarray
    raw: np.ndarray
    smooth: np.ndarray


class FollowedRun:
    """Reads a run's folder as it grows.

    Attributes:
        run: Folder of the run; None for no run, of which everything is empty.
        message: Message of a failed or stopped run; ''.
        problem: Why the folder cannot be read; ''.
    """

    def __init__(self, run: Path | None) -> None:
        self.run = run
        self.state = self.message = self.problem = ""
        self.progress: Progress | None = None
        if run is not None:
            self.name_of = ArmNames(run)
            self._follower = RunFollower(run)
        self._arrays: dict[str, tuple[Any, dict[str, np.ndarray]]] = {}

    def poll(self) -> bool:
        """Read new data; return True if there are any. A damaged or missing folder sets ``problem``."""
        if self.run is None:
            return False
        before = (self.progress, self.state, self.message, self.problem)
        new = False
        try:
            new = self._follower.poll()
            self.progress = read_progress(self.run)
            status = status_facts(self.run)
            if "damaged" in status:
                raise InputError(status["damaged"])
            self.state, self.message = state_of(self.run, status["state"]), status["message"]
            self.problem = ""
        except (InputError, OSError, ValueError, KeyError, TypeError) as error:
            gone = not self.run.is_dir()
            self.problem = GONE if gone else UNREADABLE.format(why=error)
            self.state = "" if gone else "damaged"
        return new or before != (self.progress, self.state, self.message, self.problem)

    @property
    def trainings(self) -> Sequence[Training]:
        """Trainings so far."""
        if self.run is None:
            return []
        return [training for training in self._follower.trainings if "seed" in training.label]

    @property
    def log(self) -> Sequence[str]:
        return [] if self.run is None else self._follower.log

    @property
    def seeds(self) -> list[int]:
        """Seeds that have started."""
        return sorted({training.label["seed"] for training in self.trainings})

    @property
    def seed(self) -> int | None:
        """Seed that trains now, otherwise the last one."""
        step = self.progress.step if self.progress is not None and self.state == "running" else None
        current = (step or {}).get("label", {}).get("seed")
        trainings = self.trainings
        return current if current in self.seeds else trainings[-1].label["seed"] if trainings else None

    @property
    def arms(self) -> list[Arm]:
        """Arms of the run, the ticket first."""
        return sorted(dict.fromkeys(map(arm_of, self.trainings)), key=lambda arm: arm != TICKET)

    @property
    def axes(self) -> list[Axis]:
        """Available x axes; time only if all event files record it."""
        seconds = [second for training in self.trainings for second in training.seconds[:1]]
        return ["iteration", "time"] if seconds and np.all(np.isfinite(seconds)) else ["iteration"]

    def bands(self, seed: int | None, axis: Axis) -> list[Band]:
        """Return the levels of a seed in order."""
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
        """Return the curves of a metric ('loss' or one of ``METRICS``) for all arms of a seed, the ticket first."""
        begins = {band.level: band.begin for band in self.bands(seed, axis)}
        parts: dict[tuple[Arm, int], list[Training]] = {}
        for training in self.of_seed(seed):
            key = (arm_of(training), number_of(training))
            parts.setdefault(key, []).append(training)
        curves = []
        for arm, replicate in sorted(parts, key=lambda key: (self.arms.index(key[0]), key[1])):
            pieces = []
            for training in sorted(parts[arm, replicate], key=lambda training: begins[level_of(training)]):
                arrays = self._arrays_of(training)
                raw = arrays.get(metric, np.full(len(training.points), np.nan))
                pieces += [(begins[level_of(training)] + arrays[axis], raw, smoothed(raw, smoothing)), _GAP]
            x, raw, smooth = (np.concatenate(arrays) for arrays in zip(*pieces[:-1], strict=True))
            count = sum(other == arm for other, _ in parts)
            names = _names(self.name_of(arm), replicate, count, is_chain(parts[arm, replicate][0]))
            curves.append(Curve(("", arm, replicate), *names, x, raw, smooth))
        return curves

    def of_seed(self, seed: int | None) -> list[Training]:
        return [training for training in self.trainings if training.label["seed"] == seed]

    def _length(self, training: Training, axis: Axis) -> float:
        """Return the length of a training: planned iterations if known, otherwise those done; or seconds so far."""
        if axis == "time":
            return max(training.seconds[-1] if training.seconds else 0.0, 0.001)
        last = float(training.points[-1]["iteration"]) if training.points else 1.0
        progress = self.progress
        if progress is not None and any(step["folder"] == training.folder for step in progress.steps):
            return max(last, float(progress.iterations))
        return last

    def _arrays_of(self, training: Training) -> dict[str, np.ndarray]:
        """Return a training's points as arrays, cached until new points arrive."""
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
    """Return the arm of a training."""
    arm: Arm = training.label.get("arm", TICKET)
    return arm


def number_of(training: Training) -> int:
    """Return the number of the replicate, chain or member."""
    numbers = (training.label[name] for name in ("replicate", "chain", "member") if name in training.label)
    return int(next(numbers, 0))


def is_chain(training: Training) -> bool:
    """Return True for a chain of a sampler, whose iterations are draws."""
    return "chain" in training.label


def _names(name: str, number: int, count: int, chain: bool) -> tuple[str, str]:
    """Return the display names of one replicate or chain of an arm, and of all of them together."""
    if count == 1:
        return name, name
    if chain:
        return f"{name}, chain {number + 1}", f"{name}, {count} chains"
    return f"{name} ({number + 1})" if number else name, name


def level_of(training: Training) -> int:
    """Return the level of a training."""
    return int(training.label.get("level", 0))


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else np.nan
    except OverflowError:
        return np.nan


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Return the exponential moving average with bias correction; non-finite values stay.

    Args:
        values: float [points].
        weight: Weight of the previous average, from 0 (no smoothing) to below 1.
    """
    if weight <= 0:
        return values
    mean, total, averages = 0.0, 0.0, values.astype(float)
    for number, value in enumerate(values):
        if np.isfinite(value):
            mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
            averages[number] = mean / total
    return averages
