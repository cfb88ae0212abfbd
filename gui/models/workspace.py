"""The workspace that the window shows: its runs, the one in focus, those laid over it."""

import shutil
from collections import Counter
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

from .colours import colour_of, colours_of
from .signal import Signal

SIGNS = {"running": "▶", "done": "✓", "stopped": "■", "failed": "✗", "killed": "⚡", "damaged": "?"}
"""A sign for each state; the word stands beside it."""


@dataclass(frozen=True)
class Problem:
    """Something that went wrong.

    Attributes:
        title: One line.
        details: All that is known, such as a traceback.
        run: The run's folder, if it is a run's.
    """

    title: str
    details: str
    run: Path | None = None


class WorkspaceModel:
    """Runs of a folder, looked at again by ``poll``.

    Attributes:
        runs_changed: The list or a row of it is new.
        focus_changed: Another run is in focus, or none.
        eyes_changed: Other runs are laid over.
        problem_found: A run failed, or the folder of that in focus is gone: called with a ``Problem``.
        has_lost: Whether the folder of the run in focus went, and none was put in focus since.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.runs: list[RunSummary] = []
        self.eyes: list[Path] = []
        self.runs_changed, self.focus_changed, self.eyes_changed, self.problem_found = (Signal() for _ in range(4))
        self.has_lost = False
        self._focus: Path | None = None
        self._index: Index | None = None
        self._states: dict[Path, tuple[str, float]] | None = None
        self._numbers: dict[Path, int] = {}
        self._names: Counter[str] = Counter()

    def open(self, folder: Path) -> None:
        """Show another workspace; what the index knows comes at once, the folders at the next ``poll``.

        Raises:
            InputError: Not a folder.
        """
        folder = folder.absolute()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; a workspace is a folder.")
        self.close()
        self.folder, self._index = folder, Index(folder)
        self._take(self._index.runs(), self._index.numbers)
        self.runs_changed.emit()
        self.focus_changed.emit()
        self.eyes_changed.emit()

    def close(self) -> None:
        """Show nothing."""
        if self._index is not None:
            self._index.close()
        self.folder, self._index, self._focus, self._states = None, None, None, None
        self._take([], {})
        self.eyes, self.has_lost = [], False

    def poll(self) -> bool:
        """Look at the folders; whether anything is new. Runs that have failed since the last look are told."""
        if self._index is None:
            return False
        runs = self._index.refresh()
        states = {run.folder: (run.state, run.updated) for run in runs}
        lost = self.focused if self._focus not in states else None
        before = states if self._states is None else self._states
        failed = [run for run in runs if run.state == "failed" and before.get(run.folder) != states[run.folder]]
        self._states = states
        changed = runs != self.runs
        self._take(runs, self._index.numbers)
        if left := set(self.eyes) - set(states):
            self.eyes = [folder for folder in self.eyes if folder not in left]
            self.eyes_changed.emit()
        if self._focus is not None and self._focus not in states:
            self.focus(None)
            self.has_lost = bool(runs)
        if changed:
            self.runs_changed.emit()
        for run in failed:
            self.problem_found.emit(problem_of(run, self.title(run)))
        if lost is not None:
            self.problem_found.emit(_gone(lost))
        return changed

    def _take(self, runs: list[RunSummary], numbers: dict[Path, int]) -> None:
        self.runs, self._numbers = runs, numbers
        self._names = Counter(run.name for run in runs)

    def title(self, run: RunSummary) -> str:
        """What a run is called: its name; its folder's, which ends in a hash, where another has the same name."""
        return run.name if self._names[run.name] < 2 else one_line(run.folder.name)

    @property
    def focused(self) -> RunSummary | None:
        """The run in focus."""
        return self.run_at(self._focus)

    def run_at(self, folder: Path | None) -> RunSummary | None:
        """The run in a folder."""
        return next((run for run in self.runs if run.folder == folder), None)

    def focus(self, folder: Path | None) -> None:
        """Put a run in focus, or none."""
        if folder != self._focus:
            self._focus, self.has_lost = folder, False
            self.focus_changed.emit()

    def set_eye(self, folder: Path, shown: bool) -> None:
        """Lay a run over the others, or no more."""
        if shown != (folder in self.eyes):
            self.eyes = [*self.eyes, folder] if shown else [eye for eye in self.eyes if eye != folder]
            self.eyes_changed.emit()

    def clear_eyes(self) -> None:
        """Lay no run over."""
        if self.eyes:
            self.eyes = []
            self.eyes_changed.emit()

    @property
    def shown(self) -> list[Path]:
        """The runs of a plot: that in focus, then those laid over."""
        first = [] if self._focus is None else [self._focus]
        return first + [eye for eye in self.eyes if eye != self._focus]

    def colour(self, folder: Path) -> str:
        """The run's colour, which it keeps; of more than two dozen runs those that are shown still differ."""
        together = list(dict.fromkeys([*self.eyes, *self.shown]))
        if folder not in together:
            return colour_of(self._numbers.get(folder, 0))
        numbers = [self._numbers.get(run, 0) for run in together]
        return colours_of(numbers)[together.index(folder)]

    def status(self) -> str:
        """The status line: what runs, until when, and the room that is left."""
        if self.folder is None:
            return ""
        counts = [(sum(run.state == state for run in self.runs), state) for state in SIGNS]
        parts = [", ".join(f"{count} {state}" for count, state in counts if count) or "no runs yet"]
        left = [run.seconds_left for run in self.runs if run.state == "running" and run.seconds_left is not None]
        parts += [f"ETA {clock(max(left))}"] if left else []
        with suppress(OSError):  # a disk that does not answer
            there = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
            parts.append(f"{shutil.disk_usage(there).free / 1e9:.0f} GB free")
        return "  |  ".join(parts)


def problem_of(run: RunSummary, title: str = "") -> Problem:
    """Why a run failed, with its traceback; the run is called by its name, or by a title."""
    status, problem = record_or_problem(run.folder / STATUS, Status)
    message, details = problem, ""
    if status is not None:
        message, details = status.get("message", ""), status.get("traceback", "")
    message = message or run.message or run.state
    return Problem(f"{title or run.name}: {one_line(message.splitlines()[0])}", plain(details or message), run.folder)


def _gone(run: RunSummary) -> Problem:
    """A run was renamed, moved or deleted while it was in focus."""
    told = f"It was renamed, moved or deleted outside of this window:\n{run.folder}\nChoose a run in the table."
    return Problem(f"The run's folder is gone: {run.folder.name}", told)


def matches(run: RunSummary, text: str) -> bool:
    """Whether a run fits a filter: every word is in its name, state or what it does; 'state=failed' names where."""
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
