"""One colour a run, the same in every plot."""

from collections.abc import Sequence

_COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#AA7700", "#AA3377", "#2299BB",
    "#8833FF", "#CC3311", "#009988", "#882255", "#6655CC", "#99AA00",
    "#FF33BB", "#5522EE", "#999955", "#9911BB", "#995533", "#5599FF",
    "#DD77DD", "#FF1177", "#775599", "#BB7799", "#1155FF", "#E06600",
)  # fmt: skip
"""Seen on white and on dark grey. The first twelve are told apart by the colour-blind: Tol's, some darkened."""


def colour_of(number: int) -> str:
    """The colour of the run with this number, '#rrggbb'; after twenty-four they begin again."""
    return _COLOURS[number % len(_COLOURS)]


def colours_of(numbers: Sequence[int]) -> list[str]:
    """Colours of runs that are seen together: one whose colour is taken has the next that is free."""
    found: list[str] = []
    for number in numbers:
        wanted = [colour_of(number + step) for step in range(len(_COLOURS))]
        found.append(next((colour for colour in wanted if colour not in found), wanted[0]))
    return found
