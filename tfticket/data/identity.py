"""Identity of data sets: by name, and by contents."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL

from tfticket.config import DataConfig
from tfticket.data.dataset import size_of
from tfticket.data.sources import Source, user_dataset
from tfticket.errors import InputError, unknown
from tfticket.registry import DATA_DIR, DATA_SETS, resolve

if TYPE_CHECKING:
    from tfticket.data.formats import Raw


def registered() -> list[Source]:
    """Return all registered data sets."""
    return [resolve(entry.target) for entry in DATA_SETS.values()]


def source_by_name(name: str) -> Source | None:
    """Return the registered data set of a name, or None."""
    return resolve(DATA_SETS[name].target) if name in DATA_SETS else None


def source_by_contents(contents: str) -> Source | None:
    """Return the registered data set with these contents (``Dataset.contents``), or None."""
    return next((source for source in registered() if source.contents == contents), None)


def label_of(name: str, contents: str) -> str:
    """Return the label of data in figures; known contents have their own, whatever the user's name."""
    source = source_by_contents(contents) or source_by_name(name)
    return name if source is None else source.label


def class_names_of(raw: "Raw", contents: str) -> tuple[str, ...]:
    """Return class names by label: the source's, those of the registered data set, else '0', '1', ..."""
    known = source_by_contents(contents)
    names = raw.class_names or (known.class_names if known is not None else ())
    return names or tuple(map(str, range(int(raw.y_train.max()) + 1)))


def locate(name: str) -> Path:
    """Return the path of the data set of a name, downloading it if needed and possible."""
    source = source_by_name(name)
    path = user_dataset(name) if source is None else source.path()
    if path is None and Path(name).is_file():
        raise InputError(
            f"'{name}' is a file or folder, not the name of a data set: give it as path (data.path).", field="data.name"
        )
    if path is None:
        advice = f"Own data: give their file or folder as data.path, or their folder by --data-dir or {DATA_DIR}."
        raise unknown("data set", name, DATA_SETS, field="data.name", advice=advice)
    return path


def check_on_disk(config: DataConfig) -> None:
    """Refuse a data set that would have to be downloaded."""
    source = source_by_name(config.name) if config.path is None else None
    if source is not None and source.find() is None:
        raise InputError(f"{config.name} is not on this machine. {source.how}", field="data.name")


def check_contents(name: str, raw: "Raw", contents: str, where: str) -> None:
    """Check that data with the name of a registered data set are that data set."""
    named, known = source_by_name(name), source_by_contents(contents)
    if named is None or known is named:
        return
    if named.contents is None and known is None:  # only its size is known
        size = (len(raw.x_train), len(raw.x_test), raw.x_train.shape[1:])
        if size == named.size:
            return
        problem = f"has {_rows_of(size)}; expected {_rows_of(named.size)}"
    elif known is not None:
        problem = f"holds the images and labels of {known.name}"
    else:
        problem = f"holds other images or labels than its publishers' (SHA-256 {contents[:16]}...)"
    mend = "Give it another name."
    if known is not None:
        mend = f"Call it {known.name}."
    elif named.bundled is not None and where == str(named.find()):
        mend = f"Another JPEG decoder may be the reason: Pillow {PIL.__version__} here. Install tfticket again."
    raise InputError(
        f"{where} is called {name}, but {problem}. {mend}",
        field="data.name",
        suggestion=None if known is None else known.name,
    )


def _rows_of(size: tuple[int, int, tuple[int, ...]]) -> str:
    """Describe training and test rows: '60,000 + 10,000 images of 28x28x1'."""
    train, test, shape = size
    return f"{train:,} + {test:,} {'rows' if len(shape) == 1 else 'images'} of {size_of(shape)}"


@dataclass(frozen=True, eq=False)
class Identity:
    """Identity of raw data, independent of their order and format.

    Attributes:
        contents: SHA-256 of all rows, sorted.
        train_order: The training rows sorted by their hashes, int64 [rows].
        test_order: The test rows likewise.
        validation_order: The source's own validation rows likewise; empty if it has none.
    """

    contents: str
    train_order: np.ndarray
    test_order: np.ndarray
    validation_order: np.ndarray


def identify(raw: "Raw") -> Identity:
    """Hash every row, and all rows in the order of their hashes."""
    kind = "" if raw.x_train.dtype == np.uint8 else str(raw.x_train.dtype)
    digest = hashlib.sha256((str(raw.x_train.shape[1:]) + kind).encode())
    train, test = _ordered(raw.x_train, raw.y_train, digest), _ordered(raw.x_test, raw.y_test, digest)
    validation = np.zeros(0, np.int64)
    if raw.x_validation is not None and raw.y_validation is not None:
        validation = _ordered(raw.x_validation, raw.y_validation, digest)
    return Identity(digest.hexdigest(), train, test, validation)


def _ordered(rows: np.ndarray, labels: np.ndarray, digest: "hashlib._Hash") -> np.ndarray:
    """Return the order of the rows by their hashes, and update a digest with these."""
    hashes = [hashlib.sha256(row.tobytes() + label.tobytes()).digest() for row, label in zip(rows, labels, strict=True)]
    digest.update(b"|" + b"".join(sorted(hashes)))
    return np.array(sorted(range(len(hashes)), key=hashes.__getitem__))
