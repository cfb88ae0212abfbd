"""Figures of what is inside tickets: matplotlib ``Figure`` objects, made from inspections and comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.inspection.result import Histogram, Inspection, KernelInspection, TicketComparison
from tfticket.text import for_figure

# Okabe and Ito's colours, told apart by the colour-blind; a marker each, for print.
_LOOKS = [("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P")]
KEPT, _PRUNED = "#0072B2", "#E69F00"
_PANELS = 6
"""Layers in a figure of one panel or row a layer, at most."""
_COLUMNS = {
    "initial": "initial weights",
    "start": "start weights",
    "before": "trained before this pruning",
    "trained": "trained weights",
}


def layers_figure(tickets: Mapping[str, Inspection], title: str) -> Any:
    """Weights remaining of each layer; of a single ticket the live ones too.

    Args:
        tickets: Name -> inspection, of tickets with the same layers: levels, seeds or arms, in their order.
        title: Written above the axes.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    figure, axes = new_figure(7.2, 4.4, title)
    first = next(iter(tickets.values()))
    lines = {for_figure(name): [kernel.density for kernel in found.kernels] for name, found in tickets.items()}
    size = _marker_size(len(first.kernels))
    looks = [{**look, "lw": 1.6, "ms": size} for look in _looks(len(lines))]
    live = [kernel.live / kernel.weights for kernel in first.kernels if kernel.live is not None]
    if len(tickets) == 1 and len(live) == len(first.kernels):
        lines["of them on a path"] = live
        looks.append({"color": _LOOKS[1][0], "marker": "s", "ls": "--", "mfc": "none", "ms": size + 3, "lw": 1.2})
    there = [share for shares in lines.values() for share in shares if share > 0]
    if log := bool(there) and max(there) > 8 * min(there):
        axes.set_yscale("log")
    for (name, shares), look in zip(lines.items(), looks, strict=True):
        _line(axes, name, 100 * np.array(shares), log, look)
    if len(tickets) == 1:
        axes.axhline(100 * first.density, color="0.45", lw=1, ls=":", zorder=0, label="whole network")
    if log:
        _percent_ticks(axes)
        if len(there) < sum(map(len, lines.values())):
            axes.plot([], [], color="0.3", marker="x", ls="none", label="none")
    else:
        axes.set_ylim(bottom=0)
    _layer_axis(axes, [kernel.path for kernel in first.kernels])
    axes.set_ylabel("weights remaining (%)")
    _legend(figure, axes, len(lines))
    return figure


def weights_figure(inspection: Inspection, title: str, paths: Sequence[str] | None = None) -> Any:
    """How the weights of each layer lie, kept and pruned: a row a layer, a column for initial and trained weights.

    Args:
        inspection: What was found in the ticket.
        title: Written above.
        paths: Kernels to show; by default six, from the first to the last.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    kernels = chosen(inspection, paths)
    title = of_how_many(title, kernels, inspection)
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
    handles = {
        text: handle for axes in grid.flat for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(),
        handles,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        title="densities, each of area 1",
        title_fontsize=9,
    )
    return figure


def overlap_figure(comparison: TicketComparison, title: str) -> Any:
    """Which tickets keep the same weights: Jaccard index of each pair, and layer by layer against chance.

    Args:
        comparison: Of at least two tickets.
        title: Written above.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    count = len(comparison.names)
    side = max(3.4, 0.42 * count + 1.6)
    figure, (left, right) = new_figure(
        side + 5.4, max(4.2, side), title, (1, 2), width_ratios=[max(1.0, side / 4.4), 1]
    )
    _heat_map(left, comparison)
    pairs = np.triu_indices(count, 1)
    empty = comparison.densities.T[:, pairs[0]] + comparison.densities.T[:, pairs[1]] == 0
    observed, chance = (
        np.ma.masked_array(100 * each[:, *pairs], empty) for each in (comparison.jaccard, comparison.jaccard_by_chance)
    )
    numbers = np.arange(1, len(comparison.paths) + 1)
    for values, colour, marker, name in ((observed, KEPT, "o", "tickets"), (chance, "0.45", "s", "by chance")):
        style = {
            "color": colour,
            "marker": marker,
            "ms": _marker_size(len(numbers)),
            "lw": 1.6,
            "ls": "-" if name == "tickets" else "--",
        }
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


def new_figure(
    width: float, height: float, title: str, grid: tuple[int, int] = (1, 1), **options: Any
) -> tuple[Any, Any]:
    """A figure with its title, and its axes."""
    from matplotlib.figure import Figure  # a second to import

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*grid, **options)
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left", wrap=True)
    return figure, axes


def layer_name(path: str) -> str:
    """The layer of a kernel."""
    return path.rpartition("/")[0]


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.3g} %"


def of_how_many(title: str, kernels: Sequence[KernelInspection], inspection: Inspection) -> str:
    """A title that says when layers are left out."""
    if len(kernels) == len(inspection.kernels):
        return title
    return f"{title} ({len(kernels)} of {len(inspection.kernels)} layers)"


def chosen(inspection: Inspection, paths: Sequence[str] | None) -> list[KernelInspection]:
    """The kernels asked for, or as many as fit, from the first to the last."""
    if paths is not None:
        return [inspection.kernel(path) for path in paths]
    last = len(inspection.kernels) - 1
    return [
        inspection.kernels[number]
        for number in np.unique(np.linspace(0, last, min(_PANELS, last + 1)).round().astype(int))
    ]


def _looks(count: int) -> list[dict[str, Any]]:
    """Colour and marker of each line; many lines go from dark to light, in their order."""
    if count <= len(_LOOKS):
        return [{"color": colour, "marker": marker} for colour, marker in _LOOKS[:count]]
    from matplotlib import colormaps

    return [{"color": colormaps["viridis"](0.92 * n / (count - 1)), "marker": _LOOKS[n % 6][1]} for n in range(count)]


def _marker_size(points: int) -> float:
    return 5 if points <= 40 else 3


def _line(axes: Any, name: str, values: np.ndarray, log: bool, look: dict[str, Any]) -> None:
    """Values against the layers' numbers; on a logarithmic axis zeros are crosses at its foot."""
    numbers = np.arange(1, len(values) + 1)
    zero = (values == 0) & log
    axes.plot(numbers, np.where(zero, np.nan, values), label=name, **look)
    if zero.any():
        place = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(
            numbers[zero], np.zeros(zero.sum()), color=look["color"], marker="x", ls="none", ms=look["ms"], **place
        )


def _percent_ticks(axes: Any) -> None:
    """Plain numbers on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = axes.get_ylim()
    steps = (1, 2, 5) if high < 300 * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks([], minor=True)


def _layer_axis(axes: Any, paths: Sequence[str]) -> None:
    """Layers by name where they are few, else by number."""
    if len(paths) <= 24:
        names = [for_figure(layer_name(path)) for path in paths]
        options = {"rotation": 40 if len(paths) < 12 else 60, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(1, len(paths) + 1), names, fontsize=8 if len(paths) < 12 else 7, **options)
    else:
        axes.locator_params(axis="x", integer=True)
        axes.set_xlabel("layer, in the network's order")
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Any, axes: Any, lines: int) -> None:
    """Inside the axes where it is small, else beside them."""
    if lines <= 6:
        axes.legend(frameon=True, framealpha=0.8, edgecolor="none", fontsize=9)
    else:
        figure.legend(loc="outside right center", frameon=False, fontsize=8)


def _density(axes: Any, histogram: Histogram) -> None:
    """Kept and pruned weights, each as a density of area 1."""
    width = np.diff(histogram.edges)
    for counts, colour, name in ((histogram.pruned, _PRUNED, "pruned"), (histogram.kept, KEPT, "kept")):
        if total := counts.sum():
            options = {"color": colour, "alpha": 0.45, "edgecolor": colour, "lw": 1.0, "label": name}
            axes.stairs(counts / total / width, histogram.edges, fill=True, **options)
    if not histogram.kept.sum() + histogram.pruned.sum():
        axes.text(0.5, 0.4, "none", transform=axes.transAxes, ha="center", fontsize=9, color="0.4")
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=5)
    axes.spines[["top", "right", "left"]].set_visible(False)


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
