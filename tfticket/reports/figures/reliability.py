"""Reliability diagrams."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.reports.figures.arm_styles import Styles, arm_styles
from tfticket.reports.figures.style import PANEL_TITLE, SMALL, evenly, legend_below, new_figure, plain_axes, title_panel
from tfticket.reports.rows import Row
from tfticket.reports.statistics import pool_bins

_MOST_PANELS = 6
_FEWEST_ROWS = 10
"""Fewest rows of a bin with a point: the accuracy of fewer is noise."""


def reliability_figure(rows: Sequence[Row], title: str, legend_title: str, styles: Styles | None = None) -> Any:
    """Draw reliability diagrams on test rows: accuracy against confidence by bin, and below the rows in each bin.

    All rows of an arm at a level are pooled, bin by bin. A bin of fewer than ten rows has no point. The histogram is
    the ticket's. Of more than six levels, some evenly between the first and the last have a panel.
    """
    levels = sorted({row.level for row in rows})
    shown = evenly(levels, _MOST_PANELS)
    arms = sorted(dict.fromkeys((row.run, row.arm) for row in rows), key=lambda key: key[1] != TICKET)
    styles, across = styles or arm_styles(arms), min(len(shown), 3)
    down = -(-len(shown) // across)
    width, height, ratios = max(2.4 * across, 4.8), 3.1 * down + 0.3, [4, 1] * down
    figure, panels = new_figure(width, height, title, (2 * down, across), squeeze=False, height_ratios=ratios)
    named: dict[str, Any] = {}  # line by name, in the order of the legend
    for number, level in enumerate(shown):
        place, column = divmod(number, across)
        axes, below = panels[2 * place : 2 * place + 2, column]
        at_level = [row for row in rows if row.level == level]
        named |= _panel(axes, below, at_level, styles)
        title_panel(axes, _title(at_level))
        if column == 0:
            axes.set_ylabel("accuracy (%)", fontsize=PANEL_TITLE)
            below.set_ylabel("ticket's\nrows (%)", fontsize=SMALL)
        below.set_xlabel("confidence (%)", fontsize=PANEL_TITLE)
    for unused in panels.reshape(down, 2, across).transpose(0, 2, 1).reshape(-1, 2)[len(shown) :].ravel():
        unused.remove()
    named["calibrated"] = named.pop("calibrated")  # the last
    legend_below(figure, named, legend_title)
    return figure


def _panel(axes: Any, below: Any, rows: Sequence[Row], styles: Styles) -> dict[str, Any]:
    """Draw one level's diagram and histogram; return name -> line."""
    arms: dict[tuple[str, Arm], list[Row]] = {}
    for row in rows:
        arms.setdefault((row.run, row.arm), []).append(row)
    (diagonal,) = axes.plot([0, 100], [0, 100], color="0.45", lw=1, ls="--", zorder=0)
    named, drawn = {}, set()
    for key in sorted(arms, key=lambda key: key[1] != TICKET):
        bins = pool_bins([row.reliability for row in arms[key] if row.reliability])
        content = b"".join(values.tobytes() for values in bins.values())
        if rows[0].level == 0 and content in drawn:  # the dense network that several ways of pruning share
            continue
        drawn.add(content)
        filled = bins["count"] >= _FEWEST_ROWS
        points = (100 * bins[name][filled] for name in ("confidence", "accuracy"))
        (named[arms[key][0].name],) = axes.plot(
            *points, **{**styles[key], "ms": 3.5, "lw": 1.2}, clip_on=False, in_layout=False
        )
        if key[1] == TICKET:
            edges = np.linspace(0, 100, len(filled) + 1)
            share = 100 * bins["count"] / bins["count"].sum()
            below.bar(edges[:-1], share, np.diff(edges), align="edge", color=styles[key]["color"], alpha=0.5, lw=0)
    axes.set(ylim=(0, 100), yticks=[0, 25, 50, 75, 100])
    axes.tick_params(labelbottom=False)
    below.set(yscale="log", ylim=(0.01, 100), yticks=[0.01, 1, 100], yticklabels=["0.01", "1", "100"])
    below.minorticks_off()
    for panel in (axes, below):
        panel.set(xlim=(0, 100), xticks=[0, 25, 50, 75, 100])
        plain_axes(panel, small=True)
    return {"calibrated": diagonal} | named


def _title(rows: Sequence[Row]) -> str:
    if rows[0].level == 0:
        return "dense"
    tickets = [row.density for row in rows if row.arm == TICKET] or [row.density for row in rows]
    return f"{100 * sum(tickets) / len(tickets):.1f} % of the weights"
