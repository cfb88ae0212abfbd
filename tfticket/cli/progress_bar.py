"""The command line's progress bar: the present step, trainings done, and time left."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from tfticket.listener import Listener, ProgressCounter
from tfticket.runs.progress import COUNTED, clock
from tfticket.runs.summary import step_words
from tfticket.text import one_line, plain


class WaitNotice(Listener):
    """Silent, but for a wait that only the user can end."""

    def __enter__(self) -> "WaitNotice":
        return self

    def __exit__(self, *_: object) -> None: ...

    def waiting(self, reason: str) -> None:
        Console(stderr=True).print(Text(plain(reason)))


class ProgressBar(ProgressCounter):
    """Counts trainings, and parts of them."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)
            ),  # cut where there is no room
            BarColumn(bar_width=14),
            TextColumn("{task.fields[counted]}"),
            TextColumn("{task.fields[eta]}"),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("starting", total=None, eta="", counted="", visible=False)

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(
        self, kind: str, folder: str, label: Mapping[str, Any], others: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        super().started(kind, folder, label, others)
        if kind in (*COUNTED, "evaluate"):
            density = label.get("density")
            left = f" · {density:.1%} left" if density is not None else ""
            self._progress.update(self._task, description=one_line(step_words(label, kind)) + left)

    def waiting(self, reason: str) -> None:
        self._progress.console.print(Text(plain(reason)))

    def stopping(self) -> None:
        self._progress.console.print("Stopping at the next checkpoint; again: at once")

    def note(self, text: str) -> None:
        self._progress.console.print(Text(plain(text)))

    def changed(self) -> None:
        """Draw the count."""
        eta, done = self.state.seconds_left, f"{self.state.completed:.1f}".removesuffix(".0")
        counted = "trainings and chains" if self.state.chains else "trainings"
        self._progress.update(
            self._task,
            total=self.state.trainings,
            completed=self.state.completed,
            eta="" if eta is None else f"ETA {clock(eta)}",
            counted=f"{done}/{self.state.trainings} {counted}",
            visible=self.state.trainings is not None,
        )
