"""CIFAR-10 as its authors publish it: the binary and the Python version, unpacked or as tar.gz."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfticket.data.formats import pickled, tars
from tfticket.data.formats.consistency import Part, check_range, make_raw
from tfticket.data.formats.raw import AGAIN, Raw, aligned_empty, as_input_error, read_exactly
from tfticket.errors import InputError

ROWS = 10_000
CLASSES = 10
PIXELS = 3 * 32 * 32
RECORD = 1 + PIXELS
BATCH = re.compile(r"(data_batch_[1-5]|test_batch)(\.bin)?")
NAMES = ("batches.meta", "batches.meta.txt")
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
EXPECTED = "CIFAR-10's binary or python archive or its unpacked folder: data_batch_1 to 5 and test_batch"
SOURCE = "Download it from https://www.cs.toronto.edu/~kriz/cifar.html."


def read(path: Path) -> Raw:
    """Read either version from its folder or archive, one batch after the other."""
    images = aligned_empty((len(BATCHES) * ROWS, 32, 32, 3))
    labels = np.empty(len(BATCHES) * ROWS, np.uint8)
    rows: dict[str, int] = {}
    class_names, files = None, [] if path.is_dir() else [path]
    with as_input_error(path, EXPECTED):
        for where, member in _members(path):
            name = PurePosixPath(member.name).name
            if path.is_dir():
                files.append(path / name)
            if name in NAMES:
                class_names = _class_names(where, member, binary=name.endswith(".txt"))
                continue
            batch = name.removesuffix(".bin")
            if batch in rows:
                raise InputError(f"{where} is the second '{batch}'; expected {EXPECTED}. Remove one of them.")
            start = BATCHES.index(batch) * ROWS
            rows[batch] = _batch(where, member, images[start:], labels[start:], binary=name.endswith(".bin"))
    missing = [batch for batch in BATCHES if batch not in rows]
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}; expected {EXPECTED}. {SOURCE}")
    end = 0
    for number, batch in enumerate(BATCHES[:-1]):  # batches of fewer rows move together
        start, count = number * ROWS, rows[batch]
        if start != end:
            images[end : end + count] = images[start : start + count]
            labels[end : end + count] = labels[start : start + count]
        end += count
    test = slice(5 * ROWS, 5 * ROWS + rows["test_batch"])
    return make_raw(
        {
            "train": Part(f"{path}: training images", f"{path}: training labels", images[:end], labels[:end]),
            "test": Part(f"{path}: test images", f"{path}: test labels", images[test], labels[test]),
        },
        files=tuple(files),
        class_names=class_names,
        classes=CLASSES,
    )


def _members(path: Path) -> Iterator[tuple[str, tars.Member]]:
    """The batches and the class names, each readable until the next one is asked for."""
    if not path.is_dir():
        for member in tars.members(path):
            name = PurePosixPath(member.name).name
            if name in NAMES or BATCH.fullmatch(name):
                yield f"{path}: {member.name!r}", member
        return
    for file in sorted(path.iterdir()):
        if file.name in NAMES or BATCH.fullmatch(file.name):
            if not file.is_file():
                raise InputError(f"{file} is no file; expected {EXPECTED}. {SOURCE}")
            with file.open("rb") as stream:
                yield str(file), tars.Member(stream, file.name, file.stat().st_size)


def _batch(where: str, member: tars.Member, images: np.ndarray, labels: np.ndarray, *, binary: bool) -> int:
    """Read one batch to the start of these arrays; returns its rows."""
    pixels, numbers = (_binary if binary else _python)(where, member)
    check_range(where, numbers, CLASSES)
    images[: len(pixels)] = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels[: len(pixels)] = numbers
    return len(pixels)


def _binary(where: str, member: tars.Member) -> tuple[np.ndarray, np.ndarray]:
    rows = member.size // RECORD
    if member.size % RECORD or not 1 <= rows <= ROWS:
        raise InputError(
            f"{where} has {member.size:,} bytes; expected 1 to {ROWS:,} records of {RECORD:,} bytes (a label, then "
            f"{PIXELS:,} pixels). It is truncated or not of CIFAR-10. {SOURCE}"
        )
    records = read_exactly(member.size, member, where).reshape(rows, RECORD)
    return records[:, 1:], records[:, 0]


def _python(where: str, member: tars.Member) -> tuple[np.ndarray, np.ndarray]:
    content = _pickle(where, member)
    missing = [key for key in ("data", "labels") if key not in content]
    if missing:
        keys = ", ".join(repr(key) for key in list(content)[:8]) or "nothing"
        raise InputError(f"{where} has no {' and no '.join(missing)}, but {keys}; expected CIFAR-10's. {SOURCE}")
    pixels, numbers = pickled.array(content["data"], f"{where}: data"), content["labels"]
    if pixels.shape[1] != PIXELS or not 1 <= len(pixels) <= ROWS:
        raise InputError(f"{where}: data has the shape {pixels.shape}; expected [1 to {ROWS}, {PIXELS}]. {SOURCE}")
    if not isinstance(numbers, list) or not all(type(number) is int and 0 <= number < 256 for number in numbers):
        raise InputError(f"{where}: labels is no list of numbers; expected 0 to {CLASSES - 1} for each image. {SOURCE}")
    if len(numbers) != len(pixels):
        raise InputError(
            f"{where} has {len(numbers):,} labels and {len(pixels):,} images; expected one label an image. {SOURCE}"
        )
    return pixels, np.array(numbers, np.uint8)


def _class_names(where: str, member: tars.Member, *, binary: bool) -> tuple[str, ...]:
    lines: Any = member.read(2**16).splitlines() if binary else _pickle(where, member).get("label_names")
    texts = [
        line.decode("latin-1") if isinstance(line, bytes) else line
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, str | bytes)
    ]
    names = tuple(text.strip() for text in texts if text.strip())
    if len(names) != CLASSES or len({*names}) != CLASSES:
        raise InputError(f"{where} does not name {CLASSES} classes; expected CIFAR-10's. {SOURCE}")
    return names


def _pickle(where: str, member: tars.Member) -> dict[str, Any]:
    if member.size > pickled.MOST_BYTES:
        raise InputError(f"{where} has {member.size:,} bytes; expected a batch of CIFAR-10, about 31 MB. {AGAIN}")
    return pickled.load(read_exactly(member.size, member, where).data, where)
