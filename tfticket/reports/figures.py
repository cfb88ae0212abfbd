"""Figures: matplotlib ``Figure`` objects, made from cells and rows."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.reports.rows import Row, control_of
from tfticket.reports.statistics import pool_bins
from tfticket.reports.tables import Cell
from tfticket.runs.files import atomic_write

# Okabe and Ito's colours, told apart by the colour-blind; a marker each, for print.
_LOOKS = {
    "ticket": ("#0072B2", "o"),
    "reinitialise": ("#D55E00", "s"),
    "keep-signs": ("#E69F00", "v"),
    "shuffle-global": ("#CC79A7", "D"),
    "shuffle-even": ("#56B4E9", "P"),
    "shuffle-layerwise": ("#009E73", "^"),
    "random-mask": ("#000000", "X"),
    "own-mask": ("#661100", "H"),
    "monte-carlo": ("#332288", "p"),
    "nuts": ("#882255", "*"),
    "hmc": ("#999933", "d"),
    "ensemble": ("#7F7F7F", "h"),
}
_FURTHER_LOOKS = [
    ("#44AA99", "<"), ("#AA4499", ">"),
    ("#6699CC", "8"), ("#117733", "s"), ("#DDAA33", "D"), ("#BB5566", "v"),
]  # fmt: skip
"""Of arms that have none of their own: by their name, so that they look alike in every figure."""
_STYLES = ["-", "--", ":", "-."]
_MARKERS = "osvDP^Xphd<>H8*"
"""Those of arms of one control with other options, beginning with the control's."""
_LIGHTEST, _BLACKS_END = 0.55, "#C77C3B"
"""How much white the last of such arms has; from black it goes to a colour, as greys are too alike."""

_AXES = {
    "accuracy": (100.0, "accuracy (%)"),
    "nll": (1.0, "NLL (nats)"),
    "brier": (1.0, "Brier score"),
    "ece": (100.0, "ECE (points)"),
    "mace": (100.0, "MACE (points)"),
}
"""Metric -> the factor that brings it to its axis' unit, and the axis' label."""

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


def draw_metric(axes: Any, lines: Sequence[Line], metric: str, split: str = "test") -> None:
    """Draw a metric against weights remaining (log axis, the dense network at the left).

    Args:
        axes: Empty matplotlib axes.
        lines: What to draw, at least one.
        metric: 'accuracy', 'nll', 'brier', 'ece' or 'mace'.
        split: On which rows it was measured: 'test' or 'validation'.
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
    bounds = [factor * bound for line in lines for ends in (line.lows, line.highs) for bound in ends]
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
    ticks = [tick for tick in _TICKS if tick >= 90 * min(densities)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining (%)")


def metric_figure(cells: Sequence[Cell], metric: str, title: str, legend_title: str) -> Any:
    """A metric on test rows against weights remaining (log axis): mean over seeds, band from lowest to highest seed.

    Args:
        cells: From ``summarise``; with several runs, one line a run and arm.
        metric: One that every cell has: 'accuracy', 'nll', 'brier', 'ece' or 'mace'.
        title: Written above the axes: network and data.
        legend_title: Written above the legend: what lines and bands are.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.run, cell.arm), []).append(cell)
    looks = arm_looks(list(found))
    several = len({run for run, _ in found}) > 1
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    lines = []
    for (run, arm), line in found.items():
        name = f"{line[0].name} ({run})" if several else line[0].name
        low, high = np.transpose([cell.test_range[metric] for cell in line])
        means = [cell.test[metric].mean for cell in line]
        lines.append(Line(name, [cell.density for cell in line], means, low, high, looks[run, arm]))
    draw_metric(axes, lines, metric)
    if not several and (cells[0].level, cells[0].arm) == (0, "ticket"):
        dense = axis_of(metric)[0] * cells[0].test[metric].mean
        axes.axhline(dense, color="0.45", lw=1, ls="--", zorder=0, label="dense")
    title_above(axes, title)
    legend_below(figure, axes.get_legend_handles_labels(), legend_title)
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


def reliability_figure(rows: Sequence[Row], title: str, legend_title: str) -> Any:
    """Reliability diagrams on test rows: accuracy against confidence of each bin, and below how many rows it holds.

    All rows of an arm at a level are pooled, bin by bin. A bin of fewer than ten rows has no point. The histogram is
    the ticket's.

    Args:
        rows: Of one run, each with its reliability; a panel each level, of more than six levels some evenly between
            the first and the last.
        title: Written above the panels: network and data.
        legend_title: Written above the legend: what the lines are.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    levels = sorted({row.level for row in rows})
    chosen = [levels[round(at)] for at in np.linspace(0, len(levels) - 1, min(len(levels), _MOST_PANELS))]
    arms = sorted(dict.fromkeys((row.run, row.arm) for row in rows), key=lambda key: key[1] != "ticket")
    looks, across = arm_looks(arms), min(len(chosen), 3)
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
    figure.suptitle(_plain(title), fontsize=11, x=0.01, ha="left", wrap=True)
    named["calibrated"] = named.pop("calibrated")  # the last
    legend_below(figure, (list(named.values()), list(named)), legend_title)
    return figure


def _reliability_panel(
    axes: Any, below: Any, rows: Sequence[Row], looks: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """Draw one level's diagram and histogram; returns name -> line."""
    arms: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        arms.setdefault((row.run, row.arm), []).append(row)
    (diagonal,) = axes.plot([0, 100], [0, 100], color="0.45", lw=1, ls="--", zorder=0)
    named = {}
    for key in sorted(arms, key=list(looks).index):
        bins = pool_bins([row.reliability for row in arms[key] if row.reliability])
        drawn = bins["count"] >= _FEWEST_ROWS
        points = (100 * bins[name][drawn] for name in ("confidence", "accuracy"))
        (named[arms[key][0].name],) = axes.plot(
            *points, **looks[key] | {"ms": 3.5, "lw": 1.2}, clip_on=False, in_layout=False
        )
        if key[1] == "ticket":
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
    tickets = [row.density for row in rows if row.arm == "ticket"] or [row.density for row in rows]
    return f"{100 * sum(tickets) / len(tickets):.1f} % of the weights"


def arm_looks(arms: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """How to draw each (run, arm): colour and marker by the control, whichever others there are.

    Arms of one control with other options have a shade, a marker and a line each. Those of other runs differ by the
    line and by hollow markers.
    """
    looks = _control_looks(list(dict.fromkeys(control_of(arm) for _, arm in arms)))
    alike: dict[str, list[str]] = {}
    for _, arm in arms:
        found_so_far = alike.setdefault(control_of(arm), [])
        if arm not in found_so_far:
            found_so_far.append(arm)
    runs, most = list(dict.fromkeys(run for run, _ in arms)), max(map(len, alike.values()), default=1)
    found = {}
    for run, arm in arms:
        colour, marker = looks[control_of(arm)]
        options = alike[control_of(arm)]
        option = options.index(arm)
        colour = _shade(colour, option / max(1, len(options) - 1))
        marker = _MARKERS[(_MARKERS.index(marker) + option) % len(_MARKERS)]
        number = runs.index(run) * most + option
        style, hollow = _STYLES[number % len(_STYLES)], (number + number // len(_STYLES)) % 2
        face = "white" if hollow else colour
        found[run, arm] = {"color": colour, "marker": marker, "mfc": face, "ls": style, "ms": 5, "lw": 1.6}
    return found


def _control_looks(controls: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each control; of two unknown ones that would look alike the second has the next look."""
    looks = dict(_LOOKS)
    for control in controls:
        if control not in looks:
            begin = zlib.crc32(control.encode())
            turns = [_FURTHER_LOOKS[(begin + turn) % len(_FURTHER_LOOKS)] for turn in range(len(_FURTHER_LOOKS))]
            looks[control] = next((look for look in turns if look not in looks.values()), turns[0])
    return looks


def _shade(colour: str, share: float) -> str:
    """A colour, lighter by a share of what is possible."""
    share = share**0.7  # dark ones look more alike than light ones
    end, most = (_BLACKS_END, 1.0) if colour == "#000000" else ("#FFFFFF", _LIGHTEST)
    ends = zip(bytes.fromhex(colour[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(here + share * most * (there - here)):02X}" for here, there in ends)


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # a name is no formula


def title_above(axes: Any, text: str) -> None:
    """Write a title above axes."""
    axes.set_title(_plain(text), fontsize=11, loc="left", wrap=True)


def legend_below(figure: Any, handles_and_labels: tuple[list[Any], list[str]], title: str) -> None:
    """Below the axes, where it hides nothing: the figure becomes higher by it."""
    handles, labels = handles_and_labels
    width, height = figure.get_size_inches()
    columns = max(1, min(4, len(labels), int(16 * width) // (max(map(len, labels)) + 11)))  # 16 letters an inch
    figure.set_size_inches(width, height + 0.18 * -(-len(labels) // columns) + 0.3)
    figure.legend(
        handles,
        [_plain(label) for label in labels],
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=9,
        title=title,
        alignment="left",
        title_fontsize=9,
    )


def save_figures(folder: Path, figures: Mapping[str, Any]) -> list[str]:
    """Write figures as PNG and PDF, each in one move; returns the files' names."""
    files = []
    for name, figure in figures.items():
        for kind in ("png", "pdf"):
            files.append(f"{name}.{kind}")
            atomic_write(
                folder / files[-1],
                lambda file, figure=figure, kind=kind: figure.savefig(file, format=kind, dpi=200),  # type: ignore[misc]
            )
    return files
