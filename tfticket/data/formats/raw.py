"""Raw data as a source gives them, and what readers of all formats share."""

import gzip
import io
import math
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

import numpy as np
from numpy.typing import DTypeLike

from tfticket.errors import InputError

AGAIN = "Copy or download it again."

MODEST = 128 * 2**20
"""Bytes that any file may unpack to."""
RATIO = 250
"""Beyond that, bytes unpacked for each byte on disk: real images stay far below, bombs reach 1,000."""

CHUNK = 2**20
ALIGNMENT = 64
GZIP = b"\x1f\x8b"

FAULTS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)
"""What the standard library's readers raise at broken files."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Rows and labels as a source gives them.

    Attributes:
        x_train, x_test: uint8 or float32 [rows, height, width, channels], or float32 [rows, features].
        y_train, y_test: int32 [rows], labels in 0 .. classes - 1.
        class_names: Their names, where the source tells them.
        files: Every file that was read, for checksums.
        x_validation, y_validation: Validation rows of the source's own; None where it has none.
        feature_names: Of the columns, where the source tells them.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...] | None
    files: tuple[Path, ...]
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    feature_names: tuple[str, ...] = ()


class Stream(Protocol):
    """What readers need of a file, an archive's member or a gzip stream."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


def reason(error: Exception) -> str:
    """What an error says, on one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def damaged(where: object, expected: str) -> Iterator[None]:
    """Turn what libraries raise at a broken file into an InputError."""
    try:
        yield
    except FAULTS as error:
        if isinstance(error, PermissionError):
            raise InputError(f"{where} cannot be read: permission denied. Check its permissions.") from None
        raise InputError(f"{where} cannot be read: {reason(error)}. Expected {expected}. {AGAIN}") from None


def sane(where: object, unpacked: int, packed: int) -> None:
    """Refuse what would explode in size, before memory is asked for."""
    if unpacked > max(MODEST, RATIO * packed):
        raise InputError(
            f"{where} would unpack {packed:,} bytes to {unpacked:,}; expected at most {RATIO} for one, as images are. "
            f"Its header is damaged or it is a bomb. {AGAIN}"
        )


def unzipped(file: io.BufferedReader) -> IO[bytes]:
    """A file, or what it holds if it is gzipped."""
    if file.peek(len(GZIP))[: len(GZIP)] == GZIP:
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    return file


def room(shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> np.ndarray:
    """A new array, aligned so that TensorFlow can use it where it lies."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + ALIGNMENT, np.uint8)  # pages that nothing is written to take no memory
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def fill(size: int, stream: Stream, where: object) -> np.ndarray:
    """Exactly so many bytes, which end the stream, read straight into a new uint8 array."""
    array = room((size,))
    view = array.data
    end = 0
    while end < size:
        chunk = stream.read(min(CHUNK, size - end))
        if not chunk:
            raise InputError(f"{where} is truncated: it ends after {end:,} bytes of data; expected {size:,}. {AGAIN}")
        view[end : end + len(chunk)] = chunk
        end += len(chunk)
    if stream.read(1):
        raise InputError(f"{where} goes on after its {size:,} bytes of data; expected its end there. {AGAIN}")
    return array
