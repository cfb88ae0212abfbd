"""Figures: matplotlib ``Figure`` objects, made from rows."""

from collections.abc import Sequence
from typing import Any

from tfticket.reports.tables import Cell

# Okabe and Ito's colours, told apart by the colour-blind; a marker each, for print.
_LOOKS = [("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P")]


def accuracy_figure(cells: Sequence[Cell], title: str, legend_title: str) -> Any:
    """Test accuracy against weights remaining (log axis): mean over seeds, band from lowest to highest seed.

    Args:
        cells: From ``summarise``; with several runs, one line a run and arm.
        title: Written above the axes: network and data.
        legend_title: Written above the legend: what lines and bands are.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    lines: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        lines.setdefault((cell.run, cell.arm), []).append(cell)
    several = len({cell.run for cell in cells}) > 1
    for number, ((run, _), line) in enumerate(lines.items()):
        colour, marker = _LOOKS[number % len(_LOOKS)]
        x = [100 * cell.density for cell in line]
        name = line[0].name
        axes.plot(
            x,
            [100 * cell.test["accuracy"].mean for cell in line],
            color=colour,
            marker=marker,
            ms=5,
            lw=1.6,
            label=f"{name} ({run})" if several else name,
        )
        low, high = zip(*[cell.accuracy_range for cell in line], strict=True)
        axes.fill_between(x, [100 * a for a in low], [100 * a for a in high], color=colour, alpha=0.18, lw=0)
    if not several and cells[0].level == 0:
        dense = 100 * cells[0].test["accuracy"].mean
        axes.axhline(dense, color="0.45", lw=1, ls="--", zorder=0, label="dense")
    axes.set_xscale("log")
    axes.invert_xaxis()
    ticks = [t for t in (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1) if t >= 90 * min(c.density for c in cells)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title(title.replace("$", r"\$"), fontsize=11, loc="left", wrap=True)  # a name is no formula
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=several,
        framealpha=0.8,
        loc="best" if several else "lower left",
        title=legend_title,
        alignment="left",
        title_fontsize=9,
    )
    return figure
