"""Conversion of numbers to float32; refuses losses, naming the entry or column."""

import math
import sys
from typing import Any

import numpy as np

from tfticket.data.formats.raw import aligned_empty, without_source
from tfticket.errors import InputError

TILE = 4096
"""Rows that are converted at once."""
STEPS = 1000
"""Number of values, evenly spaced over a column's range, that float32 must distinguish."""
EXACT = 2**53
"""Beyond it, neither float64 nor float32 holds all integers."""


def as_float32(
    where: object, rows: np.ndarray, names: tuple[str, ...] = (), *, learnt_from: bool = False
) -> np.ndarray:
    """Return an aligned float32 copy; -0 becomes 0, so that equal numbers have equal bytes."""
    result = aligned_empty(rows.shape, np.float32)
    with np.errstate(over="ignore"):
        for begin in range(0, len(rows), TILE):
            result[begin : begin + TILE] = rows[begin : begin + TILE]
    np.add(result, 0, out=result)
    finite = np.isfinite(result)
    if not finite.all():
        _refuse(where, rows, np.unravel_index(int(finite.argmin()), rows.shape), names)
    if learnt_from and not np.can_cast(rows.dtype, np.float32):
        _check_precision(where, rows, result, names)
    return result


def describe_entry(where: object, position: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Describe the position of a value: its Python index and its column's name."""
    indices = ", ".join(str(int(index)) for index in position)
    return f"{where}[{indices}]" + (f" (column {names[int(position[-1])]!r})" if names else "")


def _refuse(where: object, rows: np.ndarray, position: tuple[np.intp, ...], names: tuple[str, ...]) -> None:
    value = rows[position]
    entry = describe_entry(where, tuple(map(int, position)), names)
    if np.isnan(value):
        raise InputError(
            f"{entry} is NaN; expected numbers. Leave such rows out, or fill the gaps in, by the column's median of "
            "the training rows for example.",
            field=without_source(where),
        )
    if np.isinf(value):
        raise InputError(
            f"{entry} is {value}; expected finite numbers. Leave such rows out, or cut them off by np.clip.",
            field=without_source(where),
        )
    raise InputError(
        f"{entry} is {value}; expected at most {np.finfo(np.float32).max:.3g}, as float32. Scale it down.",
        field=without_source(where),
    )


def _check_precision(where: object, rows: np.ndarray, result: np.ndarray, names: tuple[str, ...]) -> None:
    """Check that rounding to float32 is small relative to each column's range."""
    columns, rounded = rows.reshape(-1, rows.shape[-1]), result.reshape(-1, rows.shape[-1])
    low, high = columns.min(axis=0), columns.max(axis=0)
    error = np.zeros(len(low))
    for begin in range(0, len(columns), TILE):
        tile = slice(begin, begin + TILE)
        np.maximum(error, np.abs(columns[tile] - rounded[tile].astype(np.float64)).max(axis=0), out=error)
    beyond = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64))) > EXACT
    lost = (low < high) & ((STEPS * error > high.astype(np.float64) - low) | (beyond & (rows.dtype.kind in "iu")))
    if lost.any():
        column = int(lost.argmax())
        name = f" ({names[column]!r})" if names else ""
        raise InputError(
            f"{where}: float32 cannot tell the values of column {column}{name} apart, which go from {low[column]} to "
            f"{high[column]}. {_mend(low[column], high[column])} in all rows, before they are converted; or leave the "
            "column out.",
            field=without_source(where),
        )


def _mend(low: Any, high: Any) -> str:
    """Return advice for a column of this range, so that float32 holds it."""
    span = float(high.item() - low.item())
    if span < STEPS * float(np.finfo(np.float32).smallest_subnormal):
        exponent = min(-math.floor(math.log10(span)), sys.float_info.max_10_exp) if span else sys.float_info.max_10_exp
        return f"Multiply this column by the same number, such as {10.0**exponent:g},"
    return f"Subtract the same number from this column, such as {low},"
