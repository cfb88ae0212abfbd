"""Who hears how a run goes: nobody, a terminal, the run's folder."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfticket.runs.progress import Progress, now, write_progress


class Listener:
    """Hears how a run goes. This one is deaf."""

    def expect(self, trainings: int) -> None:
        """The experiment will ask for so many trainings."""

    def started(self, kind: str, folder: str, label: Mapping[str, Any]) -> None:
        """A step begins to compute, in a folder of this name."""

    def note(self, text: str) -> None:
        """Something that a user should know of a result."""

    def waiting(self, reason: str) -> None:
        """Another process computes the next step; the run waits for it."""

    def progress(self, done: int, total: int) -> None:
        """The step is at this iteration."""

    def finished(self, kind: str, computed: bool) -> None:
        """A step is done; ``computed`` is False where it was found finished."""


class Tally(Listener):
    """Counts trainings and parts of them. What is done with the count is ``changed``'s matter."""

    def __init__(self) -> None:
        self.state = Progress()

    def changed(self) -> None:
        """The state is new."""

    def _set(self, **changes: Any) -> None:
        self.state = self.state.at(now(), **changes)
        self.changed()

    def expect(self, trainings: int) -> None:
        self._set(trainings=trainings)

    def started(self, kind: str, folder: str, label: Mapping[str, Any]) -> None:
        training = {"fraction": 0.0, "iteration": 0, "iterations": 0, "began": self.state.began or now()}
        step = {"kind": kind, "folder": folder, "label": dict(label)}
        self._set(step=step, **(training if kind == "train" else {}))

    def progress(self, done: int, total: int) -> None:
        self._set(fraction=done / total, iteration=done, iterations=total)

    def finished(self, kind: str, computed: bool) -> None:
        if kind == "train":
            counts = {"done": self.state.done + 1, "computed": self.state.computed + computed}
            self._set(**counts, fraction=0.0, iteration=0, iterations=0, step=None)
        elif computed:
            self._set(step=None)


class Recorder(Tally):
    """Keeps the count in the run's folder, and tells another listener everything.

    Args:
        folder: The run's.
        other: Who hears as well.
        pause: At least so many seconds between two writings; a new step is written at once.
    """

    def __init__(self, folder: Path, other: Listener, pause: float = 0.5) -> None:
        super().__init__()
        self._folder, self._other, self._pause = folder, other, pause
        self._written = Progress()

    def changed(self) -> None:
        """Write, unless it has just been done."""
        same = self.state.step == self._written.step and self.state.trainings == self._written.trainings
        if same and abs(self.state.updated - self._written.updated) < self._pause:  # also if the clock was set back
            return
        self.close()

    def close(self) -> None:
        """Write what is not written yet."""
        if self.state == self._written:
            return
        with suppress(OSError):  # a full disk ends the run where results are written, not here
            write_progress(self._folder, self.state)
        self._written = self.state

    def expect(self, trainings: int) -> None:
        super().expect(trainings)
        self._other.expect(trainings)

    def started(self, kind: str, folder: str, label: Mapping[str, Any]) -> None:
        super().started(kind, folder, label)
        self._other.started(kind, folder, label)

    def note(self, text: str) -> None:
        self._other.note(text)

    def waiting(self, reason: str) -> None:
        self._other.waiting(reason)

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        self._other.progress(done, total)

    def finished(self, kind: str, computed: bool) -> None:
        super().finished(kind, computed)
        self._other.finished(kind, computed)
