"""Figures of metrics against weights remaining: arms, and controls of several ways of pruning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.arms import Arm
from tfticket.reports.figures.arm_styles import Styles, arm_styles
from tfticket.reports.figures.style import (
    BAND_OF_MANY,
    legend_below,
    lines_in,
    new_figure,
    plain_axes,
    title_above,
    title_panel,
)
from tfticket.reports.rows import name_at
from tfticket.reports.tables.cells import Cell

_AXES = {
    "accuracy": (100.0, "accuracy (%)"),
    "nll": (1.0, "NLL (nats)"),
    "brier": (1.0, "Brier score"),
    "ece": (100.0, "ECE (%)"),
    "mace": (100.0, "MACE (%)"),
}
"""Metric -> factor that converts it to its axis' unit, and label of the axis."""

UNPRUNED_STYLES = ("--", ":")
"""Grey lines of the deterministic unpruned network, and of the variational one."""

_TICKS = [mantissa * 10.0**power for power in range(2, -4, -1) for mantissa in (5, 2, 1)][2:]


@dataclass(frozen=True)
class Line:
    """A line of a metric against weights remaining, with its band; the metric in its own unit (fractions, nats).

    Attributes:
        densities, means, lows, highs: One number a level; low and high equal the mean where there is no band.
        style: Arguments of matplotlib's ``plot``.
    """

    name: str
    densities: Sequence[float]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    style: Mapping[str, Any]


def axis_of(metric: str, split: str = "test") -> tuple[float, str]:
    """Return the factor that converts a metric to its axis' unit, and the axis' label: 'test accuracy (%)'."""
    factor, label = _AXES[metric]
    return factor, f"{split} {label}"


def draw_metric(
    axes: Any, lines: Sequence[Line], metric: str, split: str = "test", sharing: Sequence[Line] = ()
) -> None:
    """Draw a metric against weights remaining (log axis, the dense network at the left).

    Args:
        axes: Empty matplotlib axes.
        lines: The lines, at least one.
        metric: 'accuracy', 'nll', 'brier', 'ece' or 'mace'.
        split: The rows that it was measured on: 'test' or 'validation'.
        sharing: Lines of other axes that share this y axis.
    """
    from tfticket.reports.figures.number_axes import Numbers, log_axis  # matplotlib takes a second to import

    factor, label = axis_of(metric, split)
    axes.yaxis.set_major_formatter(Numbers())
    for line in lines:
        x, low, high = (np.asarray(values) for values in (line.densities, line.lows, line.highs))
        axes.plot(100 * x, factor * np.asarray(line.means), label=line.name, **line.style)
        if len(x) > 1:
            axes.fill_between(100 * x, factor * low, factor * high, color=line.style["color"], alpha=BAND_OF_MANY, lw=0)
        else:  # a band of one point has no width
            axes.vlines(100 * x, factor * low, factor * high, color=line.style["color"], alpha=0.5, lw=1.5)
    weights_axis(axes, [density for line in lines for density in line.densities])
    axes.set_ylabel(label)
    bounds = [factor * bound for line in (*lines, *sharing) for ends in (line.lows, line.highs) for bound in ends]
    if metric == "accuracy":
        spread_errors(axes, bounds)
    elif metric == "nll" and max(bounds) > 8 * min(bounds) > 0:
        axes.set_yscale("log")
        log_axis(axes.yaxis)
    plain_axes(axes)


def weights_axis(axes: Any, densities: Sequence[float]) -> None:
    """Make the x axis, in %, that of weights remaining: logarithmic, the dense network at the left."""
    axes.set_xscale("log")
    axes.xaxis.set_inverted(True)
    ticks = [tick for tick in _TICKS if 90 * min(densities) <= tick <= 110 * max(densities)]
    if len(ticks) < 2:  # too close for round numbers
        ticks = sorted({float(f"{100 * density:.3g}") for density in (min(densities), max(densities))}, reverse=True)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")


def metric_figure(
    cells: Sequence[Cell], metric: str, title: str, legend_title: str, styles: Styles | None = None
) -> Any:
    """Draw a metric on test rows against weights remaining (log axis): mean over seeds, band from lowest to highest.

    With several runs there is a line for each run and arm.
    """
    arms: dict[tuple[str, Arm], list[Cell]] = {}
    for cell in cells:
        arms.setdefault((cell.run, cell.arm), []).append(cell)
    styles = styles or arm_styles(arms)
    several = len({run for run, _ in arms}) > 1
    figure, axes = new_figure(7.2, 4.2)
    lines = [
        _line(line, metric, f"{line[0].name} ({run})" if several else line[0].name, styles[run, arm])
        for (run, arm), line in arms.items()
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
    legend_below(figure, lines_in(axes), legend_title)
    return figure


def _line(cells: Sequence[Cell], metric: str, name: str, style: Mapping[str, Any]) -> Line:
    """Return the line of an arm: its mean over seeds at each level, and the range."""
    low, high = np.transpose([cell.test_range[metric] for cell in cells])
    means = [cell.test[metric].mean for cell in cells]
    return Line(name, [cell.density for cell in cells], means, low, high, style)


def has_controls(cells: Sequence[Cell]) -> bool:
    """Return True if a control of any way of pruning has been evaluated."""
    return bool(_controlled(cells))


def _controlled(cells: Sequence[Cell]) -> dict[Arm, dict[Arm, list[Cell]]]:
    """Return the ways of pruning that have controls: tickets -> these and their controls -> cells."""
    tickets: dict[Arm, dict[Arm, list[Cell]]] = {}
    for cell in cells:
        if cell.arm.method == "train":
            tickets.setdefault(cell.arm.ticket, {}).setdefault(cell.arm, []).append(cell)
    return {ticket: arms for ticket, arms in tickets.items() if len(arms) > 1}


def controls_figure(cells: Sequence[Cell], title: str, legend_title: str, styles: Styles | None = None) -> Any:
    """Draw controls of several ways of pruning: a column for each, with its own tickets; accuracy above MACE."""
    tickets = _controlled(cells)
    names = {cell.arm: cell.name for cell in cells}
    styles = styles or arm_styles((cell.run, cell.arm) for cell in cells)
    metrics = [metric for metric in ("accuracy", "mace") if metric in cells[0].test]
    grid, shared = (len(metrics), len(tickets)), {"sharey": "row", "sharex": True}
    width, height = max(3.6 * len(tickets), 4.8), 2.6 * len(metrics) + 0.4
    figure, panels = new_figure(width, height, title, grid, squeeze=False, **shared)
    named: dict[str, Any] = {}
    for metric, across in zip(metrics, panels, strict=True):
        lines = [
            [_line(line, metric, line[0].name, styles[line[0].run, arm]) for arm, line in arms.items()]
            for arms in tickets.values()
        ]
        for ticket, axes, own in zip(tickets, across, lines, strict=True):
            draw_metric(axes, own, metric, sharing=[line for column in lines for line in column])
            named |= lines_in(axes)
            if metric == metrics[0]:
                title_panel(axes, names.get(ticket, ticket.name))
            axes.label_outer()
    legend_below(figure, named, legend_title)
    return figure


def spread_errors(axes: Any, accuracies: Sequence[float]) -> None:
    """Scale the y axis, in %, by the logarithm of the error where some arms collapse, so that the others stay apart."""
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
    axes.set_ylabel(f"{axes.get_ylabel()}, log-error scale")
