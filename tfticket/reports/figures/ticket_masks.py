"""Figures of a ticket's masks and receptive fields."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfticket.inspection.result import Inspection, Picture
from tfticket.reports.figures.style import new_figure, panel_figure
from tfticket.reports.figures.ticket_layers import KEPT, layer_name, percent, shown_kernels
from tfticket.text import for_figure

_DARK = "#00263d"
_TILES = 100
"""Most receptive fields of a figure."""
_CELLS = 200
"""Most cells along each side of a mask's picture."""


def receptive_fields_figure(inspection: Inspection, title: str) -> Any:
    """Draw the receptive fields of the input layer, those with most survivors first, and survivors at each input."""
    receptive = inspection.receptive_fields
    assert receptive is not None
    dead = inspection.kernel(receptive.path).dead_units
    order = np.argsort(-receptive.fields.sum(axis=(1, 2, 3)), kind="stable")[:_TILES]
    figure, (left, right) = new_figure(12.0, 6.0, title, (1, 2), width_ratios=[1.2, 1])
    tiles = _mosaic(receptive.fields, order, dead)
    left.imshow(tiles, interpolation="nearest" if len(tiles) < 500 else "antialiased")
    shown = "all" if len(order) == len(receptive.fields) else f"the {len(order)} with most survivors of"
    dead_units = ""
    if dead is not None:
        dead_units = f"; {np.count_nonzero(dead) or 'none'} dead{', grey' if dead[order].any() else ''}"
    left.set_title(
        for_figure(f"{layer_name(receptive.path)}: {shown} {len(receptive.fields)} units{dead_units}"), fontsize=10
    )
    colour = "white: pruned; red, green, blue: one channel survives; darker: two; black: all three"
    left.set_xlabel(colour if receptive.fields.shape[-1] == 3 else "white: pruned; dark: survives", fontsize=9)
    _survivors_panel(figure, right, inspection)
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def masks_figure(inspection: Inspection, title: str, paths: Sequence[str] | None = None) -> Any:
    """Draw the layers' masks: a row for each input of a unit, a column for each unit."""
    kernels, title = shown_kernels(inspection, paths, title)
    figure, panels, _ = panel_figure(len(kernels), 3.1, 2.9, title)
    for axes, kernel in zip(panels, kernels, strict=True):
        _mask_panel(figure, axes, kernel.picture)
        inputs = kernel.weights // kernel.units
        axes.set_title(for_figure(f"{layer_name(kernel.path)}: {percent(kernel.density)} kept"), fontsize=9)
        axes.set_xlabel(f"{kernel.units:,} units", fontsize=9)
        axes.set_ylabel(f"{inputs:,} inputs", fontsize=9)
    return figure


def _mosaic(fields: np.ndarray, order: np.ndarray, dead: np.ndarray | None) -> np.ndarray:
    """Return tiles in a square, [height, width, 3], with lines between."""
    columns = math.ceil(math.sqrt(len(order)))
    rows = -(-len(order) // columns)
    tiles = [_tile(fields[unit], dead is not None and bool(dead[unit])) for unit in order]
    height, width, _ = tiles[0].shape
    canvas = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, 3))
    for place, tile in enumerate(tiles):
        top, left = (height + 1) * (place // columns), (width + 1) * (place % columns)
        canvas[top : top + height + 2, left : left + width + 2] = 0.7
        canvas[top + 1 : top + height + 1, left + 1 : left + width + 1] = tile
    return canvas


def _tile(field: np.ndarray, dead: bool) -> np.ndarray:
    """Return a unit's mask in colour, small ones enlarged, [height, width, 3]."""
    from matplotlib.colors import to_rgb

    field = field.repeat(scale := max(1, 24 // max(field.shape[:2])), axis=0).repeat(scale, axis=1)
    if dead:
        return _shade(field.mean(axis=-1), to_rgb("0.45"), to_rgb("0.82"))
    if field.shape[-1] != 3:
        return _shade(field.mean(axis=-1), to_rgb(_DARK))
    count = field.sum(axis=-1, keepdims=True)
    hues = np.array([to_rgb(colour) for colour in ("#D62728", "#2CA02C", "#1F5FD0")])
    colours: np.ndarray = field @ hues / np.maximum(count, 1) * np.array([1.0, 1.0, 0.8, 0.05])[count]
    return np.where(count, colours, 1.0)


def _shade(values: np.ndarray, dark: Sequence[float], light: Sequence[float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """Return values in [0, 1] as colours from light to dark."""
    shades: np.ndarray = np.asarray(light) + values[..., None] * (np.asarray(dark) - np.asarray(light))
    return shades


def _survivors_panel(figure: Any, axes: Any, inspection: Inspection) -> None:
    """Draw surviving weights at each pixel, or at each place of the window."""
    receptive = inspection.receptive_fields
    assert receptive is not None
    counts = (receptive.fields.sum(axis=0) if receptive.per_pixel is None else receptive.per_pixel).sum(axis=-1)
    title = "surviving weights at each place of the window"
    if receptive.per_pixel is not None:
        title = "surviving weights at each pixel"
        if inspection.dead_inputs is not None:
            dead = inspection.dead_inputs.all(axis=-1)
            counts = np.where(dead, np.nan, counts)
            title += f"\ngrey: no path begins here ({np.count_nonzero(dead):,} of {dead.size:,})" if dead.any() else ""
    from matplotlib import colormaps

    most = max(1.0, float(np.max(counts, initial=1, where=counts > 0)))
    image = axes.imshow(counts, cmap=colormaps["viridis"].with_extremes(bad="0.8"), vmin=0, vmax=most)
    figure.colorbar(image, ax=axes, shrink=0.75)
    axes.set_title(title, fontsize=10)


def _mask_panel(figure: Any, axes: Any, picture: Picture) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("kept", ["white", KEPT, _DARK])
    values = _binned(picture.values)
    image = axes.imshow(values, aspect="auto", cmap=colours, vmin=0, vmax=values.max() or 1, interpolation="nearest")
    if picture.binned or values.shape != picture.values.shape:
        figure.colorbar(image, ax=axes, shrink=0.8, label="local density").ax.tick_params(labelsize=8)
    axes.set_xticks([])
    axes.set_yticks([])


def _binned(values: np.ndarray) -> np.ndarray:
    """Return means of cells, so that no cell is smaller than a pixel of a common screen."""
    values = values.astype(float)
    for axis in (0, 1):
        size = values.shape[axis]
        if size > _CELLS:
            starts = np.arange(_CELLS) * size // _CELLS
            widths = np.diff(starts, append=size)
            sums = np.add.reduceat(values, starts, axis=axis)
            values = sums / (widths[:, None] if axis == 0 else widths)
    return values
