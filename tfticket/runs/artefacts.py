"""Tensors on disk: safetensors with JSON metadata. Never pickle."""

import functools
import hashlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tfticket.errors import InputError, TfticketError
from tfticket.runs.files import atomic_write, check_file
from tfticket.runs.step import CHECKPOINT
from tfticket.runs.step_files import (
    CHECKSUM,
    FILES,
    RESULT,
    Damaged,
    check_bytes,
    checksum_of,
    checksum_of_bytes,
    listed,
    read_result,
    step_of,
)

FORMAT_VERSION = 2
"""1, still read, has one checksum over all tensors and does not name the step."""


def save_tensors(path: Path, kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write tensors and metadata in one file, atomically.

    The metadata name the step in whose folder the file lies, and have a checksum of each tensor and of themselves.
    """
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} in. Make it first.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write.")
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    header = {**metadata, "format": FORMAT_VERSION, "kind": kind, "versions": versions()}
    header["step"] = getattr(step_of(path), "name", None)
    header["tensors"] = {name: checksum({"": array}) for name, array in arrays.items()}
    header[CHECKSUM] = checksum_of(json.loads(json.dumps(header)))
    texts = {"tfticket": json.dumps(header)}
    try:
        atomic_write(path, lambda file: safetensors.numpy.save_file(arrays, file, metadata=texts))
    except safetensors.SafetensorError as error:  # what a full disk comes as
        raise TfticketError(f"Cannot write {path}: {error}. Free some space and run the same again.") from None


def load_tensors(
    path: Path, kind: str | None, names: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what ``save_tensors`` wrote, in that order, and see that it is: what is read, and of the step it lies in.

    Args:
        path: The file.
        kind: What it must hold; None: anything.
        names: Read these tensors alone; () reads the metadata alone. None: everything.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a {kind or 'tensor'} file (.safetensors).")
    check_file(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in (file.keys() if names is None else names)}
    except FileNotFoundError:
        raise (Damaged(path, "is missing") if listed(path) else InputError(f"There is no file {path}.")) from None
    except (OSError, safetensors.SafetensorError, TypeError, AttributeError) as error:
        raise Damaged(path, f"is damaged or not a safetensors file: {error}") from None
    header = _header(path, texts, kind)
    if header["format"] == 1:
        header.pop("tensors", None)
        if names is None and header.pop("sha256", None) != checksum(tensors):
            raise Damaged(path, "is damaged: its tensors are not those that were written")
        if listed(path) is not None:
            raise Damaged(path, "is not the file that this step wrote")
        return tensors, header
    checksums = header.pop("tensors")
    if names is None and tensors.keys() != checksums.keys():
        raise Damaged(path, "is damaged: its tensors are not those that were written")
    changed = [name for name, array in tensors.items() if checksum({"": array}) != checksums[name]]
    if changed:
        raise Damaged(path, f"is damaged: the bytes of {', '.join(changed[:3])} are not those that were written")
    return {name: tensors[name] for name in checksums if name in tensors}, header  # safetensors has another order


def _header(path: Path, texts: dict[str, str], kind: str | None) -> dict[str, Any]:
    """A file's metadata, checked."""
    try:
        header = json.loads(texts["tfticket"])
        held, version = header["kind"], header["format"]
    except (KeyError, ValueError, TypeError, RecursionError):
        expected = f"a {kind} with its metadata" if kind else "its metadata"
        raise Damaged(path, f"was not written by tfticket; expected {expected}") from None
    if version not in (1, FORMAT_VERSION):
        mend = "Update tfticket" if isinstance(version, int) and version > FORMAT_VERSION else "Make it anew"
        raise InputError(f"{path} has format {version}; this tfticket reads format {FORMAT_VERSION}. {mend}.")
    if version != 1:
        own = header.pop(CHECKSUM, None)
        if own != checksum_of(header) or not isinstance(header.get("tensors"), dict):
            raise Damaged(path, "is damaged: its metadata are not those that were written")
        step, here = header.pop("step", None), getattr(step_of(path), "name", None)
        if here is not None and step != here:
            of = f"of the step {step}" if step else "of no step"
            raise Damaged(path, f"is a file {of}, not of the one whose folder it lies in")
        if listed(path) not in (None, own):
            raise Damaged(path, "is not the file that this step wrote")
    if kind is not None and held != kind:
        raise InputError(f"{path} holds a {held}; expected a {kind}.")
    return dict(header)


def identity(path: Path) -> str:
    """Return the checksum that ``result.json`` lists for a file: of a tensor file's metadata, else of its bytes."""
    if path.suffix != ".safetensors":
        return checksum_of_bytes(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        return str(json.loads(file.metadata()["tfticket"])[CHECKSUM])


def files_of(folder: Path) -> dict[str, str]:
    """Every file of a step's folder that stays: path in it -> ``identity``; they are on the disk afterwards."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in _UNLISTED and not path.name.startswith("."):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[name] = identity(path)
    return files


_UNLISTED = {RESULT, CHECKPOINT, "lease.json"}


def verify_step(folder: Path) -> bool:
    """See that each file of a finished step is what the step wrote; False of a step from before checksums."""
    files = read_result(folder).get(FILES)
    for name in files or ():
        path = folder / name
        if path.suffix == ".safetensors":
            load_tensors(path, None)
        else:
            check_bytes(path)
    return files is not None


def checksum(tensors: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes: what a changed byte in a file is known by."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.asarray(tensors[name], order="C")
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


@functools.cache
def versions() -> dict[str, str]:
    """Versions of what decides bits, and the commit where the program runs from a checkout."""
    names = ("tfticket", "tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy", "scipy")
    installed = {name: importlib.metadata.version(name) for name in names}
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
            installed["commit"] = done.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass  # no git: the version numbers must do
    return installed
