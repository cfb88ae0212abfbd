"""A run in one line, from the files of its folder. Whatever a damaged folder holds, it makes a line."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.progress import PROGRESS, read_progress
from tfticket.runs.records import read_record
from tfticket.runs.run_folder import CONFIG, MANIFEST, STATUS, read_configuration
from tfticket.runs.schemas import Facts, Status
from tfticket.text import one_line

_MOST_SHOWN = 500
"""Characters of a message in a list."""


@dataclass(frozen=True)
class RunSummary:
    """A run in one line.

    Attributes:
        folder: Where it lies.
        name: Its configuration's name; the folder's where the configuration cannot be read.
        experiment: Which; '?' where its status cannot be read.
        state: 'running', 'done', 'stopped', 'failed', 'killed' or 'damaged'.
        started, updated: Seconds since 1970.
        trainings: How many it takes; None before it said so.
        completed: Trainings done, and the part of the present one.
        seconds_left: Of a running one; None while there is nothing to go by.
        doing: 'seed 0 · ticket · level 3'; '' where nothing is computed.
        level, density, accuracy, nll: Of the sparsest evaluated ticket, all four of the same; accuracy and NLL are on
            validation rows, means over the seeds that have it. Before there is one: level and density of what is
            computed now.
        message: Why it failed or what is damaged, in one line.
    """

    folder: Path
    name: str
    experiment: str
    state: str
    started: float
    updated: float
    trainings: int | None
    completed: float
    seconds_left: float | None
    doing: str
    level: int | None
    density: float | None
    accuracy: float | None
    nll: float | None
    message: str


def last_change(path: str) -> list[int]:
    """Return a stamp of a file's last change: numbers that differ after another change; [] without a file."""
    try:
        stat = os.stat(path)  # noqa: PTH116 -- a thousand times in a look at a workspace
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:  # it is there and cannot be read, which its reader then tells
        return [0, error.errno or 0]
    now = time.time_ns()
    unsure = now if abs(now - stat.st_mtime_ns) < _TICK else 0
    return [stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino, unsure]


_TICK = 50_000_000
"""Nanoseconds. A file that was changed so shortly before it was looked at could change again and look the same."""


def step_words(label: Mapping[str, Any], kind: str = "train") -> str:
    """A step's label for people: 'seed 0 · ticket · level 3'; of other kinds than trainings 'prune · seed 0'."""
    words = [kind] if kind != "train" else []
    words += [f"seed {label['seed']}"] if "seed" in label else []
    words += [label["arm"].key] if "arm" in label else []
    numbered = ("level", "replicate", "chain", "member", "generation")
    return " · ".join(words + [f"{name} {label[name]}" for name in numbered if name in label])


def facts_of(read: Callable[[Path], Facts], folder: Path, name: str) -> Facts:
    """Return what a reader finds in a file of a run's folder; {'damaged': why} if it fails."""
    try:
        return read(folder)
    except InputError as error:
        return {"damaged": str(error)}
    except Exception as error:  # YAML's reader raises more kinds than it says
        return {"damaged": f"{folder / name} is not as tfticket writes it: {type(error).__name__}: {error}."}


def status_facts(folder: Path) -> Facts:
    """Of status.json: state, experiment, started, updated, message."""
    path = folder / STATUS
    if not os.path.lexists(path):
        return {"damaged": f"{folder} has no status.json."}
    status = read_record(path, Status)
    reason = status.get("message") or status.get("traceback", "").strip().rpartition("\n")[2]
    return {
        "state": status["state"],
        "experiment": status.get("experiment", "?"),
        "started": status["started"],
        "updated": status.get("updated", status["started"]),
        "message": one_line(reason, _MOST_SHOWN),
    }


def config_facts(folder: Path) -> Facts:
    """Of config.yaml: name."""
    name = read_configuration(folder).get("name", folder.name)
    if not isinstance(name, str):
        return {"damaged": f"{folder / CONFIG}: the name is {one_line(repr(name), 40)}, which is no text."}
    return {"name": name}


def progress_facts(folder: Path) -> Facts:
    """Of progress.json: how far, and what is computed; {} where it says nothing, which damages no run."""
    progress = read_progress(folder)
    if progress is None:
        return {}
    step = progress.step or {"label": {}}
    level, density = (step["label"].get(name) for name in ("level", "density"))
    return {
        "trainings": progress.trainings,
        "completed": progress.completed,
        "seconds_left": progress.seconds_left,
        "updated": progress.updated,
        "doing": step_words(step["label"], step["kind"]) if progress.step else "",
        "level": level,
        "density": density,
    }


def summarise(folder: Path, changed: float, state: str, facts: Mapping[str, Facts]) -> RunSummary:
    """One line from what the files say.

    Args:
        folder: The run's.
        changed: When its files were changed last, seconds since 1970: for runs without a status.
        state: From ``state_of``, of one without a status as if it said 'running': it may be about to begin.
        facts: By file. The manifest's: level, density, accuracy, nll of the sparsest evaluated ticket, if there is one.
    """
    status, config, progress, outcome = (facts[name] for name in (STATUS, CONFIG, PROGRESS, MANIFEST))
    damage = [source["damaged"] for source in (status, config, outcome) if "damaged" in source]
    if damage and state != "running":
        state = "damaged"
    now = progress if state == "running" else {}
    shown = outcome if "accuracy" in outcome else now
    started: float = status.get("started", changed)
    return RunSummary(
        folder=folder,
        name=one_line(config.get("name", folder.name)),
        experiment=one_line(status.get("experiment", "?")),
        state=state,
        started=started,
        updated=max(status.get("updated", started), progress.get("updated", started)),
        trainings=progress.get("trainings"),
        completed=progress.get("completed", 0.0),
        seconds_left=now.get("seconds_left"),
        doing=one_line(now.get("doing", "")),
        level=shown.get("level"),
        density=shown.get("density"),
        accuracy=outcome.get("accuracy"),
        nll=outcome.get("nll"),
        message=one_line(damage[0], _MOST_SHOWN) if state == "damaged" else status.get("message", ""),
    )
