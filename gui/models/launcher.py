"""Runs as processes of their own: started in their own session, found again by their folders, stopped by a file."""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from gui.models.signal import Signal
from gui.models.workspace import Problem
from tfticket.errors import InputError, Stopped
from tfticket.runs.files import check_writable, read_json
from tfticket.runs.lease import holder_of

PLACE = "desktop"
"""The workspace's folder for what the window starts: configurations as they were, and what the processes print."""


@dataclass(frozen=True)
class Launched:
    """A process that this window started: where, since when, its configuration, what it prints, itself."""

    workspace: Path
    began: float
    configuration: Path
    log: Path
    process: "subprocess.Popen[bytes]"

    def printed(self) -> str:
        """What it printed so far."""
        with suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")
        return ""


class Launcher:
    """Starts and stops runs.

    Attributes:
        ended: A process that this window started came to its end, and badly: called with a ``Problem``.
    """

    def __init__(self) -> None:
        self.ended = Signal()
        self._launched: list[Launched] = []

    def start(self, workspace: Path, text: str, options: Sequence[str] = ()) -> Launched:
        """Start a run of a configuration.

        Args:
            workspace: Where it is kept.
            text: The configuration, as YAML.
            options: More of the command line, such as '--trust'.

        Raises:
            InputError: The workspace cannot be written.
        """
        place = workspace / PLACE
        check_writable(place, "File > Open workspace")
        named = re.search(r"^name:\s*([A-Za-z0-9._-]+)", text, re.MULTILINE)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{named.group(1) if named else 'run'}"
        number = next(n for n in range(1, 1000) if not (place / f"{stem}-{n}.yaml").exists())
        configuration, log = place / f"{stem}-{number}.yaml", place / f"{stem}-{number}.log"
        configuration.write_text(text, encoding="utf-8")
        # -P: nothing of the folder that the window was started in is taken for a module.
        command = [sys.executable, "-P", "-m", "tfticket", "run", str(configuration)]
        command += ["--workspace", str(workspace), "-q"]
        with log.open("wb") as printed:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the window
            )
        launched = Launched(workspace, time.time(), configuration, log, process)
        self._launched.append(launched)
        return launched

    def is_running(self, text: str) -> bool:
        """Whether a process that this window started runs this configuration."""
        running = (launched for launched in self._launched if launched.process.poll() is None)
        return any(launched.configuration.read_text(encoding="utf-8") == text for launched in running)

    @property
    def beginning(self) -> int:
        """How many processes run that this window started."""
        return sum(launched.process.poll() is None for launched in self._launched)

    def poll(self) -> None:
        """Look which processes ended; tell of those that ended without a run of theirs to say why."""
        for launched in list(self._launched):
            code = launched.process.poll()
            if code is None:
                continue
            self._launched.remove(launched)
            if code not in (0, Stopped.exit_code, -signal.SIGKILL) and not _told_by_its_run(launched):
                printed = launched.printed().strip()
                last = printed.splitlines()[-1] if printed and code > 0 else f"ended by signal {-code}"
                name = launched.configuration.stem
                self.ended.emit(Problem(f"{name}: {last.removeprefix('Error: ')}", printed or last))


def _told_by_its_run(launched: Launched) -> bool:
    """Whether a run of its workspace has failed since it began: then that says why."""
    for path in (launched.workspace / "runs").glob("*/status.json"):
        with suppress(InputError, KeyError, TypeError):
            status = read_json(path)
            if status["state"] == "failed" and status["updated"] >= launched.began:
                return True
    return False


def ask_to_stop(run: Path) -> None:
    """Ask a run to checkpoint and stop: by a file in its folder, and a signal to its process on this machine.

    Raises:
        InputError: No live process holds it, or it cannot be told.
    """
    holder = _holder(run)
    if (run / "STOP").exists():  # a second signal would end it at once
        raise InputError(f"{run.name} was asked already; it stops at its next checkpoint. Run > Kill ends it at once.")
    try:
        (run / "STOP").touch()
    except OSError as error:
        raise InputError(f"{run.name} cannot be told to stop: {error.strerror}.") from None
    if holder["host"] == platform.node():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(holder["pid"], signal.SIGTERM)


def kill(run: Path) -> None:
    """End a run's process at once, and what it started; its last checkpoint stands.

    Raises:
        InputError: No live process on this machine holds it: its start time was compared with the recorded one.
    """
    holder = _holder(run)
    if holder["host"] != platform.node():
        raise InputError(f"{run.name} runs on {holder['host']}, process {holder['pid']}. End it there.")
    try:
        process = psutil.Process(holder["pid"])
        for one in [*process.children(recursive=True), process]:  # not its group: a script may run several
            with suppress(psutil.NoSuchProcess):
                one.kill()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise InputError(f"{run.name} is another user's process, {holder['pid']}; it is not yours to end.") from None


def _holder(run: Path) -> dict[str, Any]:
    holder = holder_of(run)
    if holder is None:
        raise InputError(f"{run.name} is not running.")
    return holder
