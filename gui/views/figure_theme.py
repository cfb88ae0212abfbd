"""Appearance of a figure in the window: colours, text sizes, zoom, and decimated lines."""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PySide6.QtGui import QPalette

MAX_POINTS = 2000
"""Points of a drawn line."""
_CONTRAST = 3.0


@dataclass(frozen=True)
class Theme:
    """Colours of a figure."""

    background: str
    text: str
    grid: str

    @property
    def dark(self) -> bool:
        return _luminance(self.background) < 0.2


LIGHT = Theme("#ffffff", "#1a1a1a", "#c8c8c8")
"""Theme of saved figures."""


def theme_of(palette: QPalette) -> Theme:
    """Return the theme of a palette."""
    background, text = palette.base().color().name(), palette.text().color().name()
    return Theme(background, text, mix(background, text, 0.22))


def mix(colour: str, other: str, share: float) -> str:
    """Return a mixture of two colours."""
    red, green, blue = np.array(to_rgb(colour)) * (1 - share) + np.array(to_rgb(other)) * share
    return str(to_hex((red, green, blue)))


def readable(colour: Any, background: str) -> str:
    """Return a colour, adjusted if its contrast to the background is below 3 : 1.

    On dark backgrounds, dark and light colours are exchanged first, so that shades stay distinct.
    """
    dark = _luminance(background) < 0.2
    start, end = str(to_hex(colour)), "#ffffff" if dark else "#000000"
    if dark and _contrast(start, background) < _CONTRAST:
        hue, lightness, saturation = rgb_to_hls(*to_rgb(start))
        start = str(to_hex(hls_to_rgb(hue, 1 - lightness, saturation)))
    for share in np.linspace(0, 1, 21):
        adjusted = mix(start, end, share)
        if _contrast(adjusted, background) >= _CONTRAST:
            break
    return adjusted


def _contrast(colour: str, other: str) -> float:
    bright, dim = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def decimate(x: np.ndarray, y: np.ndarray, max_points: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer points that draw the same line: minimum and maximum of each bin, and its gap (NaN) if it has one."""
    count = len(y)
    if count <= max_points:
        return x, y
    gaps = np.isnan(y)
    bins = max_points // (3 if gaps.any() else 2)
    size = -(-count // bins)
    cells = np.full((bins, size), np.nan)
    cells.ravel()[:count] = y
    starts = np.arange(bins) * size
    low = np.where(np.isnan(cells), np.inf, cells).argmin(axis=1) + starts
    high = np.where(np.isnan(cells), -np.inf, cells).argmax(axis=1) + starts
    kept = np.unique(np.concatenate([low, high]))
    kept = kept[kept < count]
    first_gap = np.isnan(cells).argmax(axis=1) + starts
    first_gap = first_gap[first_gap < count]
    kept = np.union1d(kept[~gaps[kept]], first_gap[gaps[first_gap]])
    return x[kept], y[kept]


def zoom(axes: Any, factor: float, x: float, y: float) -> None:
    """Scale the limits of axes around a point, on any scale."""
    for axis, at in ((axes.xaxis, x), (axes.yaxis, y)):
        scale = axis.get_transform()
        low, high, centre = scale.transform(np.array([*axis.get_view_interval(), at]))
        ends = centre + factor * (np.array([low, high]) - centre)
        limits = scale.inverted().transform(ends)
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(limits)


def elide(text: str, length: int) -> str:
    """Shorten a text in the middle; most of its end stays, where names tend to differ."""
    start = max(5, length // 4)
    return text if len(text) <= length else f"{text[:start]}…{text[start + 1 - length :]}"


def apply_theme(figure: Figure, theme: Theme, points: float) -> None:
    """Apply a theme's colours and a text size to a figure."""
    figure.set_facecolor(theme.background)
    for axes in figure.axes:
        axes.set_facecolor(theme.background)
        _apply_theme_to_axes(axes, theme, points)
        for child in axes.child_axes:
            _apply_theme_to_axes(child, theme, points)
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        if legend is not None:
            for text in (*legend.get_texts(), legend.get_title()):
                text.set(color=theme.text, fontsize=points - 0.5)
    for text in figure.texts:
        text.set(color=theme.text, fontsize=points)


def _apply_theme_to_axes(axes: Any, theme: Theme, points: float) -> None:
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
