"""Listeners of a run's progress: a silent one, a counter, and one that writes to the run's folder."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import time as now
from typing import Any

from tfticket.runs.progress import COUNTED, Progress, write_progress


class Listener:
    """Receives the progress of a run; this base class ignores it."""

    def expect(self, trainings: int, chains: int = 0) -> None:
        """The experiment will ask for so many trainings, chains among them."""

    def started(
        self, kind: str, folder: str, label: Mapping[str, Any], others: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        """A step begins to compute, in a folder of this name; ``others``: folder and label of concurrent steps."""

    def note(self, text: str) -> None:
        """Something that a user should know of a result."""

    def waiting(self, reason: str) -> None:
        """Another process computes the next step; the run waits for it."""

    def stopping(self) -> None:
        """The user asked to stop; called in a thread."""

    def progress(self, done: int, total: int, first: int = 0) -> None:
        """The step has made progress; for concurrent steps, in sum."""

    def finished(self, kind: str, computed: bool) -> None:
        """A step is done; ``computed`` is False where it was found finished."""


class ProgressCounter(Listener):
    """Counts trainings and parts of them; subclasses override ``changed``."""

    def __init__(self) -> None:
        self.state = Progress()
        self._new = 1.0
        """How much of a present step is computed since the run began or went on, 0 to 1."""

    def changed(self) -> None:
        """The state is new."""

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, updated=now(), **changes)
        self.changed()

    def expect(self, trainings: int, chains: int = 0) -> None:
        self._set(trainings=trainings, chains=chains)

    def started(
        self, kind: str, folder: str, label: Mapping[str, Any], others: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        present: dict[str, Any] = {}
        if kind in COUNTED:
            moment = now()
            present["began"] = self.state.began or moment
            present["chain_began"] = moment if kind == "sample" else None
        step, *concurrent = [
            {"kind": kind, "folder": name, "label": dict(given)} for name, given in ((folder, label), *others)
        ]
        self._new = 1.0
        self._set(**_NOTHING | present | {"step": step, "concurrent_steps": concurrent})

    def progress(self, done: int, total: int, first: int = 0) -> None:
        present: dict[str, Any] = {}
        if self.state.step is not None and self.state.step["kind"] in COUNTED:
            present = {"fraction": done / total, "before": first / total}
            self._new = 1 - first / total
        at_once = 1 + len(self.state.concurrent_steps)
        self._set(iteration=done // at_once, iterations=total // at_once, **present)

    def finished(self, kind: str, computed: bool) -> None:
        if kind in COUNTED:
            new = self._new if computed else 0
            counts = {"done": self.state.done + 1, "computed": self.state.computed + new}
            if kind == "sample":
                counts["chains_done"] = self.state.chains_done + 1
                counts["chains_computed"] = self.state.chains_computed + new
            if self.state.chain_began is not None:
                counts["chain_seconds"] = self.state.chain_seconds + now() - self.state.chain_began
            self._set(**_NOTHING | counts, chain_began=None)
        elif computed:
            self._set(**_NOTHING)


_NOTHING: dict[str, Any] = {
    "fraction": 0.0,
    "before": 0.0,
    "iteration": 0,
    "iterations": 0,
    "step": None,
    "concurrent_steps": [],
}
"""What a state says of the present step where there is none."""


class Recorder(ProgressCounter):
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

    def expect(self, trainings: int, chains: int = 0) -> None:
        super().expect(trainings, chains)
        self._other.expect(trainings, chains)

    def started(
        self, kind: str, folder: str, label: Mapping[str, Any], others: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        super().started(kind, folder, label, others)
        self._other.started(kind, folder, label, others)

    def note(self, text: str) -> None:
        self._other.note(text)

    def waiting(self, reason: str) -> None:
        self._other.waiting(reason)

    def stopping(self) -> None:
        self._other.stopping()

    def progress(self, done: int, total: int, first: int = 0) -> None:
        super().progress(done, total, first)
        self._other.progress(done, total, first)

    def finished(self, kind: str, computed: bool) -> None:
        super().finished(kind, computed)
        self._other.finished(kind, computed)
