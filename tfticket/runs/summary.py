"""A run in one line, from the files of its folder. Whatever a damaged folder holds, it makes a line."""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.files import read_json
from tfticket.runs.lease import holder_of
from tfticket.runs.progress import FILE, read_progress
from tfticket.schema import read_yaml

STATUS, CONFIG, PROGRESS, MANIFEST = "status.json", "config.yaml", FILE, "manifest.json"

_STATES = ("running", "done", "stopped", "failed")

_LATEST = 1e11
"""Seconds since 1970 beyond which no run began: dates end before."""

Facts = dict[str, Any]
"""What one file of a run says, as JSON values; under 'damaged' why it says nothing."""


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


def state_of(folder: Path, state: str) -> str:
    """A run's state as its status says it, but 'killed' where that is 'running' and its process is gone."""
    return "killed" if state == "running" and not _is_held(folder) else state


def _is_held(folder: Path) -> bool:
    """Whether a live process holds a folder; nobody holds one whose lease is damaged."""
    try:
        return holder_of(folder) is not None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return False


def last_change(path: str) -> list[int]:
    """What a file's last change is known by, as numbers that differ after another; [] where there is no file."""
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
    words += [str(label["arm"])] if "arm" in label else []
    numbered = ("level", "replicate", "chain", "member", "generation")
    return " · ".join(words + [f"{name} {label[name]}" for name in numbered if name in label])


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The steps of a run so far: kind, folder, fingerprint and label of each; [] where there is no manifest.

    Raises:
        InputError: It is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        return []
    found = read_json(path)
    steps = found.get("steps") if isinstance(found, dict) else None
    if not isinstance(steps, list) or not all(is_step(step) for step in steps):
        raise InputError(f"{path} does not list steps as a manifest does.")
    return steps


def is_step(step: object) -> bool:
    """Whether something is a step as a manifest or a run's progress tells of it: kind, folder and label."""
    kinds = {"kind": str, "folder": str, "label": dict}
    return isinstance(step, dict) and all(isinstance(step.get(name), kind) for name, kind in kinds.items())


def facts_of(read: Callable[[Path], Facts], folder: Path, name: str) -> Facts:
    """What a reader finds in a file of a run's folder; {'damaged': why} where it fails, however it does."""
    try:
        return read(folder)
    except InputError as error:
        return {"damaged": str(error)}
    except Exception as error:  # YAML's and JSON's readers raise more kinds than they say
        return {"damaged": f"{folder / name} is not as tfticket writes it: {type(error).__name__}: {error}."}


def status_facts(folder: Path) -> Facts:
    """Of status.json: state, experiment, started, updated, message."""
    path = folder / STATUS
    if not path.exists():
        return {"damaged": f"{folder} has no status.json."}
    found = read_json(path)
    started = number(found["started"])
    if not 0 <= started < _LATEST:
        raise ValueError(f"it began at {started:g} seconds since 1970")
    reason = str(found.get("message") or "") or str(found.get("traceback") or "").strip().rpartition("\n")[2]
    if found["state"] not in _STATES:
        return {"damaged": f"{path} says '{found['state']}', which is none of {', '.join(_STATES)}."}
    return {
        "state": found["state"],
        "experiment": _text(found.get("experiment", "?")),
        "started": started,
        "updated": number(found.get("updated", started)),
        "message": _one_line(reason),
    }


def config_facts(folder: Path) -> Facts:
    """Of config.yaml: name."""
    path = folder / CONFIG
    if not path.exists():
        return {"damaged": f"{folder} has no config.yaml."}
    found = read_yaml(path)
    if not isinstance(found, dict):
        return {"damaged": f"{path} holds no configuration."}
    return {"name": _text(found.get("name", folder.name))}


def progress_facts(folder: Path) -> Facts:
    """Of progress.json: how far, and what is computed; {} where it says nothing, which damages no run."""
    found = read_progress(folder)
    if found is None:
        return {}
    try:
        step = found.step or {"label": {}}
        level, density = (step["label"].get(name) for name in ("level", "density"))
        return {
            "trainings": None if found.trainings is None else int(number(found.trainings)),
            "completed": number(found.completed),
            "seconds_left": None if found.seconds_left is None else number(found.seconds_left),
            "updated": number(found.updated),
            "doing": step_words(step["label"], step["kind"]) if found.step else "",
            "level": None if level is None else int(number(level)),
            "density": None if density is None else number(density),
        }
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return {}


def number(value: object) -> float:
    """A finite number.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def summarise(folder: Path, changed: float, state: str, facts: Mapping[str, Facts]) -> RunSummary:
    """One line from what the files say.

    Args:
        folder: The run's.
        changed: When its files were changed last, seconds since 1970: for runs without a status.
        state: From ``state_of``, of one without a status as if it said 'running': it may be about to begin.
        facts: By file. The manifest's: level, density, accuracy, nll of the sparsest evaluated ticket, if there is one.
    """
    status, config, progress, outcome = (facts[name] for name in (STATUS, CONFIG, PROGRESS, MANIFEST))
    damage = [found["damaged"] for found in (status, config, outcome) if "damaged" in found]
    if damage and state != "running":
        state = "damaged"
    now = progress if state == "running" else {}
    shown = outcome if "accuracy" in outcome else now
    started: float = status.get("started", changed)
    return RunSummary(
        folder=folder,
        name=config.get("name", folder.name),
        experiment=status.get("experiment", "?"),
        state=state,
        started=started,
        updated=max(status.get("updated", started), progress.get("updated", started)),
        trainings=progress.get("trainings"),
        completed=progress.get("completed", 0.0),
        seconds_left=now.get("seconds_left"),
        doing=now.get("doing", ""),
        level=shown.get("level"),
        density=shown.get("density"),
        accuracy=outcome.get("accuracy"),
        nll=outcome.get("nll"),
        message=_one_line(damage[0]) if state == "damaged" else status.get("message", ""),
    )
