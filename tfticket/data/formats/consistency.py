"""Consistency checks of rows and labels, for all formats and arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfticket.data.formats.floats import TILE, as_float32
from tfticket.data.formats.labels import check_label_shape, number_classes
from tfticket.data.formats.raw import Raw, without_source
from tfticket.errors import InputError
from tfticket.text import counted

SHAPES = (
    "[rows, height, width, channels] for images, or [rows, height, width] if they are grey uint8; [rows, features] for "
    "tables"
)
SCALES = 10
"""Maximum ratio of another split's floats to those of the training images, in maximum and mean."""

KINDS = {
    "b": "Black and white images are kept by 255 * x.astype(np.uint8).",
    "i": "Pixels of 0 to 255 are kept by x.astype(np.uint8), other values by x.astype(np.float32).",
    "u": "Pixels of more than 8 bits are kept by x.astype(np.float32).",
    "c": "Give real and imaginary part as two features.",
    "M": "Give times as numbers, such as the days since a date.",
    "m": "Give durations as numbers: x / np.timedelta64(1, 'D').",
    "U": "Give each category a column of 0 and 1 (pandas.get_dummies); numbers written as text: x.astype(float).",
    "S": "Give each category a column of 0 and 1 (pandas.get_dummies); numbers written as text: x.astype(float).",
    "V": "Give a structured array's fields as columns, and a narrow type of floats as x.astype(np.float32).",
}


class Part(NamedTuple):
    """One split of a source: rows, labels, and their names in messages."""

    rows_where: object
    labels_where: object
    rows: np.ndarray
    labels: np.ndarray


def check_rows(where: object, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Check type and shape of images or features, before they are read."""
    if dtype.kind not in "biuf" or (len(shape) in (3, 4) and dtype.kind != "f" and dtype != np.uint8):
        raise InputError(
            f"{where} is {dtype} {list(shape)}; expected images as uint8 0..255 or as floats, tables as numbers. "
            f"{KINDS[dtype.kind]}",
            field=without_source(where),
        )
    if len(shape) not in (2, 3, 4) or min(shape) < 1:
        raise InputError(
            f"{where} has the shape {shape}; expected {SHAPES}, none of them 0. Reshape it.",
            field=without_source(where),
        )
    if len(shape) == 3 and dtype.kind == "f":
        raise InputError(
            f"{where} is {dtype} {list(shape)}: grey images, or a table for each row; expected [rows, height, width, "
            "channels] for images, [rows, features] for tables. Give grey images as x[..., None], and sequences as "
            "x.reshape(len(x), -1).",
            field=without_source(where),
        )
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] > 4:
        raise InputError(
            f"{where} has the shape {shape}, channels first; expected [rows, height, width, channels]. "
            "Save x.transpose(0, 2, 3, 1).",
            field=without_source(where),
        )


def make_raw(
    parts: Mapping[str, Part],
    *,
    files: tuple[Path, ...],
    class_names: tuple[str, ...] | None = None,
    classes: int | None = None,
    feature_names: tuple[str, ...] = (),
) -> Raw:
    """Make raw data from splits that fit together.

    Args:
        parts: 'train', 'test' and, if the source has it, 'validation'. Rows are uint8 images, which are not copied,
            float images or numbers [rows, features], which become float32.
        files: Files that were read.
        class_names: As in Raw; labels are then 0 to classes - 1.
        classes: Number of classes of the format; None: number labels of any kind.
        feature_names: As in Raw.
    """
    rows = _rows(parts, feature_names)
    for part in parts.values():
        check_label_shape(part.labels_where, part.labels.dtype, part.labels.shape)
        if len(part.rows) != len(part.labels):
            rows_name = without_source(part.rows_where)
            raise InputError(
                f"{part.labels_where} has {len(part.labels):,} labels, {rows_name} {len(part.rows):,} rows; "
                "expected one label a row. Take both from the same source.",
                field=without_source(part.labels_where),
            )
    labels = {split: (part.labels_where, part.labels) for split, part in parts.items()}
    if classes is None:
        numbers, class_names = number_classes(labels)
    else:
        numbers = _in_range(labels, classes, class_names)
    return Raw(
        x_train=rows["train"],
        y_train=numbers["train"],
        x_test=rows["test"],
        y_test=numbers["test"],
        class_names=class_names,
        files=files,
        x_validation=rows.get("validation"),
        y_validation=numbers.get("validation"),
        feature_names=feature_names,
    )


def check_range(where: object, labels: np.ndarray, classes: int) -> None:
    """Check that labels are in 0 .. classes - 1."""
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"{where} holds the label {low if low < 0 else high}; expected 0 to {classes - 1}. Number the classes so.",
            field=without_source(where),
        )


def _rows(parts: Mapping[str, Part], feature_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return images with channels, or features, of one size and type in all splits."""
    train = parts["train"]
    rows: dict[str, np.ndarray] = {}
    first = without_source(train.rows_where)
    for split, part in parts.items():
        check_rows(part.rows_where, part.rows.dtype, part.rows.shape)
        rows[split] = part.rows[..., None] if part.rows.ndim == 3 else part.rows
        if rows[split].shape[1:] != rows["train"].shape[1:]:
            raise InputError(
                f"{part.rows_where} has {_size(rows[split])}, {first} has {_size(rows['train'])}; "
                "expected one size. Scale images to it, give tables the same columns.",
                field=without_source(part.rows_where),
            )
        if rows[split].ndim == 4 and (rows[split].dtype == np.uint8) != (train.rows.dtype == np.uint8):
            raise InputError(
                f"{part.rows_where} is {part.rows.dtype}, {first} is {train.rows.dtype}; expected "
                "uint8 in all splits, or floats of one scale in all. Pixels / 255 become uint8 by "
                "np.rint(255 * x).astype(np.uint8).",
                field=without_source(part.rows_where),
            )
    for split, array in rows.items():
        if array.ndim == 2 or array.dtype != np.uint8:
            rows[split] = as_float32(parts[split].rows_where, array, feature_names, learnt_from=split == "train")
    _check_scales(parts, rows)
    return rows


def _check_scales(parts: Mapping[str, Part], rows: Mapping[str, np.ndarray]) -> None:
    """Check that images of floats have one scale in all splits, such as 0..1; single outliers are accepted."""
    if rows["train"].ndim != 4 or rows["train"].dtype == np.uint8:
        return
    train, first = without_source(parts["train"].rows_where), _magnitudes(rows["train"])
    for split, part in parts.items():
        other = _magnitudes(rows[split])
        if all(max(pair) > SCALES * min(pair) > 0 for pair in zip(first, other, strict=True)):
            raise InputError(
                f"{part.rows_where} has values up to {other[0]:.4g}, {train} up to {first[0]:.4g}; expected floats of "
                "one scale in all splits. Scale them alike, such as both by 1 / 255.",
                field=without_source(part.rows_where),
            )


def _magnitudes(rows: np.ndarray) -> tuple[float, float]:
    """Return the largest and the mean absolute value."""
    largest = max(abs(float(rows.min())), abs(float(rows.max())))
    total = sum(float(np.abs(rows[begin : begin + TILE]).sum(dtype=np.float64)) for begin in range(0, len(rows), TILE))
    return largest, total / rows.size


def _size(rows: np.ndarray) -> str:
    if rows.ndim == 2:
        return counted(rows.shape[1], "feature")
    return f"images of {rows.shape[1:]} (height, width, channels)"


def _in_range(
    labels: Mapping[str, tuple[object, np.ndarray]], classes: int, class_names: tuple[str, ...] | None
) -> dict[str, np.ndarray]:
    """Check the labels of a format that numbers its classes."""
    for where, values in labels.values():
        check_range(where, values, classes)
    where, train = labels["train"]
    empty = np.flatnonzero(np.bincount(train.astype(np.int32), minlength=classes) == 0)
    if len(empty):
        name = f"{empty[0]}" if class_names is None else f"{empty[0]} ('{class_names[empty[0]]}')"
        raise InputError(
            f"{where} has no row of class {name}; expected every label from 0 to {classes - 1}. Add images of it.",
            field=without_source(where),
        )
    return {split: values.astype(np.int32) for split, (_, values) in labels.items()}
