"""Figure of the lineage of a population: KL weights against generations."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tfticket.reports.figures.metric_curves import axis_of
from tfticket.reports.figures.style import (
    PANEL_TITLE,
    SMALL,
    Figures,
    legend_below,
    panel_figure,
    plain_axes,
    title_panel,
)
from tfticket.reports.kl_lineages import Lineage

EXTINCT, _EXTINCT_WIDTH = "0.6", 0.8
"""Grey and width of lines without descendants in the last generation."""


def lineage_figures(lineages: Sequence[Lineage], title: str) -> Figures:
    """Return the figure of each population: 'lineage'; of several by their labels: 'lineage-seed-0-level-3'."""
    if len(lineages) == 1:
        return {"lineage": partial(lineage_figure, lineages[0], title)}
    figures: Figures = {}
    for lineage in lineages:
        labels = [f"{name} {value}" for name, value in lineage.label.items() if name != "density"]
        name = "-".join(["lineage", *(label.replace(" ", "-") for label in labels)])
        figures[name] = partial(lineage_figure, lineage, ", ".join([title, *labels]))
    return figures


def lineage_figure(lineage: Lineage, title: str) -> Any:
    """Draw KL weights against generations, a panel for each layer.

    Lines go from a member to those that continue its state; a cross marks a member that is replaced. The colour is the
    metric of the best descendant in the last generation, grey where there is none. The winner's ancestry is bold.
    """
    from matplotlib.cm import ScalarMappable  # a second to import

    from tfticket.reports.figures.number_axes import Numbers

    layers = lineage.layers
    figure, panels, across = panel_figure(len(layers), 3.0, 2.6, title, sharex=True)
    factor, label = axis_of(lineage.metric, "validation")
    scores = [score for member in lineage.best_first if math.isfinite(score := member.score(lineage.metric))]
    norm = _norm([factor * score for score in scores])
    colours = ScalarMappable(norm, "viridis_r" if lineage.metric == "accuracy" else "viridis")

    def colour_of(score: float) -> Any:
        return colours.cmap(norm(factor * score))

    styles = _styles(lineage, colour_of)
    for number, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        _panel(axes, lineage, layer, styles)
        title_panel(axes, layer)
        if number + across >= len(layers):
            axes.set_xlabel("generation", fontsize=PANEL_TITLE)
            axes.tick_params(labelbottom=True)
    figure.supylabel("KL weight", fontsize=PANEL_TITLE)
    if scores:
        bar = figure.colorbar(colours, ax=panels, pad=0.02, aspect=30, format=Numbers())
        bar.set_label(f"{label}, last generation", fontsize=PANEL_TITLE)
        bar.ax.tick_params(labelsize=SMALL, which="both")
        bar.ax.minorticks_off()
    legend_below(figure, _legend(lineage, styles, colour_of))
    return figure


def _legend(
    lineage: Lineage, styles: "Mapping[tuple[int, int], Style]", colour_of: Callable[[float], Any]
) -> dict[str, Any]:
    from matplotlib.lines import Line2D

    lines = {}
    if lineage.best_first:
        best = lineage.best_first[0].score(lineage.metric)
        colour = colour_of(best) if math.isfinite(best) else EXTINCT
        lines["winner and its ancestors"] = Line2D([], [], lw=3.2, marker="o", ms=4.4, color=colour)
    if any(style["color"] == EXTINCT for style in styles.values()):
        name = "without descendants in the last generation" if lines else "the first generation, which is incomplete"
        lines[name] = Line2D([], [], lw=_EXTINCT_WIDTH, marker="o", ms=1.2 + _EXTINCT_WIDTH, color=EXTINCT)
    if len(lineage.members) > 1:
        lines["replaced"] = Line2D([], [], color="0.4", lw=0, marker="x", ms=5)
    return lines


def _norm(scores: Sequence[float]) -> Any:
    """Return the norm of a colour map; logarithmic where values are of several magnitudes."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    if high > 8 * low > 0:
        return LogNorm(low, high)
    return Normalize(low, high) if low < high else Normalize(low - 0.5, low + 0.5)


Style = Mapping[str, Any]
"""Arguments of matplotlib's ``plot``."""


def _styles(lineage: Lineage, colour_of: Callable[[float], Any]) -> dict[tuple[int, int], Style]:
    """Return the style of each member's line, by generation and member."""
    styles: dict[tuple[int, int], Style] = {
        (member.generation, member.member): {"color": EXTINCT, "lw": _EXTINCT_WIDTH, "zorder": 1}
        for members in lineage.members
        for member in members.values()
    }
    for place, last in reversed(list(enumerate(lineage.best_first))):  # the better one colours shared ancestors
        score = last.score(lineage.metric)
        if math.isfinite(score):
            style = {"color": colour_of(score), "lw": 1.4 if place else 3.2, "zorder": 2 if place else 4}
            styles |= {(member.generation, member.member): style for member in lineage.ancestry(last)}
    return styles


def _panel(axes: Any, lineage: Lineage, layer: str, styles: Mapping[tuple[int, int], Style]) -> None:
    from matplotlib.ticker import MaxNLocator

    from tfticket.reports.figures.number_axes import log_axis

    for generation, members in enumerate(lineage.members):
        for number, member in members.items():
            style = styles[generation, number]
            parent = [] if member.parent is None else [lineage.members[generation - 1][member.parent]]
            points = [*parent, member]
            axes.plot([point.generation for point in points], [point.weights[layer] for point in points], **style)
            axes.plot(generation, member.weights[layer], marker="o", ms=1.2 + style["lw"], **style)
            following = lineage.members[generation + 1] if generation + 1 < len(lineage.members) else {}
            if number in following and following[number].parent != number:
                axes.plot(generation, member.weights[layer], "x", ms=5, mew=1, color="0.4", zorder=3)
    axes.set_yscale("log")
    log_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(-0.3, len(lineage.members) - 0.7)
    plain_axes(axes, small=True)
