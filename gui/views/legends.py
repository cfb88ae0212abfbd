"""Legends below plots, as wide as the figure; and texts that fit beside them."""

from collections.abc import Sequence
from typing import Any

from matplotlib.font_manager import FontProperties

from tfticket.text import for_figure

from .canvas import FigureCanvas
from .figure_theme import short

_MOST = 0.36
"""Share of the figure's height that a legend takes at most; a higher one is left out."""
_LEAST = 170
"""Pixels of height that it leaves to the plots at least; where it would not, it is left out."""
_LINE = 1.6
"""Height of a line of a legend, in sizes of its text."""


def legend_below(canvas: FigureCanvas, handles: Sequence[Any], names: Sequence[str], title: str = "") -> float:
    """Put a legend below a figure's plots, in place of the one that was there.

    It has as many columns as there is room for. Where it would take too much of the height there is none.

    Args:
        canvas: Of the figure.
        handles: What is named.
        names: Their names; the middle of one that is too long is left out.
        title: Lines above them.

    Returns:
        The height that it takes, in pixels.
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
    names = [for_figure(short(name, max(28, letters // 3 - 5))) for name in names]
    width = max(_width(canvas, name, size) for name in names) + 3.2 * em
    columns = max(1, min(6, len(names), int((room + 2 * em) // (width + 2 * em))))
    rows = -(-len(names) // columns) + (title.count("\n") + 1 if title else 0)
    height = (_LINE * rows + 1) * em
    if height > _MOST * figure.bbox.height or figure.bbox.height - height < _LEAST * canvas.device_pixel_ratio:
        return 0.0
    options: dict[str, Any] = {"loc": "outside lower left", "frameon": False, "alignment": "left", "fontsize": size}
    figure.legend(handles, names, ncols=columns, title=title or None, **options)
    return height / float(canvas.device_pixel_ratio)


def fitting(choices: Sequence[str], pixels: float, points: float) -> str:
    """The first of some texts that is no longer than so many pixels, else the last.

    Args:
        choices: The best first.
        pixels: What room there is.
        points: The texts' size.
    """
    letters = pixels / (0.8 * points)
    return next((text for text in choices if max(map(len, text.split("\n"))) <= letters), choices[-1])


def _width(canvas: FigureCanvas, text: str, size: float) -> float:
    renderer = canvas.get_renderer()
    return float(renderer.get_text_width_height_descent(text, FontProperties(size=size), False)[0])
