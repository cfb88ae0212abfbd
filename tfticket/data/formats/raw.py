"""Raw data as a source gives them, and the checks that all formats share."""

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
    """Images and labels as a source gives them.

    Attributes:
        x_train, x_test: uint8 [rows, height, width, channels].
        y_train, y_test: int32 [rows], labels in 0 .. classes - 1.
        class_names: Their names, where the source tells them.
        files: Every file that was read, for checksums.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...] | None
    files: tuple[Path, ...]


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


def room(shape: tuple[int, ...]) -> np.ndarray:
    """A new uint8 array, aligned so that TensorFlow can use it where it lies."""
    size = math.prod(shape)
    buffer = np.empty(size + ALIGNMENT, np.uint8)  # pages that nothing is written to take no memory
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].reshape(shape)


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


def check_images(where: object, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Whether images are of a type and shape that we take; asked before they are read."""
    _check_plain(where, dtype, "uint8")
    if dtype != np.uint8:
        raise InputError(
            f"{where} is {dtype}; expected uint8 0..255. Convert values of 0..1 by "
            "np.rint(255 * x).astype(np.uint8), values of 0..255 by np.rint(x).astype(np.uint8)."
        )
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(
            f"{where} has the shape {shape}; expected [rows, height, width] or [rows, height, width, channels], "
            "none of them 0. Reshape it."
        )
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] > 4:
        raise InputError(
            f"{where} has the shape {shape}, channels first; expected [rows, height, width, channels]. "
            "Save x.transpose(0, 2, 3, 1)."
        )


def check_labels(where: object, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Whether labels are of a type and shape that we take; asked before they are read."""
    _check_plain(where, dtype, "int32")
    if len(shape) == 2 and shape[1] > 1:
        raise InputError(f"{where} has the shape {shape}; expected [rows]. If it is one-hot, save y.argmax(axis=1).")
    if dtype.kind in "US":
        raise InputError(f"{where} holds texts; expected integers. Save np.unique(y, return_inverse=True)[1].")
    if dtype.kind not in "iu":
        raise InputError(f"{where} is {dtype}; expected integers. Convert it by y.astype(np.int32).")
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise InputError(f"{where} has the shape {shape}; expected [rows], at least one. Reshape it.")


def _check_plain(where: object, dtype: np.dtype, expected: str) -> None:
    if dtype.hasobject:
        raise InputError(
            f"{where} holds pickled Python objects, which could run code and were not read; expected {expected}. "
            f"Save a plain array: np.asarray(array, np.{expected})."
        )


def check_range(where: object, labels: np.ndarray, classes: int) -> None:
    """Whether labels lie in 0 .. classes - 1."""
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"{where} holds the label {low if low < 0 else high}; expected 0 to {classes - 1}. Number the classes so."
        )


def checked(
    where: tuple[object, object, object, object],
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    *,
    files: tuple[Path, ...],
    class_names: tuple[str, ...] | None = None,
    classes: int | None = None,
) -> Raw:
    """Raw data of these arrays, if they fit together.

    Args:
        where: What messages call the four arrays, in their order.
        x_train: uint8 [rows, height, width] or [rows, height, width, channels]; not copied.
        y_train: Integers [rows] or [rows, 1].
        x_test: As ``x_train``.
        y_test: As ``y_train``.
        files: What was read.
        class_names: As in Raw.
        classes: How many the format has; None counts them in the training labels.
    """
    x_train, y_train = _split(where[0], where[1], x_train, y_train)
    x_test, y_test = _split(where[2], where[3], x_test, y_test)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            f"{where[2]} has images of {x_test.shape[1:]}, {where[0]} of {x_train.shape[1:]} (height, width, "
            "channels); expected one size. Scale them to it."
        )
    if classes is None:
        # Every class has a training image, so that there are no more classes than rows.
        low, high = int(y_train.min()), int(y_train.max())
        if low < 0 or high >= len(y_train):
            wrong = low if low < 0 else high
            raise InputError(
                f"{where[1]} holds the label {wrong}; expected classes numbered 0, 1, 2, ... Number them so."
            )
        classes = high + 1
    check_range(where[1], y_train, classes)
    check_range(where[3], y_test, classes)
    empty = np.flatnonzero(np.bincount(y_train.astype(np.int32), minlength=classes) == 0)
    if len(empty):
        name = f"{empty[0]}" if class_names is None else f"{empty[0]} ('{class_names[empty[0]]}')"
        raise InputError(
            f"{where[1]} has no row of class {name}; expected every label from 0 to {classes - 1}. "
            "Add images of it, or number the classes without gaps."
        )
    return Raw(
        x_train=x_train,
        y_train=y_train.astype(np.int32),
        x_test=x_test,
        y_test=y_test.astype(np.int32),
        class_names=class_names,
        files=files,
    )


def _split(
    images_where: object, labels_where: object, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    check_images(images_where, images.dtype, images.shape)
    check_labels(labels_where, labels.dtype, labels.shape)
    if len(images) != len(labels):
        raise InputError(
            f"{labels_where} has {len(labels):,} labels, {images_where} {len(images):,} images; "
            "expected one label an image. Take both from the same source."
        )
    return images[..., None] if images.ndim == 3 else images, labels.reshape(-1)
