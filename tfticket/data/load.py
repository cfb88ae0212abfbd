"""From a source to a Dataset: contents, classes, split."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfticket import seeds
from tfticket.config import DataConfig
from tfticket.data.dataset import Dataset
from tfticket.data.formats import Raw, read
from tfticket.data.formats.raw import ALIGNMENT, checked, room
from tfticket.data.known import check_contents, class_names_of, identify, label_of, locate, source_of
from tfticket.data.normalisation import UNIT, standard
from tfticket.errors import InputError, unknown
from tfticket.schema import validate

USUAL_VALIDATION_ROWS = 5000
COLUMNS = 256
"""Bytes of each row that are moved at once: the memory that arranging rows takes."""


def load_data(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    classes: tuple[int | str, ...] | list[int | str] | None = None,
    validation_rows: int | None = None,
    train_rows: int | None = None,
    split_seed: int = 0,
    normalise: str = "unit",
    x_train: np.ndarray | None = None,
    y_train: np.ndarray | None = None,
    x_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
) -> Dataset:
    """Load a data set by name or from files, or take the user's own arrays, and split it.

    Args:
        name: A data set that ``tfticket data`` lists, 'mnist' by default; with a path or arrays, what figures
            call them.
        path: A file or folder: npz with Keras' keys, IDX files, CIFAR-10's archives, images in folders
            ``train/<class>/`` and ``test/<class>/`` or a zip of these.
        classes: Keep only these, by number or name; labelled 0, 1, ... in this order.
        validation_rows: Rows taken from the training set for validation; by default 5,000, or a tenth where
            there are fewer than 50,000.
        train_rows: Keep only so many of the rest; None keeps all.
        split_seed: Seed of the split.
        normalise: Input of the network: 'unit' is pixels / 255; 'standard' has mean 0 and standard deviation 1
            in each channel over the training rows.
        x_train: uint8 [rows, height, width, channels] or [rows, height, width].
        y_train: Integer labels [rows], 0 to classes - 1.
        x_test: As ``x_train``.
        y_test: As ``y_train``.

    Raises:
        InputError: Unknown name; files or arrays of the wrong shape, type or length; too few rows.
    """
    values = {
        "name": name,
        "path": None if path is None else str(path),
        "classes": classes,
        "validation_rows": validation_rows,
        "train_rows": train_rows,
        "split_seed": split_seed,
        "normalise": normalise,
    }
    given = (x_train, y_train, x_test, y_test)
    if all(array is None for array in given):
        return _load(_config(values))  # anew: a notebook's file may have changed
    if x_train is None or y_train is None or x_test is None or y_test is None:
        raise InputError("Own data need all four arrays: x_train, y_train, x_test, y_test.")
    if path is not None:
        raise InputError("Give either a path or arrays.")
    config = _config({**values, "name": name or "own data"})
    where = tuple(f"{config.name}: {part}" for part in ("x_train", "y_train", "x_test", "y_test"))
    arrays = (np.asarray(array) for array in (x_train, y_train, x_test, y_test))
    return _dataset(
        checked((where[0], where[1], where[2], where[3]), *arrays, files=()), config, "This data set", owned=False
    )


@functools.lru_cache(maxsize=2)
def load_dataset(config: DataConfig) -> Dataset:
    """The data set that a configuration describes; the last two stay in memory.

    Raises:
        InputError: It is not there, cannot be read, is not what its name says, or has too few rows.
    """
    return _load(config)


def _config(values: Mapping[str, object]) -> DataConfig:
    return validate(DataConfig, {key: value for key, value in values.items() if value is not None}, where="load_data")


def _load(config: DataConfig) -> Dataset:
    path = locate(config.name) if config.path is None else Path(config.path)
    return _dataset(read(path), config, str(path), owned=True)


def _dataset(raw: Raw, config: DataConfig, where: str, *, owned: bool) -> Dataset:
    """Choose classes and rows; ``owned`` images may be rearranged where they lie."""
    identity = identify(raw)
    check_contents(config.name, raw, identity.contents, where)
    class_names = class_names_of(raw, identity.contents)
    chosen = _chosen(config, class_names)
    if len(chosen) < 2:
        raise InputError(f"{where} holds one class only; expected at least two, numbered from 0.")
    renumbered = np.full(len(class_names), -1, np.int32)
    renumbered[chosen] = np.arange(len(chosen))

    rows = identity.train_order[renumbered[raw.y_train[identity.train_order]] >= 0]
    train, validation = _split(config, len(rows))
    order = rows[np.concatenate([train, validation])]  # training rows first: they begin where the memory does
    images, labels = _arranged(raw.x_train, order, owned), renumbered[raw.y_train[order]]
    tested = identity.test_order[renumbered[raw.y_test[identity.test_order]] >= 0]
    if not len(tested):
        raise InputError(f"{config.name} has no test rows of the classes {list(config.classes or ())}.")
    x_test = _arranged(raw.x_test, tested, owned)

    x_train = images[: len(train)]
    normalisation = UNIT if config.normalise == "unit" else standard(x_train)
    decides = {
        "contents": identity.contents,
        "classes": chosen,
        "split": [len(train), len(validation), config.split_seed],
        "normalise": config.normalise,
    }
    return Dataset(
        name=config.name,
        label=label_of(config.name, identity.contents),
        x_train=_frozen(x_train),
        y_train=_frozen(labels[: len(train)]),
        x_validation=_frozen(images[len(train) :]),
        y_validation=_frozen(labels[len(train) :]),
        x_test=_frozen(x_test),
        y_test=_frozen(renumbered[raw.y_test[tested]]),
        class_names=tuple(class_names[number] for number in chosen),
        normalisation=normalisation,
        contents=identity.contents,
        checksum=hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest(),
    )


def _chosen(config: DataConfig, class_names: tuple[str, ...]) -> list[int]:
    """The labels that are kept, in their new order."""
    if config.classes is None:
        return list(range(len(class_names)))
    chosen = []
    for wanted in config.classes:
        if str(wanted) in class_names:
            chosen.append(class_names.index(str(wanted)))
        elif isinstance(wanted, int) and 0 <= wanted < len(class_names):
            chosen.append(wanted)
        else:
            raise InputError(
                f"{config.name}: {unknown('class', str(wanted), class_names)} Or a number, 0 to {len(class_names) - 1}."
            )
    if len(set(chosen)) < len(chosen):
        raise InputError(f"{config.name}: the classes {list(config.classes)} name one of them twice.")
    return chosen


def split_rows(config: DataConfig) -> tuple[int, int, int]:
    """Rows for training, validation and test: of a data set with a name, that is whole, without reading it."""
    source = source_of(config.name)
    if source is None or config.path is not None or config.classes is not None:
        data = load_dataset(config)
        return len(data.x_train), len(data.x_validation), len(data.x_test)
    rows, test = source.size[:2]
    validation = _validation_rows(config, rows)
    return config.train_rows or rows - validation, validation, test


def _validation_rows(config: DataConfig, rows: int) -> int:
    if config.validation_rows is not None:
        return config.validation_rows
    return max(1, min(USUAL_VALIDATION_ROWS, rows // 10))


def _split(config: DataConfig, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of training and validation rows among so many."""
    validation = _validation_rows(config, rows)
    left = rows - validation
    wanted = config.train_rows if config.train_rows is not None else left
    if left < 1 or wanted > left:
        raise InputError(
            f"{config.name} has {rows:,} training rows{' of these classes' if config.classes else ''}: "
            f"{validation:,} for validation and {max(wanted, 1):,} for training do not fit. Lower validation_rows or "
            "train_rows."
        )
    order = seeds.generator(config.split_seed, "split", rows).permutation(rows)
    return order[validation:][:wanted], order[:validation]


def _arranged(images: np.ndarray, order: np.ndarray, owned: bool) -> np.ndarray:
    """These rows in this order: in the images' own memory where it is ours, aligned, and mostly wanted."""
    aligned = images.flags.c_contiguous and images.ctypes.data % ALIGNMENT == 0
    if not owned or not aligned or 2 * len(order) < len(images):
        result = room((len(order), *images.shape[1:]))
        np.take(images, order, axis=0, out=result, mode="clip")
        return result
    flat = images.reshape(len(images), -1)
    for begin in range(0, flat.shape[1], COLUMNS):
        columns = slice(begin, begin + COLUMNS)
        flat[: len(order), columns] = flat[order, columns]
    return images[: len(order)]


def _frozen(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: a data set stays what its checksum says."""
    view = array.view()
    view.flags.writeable = False
    return view
