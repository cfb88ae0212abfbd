"""Labels of any hashable kind, numbered as classes."""

import datetime
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Never

import numpy as np

from tfticket.data.formats.raw import without_source
from tfticket.errors import InputError

MISSING = ("NAType", "NaTType")
"""Types of missing values in pandas, which need not be installed."""
FEW = 20
"""Number of different numbers that may be classes, however few rows each has."""
ROWS_PER_CLASS = 10
ROWS_PER_PLAIN_CLASS = 2
"""Of numbers that are 0, 1, 2, ... without a gap, as classes usually are."""
EXACT = 2**53
"""Beyond it, every float is a whole number."""
AS_TEXT = "If they are classes, give them as text: y.astype(str)."


def number_classes(
    labels: Mapping[str, tuple[object, np.ndarray]],
) -> tuple[dict[str, np.ndarray], tuple[str, ...] | None]:
    """Number the classes 0, 1, ... in the order of numbers, or of the alphabet.

    Args:
        labels: Of each split, 'train' among them: what messages call them, and the labels [rows] or [rows, 1].

    Returns:
        int32 [rows] of each split, and the names of the classes: None where labels are 0, 1, ... already.
    """
    values = {split: _values(where, array) for split, (where, array) in labels.items()}
    kind, _ = values["train"]
    for split, (other, _) in values.items():
        if other != kind:
            raise InputError(
                f"{labels[split][0]} holds {other}, {without_source(labels['train'][0])} holds {kind}; expected labels "
                "of one kind. Convert them alike.",
                field=without_source(labels[split][0]),
            )
    where, train = labels["train"][0], values["train"][1]
    if train and type(train[0]) is tuple:
        _refuse_numeric_tuples(where, train)
    classes = sorted(set(train), key=None if kind == "numbers" else lambda label: class_order(str(label)))
    names = tuple(map(str, classes))
    hidden = next((name for name in names if not name.isprintable()), None)
    if hidden is not None:
        raise InputError(
            f"{where} holds the label {hidden!r}, which cannot be printed. Clean it, such as by strip().",
            field=without_source(where),
        )
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise InputError(
            f"{where} holds different labels of one name, {twice!r}. Give the names instead.",
            field=without_source(where),
        )
    check_spaces(where, names)
    plain = kind == "numbers" and classes == list(range(len(classes)))
    rows_per_class = ROWS_PER_PLAIN_CLASS if plain else ROWS_PER_CLASS
    if kind == "numbers" and len(classes) > max(FEW, len(train) / rows_per_class):
        raise InputError(
            f"{where} holds {len(classes):,} different numbers in {len(train):,} rows: a regression target. "
            f"tfticket learns classes. Cut the numbers into classes, by np.digitize(y, edges). {AS_TEXT}",
            field=without_source(where),
        )
    numbers = {label: number for number, label in enumerate(classes)}
    for split, (_, given) in values.items():
        for row, label in enumerate(given):
            if label not in numbers:
                known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
                raise InputError(
                    f"{labels[split][0]} holds the label {label!s} (row {row}), which no training row has; expected "
                    f"one of {known}. Leave such rows out, or add training rows of the class.",
                    field=without_source(labels[split][0]),
                )
    numbered = {split: np.array([numbers[label] for label in given], np.int32) for split, (_, given) in values.items()}
    return numbered, None if plain else names


def check_spaces(where: object, names: Sequence[str]) -> None:
    """Refuse classes that differ in spaces around their names alone."""
    alike: dict[str, str] = {}
    for name in names:
        if (other := alike.setdefault(name.strip(), name)) != name:
            raise InputError(
                f"{where} holds the labels {other!r} and {name!r}, which differ in spaces alone; expected one label a "
                "class. Take the spaces away, such as by strip().",
                field=without_source(where),
            )


def class_order(name: str) -> tuple[int, str]:
    """Sort key: alphabetical, with names that are numbers by number."""
    return (int(name) if name.isdecimal() else 0, name)


def check_label_shape(where: object, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Check type and shape of labels, before they are read."""
    if dtype.kind in "mM":
        _refuse_times(where)
    if dtype.kind in "cV":
        raise InputError(
            f"{where} is {dtype}; expected one label a row: whole numbers, texts or truth values.",
            field=without_source(where),
        )
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise InputError(
            f"{where} has the shape {shape}; expected [rows], at least one. Reshape it.", field=without_source(where)
        )


def _values(where: object, labels: np.ndarray) -> tuple[str, list[Any]]:
    """Return the kind of the labels, and the labels as Python values."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        _refuse_columns(where, labels)
    if labels.dtype.kind == "f":
        labels = labels.astype(np.float64)
    given = [value.item() if isinstance(value, np.generic) else value for value in labels.reshape(-1).tolist()]
    for row, value in enumerate(given):
        if value is None or (isinstance(value, float) and value != value) or type(value).__name__ in MISSING:
            raise InputError(
                f"{where}[{row}] is {value}: a row without a label. Leave such rows out.", field=without_source(where)
            )
        if isinstance(value, str | bytes) and not value.strip():
            raise InputError(
                f"{where}[{row}] is an empty text: a row without a label. Leave such rows out.",
                field=without_source(where),
            )
    types = {type(value): row for row, value in reversed([*enumerate(given)])}
    if types.keys() <= {int, float}:
        return "numbers", [_whole(where, row, value) for row, value in enumerate(given)]
    if len(types) > 1:
        (kind, first), (other, second), *_ = sorted(types.items(), key=lambda item: item[1])
        raise InputError(
            f"{where} holds labels of several kinds: {given[first]!r} ({kind.__name__}, row {first}) and "
            f"{given[second]!r} ({other.__name__}, row {second}); expected one. Convert them alike, such as to text.",
            field=without_source(where),
        )
    (only,) = types
    if issubclass(only, datetime.date | datetime.timedelta):
        _refuse_times(where)
    if only is bytes:
        return "texts", [value.decode("utf-8", "backslashreplace") for value in given]
    try:
        set(given)
    except TypeError:
        raise InputError(
            f"{where}[0] is of type {only.__name__}; expected one label a row: an integer, a string or a truth value.",
            field=without_source(where),
        ) from None
    kinds = {str: "texts", bool: "truth values"}
    return kinds.get(only, f"values of type {only.__name__}"), given


def _whole(where: object, row: int, value: float) -> int:
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= EXACT):
        raise InputError(
            f"{where}[{row}] is {value}: a regression target. tfticket learns classes, whose labels are texts or "
            f"whole numbers. Cut the numbers into classes, by np.digitize(y, edges). {AS_TEXT}",
            field=without_source(where),
        )
    return int(value)


def _refuse_numeric_tuples(where: object, labels: list[Any]) -> None:
    """Refuse tuples that are rows of a table, one-hot or of floats; other tuples are labels."""
    items = [item for label in labels for item in label]
    if (
        not items
        or len({*map(len, labels)}) > 1
        or not all(isinstance(item, numbers.Real | np.bool_) for item in items)
    ):
        return
    table = np.array(labels, object)
    if np.all(np.sort(table) == np.eye(table.shape[1])[-1]):
        _refuse_columns(where, table, "np.argmax([*y], axis=1)")
    if not all(isinstance(item, numbers.Integral | np.bool_) for item in items):
        raise InputError(
            f"{where}[0] is {labels[0]}: targets of regression. tfticket learns classes, whose labels are texts, whole "
            "numbers or tuples of these. Cut the numbers into classes, by np.digitize(y, edges). If they are classes, "
            "give them as text: [*map(str, y)].",
            field=without_source(where),
        )


def _refuse_columns(where: object, labels: np.ndarray, argmax: str = "y.argmax(axis=1)") -> Never:
    """Refuse labels of several columns, with advice."""
    message = f"{where} has the shape {labels.shape}; expected [rows], one label a row. "
    try:
        ones, others = labels == 1, (labels != 0) & (labels != 1)
    except (TypeError, ValueError):
        ones, others = np.zeros(labels.shape, bool), np.ones(labels.shape, bool)
    if np.any(others):
        raise InputError(
            message + "Take the column that holds the classes; the class of the highest score is "
            f"{argmax}. Targets of regression cannot be learnt.",
            field=without_source(where),
        )
    if np.all(ones.sum(axis=1) == 1):
        raise InputError(message + f"It is one-hot: give {argmax}.", field=without_source(where))
    raise InputError(
        message + "Rows of several classes, or of none, cannot be learnt: choose one column, y[:, 0].",
        field=without_source(where),
    )


def _refuse_times(where: object) -> Never:
    raise InputError(
        f"{where} holds times; expected classes: whole numbers, texts or truth values. {AS_TEXT}",
        field=without_source(where),
    )
