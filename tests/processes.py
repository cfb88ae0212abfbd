"""Processes that tests start: they end with their test, however it ends, and no wait is for ever."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil

DEADLINE = 300
"""Seconds after which a wait is given up: fifty times what it takes alone, for a CPU may be starved."""
LIFE = 6 * DEADLINE
"""Seconds that a process has: half of a test's time limit (pyproject.toml), so that the failure says which it was."""

_MARK = "TFTICKET_TESTS"
"""Environment variable that all processes inherit which this process, or one of them, executes."""

_TRACKER = "resource_tracker import main"
"""A helper of Python's multiprocessing, or joblib's, that lives as long as the process that has it."""


def wait_for(what: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it; no longer than it takes."""
    end = time.monotonic() + DEADLINE
    while not (found := what()):
        assert time.monotonic() < end, f"waited {DEADLINE} s in vain"
        time.sleep(0.02)
    return found


@contextmanager
def started(command: Sequence[object], *, seconds: float = LIFE, **options: Any) -> Iterator[Any]:
    """A process as ``subprocess.Popen`` starts it; at the block's end, or after ``seconds``, its group is killed.

    So to read from it and to wait for it need no time limits of their own: both end with it.
    """
    with subprocess.Popen([*map(str, command)], start_new_session=True, **options) as process:
        deadline = threading.Timer(seconds, _kill, [process])
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            deadline.join()
            _kill(process)


def execute(command: Sequence[object], *, check: bool = True, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a command to its end, and catch what it writes; as ``subprocess.run``, but that no descendant is left."""
    with started(command, **{"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options) as process:
        out, err = process.communicate()
    assert process.returncode == 0 or not check, f"exit code {process.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _kill(process: "subprocess.Popen[Any]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def mark() -> None:
    """Make the processes known that will be executed from now on."""
    os.environ[_MARK] = str(os.getpid())


def executed(after: set[int]) -> dict[psutil.Process, str]:
    """Processes since then that this one or its descendants executed, orphans too, each with the test it is of."""
    found = {}
    for number in set(psutil.pids()) - after - {os.getpid()}:
        with suppress(psutil.Error):
            process = psutil.Process(number)
            environment = process.environ()  # {} of zombies
            if environment.get(_MARK) == str(os.getpid()) and _TRACKER not in " ".join(process.cmdline()):
                found[process] = environment.get("PYTEST_CURRENT_TEST", "no test")
    return found


def children() -> dict[psutil.Process, str]:
    """Processes below this one that live, forked ones too, each with the test that executed it."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and _TRACKER not in " ".join(process.cmdline()):
                found[process] = process.environ().get("PYTEST_CURRENT_TEST", "no test")
    return found


def end(processes: dict[psutil.Process, str], *, seconds: float = 60) -> list[str]:
    """Kill processes that do not end by themselves in that time; return what they were, and of which test."""
    _, left = psutil.wait_procs(processes, timeout=seconds)
    said = []
    for process in left:
        with suppress(psutil.Error):
            said.append(f"{processes[process]}: {' '.join(process.cmdline())[:200]}")
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return said
