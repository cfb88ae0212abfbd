"""The diary of a step: one JSON object a line, appended as the work goes on."""

import json
import time
from pathlib import Path
from typing import Any


class EventWriter:
    """Appends events of one attempt.

    An attempt says at which iteration it begins (``begin``); readers then drop what earlier attempts wrote
    beyond it.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self._path = path
        self._attempt = attempt
        if path.exists() and not path.read_bytes().endswith(b"\n"):  # the attempt before died in mid-line
            with path.open("a") as file:
                file.write("\n")

    def write(self, event: str, **values: Any) -> None:
        """Append one event, e.g. ``write("evaluation", iteration=430, accuracy=0.97)``."""
        line = json.dumps({"attempt": self._attempt, "event": event, "time": round(time.time(), 3), **values})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events that still count, in order; [] where there is no file.

    A torn last line (the process was killed while it wrote) is left out, and so is what a later attempt
    superseded: events of an earlier attempt beyond the iteration from which the later one went on.
    """
    if not path.is_file():
        return []
    events: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "begin":
            events = [old for old in events if old.get("iteration", 0) <= event["iteration"]]
        events.append(event)
    return events
