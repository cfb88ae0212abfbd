"""Files that are either whole or not there."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfticket.errors import InputError


def atomic_write(path: Path, write: Callable[[Path], object], *, sync: bool = True) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in its place in one move.

    A crash leaves the old file or none, never half of the new one; a later write clears what it left behind.

    Args:
        path: The file to make or replace.
        write: Called with the path to write to.
        sync: Wait until the bytes are on the disk: for results, not for what can be derived again.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        write(temporary)
        temporary.chmod(0o644)  # some libraries write files that nobody else can read
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object, *, sync: bool = True) -> None:
    """Write JSON atomically, readable by people."""
    text = json.dumps(value, indent=1) + "\n"
    atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"), sync=sync)


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: The file is not there or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable as JSON: {error}") from None


def check_place(folder: Path, option: str) -> None:
    """See that a folder could be made and written in, without making it.

    Raises:
        InputError: It could not; the message names the option that names another one.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = os.strerror(errno.EACCES if there.is_dir() else errno.ENOTDIR)
        raise InputError(f"Cannot write in {folder} ({why}). Choose another folder with {option}.")


def check_writable(folder: Path, option: str) -> None:
    """Make a folder and see that it takes files.

    Args:
        folder: The folder.
        option: The option that names another one, for the message.

    Raises:
        InputError: It cannot be made or written.
    """
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"Cannot write in {folder} ({error.strerror}). Choose another folder with {option}.") from None
