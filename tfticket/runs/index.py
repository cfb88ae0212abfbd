"""All runs of a workspace at a glance, from a database that is derived from their folders.

``index.sqlite`` spares reading again what has not changed. It can be deleted at any time, also while it is in use;
one that is damaged or of another version is made anew. Several processes may use it at once: transactions are
short, and what cannot be written now is kept in memory and written later. The folders alone are the truth.
"""

import itertools
import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfticket.arms import TICKET
from tfticket.errors import InputError
from tfticket.runs.database import Database, Result, Row
from tfticket.runs.progress import PROGRESS
from tfticket.runs.records import checked
from tfticket.runs.run_folder import CONFIG, MANIFEST, STATUS, Step, read_steps, state_of, steps_of
from tfticket.runs.schemas import Count, Facts, FolderName
from tfticket.runs.step_files import RESULT
from tfticket.runs.summary import (
    RunSummary,
    config_facts,
    facts_of,
    last_change,
    progress_facts,
    status_facts,
    summarise,
)

__all__ = ["FILE", "Index", "RunSummary"]

FILE = "index.sqlite"

Stamps = dict[str, list[int]]
"""File -> what its last change is known by. Files that are not there are left out."""

_READERS = {STATUS: status_facts, CONFIG: config_facts, PROGRESS: progress_facts}
_WATCHED = (*_READERS, MANIFEST, "lease.json")


@dataclass(frozen=True)
class _Entry:
    """A run in the index: the stamps of its files, their contents, and its state."""

    stamps: Stamps
    facts: dict[str, Facts]
    state: str
    summary: RunSummary

    @classmethod
    def make(cls, folder: Path, stamps: Stamps, facts: dict[str, Facts], state: str) -> "_Entry":
        changed = max(times[0] for times in stamps.values()) / 1e9
        return cls(stamps, facts, state, summarise(folder, changed, state, facts))


class Index:
    """The runs of a workspace. It may be handed from thread to thread, but one at a time may use it.

    Args:
        workspace: Its folder, which need not be there.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace.absolute()
        self._runs = self._workspace / "runs"
        self._database = Database(self._workspace / FILE)
        self._entries: dict[str, _Entry] = {}
        self._numbers: dict[str, int] = {}
        self._unsaved: set[str] = set()
        self._catch_up()

    def runs(self) -> list[RunSummary]:
        """Return the runs in the database, the newest first, without reading folders."""
        self._catch_up()
        return self._summaries()

    def refresh(self) -> list[RunSummary]:
        """Look at the folders, read what changed, forget what vanished; the newest first."""
        self._catch_up()
        folders = _look(str(self._runs))
        if folders is None:
            return self._summaries()
        for name in self._entries.keys() - folders.keys():
            del self._entries[name]
            self._unsaved.add(name)
        for name, stamps in folders.items():
            old = self._entries.get(name)
            new = self._again(self._runs / name, stamps, old)
            if new is not old:
                self._entries[name] = new
                self._unsaved.add(name)
        self._count()
        self._save()
        return self._summaries()

    @property
    def numbers(self) -> dict[Path, int]:
        """Folder -> a number that the run keeps and no other has, from 0; of one that vanished it goes to the next."""
        return {self._runs / name: number for name, number in self._numbers.items()}

    def close(self) -> None:
        """Close the database; the index is not to be used any more."""
        self._database.close()

    def _summaries(self) -> list[RunSummary]:
        runs = (entry.summary for entry in self._entries.values())
        return sorted(runs, key=lambda run: (run.started, run.folder), reverse=True)

    def _count(self) -> None:
        """Number the runs that have no number yet, in the order in which they began."""
        self._numbers = {name: number for name, number in self._numbers.items() if name in self._entries}
        free = (number for number in itertools.count() if number not in self._numbers.values())
        new = self._entries.keys() - self._numbers.keys()
        for name in sorted(new, key=lambda name: (self._entries[name].summary.started, name)):
            self._numbers[name] = next(free)

    def _catch_up(self) -> None:
        """Take over what other processes wrote; into a new database goes all that is known."""
        if self._database.is_gone():
            self._database.open()
            self._unsaved |= self._entries.keys()
        rows = self._database.news()
        if rows is not None:
            kept = {name: self._entries[name] for name in self._unsaved & self._entries.keys()}
            counted = {name: number for name, number in self._numbers.items() if name in kept}
            self._numbers = {}
            self._entries = self._decoded(rows) | kept
            self._numbers |= counted

    def _decoded(self, rows: Iterable[Row]) -> dict[str, _Entry]:
        entries = {}
        for name, stamps, facts, state, counted in rows:
            # What is not ours is read again.
            with suppress(AttributeError, InputError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
                known = checked(json.loads(name), FolderName, FILE)
                number = checked(counted, Count, FILE)
                if known not in self._unsaved:
                    times = checked(json.loads(stamps), Stamps, FILE)
                    contents = checked(json.loads(facts), dict[str, Facts], FILE)
                    entries[known] = _Entry.make(self._runs / known, times, contents, state)
                self._numbers[known] = number
        return entries

    def _save(self) -> None:
        """Write what is not written yet, if that can be done now."""
        rows: list[Row] = []
        for name in self._unsaved & self._entries.keys():
            entry = self._entries[name]
            rows.append(
                (_key(name), json.dumps(entry.stamps), json.dumps(entry.facts), entry.state, self._numbers[name])
            )
        if self._database.save(rows, [_key(name) for name in self._unsaved - self._entries.keys()]):
            self._unsaved.clear()

    def _again(self, folder: Path, stamps: Stamps, old: _Entry | None) -> _Entry:
        """A run as it is now; the same object where nothing changed."""
        missing = None if old is None else old.facts[MANIFEST].get("missing")
        if missing is not None and (steps_of(folder) / missing / RESULT).exists():  # as where a workspace is copied
            old = None
        if old is not None and old.stamps == stamps:
            # A killed run goes on only with a new lease, which would have been seen.
            state = state_of(folder, old.state)
            return old if state == old.state else _Entry.make(folder, stamps, old.facts, state)
        facts = {}
        for name, read in {**_READERS, MANIFEST: self._outcome}.items():
            same = old is not None and old.stamps.get(name) == stamps.get(name)
            facts[name] = old.facts[name] if old is not None and same else facts_of(read, folder, name)
        return _Entry.make(folder, stamps, facts, state_of(folder, facts[STATUS].get("state", "running")))

    def _outcome(self, folder: Path) -> Facts:
        """The sparsest evaluated ticket: its level; density, accuracy and NLL as means over seeds.

        Under 'missing' a sparser one, or one of another seed, whose result is not there.
        """
        facts: Facts = {}
        for level, steps in sorted(_evaluations(folder).items(), reverse=True):
            results = [self._result(step) for step in steps]
            for step, result in zip(steps, results, strict=True):
                if result is None and not step.is_done:
                    facts.setdefault("missing", step.path.name)
            if known := [result for result in results if result is not None]:
                density, accuracy, nll = (sum(values) / len(known) for values in zip(*known, strict=True))
                return {**facts, "level": level, "density": density, "accuracy": accuracy, "nll": nll}
        return facts

    def _result(self, step: Step) -> Result | None:
        """Density, accuracy and NLL of an evaluation, read once, since results never change; None if unreadable."""
        known = self._database.result(step.path.name)
        if known is None:
            with suppress(InputError, KeyError):
                metrics = step.result["validation"]
                known = step.result["density"], metrics["accuracy"], metrics["nll"]
                if not all(map(math.isfinite, known)):
                    return None
                self._database.results[step.path.name] = known
        return known


def _evaluations(folder: Path) -> dict[int, list[Step]]:
    """Level -> the evaluations of its tickets, as a run's manifest says."""
    levels: dict[int, list[Step]] = {}
    for step in read_steps(folder):
        level = step.label.get("level")
        if step.kind == "evaluate" and step.label.get("arm") == TICKET and level is not None:
            levels.setdefault(level, []).append(step)
    return levels


def _look(runs: str) -> dict[str, Stamps] | None:
    """The run folders, with their files as they are now; a folder without any of a run's files is none.

    None: they cannot be looked at now.
    """
    runs_found = {}
    try:
        with os.scandir(runs) as folders:
            for folder in folders:
                files = {name: last_change(f"{folder.path}/{name}") for name in _WATCHED}
                stamps = {name: times for name, times in files.items() if times}
                if stamps.keys() - {"lease.json"}:
                    runs_found[folder.name] = stamps
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:  # a disk that does not answer: nothing is known of it
        return None
    return runs_found


def _key(name: str) -> str:
    """A folder's name as the database keeps it: JSON, since bytes that are no UTF-8 would not go in."""
    return json.dumps(name)
