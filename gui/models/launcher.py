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

from tfticket.errors import InputError, Stopped
from tfticket.runs.files import check_writable
from tfticket.runs.index import RunSummary
from tfticket.runs.lease import holder_of
from tfticket.runs.records import record_or_problem
from tfticket.runs.schemas import Status

from .signal import Signal
from .workspace import Problem

PLACE = "desktop"
"""The workspace's folder for what the window starts: configurations as they were, and what the processes print."""


FAILURES = 20
"""So many launches that failed are kept there."""


@dataclass(frozen=True)
class Launched:
    """A process that this window started.

    Attributes:
        workspace: Where its run is kept.
        began: When, seconds since 1970.
        text: Its configuration.
        configuration, log: Files: the same, and what it prints.
        process: Itself.
        resumes: The run that it was to go on with, if any.
    """

    workspace: Path
    began: float
    text: str
    configuration: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    resumes: Path | None = None

    @property
    def name(self) -> str:
        """What it is called: its run's folder where there is one, else the name in its configuration."""
        return self.resumes.name if self.resumes else name_in(self.text)

    def printed(self) -> str:
        """What it printed so far."""
        with suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")
        return ""

    def computes(self, run: Path) -> bool:
        """Whether this process, and not one of the same number on another machine, holds a run's folder."""
        holder = holder_of(run)
        return holder is not None and (holder["host"], holder["pid"]) == (platform.node(), self.process.pid)

    def forget(self) -> None:
        """Remove its files."""
        for path in (self.configuration, self.log):
            path.unlink(missing_ok=True)


class Launcher:
    """Starts and stops runs.

    Attributes:
        ended: A process that this window started came to its end, and badly: called with a ``Problem``.
    """

    def __init__(self) -> None:
        self.ended = Signal()
        self._launched: list[Launched] = []
        self._awaited: list[Launched] = []

    def start(self, workspace: Path, text: str, options: Sequence[str] = (), resumes: Path | None = None) -> Launched:
        """Start a run of a configuration.

        Args:
            workspace: Where it is kept.
            text: The configuration, as YAML.
            options: More of the command line, such as '--trust'.
            resumes: The run that it is to go on with, if any.

        Raises:
            InputError: The workspace cannot be written.
        """
        place = workspace / PLACE
        check_writable(place, "File > Open workspace")
        self._tidy(place)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{name_in(text)}"
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
        launched = Launched(workspace, time.time(), text, configuration, log, process, resumes)
        self._launched.append(launched)
        self._awaited.append(launched)
        return launched

    def is_running(self, text: str) -> bool:
        """Whether a process that this window started runs this configuration."""
        return any(launched.text == text for launched in self._launched if launched.process.poll() is None)

    @property
    def is_awaiting(self) -> bool:
        """Whether a process that this window started has no run to be seen yet."""
        return any(launched.process.poll() is None for launched in self._awaited)

    @property
    def beginning(self) -> int:
        """How many processes run that this window started."""
        return sum(launched.process.poll() is None for launched in self._launched)

    def begun(self, runs: Sequence[RunSummary]) -> list[tuple[Launched, RunSummary]]:
        """Processes that came to have a run since the last call, each with its run."""
        self._awaited = [one for one in self._awaited if one.process.poll() is None]
        running = [run for run in runs if run.state == "running"] if self._awaited else []
        found = [(one, run) for one in self._awaited for run in running if one.computes(run.folder)]
        self._awaited = [one for one in self._awaited if one not in [begun for begun, _ in found]]
        return found

    def poll(self) -> None:
        """Look which processes ended; tell of those that ended without a run of theirs to say why."""
        for launched in list(self._launched):
            code = launched.process.poll()
            if code is None:
                continue
            self._launched.remove(launched)
            if code in (0, Stopped.exit_code, -signal.SIGKILL):
                launched.forget()
            elif not _told_by_its_run(launched):
                printed = launched.printed().strip()
                last = printed.splitlines()[-1] if printed and code > 0 else f"ended by signal {-code}"
                self.ended.emit(Problem(f"{launched.name}: {last.removeprefix('Error: ')}", printed or last))

    def _tidy(self, place: Path) -> None:
        """Keep the last of what failed, or was started by a window that did not see it end."""
        running = {launched.configuration for launched in self._launched}
        kept = [path for path in sorted(place.glob("*.yaml")) if path not in running]
        for path in kept[:-FAILURES]:
            path.unlink(missing_ok=True)
            path.with_suffix(".log").unlink(missing_ok=True)


def name_in(text: str) -> str:
    """The name that a configuration gives its run; 'run' where it gives none."""
    named = re.search(r"^name:\s*([A-Za-z0-9._-]+)", text, re.MULTILINE)
    return named.group(1) if named else "run"


def where_it_goes_on(run: RunSummary) -> str:
    """The name of the folder in which a run goes on: that of its configuration's name and hash.

    A folder that was renamed or copied is not it; then the hash is not known, but from a copy's own name.
    """
    pattern = re.escape(run.name) + "-[0-9a-f]{8}"
    found = re.search(pattern, run.folder.name)
    return found.group() if found else f"{run.name}-…"


def _told_by_its_run(launched: Launched) -> bool:
    """Whether a run of its workspace has failed since it began: then that says why."""
    for path in (launched.workspace / "runs").glob("*/status.json"):
        status, _ = record_or_problem(path, Status)
        if status and status["state"] == "failed" and status.get("updated", 0.0) >= launched.began:
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
        # Not its group: a script may run several. Itself first: it would take the end of its children for a fault.
        for one in [process, *process.children(recursive=True)]:
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
