"""Loading: from a source to a Dataset with contents, classes, split and normalisation."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.config import DataConfig
from tfticket.config.schema import validate
from tfticket.data.arrays import read_arrays
from tfticket.data.dataset import Dataset
from tfticket.data.formats import Raw, read
from tfticket.data.formats.raw import ALIGNMENT, aligned_empty
from tfticket.data.identity import Identity, check_contents, class_names_of, identify, label_of, locate, source_by_name
from tfticket.data.normalisation import check_overflow, normalisation_for
from tfticket.data.split import split_positions, split_sizes
from tfticket.errors import InputError, unknown
from tfticket.text import counted

COLUMNS = 256
"""Values per row that are moved at once; limits the memory for rearranging rows."""


def load_data(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    classes: tuple[int | str, ...] | list[int | str] | None = None,
    validation_rows: int | None = None,
    train_rows: int | None = None,
    split_seed: int = 0,
    stratify: bool = False,
    normalise: str = "auto",
    x_train: Any = None,
    y_train: Any = None,
    x_test: Any = None,
    y_test: Any = None,
    x_validation: Any = None,
    y_validation: Any = None,
) -> Dataset:
    """Load a data set by name or from files, or take the user's own arrays, and split it.

    Args:
        name: A data set that ``tfticket data`` lists, 'mnist' by default; with a path or arrays, their
            name in figures.
        path: A file or folder: npz with Keras' keys, IDX files, CIFAR-10's archives, images in folders
            ``train/<class>/`` and ``test/<class>/``, and ``validation/<class>/`` if there is one, or a zip of these.
        classes: Classes to keep, by number or name; labelled 0, 1, ... in this order.
        validation_rows: Rows taken from the training set for validation; by default the data's own validation
            rows, else 5,000, or a tenth where there are fewer than 50,000.
        train_rows: Number of the remaining rows to keep; None: all.
        split_seed: Seed of the split.
        stratify: Give training and validation rows the classes in the same proportions, to within a row or two; where
            there are many small classes, large ones deviate by more. Each class keeps a training row.
        normalise: Input of the network: 'unit' is pixels / 255, for uint8; 'standard' has mean 0 and standard
            deviation 1 in each channel or feature over the training rows; 'none' takes floats as they are; 'auto' is
            'unit' for uint8 and 'standard' for floats.
        x_train: Images as uint8 or floats [rows, height, width, channels], grey ones as uint8 [rows, height, width]
            too, or a table of numbers [rows, features]: whatever NumPy converts, including data frames and tensors.
        y_train: Labels [rows]: whole numbers, texts, truth values, tuples; classes are numbered in sorted order.
        x_test: As ``x_train``.
        y_test: As ``y_train``.
        x_validation: As ``x_train``; by default rows are taken from the training set.
        y_validation: As ``y_train``.

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
        "stratify": stratify,
        "normalise": normalise,
    }
    given = {
        "x_train": x_train,
        "y_train": y_train,
        "x_test": x_test,
        "y_test": y_test,
        "x_validation": x_validation,
        "y_validation": y_validation,
    }
    if all(array is None for array in given.values()):
        return _load(_config(values))  # not cached: a notebook's file may have changed
    if missing := [key for key in ("x_train", "y_train", "x_test", "y_test") if given[key] is None]:
        raise InputError(
            "Own data need all four arrays: x_train, y_train, x_test, y_test. Where there are no test rows, take some "
            "of the others, such as every fifth.",
            field=missing[0],
        )
    if (x_validation is None) != (y_validation is None):
        raise InputError(
            "Validation rows need both x_validation and y_validation. Give both, or neither.",
            field="y_validation" if y_validation is None else "x_validation",
        )
    if path is not None:
        raise InputError("Give either a path or arrays.", field="path")
    config = _config({**values, "name": name or "own data"})
    return _dataset(read_arrays(config.name, given), config, "This data set", owned=False)


@functools.lru_cache(maxsize=2)
def load_dataset(config: DataConfig) -> Dataset:
    """Load the data set of a configuration; the last two stay in memory."""
    return _load(config)


def _config(values: Mapping[str, object]) -> DataConfig:
    return validate(DataConfig, {key: value for key, value in values.items() if value is not None}, where="load_data")


def _load(config: DataConfig) -> Dataset:
    path = locate(config.name) if config.path is None else Path(config.path)
    return _dataset(read(path), config, str(path), owned=True)


def _dataset(raw: Raw, config: DataConfig, where: str, *, owned: bool) -> Dataset:
    """Choose classes and rows; ``owned`` images may be rearranged in place."""
    identity = identify(raw)
    check_contents(config.name, raw, identity.contents, where)
    class_names = class_names_of(raw, identity.contents)
    chosen = _chosen(config, class_names)
    if len(chosen) < 2:
        named = where if owned else config.name
        raise InputError(
            f"{named} holds one class only, {class_names[0]!r}; expected at least two. Add rows of another class.",
            field=None if owned else "y_train",
        )
    renumbered = np.full(len(class_names), -1, np.int32)
    renumbered[chosen] = np.arange(len(chosen))

    parts = _parts(raw, config, identity, renumbered, owned)
    available = int((renumbered[raw.y_train] >= 0).sum()) - (raw.x_validation is None)
    _check_classes(config, parts["train"][1], [class_names[number] for number in chosen], available)
    _check_varies(config.name, parts["train"][0])
    word, normalisation = normalisation_for(config.normalise, parts["train"][0], config.name)
    for rows, _ in parts.values():
        check_overflow(normalisation, rows, config.name, raw.feature_names)
    identifying = {
        "contents": identity.contents,
        "classes": chosen,
        "split": [len(parts["train"][0]), len(parts["validation"][0]), config.split_seed],
        "normalise": word,
        **({"stratify": True} if config.stratify else {}),
    }
    return Dataset(
        name=config.name,
        label=label_of(config.name, identity.contents),
        **{f"x_{name}": _frozen(rows) for name, (rows, _) in parts.items()},
        **{f"y_{name}": _frozen(labels) for name, (_, labels) in parts.items()},
        class_names=tuple(class_names[number] for number in chosen),
        normalisation=normalisation,
        contents=identity.contents,
        checksum=hashlib.sha256(json.dumps(identifying, sort_keys=True).encode()).hexdigest(),
        feature_names=raw.feature_names,
    )


def _parts(
    raw: Raw, config: DataConfig, identity: Identity, renumbered: np.ndarray, owned: bool
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return rows and labels of each split; ``renumbered`` holds each class's label, -1 if left out."""

    def of_chosen_classes(labels: np.ndarray, order: np.ndarray, split: str) -> np.ndarray:
        rows: np.ndarray = order[renumbered[labels[order]] >= 0]
        if not len(rows):
            raise InputError(
                f"{config.name} has no {split} rows of the classes {list(config.classes or ())}.", field="data.classes"
            )
        return rows

    rows = of_chosen_classes(raw.y_train, identity.train_order, "training")
    own_validation = raw.x_validation is not None
    train, validation = split_positions(config, renumbered[raw.y_train[rows]], own_validation=own_validation)
    order = rows[np.concatenate([train, validation])]  # training rows first, so that they are aligned
    images, labels = _arranged(raw.x_train, order, owned), renumbered[raw.y_train[order]]
    cut = len(train)
    parts = {"train": (images[:cut], labels[:cut]), "validation": (images[cut:], labels[cut:])}
    others = {"test": (raw.x_test, raw.y_test, identity.test_order)}
    if raw.x_validation is not None and raw.y_validation is not None:
        others["validation"] = (raw.x_validation, raw.y_validation, identity.validation_order)
    for split, (images, labels, split_order) in others.items():
        kept = of_chosen_classes(labels, split_order, split)
        parts[split] = (_arranged(images, kept, owned), renumbered[labels[kept]])
    return parts


def _check_classes(config: DataConfig, labels: np.ndarray, class_names: list[str], available: int) -> None:
    """Check that each class has a training row, without which it cannot be learnt."""
    missing = [class_names[label] for label in np.setdiff1d(np.arange(len(class_names)), labels)]
    if missing:
        named = ", ".join(map(repr, missing[:8])) + (", ..." if len(missing) > 8 else "")
        field, suggestion = "data.train_rows", None
        if available < len(class_names):
            field = "x_validation"
            mend = "Add rows of these classes, or give validation rows of your own, so that none is taken from these"
        elif config.stratify:
            mend = f"Take at least {len(class_names)} training rows, by fewer validation_rows or more train_rows"
        else:
            field, suggestion = "data.stratify", "true"
            mend = (
                "Set stratify to true, or take fewer validation_rows, more train_rows or another split_seed; or add "
                "rows of the class"
            )
        raise InputError(
            f"{config.name}: after the split, no training row is of class {named}; expected one of each class at "
            f"least, among {counted(len(labels), 'training row')}. {mend}.",
            field=field,
            suggestion=suggestion,
        )


def _check_varies(name: str, rows: np.ndarray) -> None:
    """Check that a feature has more than one value in the training rows."""
    if rows.ndim == 2 and len(rows) > 1 and np.array_equal(rows[0], rows[-1]) and (rows == rows[0]).all():
        raise InputError(
            f"{name}: every feature has the same value in all {len(rows):,} training rows; expected one at least that "
            "varies. Give features that differ between the classes, or other training rows.",
            field="x_train",
        )


def _chosen(config: DataConfig, class_names: tuple[str, ...]) -> list[int]:
    """Return the labels that are kept, in their new order."""
    if config.classes is None:
        return list(range(len(class_names)))
    chosen = []
    for requested in config.classes:
        if str(requested) in class_names:
            chosen.append(class_names.index(str(requested)))
        elif isinstance(requested, int) and 0 <= requested < len(class_names):
            chosen.append(requested)
        else:
            advice = f"Or a number, 0 to {len(class_names) - 1}."
            raise unknown("class", requested, class_names, field="data.classes", where=config.name, advice=advice)
    if len(set(chosen)) < len(chosen):
        raise InputError(
            f"{config.name}: the classes {list(config.classes)} name one of them twice.", field="data.classes"
        )
    return chosen


def split_rows(config: DataConfig) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test rows, without reading a whole registered data set."""
    source = source_by_name(config.name)
    if source is None or config.path is not None or config.classes is not None:
        data = load_dataset(config)
        return len(data.x_train), len(data.x_validation), len(data.x_test)
    rows, test = source.size[:2]
    return (*split_sizes(config, rows, own_validation=False), test)


def _arranged(images: np.ndarray, order: np.ndarray, owned: bool) -> np.ndarray:
    """Return rows in an order, in place if the memory is owned, aligned, and mostly needed."""
    aligned = images.flags.c_contiguous and images.ctypes.data % ALIGNMENT == 0
    if not owned or not aligned or 2 * len(order) < len(images):
        result = aligned_empty((len(order), *images.shape[1:]), images.dtype)
        np.take(images, order, axis=0, out=result, mode="clip")
        return result
    flat = images.reshape(len(images), -1)
    for begin in range(0, flat.shape[1], COLUMNS):
        columns = slice(begin, begin + COLUMNS)
        flat[: len(order), columns] = flat[order, columns]
    return images[: len(order)]


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view, so that a data set keeps its checksum."""
    view = array.view()
    view.flags.writeable = False
    return view
