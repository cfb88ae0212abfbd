"""The style of all figures: sizes, titles, grids, legends, and files. The one place that decides it."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.drawing import own_style
from tfticket.runs.files import atomic_write
from tfticket.text import for_figure

TITLE, PANEL_TITLE, SMALL = 11, 9, 8
"""Font sizes in points: of figures' titles, of panels' titles and labels, of ticks in small panels."""
BAND, BAND_OF_MANY = 0.25, 0.12
"""Opacities of a band, and of the bands of many lines."""


def new_figure(
    width: float, height: float, title: str = "", grid: tuple[int, int] = (1, 1), **options: Any
) -> tuple[Any, Any]:
    """Return a figure with its title at the left, and its axes.

    ``options`` are further arguments of ``Figure.subplots``; the height, in inches as the width, is without a legend.
    """
    from matplotlib.figure import Figure  # a second to import

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*grid, **options)
    if title:
        figure.suptitle(for_figure(title), fontsize=TITLE, x=0.01, ha="left", wrap=True)
    return figure, axes


def panel_figure(count: int, width: float, height: float, title: str, **options: Any) -> tuple[Any, list[Any], int]:
    """Return a figure of panels of this size in inches, at most three in a row; its panels; and the number in a row.

    ``options`` are further arguments of ``Figure.subplots``.
    """
    across = min(3, count)
    down = -(-count // across)
    figure, grid = new_figure(
        width * across + 0.4, height * down + 0.8, title, (down, across), squeeze=False, **options
    )
    for unused in grid.ravel()[count:]:
        unused.remove()
    return figure, list(grid.ravel()[:count]), across


def title_above(axes: Any, text: str) -> None:
    """Write a figure's title above its only axes."""
    axes.set_title(for_figure(text), fontsize=TITLE, loc="left", wrap=True)


def title_panel(axes: Any, text: str) -> None:
    """Write the title of a panel."""
    axes.set_title(for_figure(text), fontsize=PANEL_TITLE, loc="left")


def plain_axes(axes: Any, small: bool = False) -> None:
    """Draw a light grid, and no frame above and at the right; of a small panel among others, smaller ticks."""
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if small:
        axes.tick_params(labelsize=SMALL)


def density_axes(axes: Any) -> None:
    """Draw no grid and no y axis: only the areas of densities compare."""
    axes.set_yticks([])
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right", "left"]].set_visible(False)


def legend_below(figure: Any, lines: Mapping[str, Any], title: str = "") -> None:
    """Write a legend of named lines below the axes, where it hides nothing: the figure grows by its height."""
    width, height = figure.get_size_inches()
    columns = max(1, min(4, len(lines), int(16 * width) // (max(map(len, lines)) + 11)))  # 16 letters an inch
    figure.set_size_inches(width, height + 0.18 * -(-len(lines) // columns) + 0.3)
    options = {"loc": "outside lower left", "ncols": columns, "frameon": False, "alignment": "left"}
    names = [for_figure(name) for name in lines]
    figure.legend(list(lines.values()), names, title=title or None, fontsize=9, title_fontsize=9, **options)


def lines_in(axes: Any) -> dict[str, Any]:
    """Return the lines of axes by name."""
    return {name: line for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}


def seeds_legend(count: int, many: str) -> str:
    """Return '1 seed', or how several seeds are shown: 'mean and range of 5 seeds'."""
    return "1 seed" if count == 1 else f"{many} {count} seeds"


Figures = dict[str, Callable[[], Any]]
"""Name -> function that draws it."""


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many items, evenly between the first and the last."""
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, min(len(items), most))]


def save_figures(folder: Path, figures: Mapping[str, Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """Draw figures in the program's own style and write each as PNG and PDF, atomically.

    Returns:
        The files' names, and a note on each figure that fails: results do not depend on figures.
    """
    files, notes = [], []
    for name, draw in figures.items():
        written = [f"{name}.png", f"{name}.pdf"]
        try:
            with own_style():
                figure = draw()
                for file in written:
                    _save(figure, folder / file)
            files += written
        except Exception as error:  # whatever matplotlib, its fonts or the disk raise
            for file in written:  # those of an earlier report too
                (folder / file).unlink(missing_ok=True)
            reason = textwrap.shorten(str(error), 300)
            notes.append(f"{name}.png and {name}.pdf are not drawn: {type(error).__name__}: {reason}")
    return files, notes


def _save(figure: Any, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    atomic_write(path, lambda file: figure.savefig(file, format=kind, dpi=200))
