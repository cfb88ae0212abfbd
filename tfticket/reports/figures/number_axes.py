"""Ticks and their numbers, the same in every figure. Imports matplotlib: import it where something is drawn."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from matplotlib.ticker import Formatter, LogLocator, MaxNLocator

_MANY, _FEW = 9, 3
"""Most ticks of a logarithmic axis, and fewest where possible."""
_MANTISSAS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
_LARGE, _SMALL = 1e6, 1e-5
"""Beyond these all numbers of an axis are written as powers of ten."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Numbers(Formatter):
    """Formatter that writes all numbers of an axis as decimals, or, from ``large`` on, all as powers of ten."""

    def __init__(self, large: float = _LARGE) -> None:
        self._large = large

    def __call__(self, value: float, _: int | None = None) -> str:
        return self.format_ticks([value])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the numbers of one axis, with equal decimals unless they are of several magnitudes."""
        sizes = [abs(value) for value in values if abs(value) > 1e-12]
        if not sizes:
            return ["0" for _ in values]
        if max(sizes) >= self._large or min(sizes) < _SMALL:
            return [_power(value) for value in values]
        places = [_decimals(value) for value in values]
        if min(sizes) * 10 > max(sizes) or len(sizes) < len(values):
            places = [max(places)] * len(places)
        return [f"{value:,.{count}f}".replace("-", "−") for value, count in zip(values, places, strict=True)]


class LogTicks(LogLocator):
    """Ticks of a logarithmic axis: 1, 2 and 5; of many decades powers of ten; of a part of one a few more."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the ticks between two values."""
        low, high = sorted((vmin, vmax))
        if not 0 < low < high:
            return []
        most = max(2, min(_MANY, self.axis.get_tick_space())) if self.axis is not None else _MANY
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for mantissas in _MANTISSAS:
            ticks = _within([mantissa * 10.0**power for power in powers for mantissa in mantissas], low, high)
            if _FEW <= len(ticks) <= most:
                return ticks
            if len(ticks) > most:
                break
        decades = _within([10.0**power for power in powers], low, high)
        if len(decades) > 1:
            return decades[:: -(-len(decades) // most)]
        return _within(MaxNLocator(min(4, most)).tick_values(low, high), low, high)


def log_axis(axis: Any) -> None:
    """Give a logarithmic axis its ticks and numbers."""
    axis.set_major_locator(LogTicks())
    axis.set_major_formatter(Numbers())
    axis.set_ticks([], minor=True)


def _within(values: Any, low: float, high: float) -> list[float]:
    return [float(value) for value in values if low * 0.999999 <= value <= high * 1.000001]


def _decimals(value: float) -> int:
    exponent = Decimal(f"{value:.6g}").normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _power(value: float) -> str:
    """Return a power of ten: 10⁶, 2·10⁻⁵."""
    if abs(value) <= 1e-12:
        return "0"
    mantissa, exponent = f"{value:.5e}".split("e")
    raised = f"10{str(int(exponent)).translate(_RAISED)}"
    short = f"{float(mantissa):g}".replace("-", "−")
    return raised if short == "1" else f"−{raised}" if short == "−1" else f"{short}·{raised}"
