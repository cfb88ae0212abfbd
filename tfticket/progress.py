"""The command line's progress bar: what runs now, how far the run is, when it will end."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tfticket.lab import Handle, Listener


class WaitingTold(Listener):
    """Silent, but for a wait that only the user can end."""

    def __enter__(self) -> "WaitingTold":
        return self

    def __exit__(self, *_: object) -> None: ...

    def waiting(self, reason: str) -> None:
        Console(stderr=True).print(reason)


class ProgressBar(Listener):
    """Counts trainings, and parts of them; the ETA comes from those computed now, not from those found done."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:.1f}/{task.total:.0f} trainings"),
            TextColumn("{task.fields[eta]}"),
            console=console,
        )
        self._task = self._progress.add_task("starting", total=None, eta="", visible=False)
        self._done = 0
        self._total = 0
        self._computed = 0
        self._fraction = 0.0
        self._training = False
        self._began: float | None = None

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, trainings: int) -> None:
        self._total = trainings
        self._progress.update(self._task, total=trainings, visible=True)

    def started(self, kind: str, label: Mapping[str, Any]) -> None:
        self._training = kind == "train"
        if self._training:
            self._began = self._began or time.monotonic()
            self._fraction = 0.0
            what = f"seed {label.get('seed')} · {label.get('arm')} · level {label.get('level')}"
            density = label.get("density")
            self._show(what + (f" · {density:.1%} left" if density is not None else ""))

    def waiting(self, reason: str) -> None:
        self._progress.console.print(reason)

    def note(self, text: str) -> None:
        self._progress.console.print(text)

    def progress(self, done: int, total: int) -> None:
        self._fraction = done / total
        self._show()

    def finished(self, handle: Handle, computed: bool) -> None:
        if handle.kind == "train":
            self._done += 1
            self._computed += computed
            self._fraction = 0.0
            self._show()

    def _show(self, description: str | None = None) -> None:
        completed = self._done + self._fraction
        work = self._computed + self._fraction
        eta = ""
        if self._began is not None and work > 0:
            seconds = (time.monotonic() - self._began) / work * (self._total - completed)
            minutes, rest = divmod(round(seconds), 60)
            eta = f"ETA {minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"ETA {minutes}:{rest:02d}"
        fields: dict[str, Any] = {"completed": completed, "eta": eta}
        if description is not None:
            fields["description"] = description
        self._progress.update(self._task, **fields)
