"""A run as it goes on: its trainings' points and a log, read from its folder a little at a time."""

import math
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.events import EventReader
from tfticket.runs.progress import COUNTED, PROGRESS, read_progress
from tfticket.runs.run_folder import MANIFEST, read_steps, steps_from, steps_of
from tfticket.runs.step_files import RESULT
from tfticket.runs.summary import last_change, step_words
from tfticket.text import one_line

LOG_LINES = 2000
_LONGEST_LINE = 1000
"""Characters of a line of the log."""


@dataclass(frozen=True)
class Training:
    """One training of a run.

    Attributes:
        folder: Its step folder's name.
        label: arm, seed, level, density, the replicate of a control that has several, the number of a chain.
        points: The evaluations that still count, in order: iteration, loss, accuracy, nll and what else was recorded.
        seconds: How long it had trained at each of them, over all attempts; NaN where its diary does not tell.
        done: Whether it is finished.
    """

    folder: str
    label: Mapping[str, Any]
    points: tuple[dict[str, Any], ...] = ()
    seconds: tuple[float, ...] = ()
    done: bool = False


class RunFollower:
    """Follows a run, live or ended.

    Args:
        run: Its folder, in the 'runs' of a workspace.

    Attributes:
        trainings: In the run's order: those of its manifest, then those that are computed or were interrupted. One that
            several arms share, such as that of an unpruned network, is there for each of them.
    """

    def __init__(self, run: Path) -> None:
        self.trainings: list[Training] = []
        self._run = run.resolve()
        self._steps = steps_of(self._run)
        self._labels: dict[str, list[Mapping[str, Any]]] = {}
        self._seen: list[list[int]] = []
        self._steps_seen: list[int] = []
        self._now: set[str] = set()
        self._readers: dict[str, EventReader] = {}
        self._log: deque[str] = deque(maxlen=LOG_LINES)

    @property
    def log(self) -> list[str]:
        """The last 2,000 events of the trainings, a line each, the newest last."""
        return list(self._log)

    def poll(self) -> bool:
        """Read what was added since the last call; True where something is new.

        A training that is done is not looked at again until a step comes or goes: nothing more is written to it.
        """
        self._look()
        known: dict[str, list[Training]] = {}
        for training in self.trainings:
            known.setdefault(training.folder, []).append(training)
        settled = self._settled(known)
        done = {folder: folder in settled or self._is_done(folder) for folder in self._labels}
        self._readers = {folder: self._readers.get(folder) or self._reader(folder) for folder in self._labels}
        changed = {folder for folder, reader in self._readers.items() if folder not in settled and reader.poll()}
        if changed:
            self._tell([folder for folder in self._labels if folder in changed])
        trainings = [
            training
            for folder in self._labels
            for training in self._of(folder, known.get(folder, []), folder in changed, done[folder])
        ]
        same = [id(training) for training in trainings] == [id(training) for training in self.trainings]
        self.trainings = trainings
        return bool(changed) or not same

    def _settled(self, known: dict[str, list[Training]]) -> set[str]:
        """Trainings that were done at the last look and have not changed since."""
        stamp = last_change(str(self._steps))
        if stamp != self._steps_seen:
            self._steps_seen = stamp
            return set()
        return {folder for folder, (training, *_) in known.items() if training.done and folder not in self._now}

    def _look(self) -> None:
        """See which trainings the run has now, if its files changed. What a damaged one said before stays."""
        stamps = [last_change(f"{self._run}/{name}") for name in (MANIFEST, PROGRESS)]
        if stamps == self._seen:
            return
        try:
            finished = read_steps(self._run)
        except InputError:
            return
        progress = read_progress(self._run)
        present = steps_from(self._run, progress.steps if progress is not None else [])
        self._now = {step.path.name for step in present}
        self._labels = {}
        for step in [*finished, *present]:
            if step.kind in COUNTED and step.label not in (labels := self._labels.setdefault(step.path.name, [])):
                labels.append(step.label)
        self._seen = stamps

    def _reader(self, folder: str) -> EventReader:
        return EventReader(self._steps / folder / "events.jsonl")

    def _is_done(self, folder: str) -> bool:
        return os.path.exists(self._steps / folder / RESULT)  # noqa: PTH110 -- of many at every poll

    def _of(self, folder: str, before: Sequence[Training], changed: bool, done: bool) -> Iterator[Training]:
        """A folder's training as it is now, for each arm; the same objects where nothing changed."""
        if before and not changed:
            measured = before[0].points, before[0].seconds
        else:
            events = self._readers[folder].events
            points = [event for event in events if _is_point(event)]
            measured = tuple(points), tuple(_seconds(events))
        for label in self._labels[folder]:
            same = [training for training in before if (training.label, training.done) == (label, done)]
            yield same[0] if same and not changed else Training(folder, label, *measured, done)

    def _tell(self, folders: list[str]) -> None:
        """Add to the log what the diaries of some trainings said last, in the order in which it happened."""
        events = [(_moment(event), folder, event) for folder in folders for event in self._readers[folder].fresh]
        events.sort(key=lambda entry: entry[0])
        for moment, folder, event in events[-LOG_LINES:]:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
            text = one_line(f"{step_words(self._labels[folder][0])}: {_words(event)}", _LONGEST_LINE)
            self._log.append(f"{when}  {text}")


def _seconds(events: Sequence[dict[str, Any]]) -> Iterator[float]:
    """Yield the training time at each evaluation, in seconds, summed over attempts."""
    before, last, began = 0.0, 0.0, math.nan
    for event in events:
        if event["event"] == "begin":
            before, began = last, _moment(event) or math.nan
        elif _is_point(event):
            gone = _moment(event) - began
            last = before + (0.0 if gone < 0 else gone)  # a clock that was set back
            yield last


def _is_point(event: dict[str, Any]) -> bool:
    return event["event"] == "evaluation" and "iteration" in event


def _moment(event: dict[str, Any]) -> float:
    return float(event.get("time", 0.0))


def _words(event: dict[str, Any]) -> str:
    """An event for people: 'iteration 430, loss 0.0812, accuracy 0.973, nll 0.0921', 'done, seconds 12.8'."""
    names = [name for name in event if name not in ("attempt", "event", "time")]
    words = [] if event["event"] == "evaluation" else [event["event"]]
    if not words:
        names = [name for name in ("iteration", "loss", "accuracy", "nll") if name in event]
    words += [f"attempt {event['attempt']}"] if event.get("attempt", 1) != 1 and event["event"] == "start" else []
    return ", ".join(words + [f"{name} {_value(event[name])}" for name in names])


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
