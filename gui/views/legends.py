"""Legends below plots, and axis labels that fit."""

from collections.abc import Sequence
from typing import Any

from matplotlib.font_manager import FontProperties

from tfticket.text import for_figure

from .canvas import FigureCanvas
from .figure_theme import elide

_MAX_SHARE = 0.36
"""Largest fraction of the figure's height for a legend; higher ones are left out."""
_MIN_PLOT = 170
"""Smallest height of the plots above a legend, in pixels; otherwise it is left out."""
_LINE = 1.6
"""Line height of a legend, relative to the text size."""


def legend_below(canvas: FigureCanvas, handles: Sequence[Any], names: Sequence[str], title: str = "") -> float:
    """Replace the legend below a figure's plots; return its height in pixels.

    The width determines the number of columns. One that would take too much height is left out; long names are elided.
    """
    figure = canvas.figure
    for legend in list(figure.legends):
        legend.remove()
    if not handles:
        return 0.0
    size = canvas.points - 0.5
    em = size * figure.dpi / 72
    room = float(figure.bbox.width) - 2.5 * em
    letters = int(room / (0.62 * em))
    names = [for_figure(elide(name, max(28, letters // 3 - 5))) for name in names]
    measure, font = canvas.get_renderer().get_text_width_height_descent, FontProperties(size=size)
    width = max(float(measure(name, font, False)[0]) for name in names) + 3.2 * em
    columns = max(1, min(6, len(names), int((room + 2 * em) // (width + 2 * em))))
    rows = -(-len(names) // columns) + (title.count("\n") + 1 if title else 0)
    height = (_LINE * rows + 1) * em
    if height > _MAX_SHARE * figure.bbox.height or figure.bbox.height - height < _MIN_PLOT * canvas.device_pixel_ratio:
        return 0.0
    options: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "alignment": "left", "fontsize": size}
    figure.legend(handles, names, ncols=columns, title=title or None, **options)
    return height / float(canvas.device_pixel_ratio)


def first_fitting(choices: Sequence[str], pixels: float, points: float) -> str:
    """Return the first text that fits into a length in pixels at this text size, otherwise the last."""
    letters = pixels / (0.8 * points)
    return next((text for text in choices if max(map(len, text.split("\n"))) <= letters), choices[-1])
