"""Figures: matplotlib ``Figure`` objects, made from cells and rows."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.drawing import own_style
from tfticket.reports.looks import Looks, arm_looks
from tfticket.reports.rows import Row, name_at
from tfticket.reports.statistics import pool_bins
from tfticket.reports.tables import Cell
from tfticket.runs.files import atomic_write
from tfticket.text import for_figure

_AXES = {
    "accuracy": (100.0, "accuracy (%)"),
    "nll": (1.0, "NLL (nats)"),
    "brier": (1.0, "Brier score"),
    "ece": (100.0, "ECE (%)"),
    "mace": (100.0, "MACE (%)"),
}
"""Metric -> the factor that brings it to its axis' unit, and the axis' label."""

UNPRUNED_STYLES = ("--", ":")
"""Of the grey lines of the unpruned network, and of the variational one where there are both."""

_TICKS = [mantissa * 10.0**power for power in range(2, -4, -1) for mantissa in (5, 2, 1)][2:]
_MOST_PANELS = 6
_FEWEST_ROWS = 10
"""A bin of fewer rows says little of its accuracy: no point is drawn."""


@dataclass(frozen=True)
class Line:
    """A line of a metric against weights remaining, with its band; the metric in its own unit (fractions, nats).

    Attributes:
        name: What the legend calls it.
        densities, means, lows, highs: One number a level; low and high are the mean where there is no band.
        look: Of the line, as matplotlib takes it.
    """

    name: str
    densities: Sequence[float]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    look: Mapping[str, Any]


def axis_of(metric: str, split: str = "test") -> tuple[float, str]:
    """The factor that brings a metric to its axis' unit, and the axis' label: 'test accuracy (%)'."""
    factor, label = _AXES[metric]
    return factor, f"{split} {label}"


def draw_metric(
    axes: Any, lines: Sequence[Line], metric: str, split: str = "test", beside: Sequence[Line] = ()
) -> None:
    """Draw a metric against weights remaining (log axis, the dense network at the left).

    Args:
        axes: Empty matplotlib axes.
        lines: What to draw, at least one.
        metric: 'accuracy', 'nll', 'brier', 'ece' or 'mace'.
        split: On which rows it was measured: 'test' or 'validation'.
        beside: Lines of other axes that share this one's y axis.
    """
    from tfticket.reports.number_axes import Numbers, log_axis  # matplotlib takes a second to import

    factor, label = axis_of(metric, split)
    axes.yaxis.set_major_formatter(Numbers())
    for line in lines:
        x, low, high = (np.asarray(values) for values in (line.densities, line.lows, line.highs))
        axes.plot(100 * x, factor * np.asarray(line.means), label=line.name, **line.look)
        if len(x) > 1:
            axes.fill_between(100 * x, factor * low, factor * high, color=line.look["color"], alpha=0.12, lw=0)
        else:  # of one point a band is nothing
            axes.vlines(100 * x, factor * low, factor * high, color=line.look["color"], alpha=0.5, lw=1.5)
    weights_axis(axes, [density for line in lines for density in line.densities])
    axes.set_ylabel(label)
    bounds = [factor * bound for line in (*lines, *beside) for ends in (line.lows, line.highs) for bound in ends]
    if metric == "accuracy":
        spread_errors(axes, bounds)
    elif metric == "nll" and max(bounds) > 8 * min(bounds) > 0:
        axes.set_yscale("log")
        log_axis(axes.yaxis)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def weights_axis(axes: Any, densities: Sequence[float]) -> None:
    """Make the x axis that of weights remaining: logarithmic, the dense network at the left.

    Args:
        axes: With densities in % as x.
        densities: All that are drawn, fractions.
    """
    axes.set_xscale("log")
    axes.xaxis.set_inverted(True)
    ticks = [tick for tick in _TICKS if 90 * min(densities) <= tick <= 110 * max(densities)]
    if len(ticks) < 2:  # too near to one another for such numbers
        ticks = sorted({float(f"{100 * density:.3g}") for density in (min(densities), max(densities))}, reverse=True)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")


def metric_figure(cells: Sequence[Cell], metric: str, title: str, legend_title: str, looks: Looks | None = None) -> Any:
    """A metric on test rows against weights remaining (log axis): mean over seeds, band from lowest to highest seed.

    Args:
        cells: From ``summarise``; with several runs, one line a run and arm.
        metric: One that every cell has: 'accuracy', 'nll', 'brier', 'ece' or 'mace'.
        title: Written above the axes: network and data.
        legend_title: Written above the legend: what lines and bands are.
        looks: Of all arms of the report; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    found: dict[tuple[str, Arm], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.run, cell.arm), []).append(cell)
    looks = looks or arm_looks(found)
    several = len({run for run, _ in found}) > 1
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    lines = [
        _line(line, metric, f"{line[0].name} ({run})" if several else line[0].name, looks[run, arm])
        for (run, arm), line in found.items()
    ]
    draw_metric(axes, lines, metric)
    if not several:
        dense: dict[str, float] = {}  # of each kind of network
        for cell in cells:
            if cell.level == 0 and cell.arm.is_ticket:
                name = name_at(cell.name, cell.arm, 0, cell.variational)
                dense.setdefault(name, axis_of(metric)[0] * cell.test[metric].mean)
        for (name, value), style in zip(dense.items(), UNPRUNED_STYLES, strict=False):
            axes.axhline(value, color="0.45", lw=1, ls=style, zorder=0, label=name)
    title_above(axes, title)
    legend_below(figure, axes.get_legend_handles_labels(), legend_title)
    return figure


def _line(cells: Sequence[Cell], metric: str, name: str, look: Mapping[str, Any]) -> Line:
    """The line of an arm: its mean over seeds at each level, and the range."""
    low, high = np.transpose([cell.test_range[metric] for cell in cells])
    means = [cell.test[metric].mean for cell in cells]
    return Line(name, [cell.density for cell in cells], means, low, high, look)


def has_controls(cells: Sequence[Cell]) -> bool:
    """Return whether a control of any way of pruning has been evaluated."""
    return bool(_controlled(cells))


def _controlled(cells: Sequence[Cell]) -> dict[Arm, dict[Arm, list[Cell]]]:
    """Return the ways of pruning that have controls: tickets -> these and their controls -> cells."""
    tickets: dict[Arm, dict[Arm, list[Cell]]] = {}
    for cell in cells:
        if cell.arm.method == "train":
            tickets.setdefault(cell.arm.ticket, {}).setdefault(cell.arm, []).append(cell)
    return {ticket: arms for ticket, arms in tickets.items() if len(arms) > 1}


def controls_figure(cells: Sequence[Cell], title: str, legend_title: str, looks: Looks | None = None) -> Any:
    """Controls of several ways of pruning: a column each, with its own tickets; above accuracy, below MACE.

    Args:
        cells: Of one run, from ``summarise``; it ``has_controls``.
        title: Written above the panels: network and data.
        legend_title: Written above the legend: what lines and bands are.
        looks: Of all arms of the report; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    tickets = _controlled(cells)
    names = {cell.arm: cell.name for cell in cells}
    looks = looks or arm_looks((cell.run, cell.arm) for cell in cells)
    metrics = [metric for metric in ("accuracy", "mace") if metric in cells[0].test]
    figure = Figure(figsize=(max(3.6 * len(tickets), 4.8), 2.6 * len(metrics) + 0.4), layout="constrained")
    panels = figure.subplots(len(metrics), len(tickets), squeeze=False, sharey="row", sharex=True)
    named: dict[str, Any] = {}
    for metric, across in zip(metrics, panels, strict=True):
        lines = [
            [_line(line, metric, line[0].name, looks[line[0].run, arm]) for arm, line in arms.items()]
            for arms in tickets.values()
        ]
        for ticket, axes, own in zip(tickets, across, lines, strict=True):
            draw_metric(axes, own, metric, beside=[line for each in lines for line in each])
            named |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
            if metric == metrics[0]:
                axes.set_title(names.get(ticket, ticket.name), fontsize=9, loc="left")
            axes.label_outer()
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left", wrap=True)
    legend_below(figure, (list(named.values()), list(named)), legend_title)
    return figure


def spread_errors(axes: Any, accuracies: Sequence[float]) -> None:
    """Where some arms collapse, scale the y axis by the logarithm of the error, so that the others stay apart.

    Args:
        axes: With accuracies in % as y.
        accuracies: All that are drawn.
    """
    least, most = (max(0.05, 100 - bound) for bound in (max(accuracies), min(accuracies)))
    if most < 8 * least:
        return

    def forward(accuracy: Any) -> Any:
        return -np.log(np.maximum(100 - np.asarray(accuracy), 0.01))

    axes.set_yscale("function", functions=(forward, lambda value: 100 - np.exp(-np.asarray(value))))
    axes.set_ylim(100 - min(100, 1.15 * most), 100 - least / 1.15)
    low, high = axes.get_ylim()
    ticks = [tick for tick in (0, 20, 40, 60, 80, 90, 95, 97, 98, 99, 99.5, 99.8, 99.9) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_yticks([], minor=True)
    axes.set_ylabel(f"{axes.get_ylabel()}, log of the error")


def reliability_figure(rows: Sequence[Row], title: str, legend_title: str, looks: Looks | None = None) -> Any:
    """Reliability diagrams on test rows: accuracy against confidence of each bin, and below how many rows it holds.

    All rows of an arm at a level are pooled, bin by bin. A bin of fewer than ten rows has no point. The histogram is
    the ticket's.

    Args:
        rows: Of one run, each with its reliability; a panel each level, of more than six levels some evenly between
            the first and the last.
        title: Written above the panels: network and data.
        legend_title: Written above the legend: what the lines are.
        looks: Of all arms of the report; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    levels = sorted({row.level for row in rows})
    chosen = [levels[round(at)] for at in np.linspace(0, len(levels) - 1, min(len(levels), _MOST_PANELS))]
    arms = sorted(dict.fromkeys((row.run, row.arm) for row in rows), key=lambda key: key[1] != TICKET)
    looks, across = looks or arm_looks(arms), min(len(chosen), 3)
    down = -(-len(chosen) // across)
    figure = Figure(figsize=(max(2.4 * across, 4.8), 3.1 * down + 0.3), layout="constrained")
    panels = figure.subplots(2 * down, across, squeeze=False, height_ratios=[4, 1] * down)
    named: dict[str, Any] = {}  # line by name, in the order of the legend
    for number, level in enumerate(chosen):
        row, column = divmod(number, across)
        here = [one for one in rows if one.level == level]
        named |= _reliability_panel(panels[2 * row, column], panels[2 * row + 1, column], here, looks)
        panels[2 * row, column].set_title(_panel_title(here), fontsize=9, loc="left")
        if column == 0:
            panels[2 * row, column].set_ylabel("accuracy (%)", fontsize=9)
            panels[2 * row + 1, column].set_ylabel("ticket's\nrows (%)", fontsize=8)
        panels[2 * row + 1, column].set_xlabel("confidence (%)", fontsize=9)
    for unused in panels.reshape(down, 2, across).transpose(0, 2, 1).reshape(-1, 2)[len(chosen) :].ravel():
        unused.remove()
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left", wrap=True)
    named["calibrated"] = named.pop("calibrated")  # the last
    legend_below(figure, (list(named.values()), list(named)), legend_title)
    return figure


def _reliability_panel(axes: Any, below: Any, rows: Sequence[Row], looks: Looks) -> dict[str, Any]:
    """Draw one level's diagram and histogram; returns name -> line."""
    arms: dict[tuple[str, Arm], list[Row]] = {}
    for row in rows:
        arms.setdefault((row.run, row.arm), []).append(row)
    (diagonal,) = axes.plot([0, 100], [0, 100], color="0.45", lw=1, ls="--", zorder=0)
    named, seen = {}, set()
    for key in sorted(arms, key=lambda key: key[1] != TICKET):
        bins = pool_bins([row.reliability for row in arms[key] if row.reliability])
        exactly = b"".join(values.tobytes() for values in bins.values())
        if rows[0].level == 0 and exactly in seen:  # the dense network that several ways of pruning begin with
            continue
        seen.add(exactly)
        drawn = bins["count"] >= _FEWEST_ROWS
        points = (100 * bins[name][drawn] for name in ("confidence", "accuracy"))
        (named[arms[key][0].name],) = axes.plot(
            *points, **{**looks[key], "ms": 3.5, "lw": 1.2}, clip_on=False, in_layout=False
        )
        if key[1] == TICKET:
            edges = np.linspace(0, 100, len(drawn) + 1)
            share = 100 * bins["count"] / bins["count"].sum()
            below.bar(edges[:-1], share, np.diff(edges), align="edge", color=looks[key]["color"], alpha=0.5, lw=0)
    axes.set(ylim=(0, 100), yticks=[0, 25, 50, 75, 100])
    axes.tick_params(labelbottom=False)
    below.set(yscale="log", ylim=(0.01, 100), yticks=[0.01, 1, 100], yticklabels=["0.01", "1", "100"])
    below.minorticks_off()
    for one in (axes, below):
        one.set(xlim=(0, 100), xticks=[0, 25, 50, 75, 100])
        one.grid(alpha=0.25, lw=0.6)
        one.tick_params(labelsize=8)
        one.spines[["top", "right"]].set_visible(False)
    return {"calibrated": diagonal} | named


def _panel_title(rows: Sequence[Row]) -> str:
    if rows[0].level == 0:
        return "dense"
    tickets = [row.density for row in rows if row.arm == TICKET] or [row.density for row in rows]
    return f"{100 * sum(tickets) / len(tickets):.1f} % of the weights"


def title_above(axes: Any, text: str) -> None:
    """Write a title above axes."""
    axes.set_title(for_figure(text), fontsize=11, loc="left", wrap=True)


def legend_below(figure: Any, handles_and_labels: tuple[list[Any], list[str]], title: str) -> None:
    """Below the axes, where it hides nothing: the figure becomes higher by it."""
    handles, labels = handles_and_labels
    width, height = figure.get_size_inches()
    columns = max(1, min(4, len(labels), int(16 * width) // (max(map(len, labels)) + 11)))  # 16 letters an inch
    figure.set_size_inches(width, height + 0.18 * -(-len(labels) // columns) + 0.3)
    figure.legend(
        handles,
        [for_figure(label) for label in labels],
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=9,
        title=title,
        alignment="left",
        title_fontsize=9,
    )


def save_figures(folder: Path, figures: Mapping[str, Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """Draw figures in the program's own style and write each as PNG and PDF, in one move.

    Args:
        folder: Where to.
        figures: Name -> what draws it.

    Returns:
        The files' names; and a note on each figure that fails: results do not depend on pictures.
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
            for file in written:  # of an earlier report, or half of this one
                (folder / file).unlink(missing_ok=True)
            reason = textwrap.shorten(str(error), 300)
            notes.append(f"{name}.png and {name}.pdf are not drawn: {type(error).__name__}: {reason}")
    return files, notes


def _save(figure: Any, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    atomic_write(path, lambda file: figure.savefig(file, format=kind, dpi=200))
