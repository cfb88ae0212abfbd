"""Files and the step that wrote them: ``result.json`` lists the checksums of all, and of itself.

A step's folder is called ``<kind>-<first 16 hex digits of the fingerprint>``. Files that lie elsewhere, such as a
ticket that a user saved, belong to no step and are not checked here.
"""

import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.files import read_json, write_json
from tfticket.runs.records import checked, read_record
from tfticket.runs.schemas import StepConfig, StepResult

RESULT, CONFIG = "result.json", "config.json"
CHECKSUM, FILES = "checksum", "files"

_FOLDER = re.compile(r"[a-z]+-[0-9a-f]{16}")
_BEFORE_CHECKSUMS = {"fingerprint", "kind", "seconds", "attempt", "versions", "result"}


def step_of(path: Path) -> Path | None:
    """The folder of the step in which a file lies, itself or in a folder there; None elsewhere."""
    return next((folder for folder in path.absolute().parents[:2] if _FOLDER.fullmatch(folder.name)), None)


class Damaged(InputError):
    """A file is not what its step wrote.

    Attributes:
        problem: The message without the advice.
        has_advice: True if the message says how to get the file back; it does for a file in a step's folder.
    """

    def __init__(self, path: Path, what: str) -> None:
        step = step_of(path)
        self.problem = f"{path} {what}."
        self.has_advice = step is not None
        advice = f" Put it back from a copy, or delete {step}: the run then computes that step again."
        super().__init__(self.problem + (advice if step else ""))


def checksum_of(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def checksum_of_bytes(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise Damaged(path, "is missing") from None
    except OSError as error:
        raise Damaged(path, f"cannot be read ({error.strerror})") from None


def write_result(folder: Path, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """Write a step's ``result.json``, which says that the step is done."""
    text = json.loads(json.dumps({**record, FILES: dict(files)}))  # what a reader will see
    write_json(folder / RESULT, text | {CHECKSUM: checksum_of(text)})


def read_result(folder: Path) -> dict[str, Any]:
    """Read a finished step's ``result.json``. One written before there were checksums has no key 'files'."""
    path = folder / RESULT
    try:
        stat = os.stat(path)  # noqa: PTH116 -- often called
    except OSError:
        raise InputError(f"There is no file {path}.") from None
    return _read_result(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(maxsize=64)
def _read_result(path: Path, *_: int) -> dict[str, Any]:
    try:
        record: dict[str, Any] = read_json(path)
    except InputError:
        raise Damaged(path, "is damaged: it is not readable as JSON") from None
    checked(record, StepResult, str(path))
    rest = {key: value for key, value in record.items() if key != CHECKSUM}
    known = record.keys() <= _BEFORE_CHECKSUMS
    if not known and (record.get(CHECKSUM) != checksum_of(rest) or not isinstance(record.get(FILES), dict)):
        raise Damaged(path, "is damaged: its contents do not match its checksum")
    step, whose = step_of(path), str(record.get("fingerprint"))[:16]
    if step is not None and step.name.rpartition("-")[2] != whose:
        raise Damaged(path, f"is the result of another step, {record.get('kind', '')}-{whose}")
    return record


def listed(path: Path) -> str | None:
    """The checksum that a file's step lists for it; None where the step lists none: not done, or an older one's."""
    step = step_of(path)
    if step is None or not (step / RESULT).exists():
        return None
    files = read_result(step).get(FILES)
    if files is None:
        return None
    name = path.absolute().relative_to(step).as_posix()
    if name not in files:
        raise Damaged(path, "was not written by this step")
    return str(files[name])


def check_bytes(path: Path) -> None:
    """See that a file other than of tensors is the one that its step lists."""
    expected = listed(path)
    if expected is not None and checksum_of_bytes(path) != expected:
        raise Damaged(path, "is not the file that this step wrote")


def read_config(folder: Path) -> StepConfig:
    """Read a step's ``config.json``, and see that it is the one that the step lists."""
    path = folder / CONFIG
    check_bytes(path)
    return read_record(path, StepConfig)
