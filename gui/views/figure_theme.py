"""What a figure in the window looks like: colours of the theme, size of texts, limits, as few points as can be told."""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PySide6.QtGui import QPalette

MOST_POINTS = 2000
"""Of a line, as it is drawn."""
_CONTRAST = 3.0


@dataclass(frozen=True)
class Theme:
    """Colours of a figure: background, text and grid."""

    background: str
    text: str
    grid: str

    @property
    def dark(self) -> bool:
        """Whether the background is dark."""
        return _luminance(self.background) < 0.2


LIGHT = Theme("#ffffff", "#1a1a1a", "#c8c8c8")
"""What saved figures wear."""


def theme_of(palette: QPalette) -> Theme:
    """The theme of a palette."""
    background, text = palette.base().color().name(), palette.text().color().name()
    return Theme(background, text, mix(background, text, 0.22))


def mix(colour: str, other: str, share: float) -> str:
    """A colour with a share of another one."""
    red, green, blue = np.array(to_rgb(colour)) * (1 - share) + np.array(to_rgb(other)) * share
    return str(to_hex((red, green, blue)))


def readable(colour: Any, background: str) -> str:
    """A colour, lighter or darker where it could not be told from the background (contrast 3 : 1).

    On a dark background dark colours change places with light ones, so that several shades stay apart.
    """
    dark = _luminance(background) < 0.2
    found, towards = str(to_hex(colour)), "#ffffff" if dark else "#000000"
    if dark and _contrast(found, background) < _CONTRAST:
        hue, lightness, saturation = rgb_to_hls(*to_rgb(found))
        found = str(to_hex(hls_to_rgb(hue, 1 - lightness, saturation)))
    for share in np.linspace(0, 1, 21):
        seen = mix(found, towards, share)
        if _contrast(seen, background) >= _CONTRAST:
            break
    return seen


def _contrast(colour: str, other: str) -> float:
    bright, dim = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def decimate(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Fewer points that draw the same line: of each stretch its lowest and highest, and a gap where it had one.

    Args:
        x: float [points].
        y: float [points]; NaN is a gap.
        most: So many points at most, at least 3.
    """
    count = len(y)
    if count <= most:
        return x, y
    gaps = np.isnan(y)
    stretches = most // (3 if gaps.any() else 2)
    size = -(-count // stretches)
    cells = np.full((stretches, size), np.nan)
    cells.ravel()[:count] = y
    begins = np.arange(stretches) * size
    low = np.where(np.isnan(cells), np.inf, cells).argmin(axis=1) + begins
    high = np.where(np.isnan(cells), -np.inf, cells).argmax(axis=1) + begins
    chosen = np.unique(np.concatenate([low, high]))
    chosen = chosen[chosen < count]
    first = np.isnan(cells).argmax(axis=1) + begins
    first = first[first < count]
    chosen = np.union1d(chosen[~gaps[chosen]], first[gaps[first]])
    return x[chosen], y[chosen]


def zoom(axes: Any, factor: float, x: float, y: float) -> None:
    """Bring the limits of axes nearer to a point, or further from it, on whatever scale they have."""
    for axis, at in ((axes.xaxis, x), (axes.yaxis, y)):
        scale = axis.get_transform()
        low, high, here = scale.transform(np.array([*axis.get_view_interval(), at]))
        ends = here + factor * (np.array([low, high]) - here)
        limits = scale.inverted().transform(ends)
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(limits)


def short(text: str, most: int) -> str:
    """A text of at most so many letters: of a longer one its beginning and, as names differ there, most of its end."""
    begin = max(5, most // 4)
    return text if len(text) <= most else f"{text[:begin]}…{text[begin + 1 - most :]}"


def dress(figure: Figure, theme: Theme, points: float) -> None:
    """Give a figure's texts, axes and legends the theme's colours, and its texts their size."""
    figure.set_facecolor(theme.background)
    for axes in figure.axes:
        axes.set_facecolor(theme.background)
        _dress_axes(axes, theme, points)
        for child in axes.child_axes:
            _dress_axes(child, theme, points)
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        if legend is not None:
            for text in (*legend.get_texts(), legend.get_title()):
                text.set(color=theme.text, fontsize=points - 0.5)
    for text in figure.texts:
        text.set(color=theme.text, fontsize=points)


def _dress_axes(axes: Any, theme: Theme, points: float) -> None:
    axes.tick_params(which="both", color=theme.grid, labelcolor=theme.text, labelsize=points - 1)
    for line in (*axes.xaxis.get_gridlines(), *axes.yaxis.get_gridlines()):
        line.set(color=theme.grid, alpha=0.7, lw=0.6)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=theme.text, fontsize=points)
    for title in (axes.title, axes._left_title):
        title.set(color=theme.text, fontsize=points)
    for spine in axes.spines.values():
        spine.set_edgecolor(theme.grid)
    for text in axes.texts:
        text.set(color=theme.text, fontsize=points)
