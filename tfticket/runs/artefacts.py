"""Tensors on disk: safetensors with JSON metadata. Never pickle."""

import functools
import hashlib
import importlib.metadata
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tfticket.errors import InputError, TfticketError
from tfticket.runs.files import atomic_write, check_file

FORMAT_VERSION = 1

_ANEW = "If it lies in a step's folder, delete that folder and run the same again."


def save_tensors(path: Path, kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write tensors and metadata in one file, atomically.

    Args:
        path: Where to.
        kind: What it holds ('ticket', 'weights', 'checkpoint'); checked on reading.
        tensors: Name -> array.
        metadata: JSON values.
    """
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} in. Make it first.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write.")
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    header = {**metadata, "format": FORMAT_VERSION, "kind": kind, "versions": versions(), "sha256": checksum(arrays)}
    texts = {"tfticket": json.dumps(header)}
    try:
        atomic_write(path, lambda file: safetensors.numpy.save_file(arrays, file, metadata=texts))
    except safetensors.SafetensorError as error:  # what a full disk comes as
        raise TfticketError(f"Cannot write {path}: {error}. Free some space and run the same again.") from None


def load_tensors(
    path: Path, kind: str, names: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what ``save_tensors`` wrote.

    Args:
        path: The file.
        kind: What it must hold.
        names: Read these tensors alone, quickly and without looking whether a byte of the file has changed; () reads
            the metadata alone. None: everything.

    Raises:
        InputError: No such file, truncated or damaged, written by another program, of another kind or a
            newer format.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a {kind} file (.safetensors).")
    check_file(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in (file.keys() if names is None else names)}
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, safetensors.SafetensorError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file: {error}. {_ANEW}") from None
    try:
        header = json.loads(texts["tfticket"])
        found, version = header["kind"], header["format"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise InputError(f"{path} was not written by tfticket; expected a {kind} with its metadata.") from None
    if version != FORMAT_VERSION:
        mend = "Update tfticket" if isinstance(version, int) and version > FORMAT_VERSION else "Make it anew"
        raise InputError(f"{path} has format {version}; this tfticket reads format {FORMAT_VERSION}. {mend}.")
    if found != kind:
        raise InputError(f"{path} holds a {found}; expected a {kind}.")
    sha256 = header.pop("sha256", None)
    if names is None and sha256 != checksum(tensors):
        raise InputError(f"{path} is damaged: its tensors are not those that were written. {_ANEW}")
    return tensors, header


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
    found = {name: importlib.metadata.version(name) for name in names}
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
            found["commit"] = done.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass  # no git: the version numbers must do
    return found
