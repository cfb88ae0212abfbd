"""The workspace shown in the window: its runs, the run in focus, and the overlaid runs."""

import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfticket.errors import InputError
from tfticket.runs.index import Index, RunSummary
from tfticket.runs.progress import clock
from tfticket.runs.records import record_or_problem
from tfticket.runs.run_folder import STATUS
from tfticket.runs.schemas import Status
from tfticket.text import one_line, plain

from .signal import Signal

STATE_SYMBOLS = {"running": "▶", "done": "✓", "stopped": "■", "failed": "✗", "killed": "⚡", "damaged": "?"}
"""Symbol of each state, shown beside the word."""

_COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#AA7700", "#AA3377", "#2299BB",
    "#8833FF", "#CC3311", "#009988", "#882255", "#6655CC", "#99AA00",
    "#FF33BB", "#5522EE", "#999955", "#9911BB", "#995533", "#5599FF",
    "#DD77DD", "#FF1177", "#775599", "#BB7799", "#1155FF", "#E06600",
)  # fmt: skip
"""Visible on white and on dark grey. The first twelve are safe for colour-blind readers (Tol, some darkened)."""


@dataclass(frozen=True)
class Problem:
    """Something that went wrong.

    Attributes:
        details: Full report, such as a traceback.
        run: Folder of the run, if a run failed.
    """

    title: str
    details: str
    run: Path | None = None


class WorkspaceModel:
    """Runs of a folder, updated by ``poll``.

    Attributes:
        runs: Runs, newest first.
        runs_changed: Emitted when the list or one of its rows changes.
        focus_changed: Emitted when another run, or none, is in focus.
        overlay_changed: Emitted when other runs are overlaid.
        problem_found: Emitted with a ``Problem`` when a run fails or the folder of the run in focus disappears.
        focus_is_lost: True from when the folder in focus disappeared until another run is in focus.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.runs: list[RunSummary] = []
        self.overlaid: list[Path] = []
        self.runs_changed, self.focus_changed, self.overlay_changed, self.problem_found = (Signal() for _ in range(4))
        self.focus_is_lost = False
        self._focus: Path | None = None
        self._index: Index | None = None
        self._states: dict[Path, tuple[str, float]] | None = None
        self._numbers: dict[Path, int] = {}
        self._names: Counter[str] = Counter()

    def open(self, folder: Path) -> None:
        """Show another workspace: the indexed runs immediately, their folders at the next ``poll``.

        Raises:
            InputError: The path is not a folder.
        """
        folder = folder.absolute()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; a workspace is a folder.", field="folder")
        self.close()
        self.folder, self._index = folder, Index(folder)
        self._set_runs(self._index.runs(), self._index.numbers)
        self.runs_changed.emit()
        self.focus_changed.emit()
        self.overlay_changed.emit()

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
        self.folder, self._index, self._focus, self._states = None, None, None, None
        self._set_runs([], {})
        self.overlaid, self.focus_is_lost = [], False

    def poll(self) -> bool:
        """Read the folders; return True if anything changed. Runs that failed since the last call are reported."""
        if self._index is None:
            return False
        runs = self._index.refresh()
        states = {run.folder: (run.state, run.updated) for run in runs}
        lost = self.focused if self._focus not in states else None
        before = states if self._states is None else self._states
        failed = [run for run in runs if run.state == "failed" and before.get(run.folder) != states[run.folder]]
        self._states = states
        changed = runs != self.runs
        self._set_runs(runs, self._index.numbers)
        if left := set(self.overlaid) - set(states):
            self.overlaid = [folder for folder in self.overlaid if folder not in left]
            self.overlay_changed.emit()
        if self._focus is not None and self._focus not in states:
            self.focus(None)
            self.focus_is_lost = bool(runs)
        if changed:
            self.runs_changed.emit()
        for run in failed:
            self.problem_found.emit(run_problem(run, self.title(run)))
        if lost is not None:
            details = (
                f"It was renamed, moved or deleted outside this window:\n{lost.folder}\nSelect a run in the table."
            )
            self.problem_found.emit(Problem(f"The run's folder is gone: {lost.folder.name}", details))
        return changed

    def _set_runs(self, runs: list[RunSummary], numbers: dict[Path, int]) -> None:
        self.runs, self._numbers = runs, numbers
        self._names = Counter(run.name for run in runs)

    def title(self, run: RunSummary) -> str:
        """Return a run's name; the folder's name, which ends in a hash, if several runs share it."""
        return run.name if self._names[run.name] < 2 else one_line(run.folder.name)

    @property
    def focused(self) -> RunSummary | None:
        return self.run_at(self._focus)

    def run_at(self, folder: Path | None) -> RunSummary | None:
        return next((run for run in self.runs if run.folder == folder), None)

    def focus(self, folder: Path | None) -> None:
        if folder != self._focus:
            self._focus, self.focus_is_lost = folder, False
            self.focus_changed.emit()

    def set_overlaid(self, folder: Path, shown: bool) -> None:
        if shown != (folder in self.overlaid):
            self.overlaid = [*self.overlaid, folder] if shown else [run for run in self.overlaid if run != folder]
            self.overlay_changed.emit()

    def clear_overlay(self) -> None:
        if self.overlaid:
            self.overlaid = []
            self.overlay_changed.emit()

    @property
    def shown(self) -> list[Path]:
        """Folders of the plotted runs: the one in focus, then the overlaid ones."""
        first = [] if self._focus is None else [self._focus]
        return first + [run for run in self.overlaid if run != self._focus]

    def colour(self, folder: Path) -> str:
        """Return a run's constant colour; plotted runs differ even among more than two dozen."""
        together = list(dict.fromkeys([*self.overlaid, *self.shown]))
        if folder not in together:
            return run_colour(self._numbers.get(folder, 0))
        numbers = [self._numbers.get(run, 0) for run in together]
        return distinct_colours(numbers)[together.index(folder)]

    def status_line(self) -> str:
        """Return the status line: number of runs by state, remaining time, free disk space."""
        if self.folder is None:
            return ""
        counts = [(sum(run.state == state for run in self.runs), state) for state in STATE_SYMBOLS]
        parts = [", ".join(f"{count} {state}" for count, state in counts if count) or "no runs yet"]
        left = [run.seconds_left for run in self.runs if run.state == "running" and run.seconds_left is not None]
        parts += [f"ETA {clock(max(left))}"] if left else []
        with suppress(OSError):  # a disk that does not respond
            existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
            parts.append(f"{shutil.disk_usage(existing).free / 1e9:.0f} GB free")
        return "  |  ".join(parts)


def run_colour(number: int) -> str:
    """Return the colour of the run with this number, '#rrggbb'; colours repeat after twenty-four runs."""
    return _COLOURS[number % len(_COLOURS)]


def distinct_colours(numbers: Sequence[int]) -> list[str]:
    """Return the colours of runs shown together; a run whose colour is taken gets the next free one."""
    colours: list[str] = []
    for number in numbers:
        candidates = [run_colour(number + step) for step in range(len(_COLOURS))]
        colours.append(next((colour for colour in candidates if colour not in colours), candidates[0]))
    return colours


def run_problem(run: RunSummary, title: str = "") -> Problem:
    """Return why a run failed, with its traceback; the title begins with ``title`` or the run's name."""
    status, problem = record_or_problem(run.folder / STATUS, Status)
    message, details = problem, ""
    if status is not None:
        message, details = status.get("message", ""), status.get("traceback", "")
    message = message or run.message or run.state
    return Problem(f"{title or run.name}: {one_line(message.splitlines()[0])}", plain(details or message), run.folder)


def matches_filter(run: RunSummary, text: str) -> bool:
    """Return True if every word of a filter occurs in a run's name, state or step; 'state=failed' names the field."""
    fields = {
        "name": run.name,
        "folder": run.folder.name,
        "state": run.state,
        "experiment": run.experiment,
        "doing": run.doing,
        "level": "" if run.level is None else str(run.level),
    }
    for word in text.casefold().split():
        key, equals, value = word.partition("=")
        if equals and key in fields:
            if value not in fields[key].casefold():
                return False
        elif not any(word in field.casefold() for field in fields.values()):
            return False
    return True
