"""One colour per run, the same in every plot."""

from collections.abc import Sequence

_COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#AA7700", "#AA3377", "#2299BB",
    "#8833FF", "#CC3311", "#009988", "#882255", "#6655CC", "#99AA00",
    "#FF33BB", "#5522EE", "#999955", "#9911BB", "#995533", "#5599FF",
    "#DD77DD", "#FF1177", "#775599", "#BB7799", "#1155FF", "#E06600",
)  # fmt: skip
"""Visible on white and on dark grey. The first twelve are safe for colour-blind readers (Tol, some darkened)."""


def run_colour(number: int) -> str:
    """Return the colour of the run with this number, '#rrggbb'; colours repeat after twenty-four runs."""
    return _COLOURS[number % len(_COLOURS)]


def distinct_colours(numbers: Sequence[int]) -> list[str]:
    """Return the colours of runs shown together; a run whose colour is taken gets the next free one."""
    colours: list[str] = []
    for number in numbers:
        candidates = [run_colour(number + step) for step in range(len(_COLOURS))]
        colours.append(next((colour for colour in candidates if colour not in colours), candidates[0]))
    return colours
