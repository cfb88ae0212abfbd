"""Runs as processes of their own: started in their own session, found again by their folders, stopped by a file."""

import os
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

from gui.models.signal import Signal
from gui.models.workspace import Problem
from tfticket.errors import InputError
from tfticket.runs.files import check_writable
from tfticket.runs.lease import holder_of

PLACE = "desktop"
"""The workspace's folder for what the window starts: configurations as they were, and what the processes print."""


@dataclass(frozen=True)
class Launched:
    """A process that this window started: its configuration, what it prints, itself."""

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
        command = [sys.executable, "-m", "tfticket", "run", str(configuration), "--workspace", str(workspace), "-q"]
        with log.open("wb") as printed:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the window
            )
        launched = Launched(configuration, log, process)
        self._launched.append(launched)
        return launched

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
            if code == InputError.exit_code or code < 0:
                printed = launched.printed().strip()
                last = printed.splitlines()[-1] if printed else f"ended by signal {-code}"
                name = launched.configuration.stem
                self.ended.emit(Problem(f"{name}: {last.removeprefix('Error: ')}", printed or last))


def ask_to_stop(run: Path) -> None:
    """Ask a run to checkpoint and stop: by a file in its folder, and a signal to its process on this machine.

    Raises:
        InputError: No live process holds it, or it cannot be told.
    """
    holder = _holder(run)
    try:
        (run / "STOP").touch()
    except OSError as error:
        raise InputError(f"{run.name} cannot be told to stop: {error.strerror}.") from None
    if holder["host"] == os.uname().nodename:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(holder["pid"], signal.SIGTERM)


def kill(run: Path) -> None:
    """End a run's process at once, and what it started; its last checkpoint stands.

    Raises:
        InputError: No live process on this machine holds it: its start time was compared with the recorded one.
    """
    holder = _holder(run)
    if holder["host"] != os.uname().nodename:
        raise InputError(f"{run.name} runs on {holder['host']}, process {holder['pid']}. End it there.")
    with suppress(ProcessLookupError):
        group = os.getpgid(holder["pid"])
        if group == os.getpgid(0):  # started from the same terminal as this window
            os.kill(holder["pid"], signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGKILL)


def _holder(run: Path) -> dict[str, Any]:
    holder = holder_of(run)
    if holder is None:
        raise InputError(f"{run.name} is not running.")
    return holder
