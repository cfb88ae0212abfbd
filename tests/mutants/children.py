"""Children that run tests in a copy of the tree: forked from a process that has imported TensorFlow already."""

import compileall
import gc
import importlib
import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

LIBRARIES = [
    *("tfticket.backend", "arviz", "sklearn.linear_model", "matplotlib.figure", "PySide6.QtTest"),
    *("hypothesis.extra.numpy", "_hypothesis_pytestplugin", "pytestqt.plugin", "pytest_timeout", "xdist.plugin"),
]
"""What most tests import."""

POLL = 0.1
"""Seconds between two looks at the children."""

SECONDS_PER_CPU_SECOND = 10
"""Factor from the limit of a child in CPU seconds to one in seconds, for children that wait instead of computing."""


@dataclass(frozen=True)
class Job:
    """A function for a child. `source`, if given, replaces `file`; `limit` is in CPU seconds."""

    subject: Any
    run: Callable[[], dict[str, Any]]
    limit: float
    file: str = ""
    source: str = ""


def preload() -> None:
    """Import the libraries that most tests need, but neither tests nor what they test."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    for name in LIBRARIES:
        importlib.import_module(name)
    _forget()
    gc.freeze()  # a child's collections leave these objects alone


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"tfticket", "tests", "gui", "experiments"}]:
        del sys.modules[name]


def copy_tree(folder: Path) -> Path:
    """Copy the files that git tracks; assets and documentation become links."""
    folder.mkdir()
    for name in ("assets", "docs"):
        (folder / name).symlink_to(ROOT / name)
    for line in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        if not line.startswith(("assets/", "docs/")) and (ROOT / line).is_file():
            (folder / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / line, folder / line)
    compileall.compile_dir(folder, quiet=2)
    return folder


def run_jobs(jobs: Iterable[Job], folders: Sequence[Path]) -> Iterator[tuple[Job, dict[str, Any], float]]:
    """Do jobs, one at a time in each copy of the tree; yield each with its result and its CPU seconds."""
    waiting, free, running = iter(jobs), list(folders), {}
    try:
        while True:
            while free and (job := next(waiting, None)):
                folder = free.pop()
                running[_fork(job, folder)] = job, folder, 0.0
            if not running:
                return
            time.sleep(POLL)
            for pid, (job, folder, waited) in list(running.items()):
                running[pid] = job, folder, waited + POLL  # no clock: it would count while this process is stopped
                done, status, usage = os.wait4(pid, os.WNOHANG)
                if done or waited > SECONDS_PER_CPU_SECOND * job.limit:
                    _kill(pid)  # or what the tests left of it
                if done:
                    del running[pid]
                    free.append(folder)
                    if job.file:
                        _write_source(folder / job.file, (ROOT / job.file).read_text())
                    yield job, _read_result(folder, status), usage.ru_utime + usage.ru_stime
    finally:
        for pid in running:
            _kill(pid)


def _fork(job: Job, folder: Path) -> int:
    (folder / "result.json").unlink(missing_ok=True)
    if job.file:
        _write_source(folder / job.file, job.source)
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(os.open("log.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND), stream)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(job.limit), int(job.limit) + 10))
        sys.path[:] = [str(folder) if Path(path).resolve() == ROOT else path for path in sys.path]
        os.environ["PYTHONPATH"] = str(folder)
        _forget()
        (folder / "result.json").write_text(json.dumps(job.run()))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _write_source(path: Path, source: str) -> None:
    """Write a module and drop its bytecode, which Python would take for up to date within the same second."""
    path.write_text(source)
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _read_result(folder: Path, status: int) -> dict[str, Any]:
    with suppress(FileNotFoundError, json.JSONDecodeError):
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        return result
    end = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
    return {"code": -1, "killed_by": end, "message": (folder / "log.txt").read_text()[-2000:]}
