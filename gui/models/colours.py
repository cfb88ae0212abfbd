"""One colour a run, the same in every plot."""

_COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#AA7700", "#AA3377", "#2299BB",
    "#777777", "#CC3311", "#009988", "#882255", "#6655CC", "#99AA00",
)  # fmt: skip
"""Told apart by the colour-blind, and seen on white and on dark grey: Tol's, some darkened."""


def colour_of(number: int) -> str:
    """The colour of the run with this number, '#rrggbb'; after twelve they begin again."""
    return _COLOURS[number % len(_COLOURS)]
