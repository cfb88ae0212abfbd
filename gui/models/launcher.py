"""Runs as separate processes: started in their own session, found by their folders, stopped by a file."""

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
from tfticket.runs.run_folder import STATUS, run_folders
from tfticket.runs.schemas import Status

from .signal import Signal
from .workspace import Problem

LAUNCH_FOLDER = "desktop"
"""Folder of the workspace with the configurations that windows started and the output of their processes."""

MAX_FAILURES = 20


@dataclass(frozen=True)
class LaunchedProcess:
    """A process that this window started.

    Attributes:
        started: Start time, seconds since 1970.
        text: Configuration as YAML.
        configuration, log: Files with the configuration and with the output.
        resumes: Folder of the run to resume, if any.
    """

    workspace: Path
    started: float
    text: str
    configuration: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    resumes: Path | None = None

    @property
    def name(self) -> str:
        """Folder name of the resumed run, otherwise the name in the configuration."""
        return self.resumes.name if self.resumes else run_name(self.text)

    def holds(self, run: Path) -> bool:
        """Return True if this process, not one of the same number on another machine, holds the lease of a run."""
        holder = holder_of(run)
        return holder is not None and (holder["host"], holder["pid"]) == (platform.node(), self.process.pid)


class Launcher:
    """Starts and stops runs.

    Attributes:
        failed: Emitted with a ``Problem`` when a process of this window failed.
    """

    def __init__(self) -> None:
        self.failed = Signal()
        self._launched: list[LaunchedProcess] = []
        self._starting: list[LaunchedProcess] = []

    def start(
        self, workspace: Path, text: str, options: Sequence[str] = (), resumes: Path | None = None
    ) -> LaunchedProcess:
        """Start a run of a configuration as YAML, with further command-line options; or resume one in its folder.

        Raises:
            InputError: The workspace is not writable.
        """
        folder = workspace / LAUNCH_FOLDER
        check_writable(folder, "File > Open workspace")
        self._delete_old_failures(folder)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{run_name(text)}"
        number = next(n for n in range(1, 1000) if not (folder / f"{stem}-{n}.yaml").exists())
        configuration, log = folder / f"{stem}-{number}.yaml", folder / f"{stem}-{number}.log"
        configuration.write_text(text, encoding="utf-8")
        # -P: modules in the current folder are not imported.
        command = [sys.executable, "-P", "-m", "tfticket", "run", str(configuration)]
        command += ["--workspace", str(workspace), "-q"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the window
            )
        launched = LaunchedProcess(workspace, time.time(), text, configuration, log, process, resumes)
        self._launched.append(launched)
        self._starting.append(launched)
        return launched

    def is_running(self, text: str) -> bool:
        """Return True if a process of this window runs this configuration."""
        return any(launched.text == text for launched in self._launched if launched.process.poll() is None)

    @property
    def is_starting(self) -> bool:
        """True while a process of this window has no run folder yet."""
        return any(launched.process.poll() is None for launched in self._starting)

    @property
    def running_count(self) -> int:
        return sum(launched.process.poll() is None for launched in self._launched)

    def newly_started(self, runs: Sequence[RunSummary]) -> list[tuple[LaunchedProcess, RunSummary]]:
        """Return the processes whose run appeared since the last call, each with its run."""
        self._starting = [launched for launched in self._starting if launched.process.poll() is None]
        running = [run for run in runs if run.state == "running"] if self._starting else []
        pairs = [(launched, run) for launched in self._starting for run in running if launched.holds(run.folder)]
        self._starting = [launched for launched in self._starting if launched not in [first for first, _ in pairs]]
        return pairs

    def poll(self) -> None:
        """Check for ended processes; report those that failed without recording why in a run."""
        for launched in list(self._launched):
            code = launched.process.poll()
            if code is None:
                continue
            self._launched.remove(launched)
            if code in (0, Stopped.exit_code, -signal.SIGKILL):
                launched.configuration.unlink(missing_ok=True)
                launched.log.unlink(missing_ok=True)
            elif not _failure_is_recorded(launched):
                output = ""
                with suppress(OSError):
                    output = launched.log.read_text(encoding="utf-8", errors="replace").strip()
                last = output.splitlines()[-1] if output and code > 0 else f"ended by signal {-code}"
                self.failed.emit(Problem(f"{launched.name}: {last.removeprefix('Error: ')}", output or last))

    def _delete_old_failures(self, folder: Path) -> None:
        """Keep the files of the newest failures, and of processes that outlived their window."""
        running = {launched.configuration for launched in self._launched}
        old = [path for path in sorted(folder.glob("*.yaml")) if path not in running]
        for path in old[:-MAX_FAILURES]:
            path.unlink(missing_ok=True)
            path.with_suffix(".log").unlink(missing_ok=True)


def run_name(text: str) -> str:
    """Return the run's name in a configuration; 'run' if there is none."""
    match = re.search(r"^name:\s*([A-Za-z0-9._-]+)", text, re.MULTILINE)
    return match.group(1) if match else "run"


def resume_folder_name(run: RunSummary) -> str:
    """Return the folder name in which a run continues: its configuration's name and hash.

    A renamed folder does not show the hash, and a copy shows it within its own name.
    """
    pattern = re.escape(run.name) + "-[0-9a-f]{8}"
    match = re.search(pattern, run.folder.name)
    return match.group() if match else f"{run.name}-…"


def _failure_is_recorded(launched: LaunchedProcess) -> bool:
    """Return True if a run of its workspace has failed since it started, and records why."""
    for folder in run_folders(launched.workspace):
        status, _ = record_or_problem(folder / STATUS, Status)
        if status and status["state"] == "failed" and status.get("updated", 0.0) >= launched.started:
            return True
    return False


def request_stop(run: Path) -> None:
    """Ask a run to write a checkpoint and stop: by a STOP file, and SIGTERM to a process on this machine.

    Raises:
        InputError: The run has no live process, its folder is not writable, or it was asked before.
    """
    holder = _holder(run)
    if (run / "STOP").exists():  # a second signal would end it immediately
        raise InputError(
            f"{run.name} was already asked to stop and will do so at its next checkpoint. To end it now: Run > Kill."
        )
    try:
        (run / "STOP").touch()
    except OSError as error:
        raise InputError(f"{run.name} cannot be asked to stop: {error.strerror}.") from None
    if holder["host"] == platform.node():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(holder["pid"], signal.SIGTERM)


def kill(run: Path) -> None:
    """Kill a run's process and its children; the last checkpoint stays.

    Raises:
        InputError: The run has no live process of this user on this machine (its start time is compared, too).
    """
    holder = _holder(run)
    if holder["host"] != platform.node():
        raise InputError(f"{run.name} runs on {holder['host']}, process {holder['pid']}. End it there.")
    try:
        process = psutil.Process(holder["pid"])
        # Not its group, since a script may run several; the parent first, or it would report its children's end.
        for member in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                member.kill()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise InputError(f"{run.name} belongs to another user (process {holder['pid']}), who must end it.") from None


def _holder(run: Path) -> dict[str, Any]:
    holder = holder_of(run)
    if holder is None:
        raise InputError(f"{run.name} is not running.")
    return holder
