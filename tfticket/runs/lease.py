"""One live process a folder: an exclusive lease that a crash does not leave behind."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tfticket.runs.files import write_json
from tfticket.runs.records import record_or_problem
from tfticket.runs.schemas import Lease


class InUse(Exception):
    """The folder is leased by a live process; ``holder`` says which."""

    def __init__(self, folder: Path, holder: dict[str, Any]) -> None:
        super().__init__(f"{folder} is in use by process {holder['pid']} on {holder['host']}")
        self.holder = holder


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else str(int(psutil.boot_time()))


def _started(process: psutil.Process) -> float:
    """Seconds from the machine's boot to the process's start: unlike the time of day, no clock can move it."""
    return process.create_time() - psutil.boot_time()


def _me() -> dict[str, Any]:
    return {"host": platform.node(), "boot_id": _boot_id(), "pid": os.getpid(), "started": _started(psutil.Process())}


def is_alive(holder: dict[str, Any]) -> bool:
    """Return True if the process that took a lease still runs, or is on another host."""
    if holder["host"] != platform.node():
        return True
    if holder["boot_id"] != _boot_id():
        return False
    try:
        process = psutil.Process(holder["pid"])
        same = abs(_started(process) - float(holder["started"])) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def holder_of(folder: Path) -> dict[str, Any] | None:
    """The live process that holds the folder, if one does; nobody holds one whose lease is damaged."""
    holder, _ = record_or_problem(folder / "lease.json", Lease)
    return dict(holder) if holder is not None and holder["held"] and is_alive(dict(holder)) else None


@contextmanager
def lease(folder: Path) -> Iterator[int]:
    """Hold a folder for this process; yields the attempt, 1 for the first.

    Raises:
        InUse: A live process holds it.
    """
    path = folder / "lease.json"
    with _exclusive(folder):
        holder = holder_of(folder)
        if holder is not None:
            raise InUse(folder, holder)
        before, _ = record_or_problem(path, Lease)
        attempt = 1 if before is None else 1 + before["attempt"]
        write_json(path, {**_me(), "attempt": attempt, "held": True, "since": time.time()}, sync=False)
    try:
        yield attempt
    finally:
        with suppress(OSError), _exclusive(folder):  # a full disk must not hide the error that is being reported
            write_json(path, {**_me(), "attempt": attempt, "held": False, "until": time.time()}, sync=False)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """A short critical section over look-and-take, so that two processes cannot both see a stale lease."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe is not waited for
    with os.fdopen(os.open(folder / ".lease.lock", flags, 0o644)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
