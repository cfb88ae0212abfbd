"""Arrays as users bring them: NumPy's, lists, data frames, tensors. Nothing of these libraries is imported."""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfticket.data.formats.consistency import KINDS, Part, checked
from tfticket.data.formats.floats import place
from tfticket.data.formats.labels import MISSING
from tfticket.data.formats.raw import Raw, reason
from tfticket.errors import InputError

PALETTES = ("P", "PA")


def read_arrays(name: str, given: Mapping[str, Any]) -> Raw:
    """Raw data of arrays.

    Args:
        name: What messages call the data.
        given: 'x_train', 'y_train', 'x_test', 'y_test', and 'x_validation' and 'y_validation' or None there.

    Raises:
        InputError: They are no arrays of numbers or labels, or do not fit together.
    """
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
    return checked(parts, files=(), feature_names=columns)


def _columns(name: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns' names of data frames, the same in the same order in all of them; none of arrays."""
    first: list[Any] | None = None
    for key in ("x_train", "x_validation", "x_test"):
        columns = getattr(given[key], "columns", None)
        if columns is None:
            continue
        if first is None:
            first = list(columns)
        if list(columns) != first:
            raise InputError(
                f"{name}: {key} has other columns than x_train, or in another order: {list(columns)[:8]} and "
                f"{first[:8]}. Give {key}[x_train.columns]."
            )
    return tuple(map(str, first or ()))


def _labels(where: str, value: Any) -> np.ndarray:
    """Labels as an array; a list keeps the types of its items, which NumPy would make one, and tuples are labels."""
    listed = isinstance(value, list | tuple)
    if listed and all(isinstance(one, tuple) for one in value) and any(len(one) != 1 for one in value):
        return np.fromiter(value, object, len(value))
    labels = _array(where, value, object if listed else None)
    if labels.ndim == 0:
        raise InputError(
            f"{where} is {type(value).__name__}; expected one label a row. Give a list or a NumPy array of the labels, "
            "in the order of the rows."
        )
    return labels


def as_numbers(where: str, value: Any, columns: tuple[str, ...] = ()) -> np.ndarray:
    """Rows as an array of numbers, those of Python too."""
    if isinstance(value, list | tuple) and any(getattr(one, "mode", None) in PALETTES for one in value):
        raise InputError(f"{where} holds pictures with palettes, whose pixels are indices. Convert them to RGB or L.")
    array = _array(where, value)
    if array.dtype != object:
        return array
    if array.ndim < 2:
        what = type(value).__name__ if array.ndim == 0 else "a list of rows of different kinds or lengths"
        raise InputError(f"{where} is {what}; expected an array of numbers [rows, ...]. Give a NumPy array.")
    for position, one in np.ndenumerate(array):
        if isinstance(one, numbers.Real | np.bool_):
            continue
        here = place(where, position, columns)
        if one is None or type(one).__name__ in MISSING:
            raise InputError(f"{here} is {one}; expected numbers. Leave such rows out, or fill the gaps in.")
        raise InputError(f"{here} is {one!r:.60}; expected numbers. {KINDS['U']}")
    return _array(where, array, np.float64)


def _array(where: str, value: Any, dtype: Any = None) -> np.ndarray:
    """What NumPy makes of a value, if nothing is lost on the way."""
    if np.ma.is_masked(value):
        raise InputError(
            f"{where} is a masked array of {int(value.mask.sum()):,} masked values, which would come back. Leave "
            "such rows out, or fill them in: x.filled(...)."
        )
    if hasattr(value, "toarray") and not isinstance(value, np.ndarray):
        raise InputError(f"{where} is sparse ({type(value).__name__}); expected a dense array. Give x.toarray().")
    try:
        return np.asarray(value, dtype)
    except Exception as error:  # of whatever library the value is from
        raise InputError(
            f"{where} is no array that NumPy reads ({type(value).__name__}: {reason(error)}). Give a NumPy array, rows "
            "of one length; of a tensor x.detach().cpu().numpy()."
        ) from None
