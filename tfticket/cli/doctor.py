"""``tfticket doctor``: what this machine has, what is missing, and how to get it."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from tfticket.errors import InputError
from tfticket.registry import DATA_SETS
from tfticket.runs.run_folder import run_folders
from tfticket.text import counted

MARKS = {"ok": "✓", "note": "·", "broken": "✗"}
LITTLE_DISK = 2e9
"""Bytes; a long run writes a few hundred megabytes."""
GPU_DRIVER = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; its state is 'ok', 'note' (the program works all the same) or 'broken'."""

    what: str
    state: str
    found: str
    mend: str = ""

    @property
    def mark(self) -> str:
        """The state as one character."""
        return MARKS[self.state]


def examine(workspace: Path) -> list[Finding]:
    """Look at everything. Starts TensorFlow."""
    memory = psutil.virtual_memory()
    return [
        Finding("Python", "ok", f"{platform.python_version()}, {platform.platform()}"),
        *_packages(),
        *_devices(),
        Finding("memory", "ok", f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB"),
        *_workspace(workspace),
        *_data(),
    ]


def _packages() -> Iterator[Finding]:
    """The program and the packages that it asks for, at their versions."""
    try:
        yield Finding("tfticket", "ok", f"{importlib.metadata.version('tfticket')}, {Path(__file__).parent}")
        wanted = [Requirement(text) for text in importlib.metadata.requires("tfticket") or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("tfticket", "broken", "not installed", "Install it: make setup, or pip install tfticket-*.whl")
        return
    fitting = []
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(requirement.name, "broken", "not installed", f"pip install '{requirement}'")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            fitting.append(f"{requirement.name} {version}")
        else:
            mend = f"Expected {requirement.specifier}: pip install '{requirement}'"
            yield Finding(requirement.name, "broken", version, mend)
    yield Finding("packages", "ok", ", ".join(fitting))


def _devices() -> Iterator[Finding]:
    try:
        from tfticket import backend
    except Exception as error:  # whatever a broken installation raises
        yield Finding("TensorFlow", "broken", f"does not start: {error}", "Install tfticket again.")
        return
    here = backend.environment()
    if backend.has_gpu():
        yield Finding("GPU", "ok", str(here["device"]))
    elif GPU_DRIVER.exists():
        mend = "Install its CUDA libraries: pip install 'tfticket[gpu]'"
        yield Finding("GPU", "note", "there is one, but TensorFlow does not see it", mend)
    else:
        yield Finding("GPU", "note", "none: everything runs on the CPU")
    yield Finding("CPU threads", "ok", f"{here['threads']} of {os.cpu_count()}")


def _workspace(workspace: Path) -> Iterator[Finding]:
    nearest = next(folder for folder in (workspace.absolute(), *workspace.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        yield Finding("workspace", "broken", f"{workspace.absolute()}: {nearest} cannot be written", "Use --workspace.")
        return
    runs = len(run_folders(workspace))
    yield Finding("workspace", "ok", f"{workspace.absolute()}, {counted(runs, 'run')}")
    free = shutil.disk_usage(nearest).free
    little = free < LITTLE_DISK
    mend = f"Less than {LITTLE_DISK / 1e9:.0f} GB: free some, or use --workspace." if little else ""
    yield Finding("free disk", "note" if little else "ok", f"{free / 1e9:.1f} GB", mend)


def _data() -> Iterator[Finding]:
    from tfticket.data.identity import registered
    from tfticket.data.sources import user_datasets

    try:
        own = user_datasets()
    except InputError as error:
        yield Finding("data folder", "broken", str(error))
        return
    for source in registered():
        try:
            path = source.find()
        except InputError as error:
            yield Finding(f"data {source.name}", "broken", str(error))
            continue
        state, where = ("ok", str(path)) if path is not None else ("note", "not on this machine")
        yield Finding(f"data {source.name}", state, where, "" if path is not None else source.how)
    for name, path in own.items():
        if name not in DATA_SETS:
            yield Finding(f"data {name}", "ok", str(path))
