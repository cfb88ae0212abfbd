"""The event log of a step: one JSON object a line, appended as the work goes on."""

import json
import os
import time
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.files import check_file
from tfticket.runs.records import is_one
from tfticket.runs.schemas import Event


class EventWriter:
    """Appends events of one attempt.

    An attempt says at which iteration it begins (``begin``); readers then drop what earlier attempts wrote
    beyond it.

    Attributes:
        first: The iteration at which this attempt began; 0 before it said so.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self.first = 0
        self._path = path
        self._attempt = attempt
        check_file(path)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # the attempt before died in mid-line
                    file.write(b"\n")

    def write(self, event: str, **values: Any) -> None:
        """Append one event, e.g. ``write("evaluation", iteration=430, accuracy=0.97)``."""
        if event == "begin":
            self.first = values.get("iteration", 0)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(event_line(self._attempt, event, time.time(), **values))


def event_line(attempt: int, event: str, moment: float, **values: Any) -> str:
    """One event as a line of a event log; ``moment`` is in seconds since 1970."""
    return json.dumps({"attempt": attempt, "event": event, "time": round(moment, 3), **values}) + "\n"


class EventReader:
    """Reads a event log as it grows, each time only what was appended.

    Attributes:
        events: Those that still count, in order: without what a later attempt superseded, which is events of an
            earlier attempt beyond the iteration from which the later one went on.
        fresh: What the last ``poll`` read, counting or not.
    """

    def __init__(self, path: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self.fresh: list[dict[str, Any]] = []
        self._path = path
        self._rest = self._head = b""
        self._inode = self._size = 0

    def poll(self) -> bool:
        """Read what was appended; True where events came, or where the event log is another one or gone.

        A last line that lacks its end waits for the rest.
        """
        self.fresh = []
        known = bool(self.events)
        try:
            stat = os.stat(self._path)  # noqa: PTH116 -- often called, and twice as fast
            if (stat.st_ino, stat.st_size) == (self._inode, self._size):
                return False
            check_file(self._path, _MOST_BYTES)
            while self._read_piece() == _PIECE:
                pass
        except (OSError, InputError):
            self._forget()
            return known
        return bool(self.fresh) or (known and not self.events)

    def end(self) -> None:
        """Nothing more will come: a last line that lacks nothing but its end counts too."""
        self._take(self._rest)
        self._rest = b""

    def _read_piece(self) -> int:
        """Read on, at most so much that it fits in memory; return how many bytes came."""
        text = self._appended()
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > _LONGEST_LINE:
            self._rest = _NO_EVENT
        return len(text)

    def _appended(self) -> bytes:
        """The next bytes after those read before; of a event log that was replaced or cut, from its beginning."""
        with self._path.open("rb") as file:
            stat = os.fstat(file.fileno())
            if stat.st_size < self._size or file.read(len(self._head)) != self._head:
                self._forget()
            file.seek(self._size)
            text = file.read(_PIECE)
        self._head = (self._head + text)[:_HEAD]
        self._inode, self._size = stat.st_ino, self._size + len(text)
        return text

    def _forget(self) -> None:
        self.events = []
        self._rest = self._head = b""
        self._inode = self._size = 0

    def _take(self, line: bytes) -> None:
        """Add a line's event; a torn line, left by a process that was killed while it wrote, is left out."""
        try:
            event: Any = json.loads(line) if line else None
        except (ValueError, RecursionError):
            return
        if not is_one(event, Event):
            return
        if event["event"] == "begin":
            first = event.get("iteration", 0)
            self.events = [old for old in self.events if old.get("iteration", 0) <= first]
        self.events.append(event)
        self.fresh.append(event)


_PIECE = 2**24
"""Bytes that are read at once."""
_LONGEST_LINE = 2**20
"""Bytes of a line; what is longer is no event."""
_NO_EVENT = b"\xff"
"""The beginning of a line that is too long."""
_MOST_BYTES = 2**30
"""A larger file is no event log, and is not read."""
_HEAD = 128
"""Bytes at a event log's beginning, its first event's time among them, by which it is known for the same one."""


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events that still count (see ``EventReader``), in order; [] where there is no file."""
    reader = EventReader(path)
    reader.poll()
    reader.end()
    return reader.events
