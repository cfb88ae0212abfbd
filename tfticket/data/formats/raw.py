"""Raw data as read from a source, and functions shared by readers of all formats."""

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
"""Size to which any file may be unpacked, in bytes."""
RATIO = 250
"""Beyond MODEST, the limit on bytes unpacked per byte on disk: real images stay far below, bombs reach 1,000."""

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
"""Exceptions of the standard library's readers at broken files."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Rows and labels as read from a source.

    Attributes:
        x_train, x_test: uint8 or float32 [rows, height, width, channels], or float32 [rows, features].
        y_train, y_test: int32 [rows], labels in 0 .. classes - 1.
        class_names: Their names, if the source has them.
        files: Every file that was read, for checksums.
        x_validation, y_validation: The source's own validation rows, or None.
        feature_names: Of the columns, if the source has them.
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
    """Interface of a file, an archive's member or a gzip stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most this many bytes; none at the end."""
        ...


def without_source(where: object) -> str:
    """Return 'y_train' of 'iris: y_train', for a message that begins with another part of the same source."""
    return str(where).rpartition(": ")[2]


def error_line(error: Exception) -> str:
    """Return an error's message, as one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def as_input_error(where: object, expected: str) -> Iterator[None]:
    """Convert exceptions of libraries at broken files to InputError."""
    try:
        yield
    except FAULTS as error:
        if isinstance(error, PermissionError):
            raise InputError(f"{where} cannot be read: permission denied. Check its permissions.") from None
        raise InputError(f"{where} cannot be read: {error_line(error)}. Expected {expected}. {AGAIN}") from None


def check_expansion(where: object, unpacked: int, packed: int) -> None:
    """Refuse archives that expand too much, before allocating memory."""
    if unpacked > max(MODEST, RATIO * packed):
        raise InputError(
            f"{where} would unpack {packed:,} bytes to {unpacked:,}; expected at most {RATIO} for one, as images are. "
            f"Its header is damaged or it is a bomb. {AGAIN}"
        )


def decompressed(file: io.BufferedReader) -> IO[bytes]:
    """Return a file's stream, decompressed if it is gzipped."""
    if file.peek(len(GZIP))[: len(GZIP)] == GZIP:
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    return file


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> np.ndarray:
    """Return a new array, aligned so that TensorFlow can use it without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(size + ALIGNMENT, np.uint8)  # unwritten pages take no memory
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def read_exactly(size: int, stream: Stream, where: object) -> np.ndarray:
    """Read exactly this many bytes, which must end the stream, into a new uint8 array."""
    array = aligned_empty((size,))
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
