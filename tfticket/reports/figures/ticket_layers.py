"""Figures of tickets' layers: weights remaining, densities of weights, overlap of tickets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.inspection.result import Histogram, Inspection, KernelInspection, TicketComparison
from tfticket.reports.figures.style import density_axes, evenly, legend_below, lines_in, new_figure, plain_axes
from tfticket.text import for_figure

# Okabe and Ito's colours, distinct for the colour-blind; a marker each, for print.
_MARKS = [("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P")]
KEPT, _PRUNED = "#0072B2", "#E69F00"
_PANELS = 6
"""Most layers of a figure with a panel or row for each."""
_COLUMNS = {
    "initial": "initial weights",
    "start": "start weights",
    "before": "trained before this pruning",
    "trained": "trained weights",
}


def layers_figure(tickets: Mapping[str, Inspection], title: str) -> Any:
    """Draw weights remaining by layer of tickets with the same layers; of a single ticket the live ones too."""
    from tfticket.reports.figures.number_axes import log_axis  # matplotlib takes a second to import

    figure, axes = new_figure(7.2, 4.4, title)
    first = next(iter(tickets.values()))
    lines = {for_figure(name): [kernel.density for kernel in ticket.kernels] for name, ticket in tickets.items()}
    size = _marker_size(len(first.kernels))
    styles = [{**style, "lw": 1.6, "ms": size} for style in _styles(len(lines))]
    live = [kernel.live / kernel.weights for kernel in first.kernels if kernel.live is not None]
    if len(tickets) == 1 and len(live) == len(first.kernels):
        lines["of them on a path"] = live
        styles.append({"color": _MARKS[1][0], "marker": "s", "ls": "--", "mfc": "none", "ms": size + 3, "lw": 1.2})
    positive = [share for shares in lines.values() for share in shares if share > 0]
    if log := bool(positive) and max(positive) > 8 * min(positive):
        axes.set_yscale("log")
    for (name, shares), style in zip(lines.items(), styles, strict=True):
        _line(axes, name, 100 * np.array(shares), log, style)
    if len(tickets) == 1:
        axes.axhline(100 * first.density, color="0.45", lw=1, ls=":", zorder=0, label="whole network")
    if log:
        log_axis(axes.yaxis)
        if len(positive) < sum(map(len, lines.values())):
            axes.plot([], [], color="0.3", marker="x", ls="none", label="none")
    else:
        axes.set_ylim(bottom=0)
    _layer_axis(axes, [kernel.path for kernel in first.kernels])
    axes.set_ylabel("weights remaining (%)")
    _legend(figure, axes, len(lines))
    return figure


def weights_figure(inspection: Inspection, title: str, paths: Sequence[str] | None = None) -> Any:
    """Draw densities of kept and pruned weights: a row for each layer, a column for initial and trained weights.

    Without ``paths`` six kernels are shown, from the first to the last.
    """
    kernels, title = shown_kernels(inspection, paths, title)
    columns = [name for name in _COLUMNS if name in kernels[0].histograms]
    figure, grid = new_figure(
        1.2 + 3.0 * len(columns), 1.2 + 1.55 * len(kernels), title, (len(kernels), len(columns)), squeeze=False
    )
    for row, kernel in zip(grid, kernels, strict=True):
        for axes, name in zip(row, columns, strict=True):
            _density(axes, kernel.histograms[name])
            if axes in grid[0]:
                axes.set_title(_COLUMNS[name], fontsize=10, pad=20)
            if axes in grid[-1]:
                axes.set_xlabel("weight")
        text = f"{layer_name(kernel.path)}: {percent(kernel.density)} kept"
        row[0].text(0, 1.04, for_figure(text), transform=row[0].transAxes, fontsize=9, va="bottom")
    handles = {name: handle for axes in grid.flat for name, handle in lines_in(axes).items()}
    legend_below(figure, handles, "densities, each of area 1")
    return figure


def overlap_figure(comparison: TicketComparison, title: str) -> Any:
    """Draw the overlap of tickets: Jaccard index of each pair, and by layer against the overlap by chance."""
    count = len(comparison.names)
    side = max(3.4, 0.42 * count + 1.6)
    figure, (left, right) = new_figure(
        side + 5.4, max(4.2, side), title, (1, 2), width_ratios=[max(1.0, side / 4.4), 1]
    )
    _heat_map(left, comparison)
    pairs = np.triu_indices(count, 1)
    empty = comparison.densities.T[:, pairs[0]] + comparison.densities.T[:, pairs[1]] == 0
    observed, chance = (
        np.ma.masked_array(100 * values[:, *pairs], empty)
        for values in (comparison.jaccard, comparison.jaccard_by_chance)
    )
    numbers = np.arange(1, len(comparison.paths) + 1)
    for values, colour, marker, name in ((observed, KEPT, "o", "tickets"), (chance, "0.45", "s", "by chance")):
        style = {"color": colour, "marker": marker, "ms": _marker_size(len(numbers)), "lw": 1.6}
        style["ls"] = "-" if name == "tickets" else "--"
        right.plot(numbers, values.mean(axis=1), label=name, **style)
    if len(pairs[0]) > 1:
        right.fill_between(numbers, observed.min(axis=1), observed.max(axis=1), color=KEPT, alpha=0.18, lw=0)
    _layer_axis(right, comparison.paths)
    right.set_ylim(bottom=0)
    right.set_ylabel("Jaccard index (%)")
    right.set_title("layer by layer", fontsize=10)
    band = "means of the pairs, band from\nthe lowest to the highest" if len(pairs[0]) > 1 else None
    right.legend(frameon=False, title=band, alignment="left", title_fontsize=9)
    return figure


def layer_name(path: str) -> str:
    """Return the layer of a kernel."""
    return path.rpartition("/")[0]


def percent(share: float) -> str:
    """Return a share as text: '12.5 %'."""
    return f"{100 * share:.3g} %"


def shown_kernels(
    inspection: Inspection, paths: Sequence[str] | None, title: str
) -> tuple[list[KernelInspection], str]:
    """Return the kernels of these paths, by default as many as fit, and a title that says if layers are left out."""
    kernels = inspection.kernels
    shown = evenly(kernels, _PANELS) if paths is None else [inspection.kernel(path) for path in paths]
    return shown, title if len(shown) == len(kernels) else f"{title} ({len(shown)} of {len(kernels)} layers)"


def _styles(count: int) -> list[dict[str, Any]]:
    """Return colour and marker of each line; many lines go from dark to light, in their order."""
    if count <= len(_MARKS):
        return [{"color": colour, "marker": marker} for colour, marker in _MARKS[:count]]
    from matplotlib import colormaps

    return [{"color": colormaps["viridis"](0.92 * n / (count - 1)), "marker": _MARKS[n % 6][1]} for n in range(count)]


def _marker_size(points: int) -> float:
    return 5 if points <= 40 else 3


def _line(axes: Any, name: str, values: np.ndarray, log: bool, style: dict[str, Any]) -> None:
    """Draw values against the layers' numbers; on a logarithmic axis zeros are crosses at its foot."""
    numbers = np.arange(1, len(values) + 1)
    zero = (values == 0) & log
    axes.plot(numbers, np.where(zero, np.nan, values), label=name, **style)
    if zero.any():
        place = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(
            numbers[zero], np.zeros(zero.sum()), color=style["color"], marker="x", ls="none", ms=style["ms"], **place
        )


def _layer_axis(axes: Any, paths: Sequence[str]) -> None:
    if len(paths) <= 24:
        names = [for_figure(layer_name(path)) for path in paths]
        options = {"rotation": 40 if len(paths) < 12 else 60, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(1, len(paths) + 1), names, fontsize=8 if len(paths) < 12 else 7, **options)
    else:
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("layer, in the network's order")
    plain_axes(axes)


def _legend(figure: Any, axes: Any, lines: int) -> None:
    """Place a small legend inside the axes, a large one at their right."""
    if lines <= 6:
        axes.legend(frameon=True, framealpha=0.8, edgecolor="none", fontsize=9)
    else:
        figure.legend(loc="outside right center", frameon=False, fontsize=8)


def _density(axes: Any, histogram: Histogram) -> None:
    width = np.diff(histogram.edges)
    for counts, colour, name in ((histogram.pruned, _PRUNED, "pruned"), (histogram.kept, KEPT, "kept")):
        if total := counts.sum():
            options = {"color": colour, "alpha": 0.45, "edgecolor": colour, "lw": 1.0, "label": name}
            axes.stairs(counts / total / width, histogram.edges, fill=True, **options)
    if not histogram.kept.sum() + histogram.pruned.sum():
        axes.text(0.5, 0.4, "none", transform=axes.transAxes, ha="center", fontsize=9, color="0.4")
    density_axes(axes)
    axes.locator_params(axis="x", nbins=5)


def _heat_map(axes: Any, comparison: TicketComparison) -> None:
    values = 100 * comparison.total_jaccard
    count = len(values)
    axes.imshow(values, cmap="viridis", vmin=0, vmax=100)
    names = [for_figure(name) for name in comparison.names]
    axes.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
    for row in range(count):
        for column in range(count):
            value = values[row, column]
            options = {"ha": "center", "va": "center", "fontsize": 8, "color": "white" if value < 60 else "black"}
            axes.text(column, row, f"{value:.0f}" if value >= 9.95 else f"{value:.1f}", **options)
    axes.set_title("Jaccard index of surviving weights (%)", fontsize=10)
    axes.spines[:].set_visible(False)
