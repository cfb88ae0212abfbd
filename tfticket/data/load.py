"""From a source to a Dataset: checks, the split, checksums."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np

from tfticket import seeds
from tfticket.config import DataConfig, validate
from tfticket.data.dataset import Dataset
from tfticket.data.sources import npz
from tfticket.errors import InputError
from tfticket.registry import DATA_SETS, check_name, resolve


def load_data(
    name: str | None = None,
    *,
    validation_rows: int = 5000,
    train_rows: int | None = None,
    split_seed: int = 0,
    x_train: np.ndarray | None = None,
    y_train: np.ndarray | None = None,
    x_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
) -> Dataset:
    """Load a data set by name, or take the user's own arrays, and split it.

    Args:
        name: A registered data set, 'mnist' by default; with arrays, what figures call them.
        validation_rows: Rows taken from the training set for validation.
        train_rows: Keep only so many of the rest; None keeps all.
        split_seed: Seed of the split.
        x_train: uint8 [rows, height, width, channels] or [rows, height, width].
        y_train: Integer labels [rows].
        x_test: As ``x_train``.
        y_test: As ``y_train``.

    Raises:
        InputError: Unknown name; arrays of the wrong shape, type or length; too few rows.
    """
    config = {"validation_rows": validation_rows, "train_rows": train_rows, "split_seed": split_seed}
    given = (x_train, y_train, x_test, y_test)
    if all(array is None for array in given):
        check_name("data set", name or "mnist", DATA_SETS)
        return load_dataset(validate(DataConfig, {"name": name or "mnist", **config}, where="load_data"))
    if x_train is None or y_train is None or x_test is None or y_test is None:
        raise InputError("Own data need all four arrays: x_train, y_train, x_test, y_test.")
    digest = hashlib.sha256()
    for array in (x_train, y_train, x_test, y_test):
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    checked = validate(DataConfig, config, where="load_data")
    name = name or "own data"
    return _split(name, x_train, y_train, np.array(x_test), np.array(y_test), checked, digest.hexdigest())


@functools.lru_cache(maxsize=2)
def load_dataset(config: DataConfig) -> Dataset:
    """The data set that a configuration describes; the last two stay in memory."""
    return _split(config.name, *npz(_source(config.name)), config, _file_checksum(_source(config.name)))


def data_checksum(config: DataConfig) -> str:
    """SHA-256 of the source that a configuration names, without loading it."""
    return _file_checksum(_source(config.name))


def _source(name: str) -> Path:
    path: Path = resolve(DATA_SETS[name].target)()
    return path


@functools.lru_cache(maxsize=16)
def _file_checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _split(
    name: str,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    config: DataConfig,
    source_checksum: str,
) -> Dataset:
    x_train, y_train = _checked(name, "train", x_train, y_train)
    x_test, y_test = _checked(name, "test", x_test, y_test)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(f"{name}: training images are {x_train.shape[1:]}, test images {x_test.shape[1:]}.")
    num_classes = int(y_train.max()) + 1
    if int(y_test.max()) >= num_classes:
        raise InputError(f"{name}: test label {y_test.max()} does not occur in training (0 to {num_classes - 1}).")
    left = len(x_train) - config.validation_rows
    wanted = config.train_rows if config.train_rows is not None else left
    if left < 1 or wanted > left:
        raise InputError(
            f"{name} has {len(x_train):,} training rows: {config.validation_rows:,} for validation and "
            f"{max(wanted, 1):,} for training do not fit. Lower validation_rows or train_rows."
        )
    order = seeds.generator(config.split_seed, "split", len(x_train)).permutation(len(x_train))
    validation, train = order[: config.validation_rows], order[config.validation_rows :][:wanted]
    split = {"validation": config.validation_rows, "train": wanted, "seed": config.split_seed}
    checksum = hashlib.sha256(json.dumps([source_checksum, split], sort_keys=True).encode()).hexdigest()
    return Dataset(
        name=name,
        x_train=_frozen(x_train[train]),
        y_train=_frozen(y_train[train]),
        x_validation=_frozen(x_train[validation]),
        y_validation=_frozen(y_train[validation]),
        x_test=_frozen(x_test),
        y_test=_frozen(y_test),
        num_classes=num_classes,
        checksum=checksum,
    )


def _checked(name: str, part: str, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"{name}: {part} images are {images.dtype} {images.shape}; expected uint8 [rows, height, width] "
            "or [rows, height, width, channels]."
        )
    if images.ndim == 3:
        images = images[..., None]
    labels = labels.reshape(len(labels)) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or len(labels) != len(images) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{name}: {part} labels are {labels.dtype} {labels.shape}; expected {len(images):,} integers, one an image."
        )
    if not len(labels):
        raise InputError(f"{name}: there are no {part} rows.")
    if labels.min() < 0:
        raise InputError(f"{name}: {part} label {labels.min()} is negative; expected 0 to classes - 1.")
    return images, labels.astype(np.int32)


def _frozen(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: a data set stays what its checksum says."""
    view = array.view()
    view.flags.writeable = False
    return view
