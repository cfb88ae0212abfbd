"""The run in focus, as it goes: curves of one seed, level by level, and what happens now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gui.models.signal import Signal
from tfticket.errors import InputError
from tfticket.reports.rows import arm_name
from tfticket.runs.files import read_json
from tfticket.runs.follow import RunFollower, Training
from tfticket.runs.progress import Progress, clock, read_progress
from tfticket.runs.summary import state_of, step_words

METRICS = ("accuracy", "nll", "mace", "ece", "brier")
"""Of the second plot, in this order; those that the run measures."""
NO_RUN = "Choose a run in the list, or start one."
WAITING = "Nothing has been measured yet: the first numbers come at the first evaluation."


@dataclass(frozen=True)
class Band:
    """The stretch of a level on the axis of iterations.

    Attributes:
        level: Which.
        density: Fraction of the weights that remains; None where nothing says it.
        begin, end: Iterations of the run of one seed.
    """

    level: int
    density: float | None
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric of one arm along the run; NaN between levels.

    Attributes:
        key: Arm and replicate.
        name: What the legend calls it.
        x: Iterations of the run of one seed, float [points].
        raw: As measured, in the metric's own unit, float [points].
        smooth: Smoothed within each training, float [points].
    """

    key: tuple[str, int]
    name: str
    x: np.ndarray
    raw: np.ndarray
    smooth: np.ndarray


class LiveModel:
    """Follows a run's trainings. ``changed`` is emitted when anything shown is new.

    Attributes:
        run: The run's folder; None: none.
        smoothing: 0 shows what was measured, towards 1 smoother.
        log_loss: Whether the loss has a logarithmic axis.
        metric: Of the second plot.
        hidden: Arms that are not shown.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        self.smoothing, self.log_loss, self.metric = 0.0, True, "accuracy"
        self.hidden: set[str] = set()
        self.show(None)

    def show(self, run: Path | None) -> None:
        """Follow another run, or none."""
        self.run = run
        self.problem = ""
        self.progress: Progress | None = None
        self.state = ""
        self._chosen: int | None = None
        self._follower = None if run is None else RunFollower(run)
        self._curves: dict[str, tuple[Any, dict[str, np.ndarray]]] = {}
        self.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Read what is new; whether anything is. A damaged or vanished folder becomes ``message``."""
        if self._follower is None or self.run is None:
            return False
        before = (self.progress, self.state, self.problem)
        new = False
        try:
            new = self._follower.poll()
            self.progress = read_progress(self.run)
            self.state = state_of(self.run, str(read_json(self.run / "status.json")["state"]))
            self.problem = ""
        except (InputError, OSError, ValueError, KeyError, TypeError) as error:
            gone = not self.run.is_dir()
            self.problem = "The run's folder is gone." if gone else f"This run cannot be read: {error}"
            self.state = "" if gone else "damaged"
        new |= before != (self.progress, self.state, self.problem)
        if new:
            self.changed.emit()
        return new

    @property
    def message(self) -> str:
        """Why there is nothing to see; '' where there is."""
        if self.run is None:
            return NO_RUN
        if any(training.points for training in self.trainings):
            return ""
        return self.problem or WAITING

    @property
    def trainings(self) -> Sequence[Training]:
        """All that the run has so far."""
        return () if self._follower is None else [one for one in self._follower.trainings if "seed" in one.label]

    @property
    def log(self) -> Sequence[str]:
        """The log's lines, newest last."""
        return () if self._follower is None else self._follower.log

    @property
    def seeds(self) -> list[int]:
        """Seeds that have begun."""
        return sorted({training.label["seed"] for training in self.trainings})

    @property
    def seed(self) -> int | None:
        """The seed shown: the chosen one, else the one that trains, else the last."""
        if self._chosen in self.seeds:
            return self._chosen
        step = self.progress.step if self.progress is not None and self.state == "running" else None
        trained = (step or {}).get("label", {}).get("seed")
        trainings = self.trainings
        return trained if trained in self.seeds else trainings[-1].label["seed"] if trainings else None

    @property
    def follows(self) -> bool:
        """Whether the seed shown is the one that trains."""
        return self._chosen is None

    def choose_seed(self, seed: int | None) -> None:
        """Show a seed; None: the one that trains."""
        self._chosen = seed
        self.changed.emit()

    def set_hidden(self, arm: str, hidden: bool) -> None:
        """Hide an arm, or show it."""
        (self.hidden.add if hidden else self.hidden.discard)(arm)
        self.changed.emit()

    def change(self, **options: Any) -> None:
        """Set smoothing, log_loss or metric."""
        for name, value in options.items():
            setattr(self, name, value)
        self.changed.emit()

    @property
    def arms(self) -> list[str]:
        """Arms of the run, the ticket first."""
        found = dict.fromkeys(str(training.label.get("arm", "ticket")) for training in self.trainings)
        return sorted(found, key=lambda arm: arm != "ticket")

    @property
    def metrics(self) -> list[str]:
        """Metrics that the run measures, for the second plot."""
        found = {name for training in self.trainings for point in training.points[:1] for name in point}
        return [name for name in METRICS if name in found]

    @property
    def bands(self) -> list[Band]:
        """The levels of the seed shown, one after another."""
        lengths: dict[int, int] = {}
        densities: dict[int, float] = {}
        for training in self._shown(hidden=True):
            level = training.label.get("level", 0)
            lengths[level] = max(lengths.get(level, 1), self._length(training))
            if training.label.get("density") is not None:
                densities.setdefault(level, training.label["density"])
        bands, begin = [], 0
        for level in sorted(lengths):
            bands.append(Band(level, densities.get(level), begin, begin + lengths[level]))
            begin += lengths[level]
        return bands

    def curves(self, metric: str) -> list[Curve]:
        """The curves of a metric ('loss' or one of ``metrics``): the seed shown, arms that are not hidden."""
        begins = {band.level: band.begin for band in self.bands}
        parts: dict[tuple[str, int], list[tuple[int, Training]]] = {}
        for training in self._shown():
            key = (str(training.label.get("arm", "ticket")), int(training.label.get("replicate", 0)))
            parts.setdefault(key, []).append((begins[training.label.get("level", 0)], training))
        return [self._curve(key, metric, parts[key]) for key in sorted(parts, key=lambda key: self.arms.index(key[0]))]

    @property
    def doing(self) -> str:
        """What runs now, in words."""
        if self.run is None:
            return ""
        progress = self.progress
        if self.state != "running" or progress is None:
            done = f", {progress.done} of {progress.trainings} trainings" if progress and progress.trainings else ""
            return f"{self.state}{done}" if not self.problem else self.problem
        if progress.step is None:
            return "running, between two steps"
        words = step_words(progress.step.get("label", {}), progress.step.get("kind", "train"))
        if progress.iterations:
            words += f" · iteration {progress.iteration:,} of {progress.iterations:,}"
        return words

    @property
    def fraction(self) -> float | None:
        """How much of the run is done; None where nothing says it."""
        if self.state == "done":
            return 1.0
        if self.progress is None or not self.progress.trainings:
            return None
        return min(1.0, self.progress.completed / self.progress.trainings)

    @property
    def left(self) -> str:
        """When the run will be through: 'ETA 12:30'; '' where it does not run, or nothing is known."""
        seconds = self.progress.seconds_left if self.progress is not None and self.state == "running" else None
        return "" if seconds is None else f"ETA {clock(seconds)}"

    def _shown(self, hidden: bool = False) -> list[Training]:
        seed = self.seed
        return [
            training
            for training in self.trainings
            if training.label["seed"] == seed and (hidden or training.label.get("arm", "ticket") not in self.hidden)
        ]

    def _length(self, training: Training) -> int:
        """How many iterations a training takes, as far as is known."""
        last = int(training.points[-1]["iteration"]) if training.points else 1
        progress = self.progress
        if progress is not None and progress.step is not None and progress.step.get("folder") == training.folder:
            return max(last, progress.iterations)
        return last

    def _curve(self, key: tuple[str, int], metric: str, parts: list[tuple[int, Training]]) -> Curve:
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for begin, training in sorted(parts, key=lambda part: part[0]):
            arrays = self._arrays(training)
            raw = arrays.get(metric, np.full(len(training.points), np.nan))
            found.append((begin + arrays["iteration"], raw, smoothed(raw, self.smoothing)))
        gap = (np.full(1, np.nan),) * 3
        joined = [piece for part in found for piece in (part, gap)][:-1]
        x, raw, smooth = (np.concatenate(pieces) for pieces in zip(*joined, strict=True))
        name = arm_name(key[0]) + (f" ({key[1] + 1})" if key[1] else "")
        return Curve(key, name, x, raw, smooth)

    def _arrays(self, training: Training) -> dict[str, np.ndarray]:
        """A training's points as arrays, kept until it has others."""
        points, arrays = self._curves.get(training.folder, (None, {}))
        if points != (len(training.points), training.points[-1:]):
            names = {name for point in training.points[:1] for name in point if name in ("iteration", "loss", *METRICS)}
            arrays = {name: np.array([_number(point.get(name)) for point in training.points]) for name in names}
            arrays.setdefault("iteration", np.empty(0))
            self._curves[training.folder] = ((len(training.points), training.points[-1:]), arrays)
        return arrays


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


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
