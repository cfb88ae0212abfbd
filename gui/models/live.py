"""The run in focus, live: curves of one seed by level, the present step, and overlaid runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tfticket.arms import TICKET, Arm
from tfticket.reports.tables.csv_files import csv_text
from tfticket.runs.progress import clock
from tfticket.runs.summary import step_words

from .followed import METRICS, Axis, Band, Curve, FollowedRun, arm_of, is_chain, level_of, number_of
from .reading import NO_RUN, empty_message
from .signal import PlotModel
from .workspace import run_colour

WAITING = "No measurements yet. The first values appear at the first evaluation."


class LiveModel(PlotModel):
    """Follows a run's trainings.

    Attributes:
        axis: Requested x axis; see ``shown_axis``.
        smoothing: From 0 (measured values) to below 1.
        log_loss: Whether the loss has a logarithmic axis.
        seconds_left: Remaining time of the run in focus, from the list of runs; None if unknown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.axis: Axis = "iteration"
        self.smoothing, self.log_loss, self.metric = 0.0, True, "accuracy"
        self.focus = FollowedRun(None)
        self.colours: dict[Path, str] = {}
        self.seconds_left: float | None = None
        self._selected_seed: int | None = None
        self._followed: dict[Path, FollowedRun] = {}

    def show(self, run: Path | None, overlaid: Sequence[Path] = (), colours: Mapping[Path, str] | None = None) -> None:
        """Follow another run, or none, and the tickets of the overlaid runs, in these colours."""
        if run != self.run:
            self._selected_seed = None
        folders = list(dict.fromkeys([run, *overlaid])) if run is not None else []
        self._followed = {folder: self._followed.get(folder) or FollowedRun(folder) for folder in folders}
        self.focus = FollowedRun(None) if run is None else self._followed[run]
        self.colours = {folder: (colours or {}).get(folder, run_colour(n)) for n, folder in enumerate(folders)}
        for followed in self._followed.values():
            followed.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Read new data; return True if there are any. A damaged or missing folder sets ``message``."""
        new = [followed for followed in self._followed.values() if followed.poll()]
        if new:
            self.changed.emit()
        return bool(new)

    @property
    def message(self) -> str:
        """Reason why no plot is shown; '' if one is."""
        if self.run is None:
            return NO_RUN
        if any(training.points for training in self.focus.trainings):
            return ""
        return self.focus.problem or empty_message(self.focus.state, self.focus.message, WAITING)

    @property
    def run(self) -> Path | None:
        return self.focus.run

    @property
    def overlaid(self) -> list[Path]:
        return list(self._followed)[1:]

    @property
    def seed(self) -> int | None:
        """Seed shown: the selected one, otherwise the one that trains or trained last."""
        return self._selected_seed if self._selected_seed in self.focus.seeds else self.focus.seed

    @property
    def follows_current(self) -> bool:
        """True if the view follows the seed that trains."""
        return self._selected_seed is None

    def choose_seed(self, seed: int | None) -> None:
        """Show a seed; None follows the one that trains."""
        self._selected_seed = seed
        self.changed.emit()

    @property
    def arm_names(self) -> dict[Arm, str]:
        return {arm: self.focus.name_of(arm) for arm in self.focus.arms}

    @property
    def metrics(self) -> list[str]:
        """Measured metrics, for the second plot."""
        names = {name for training in self.focus.trainings for point in training.points[:1] for name in point}
        return [name for name in METRICS if name in names]

    @property
    def shown_axis(self) -> Axis:
        """X axis shown: the requested one if the run records it."""
        return self.axis if self.axis in self.focus.axes else "iteration"

    @property
    def bands(self) -> list[Band]:
        """Levels of the seed shown, in order."""
        return self.focus.bands(self.seed, self.shown_axis)

    @property
    def has_chains(self) -> bool:
        """True if chains of samplers, whose iterations are draws, are shown."""
        shown = (step for step in self.focus.of_seed(self.seed) if arm_of(step) not in self.hidden)
        return any(map(is_chain, shown))

    @property
    def title(self) -> str:
        return "" if self.run is None else f"{self.run.name}, seed {self.seed}"

    def curves(self, metric: str) -> list[Curve]:
        """Return the curves of a metric ('loss' or one of ``metrics``) for the seed and arms shown.

        The tickets of the overlaid runs follow, with the seed that trains or trained last.
        """
        options: tuple[Axis, float] = (self.shown_axis, self.smoothing)
        curves = [c for c in self.focus.curves(metric, self.seed, *options) if c.key[1] not in self.hidden]
        for run in self.overlaid:
            other = self._followed[run]
            if self.shown_axis in other.axes and TICKET in other.arms:
                name, key = f"{run.name}, seed {other.seed}", (run.name, TICKET, 0)
                overlaid = (c for c in other.curves(metric, other.seed, *options) if c.key[1] == TICKET)
                curves += [replace(curve, key=key, name=name, group_name=name) for curve in overlaid]
        return curves

    @property
    def doing(self) -> str:
        """Present step of the run, in words."""
        focus, progress = self.focus, self.focus.progress
        if focus.problem:
            return focus.problem
        if focus.state != "running" or progress is None:
            done = f", {progress.done} of {progress.trainings} trainings" if progress and progress.trainings else ""
            return f"{focus.state}{done}" + (f": {focus.message}" if focus.message else "")
        if progress.step is None:
            return "running, between steps"
        words = step_words(progress.step.get("label", {}), progress.step.get("kind", "train"))
        if progress.iterations:
            unit = "draw" if progress.step.get("kind") == "sample" else "iteration"
            words += f" · {unit} {progress.iteration:,} of {progress.iterations:,}"
        if progress.concurrent_steps:
            words += f" · and {len(progress.concurrent_steps)} more"
        return words

    @property
    def fraction(self) -> float | None:
        """Finished fraction of the run; None if unknown."""
        if self.focus.state == "done":
            return 1.0
        progress = self.focus.progress
        return min(1.0, progress.completed / progress.trainings) if progress and progress.trainings else None

    @property
    def eta(self) -> str:
        """Remaining time: 'ETA 12:30'; '' if the run does not run or there is no estimate."""
        return "" if self.seconds_left is None or self.focus.state != "running" else f"ETA {clock(self.seconds_left)}"

    def set_seconds_left(self, seconds: float | None) -> None:
        """Set the remaining time: the same number as in the list of runs, which is read at other moments."""
        if seconds != self.seconds_left:
            self.seconds_left = seconds
            self.changed.emit()

    def csv(self) -> str:
        """Return the measured values of what is shown as CSV, one row per evaluation."""
        measured = ["iteration", "loss", *METRICS]
        names = ["iteration", "training_loss", *(f"validation_{metric}" for metric in METRICS)]
        rows = []
        for run, followed in self._followed.items():
            focus = run == self.run
            for training in followed.of_seed(self.seed if focus else followed.seed):
                arm, label = arm_of(training), training.label
                if arm not in self.hidden if focus else arm == TICKET:
                    number = ["", number_of(training)] if is_chain(training) else [number_of(training), ""]
                    identity = [run.name, arm.key, label["seed"], *number, level_of(training)]
                    for point, second in zip(training.points, training.seconds, strict=True):
                        values = [point.get(name, "") for name in measured]
                        rows.append([*identity, label.get("density", ""), f"{second:.3f}", *values])
        return csv_text(["run", "arm", "seed", "replicate", "chain", "level", "density", "seconds", *names], rows)
