"""Files that are either whole or not there, and readers that nothing in a folder can hold up."""

import errno
import json
import os
import stat
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


MOST_BYTES = 2**28
"""No JSON or YAML file of ours is larger."""


def read_file(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Read a regular file of a bounded size. A named pipe or a device is not waited for."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path} is {_kind_of(status.st_mode)}; expected a file. Remove it.")
            if status.st_size > most_bytes:
                raise InputError(
                    f"{path} has {status.st_size:,} bytes; expected at most {most_bytes:,}. It is damaged or another "
                    "program's: remove it."
                )
            return file.read(most_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; expected a file. Remove it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise InputError(f"{path} is not readable: {getattr(error, 'strerror', None) or error}.") from None


def check_file(path: Path, most_bytes: int | None = None) -> None:
    """See that other libraries can open a file without waiting for ever."""
    try:
        status = path.stat()
    except OSError:
        return  # what opens it tells why
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is {_kind_of(status.st_mode)}; expected a file.")
    if most_bytes is not None and status.st_size > most_bytes:
        raise InputError(f"{path} has {status.st_size:,} bytes; expected at most {most_bytes:,}.")


def _kind_of(mode: int) -> str:
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket"}
    return next((words for is_kind, words in kinds.items() if is_kind(mode)), "a device")


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Read JSON."""
    try:
        return json.loads(read_file(path, most_bytes).decode("utf-8"))
    except RecursionError:
        raise InputError(f"{path} is not readable as JSON: it is nested too deep.") from None
    except ValueError as error:
        raise InputError(f"{path} is not readable as JSON: {error}") from None


def check_place(folder: Path, option: str) -> None:
    """See that a folder could be made and written in, without making it."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = os.strerror(errno.EACCES if there.is_dir() else errno.ENOTDIR)
        raise InputError(f"Cannot write in {folder} ({why}). Choose another folder with {option}.", field=option)


def check_writable(folder: Path, option: str) -> None:
    """Make a folder and see that it takes files."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"Cannot write in {folder} ({error.strerror}). Choose another folder with {option}."
        raise InputError(message, field=option) from None
