"""Users' arrays: NumPy arrays, lists, data frames, tensors. Their libraries are not imported."""

import numbers
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from tfticket.data.formats.consistency import KINDS, Part, make_raw
from tfticket.data.formats.floats import describe_entry
from tfticket.data.formats.labels import MISSING
from tfticket.data.formats.raw import Raw, error_line, without_source
from tfticket.errors import InputError

PALETTES = ("P", "PA")


def read_arrays(name: str, given: Mapping[str, Any]) -> Raw:
    """Make raw data from arrays."""
    columns = _columns(name, given)
    parts = {
        split: Part(
            f"{name}: x_{split}",
            f"{name}: y_{split}",
            as_numbers(f"{name}: x_{split}", given[f"x_{split}"], columns),
            _labels(f"{name}: y_{split}", given[f"y_{split}"]),
        )
        for split in ("train", "validation", "test")
        if given[f"x_{split}"] is not None
    }
    return make_raw(parts, files=(), feature_names=columns)


def _columns(name: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the column names of data frames, which must agree in all of them; () for arrays."""
    first: list[Any] | None = None
    for key in ("x_train", "x_validation", "x_test"):
        columns = getattr(given[key], "columns", None)
        if columns is None:
            continue
        if first is None:
            first = list(columns)
        names = [*map(str, columns)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(
                f"{name}: two columns of {key} are called {twice[0]!r}; expected a name for each. Rename one, or leave "
                f"it out: {key}.loc[:, ~{key}.columns.duplicated()].",
                field=key,
            )
        if list(columns) != first:
            raise InputError(
                f"{name}: {key} has other columns than x_train, or in another order: {list(columns)[:8]} and "
                f"{first[:8]}. Give {key}[x_train.columns].",
                field=key,
            )
    return tuple(map(str, first or ()))


def _labels(where: str, value: Any) -> np.ndarray:
    """Return labels as an array; items of a list keep their types, which NumPy would unify, and tuples are labels."""
    is_list = isinstance(value, list | tuple)
    if is_list and all(isinstance(item, tuple) for item in value) and any(len(item) != 1 for item in value):
        return np.fromiter(value, object, len(value))
    labels = _array(where, value, object if is_list else None)
    if labels.ndim == 0:
        raise InputError(
            f"{where} is {type(value).__name__}; expected one label a row. Give a list or a NumPy array of the labels, "
            "in the order of the rows.",
            field=without_source(where),
        )
    return labels


def as_numbers(where: str, value: Any, columns: tuple[str, ...] = ()) -> np.ndarray:
    """Return rows as an array of numbers, also from Python numbers."""
    if isinstance(value, list | tuple) and any(getattr(item, "mode", None) in PALETTES for item in value):
        raise InputError(
            f"{where} holds pictures with palettes, whose pixels are indices. Convert them to RGB or L.",
            field=without_source(where),
        )
    if isinstance(value, str | bytes | PurePath):
        raise InputError(
            f"{where} is {str(value)!r:.80}; expected an array of numbers [rows, ...]. Give a file of a known "
            "format, such as an npz, as path=...; read others first, such as a CSV by pandas.read_csv.",
            field=without_source(where),
        )
    array = _array(where, value)
    if array.dtype != object:
        return array
    if array.ndim < 2:
        kind = type(value).__name__ if array.ndim == 0 else "a list of rows of different kinds or lengths"
        raise InputError(
            f"{where} is {kind}; expected an array of numbers [rows, ...]. Give a NumPy array.",
            field=without_source(where),
        )
    for position, item in np.ndenumerate(array):
        if isinstance(item, numbers.Real | np.bool_):
            continue
        entry = describe_entry(where, position, columns)
        if item is None or type(item).__name__ in MISSING:
            raise InputError(
                f"{entry} is {item}; expected numbers. Leave such rows out, or fill the gaps in.",
                field=without_source(where),
            )
        raise InputError(f"{entry} is {item!r:.60}; expected numbers. {KINDS['U']}", field=without_source(where))
    return _array(where, array, np.float64)


def _array(where: str, value: Any, dtype: Any = None) -> np.ndarray:
    """Convert a value to a NumPy array without loss."""
    if np.ma.is_masked(value):
        raise InputError(
            f"{where} is a masked array of {int(value.mask.sum()):,} masked values, which NumPy would unmask. Leave "
            "such rows out, or fill them in: x.filled(...).",
            field=without_source(where),
        )
    if hasattr(value, "toarray") and not isinstance(value, np.ndarray):
        raise InputError(
            f"{where} is sparse ({type(value).__name__}); expected a dense array. Give x.toarray().",
            field=without_source(where),
        )
    try:
        return np.asarray(value, dtype)
    except Exception as error:  # of whatever library the value is from
        raise InputError(
            f"{where} is no array that NumPy reads ({type(value).__name__}: {error_line(error)}). Give a NumPy array, "
            "rows of one length; of a tensor x.detach().cpu().numpy().",
            field=without_source(where),
        ) from None
