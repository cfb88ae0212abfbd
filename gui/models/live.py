"""The run in focus, as it goes: curves of one seed, level by level, what happens now, and runs laid over it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfticket.arms import TICKET, Arm
from tfticket.runs.follow import Training
from tfticket.runs.progress import Progress, clock
from tfticket.runs.summary import step_words
from tfticket.text import CsvWriter

from .colours import colour_of
from .ended import why_empty
from .followed import METRICS, Axis, Band, Curve, FollowedRun, arm_of, is_chain, level_of, number_of
from .signal import Signal

NO_RUN = "Choose a run in the list, or start one."
WAITING = "Nothing has been measured yet: the first numbers come at the first evaluation."


class LiveModel:
    """Follows a run's trainings. ``changed`` is emitted when anything shown is new.

    Attributes:
        run: The run's folder; None: none.
        colours: Run -> its colour, where several are shown.
        axis: What the curves are to be drawn against: see ``shown_axis``.
        smoothing: 0 shows what was measured, towards 1 smoother.
        log_loss: Whether the loss has a logarithmic axis.
        metric: Of the second plot.
        hidden: Arms that are not shown.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        self.axis: Axis = "iteration"
        self.smoothing, self.log_loss, self.metric = 0.0, True, "accuracy"
        self.hidden: set[Arm] = set()
        self.run: Path | None = None
        self.colours: dict[Path, str] = {}
        self._chosen: int | None = None
        self._followed: dict[Path, FollowedRun] = {}

    def show(self, run: Path | None, overlaid: Sequence[Path] = (), colours: Mapping[Path, str] | None = None) -> None:
        """Follow another run, or none.

        Args:
            run: Its folder.
            overlaid: Folders of the runs whose tickets are laid over it.
            colours: A colour each, where several are shown.
        """
        if run != self.run:
            self._chosen = None
        self.run = run
        others = [folder for folder in dict.fromkeys(overlaid) if folder != run] if run is not None else []
        folders = [run, *others] if run is not None else []
        self._followed = {folder: self._followed.get(folder) or FollowedRun(folder) for folder in folders}
        self.colours = {folder: (colours or {}).get(folder, colour_of(n)) for n, folder in enumerate(folders)}
        for followed in self._followed.values():
            followed.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Read what is new; whether anything is. A damaged or vanished folder becomes ``message``."""
        new = [followed for followed in self._followed.values() if followed.poll()]
        if new:
            self.changed.emit()
        return bool(new)

    @property
    def message(self) -> str:
        """Why there is nothing to see; '' where there is."""
        if self._focus is None:
            return NO_RUN
        if any(training.points for training in self.trainings):
            return ""
        return self._focus.problem or why_empty(self.state, self._focus.said, WAITING)

    @property
    def _focus(self) -> FollowedRun | None:
        return None if self.run is None else self._followed[self.run]

    @property
    def overlaid(self) -> list[Path]:
        """The runs that are laid over."""
        return list(self._followed)[1:]

    @property
    def state(self) -> str:
        """The run's state as its folder says it."""
        return "" if self._focus is None else self._focus.state

    @property
    def trainings(self) -> Sequence[Training]:
        """All that the run has so far."""
        return () if self._focus is None else self._focus.trainings

    @property
    def log(self) -> Sequence[str]:
        """The log's lines, newest last."""
        return () if self._focus is None else self._focus.log

    @property
    def seeds(self) -> list[int]:
        """Seeds that have begun."""
        return [] if self._focus is None else self._focus.seeds

    @property
    def seed(self) -> int | None:
        """The seed shown: the chosen one, else the one that trains, else the last."""
        if self._focus is None:
            return None
        return self._chosen if self._chosen in self.seeds else self._focus.seed

    @property
    def follows(self) -> bool:
        """Whether the seed shown is the one that trains."""
        return self._chosen is None

    def choose_seed(self, seed: int | None) -> None:
        """Show a seed; None: the one that trains."""
        self._chosen = seed
        self.changed.emit()

    def set_hidden(self, arm: Arm, hidden: bool) -> None:
        """Hide an arm, or show it."""
        (self.hidden.add if hidden else self.hidden.discard)(arm)
        self.changed.emit()

    def change(self, **options: Any) -> None:
        """Set axis, smoothing, log_loss or metric."""
        for name, value in options.items():
            setattr(self, name, value)
        self.changed.emit()

    @property
    def arms(self) -> list[Arm]:
        """Arms of the run, the ticket first."""
        return [] if self._focus is None else self._focus.arms

    @property
    def arm_names(self) -> dict[Arm, str]:
        """Arm -> what the run calls it."""
        return {} if self._focus is None else {arm: self._focus.name_of(arm) for arm in self.arms}

    @property
    def metrics(self) -> list[str]:
        """Metrics that the run measures, for the second plot."""
        found = {name for training in self.trainings for point in training.points[:1] for name in point}
        return [name for name in METRICS if name in found]

    @property
    def axes(self) -> list[Axis]:
        """What the curves can be drawn against."""
        return ["iteration"] if self._focus is None else self._focus.axes

    @property
    def shown_axis(self) -> Axis:
        """What the curves are drawn against: what was asked for, where the run tells it."""
        return self.axis if self.axis in self.axes else "iteration"

    @property
    def bands(self) -> list[Band]:
        """The levels of the seed shown, one after another."""
        return [] if self._focus is None else self._focus.bands(self.seed, self.shown_axis)

    @property
    def has_chains(self) -> bool:
        """Whether what is shown of the run in focus has chains of samplers, whose iterations are draws."""
        trainings = [] if self._focus is None else self._focus.of_seed(self.seed)
        return any(is_chain(training) for training in trainings if arm_of(training) not in self.hidden)

    @property
    def title(self) -> str:
        """The run in focus and its seed, for a figure that leaves the window."""
        return "" if self.run is None else f"{self.run.name}, seed {self.seed}"

    def curves(self, metric: str) -> list[Curve]:
        """The curves of a metric ('loss' or one of ``metrics``): the seed shown, arms that are not hidden.

        Then the tickets of the runs laid over, each of the seed that it trains, else of its last.
        """
        if self._focus is None:
            return []
        how: tuple[Axis, float] = (self.shown_axis, self.smoothing)
        found = [one for one in self._focus.curves(metric, self.seed, *how) if one.key[1] not in self.hidden]
        for run in self.overlaid:
            other = self._followed[run]
            if self.shown_axis in other.axes and TICKET in other.arms:
                curves = other.curves(metric, other.seed, *how)
                name = f"{run.name}, seed {other.seed}"
                key = (run.name, TICKET, 0)
                found += [replace(one, key=key, name=name, together=name) for one in curves if one.key[1] == TICKET]
        return found

    @property
    def doing(self) -> str:
        """What runs now, in words."""
        if self._focus is None:
            return ""
        if self._focus.problem:
            return self._focus.problem
        progress = self._focus.progress
        if self.state != "running" or progress is None:
            done = f", {progress.done} of {progress.trainings} trainings" if progress and progress.trainings else ""
            return f"{self.state}{done}" + (f": {self._focus.said}" if self._focus.said else "")
        if progress.step is None:
            return "running, between two steps"
        words = step_words(progress.step.get("label", {}), progress.step.get("kind", "train"))
        if progress.iterations:
            what = "draw" if progress.step.get("kind") == "sample" else "iteration"
            words += f" · {what} {progress.iteration:,} of {progress.iterations:,}"
        if progress.concurrent_steps:
            words += f" · and {len(progress.concurrent_steps)} more"
        return words

    @property
    def fraction(self) -> float | None:
        """How much of the run is done; None where nothing says it."""
        if self.state == "done":
            return 1.0
        progress = self._progress
        return min(1.0, progress.completed / progress.trainings) if progress and progress.trainings else None

    @property
    def left(self) -> str:
        """When the run will be through: 'ETA 12:30'; '' where it does not run, or nothing is known."""
        seconds = self._progress.seconds_left if self._progress is not None and self.state == "running" else None
        return "" if seconds is None else f"ETA {clock(seconds)}"

    @property
    def _progress(self) -> Progress | None:
        return None if self._focus is None else self._focus.progress

    def csv(self) -> str:
        """What is shown as CSV: a row an evaluation, as measured."""
        buffer = io.StringIO()
        writer = CsvWriter(buffer)
        measured = ["iteration", "loss", *METRICS]
        names = ["iteration", "training_loss", *(f"validation_{metric}" for metric in METRICS)]
        writer.writerow(["run", "arm", "seed", "replicate", "chain", "level", "density", "seconds", *names])
        for run, followed in self._followed.items():
            focus = run == self.run
            for training in followed.of_seed(self.seed if focus else followed.seed):
                arm, label = arm_of(training), training.label
                if arm not in self.hidden if focus else arm == TICKET:
                    number = ["", number_of(training)] if is_chain(training) else [number_of(training), ""]
                    whose = [run.name, arm.key, label["seed"], *number, level_of(training)]
                    for point, second in zip(training.points, training.seconds, strict=True):
                        values = [point.get(name, "") for name in measured]
                        writer.writerow([*whose, label.get("density", ""), f"{second:.3f}", *values])
        return buffer.getvalue()
