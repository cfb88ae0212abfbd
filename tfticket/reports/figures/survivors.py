"""Histograms of survivors' start weights and connectivity: figures 1 and 2 of "Monte Carlo winning tickets"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfticket.arms import Arm
from tfticket.reports.figures.arm_styles import Styles, styles_by_arm
from tfticket.reports.figures.style import BAND, PANEL_TITLE, density_axes, legend_below, panel_figure, title_panel
from tfticket.reports.rows import name_in
from tfticket.runs.run_folder import RunFolder, Step

ALL, UNIFORM = Arm(control="dense"), Arm(control="uniform")
"""Arms for comparison: all weights, and a random mask."""
_NAMES = {ALL: "all weights", UNIFORM: "random mask"}
_FILLED = {ALL: "#7F7F7F", UNIFORM: "#000000"}
_ENDS = {"weights": (-3.0, 3.0), "connectivity": (0.0, 4.0)}
_LABELS = {"weights": "start weight / standard deviation", "connectivity": "mean input / the layer's mean"}


@dataclass(frozen=True)
class SurvivorHistograms:
    """Histograms of a layer's survivors, summed over seeds.

    Attributes:
        arm: The ticket, a Monte Carlo arm, ``ALL`` or ``UNIFORM``.
        weights: Counts in bins of start weights, in the layer's standard deviations, from -3 to 3.
        connectivity: Counts in bins of mean inputs, in the layer's mean, from 0 to 4.
    """

    arm: Arm
    layer: str
    level: int
    weights: np.ndarray
    connectivity: np.ndarray
    name: str


def survivor_histograms(run: RunFolder) -> list[SurvivorHistograms]:
    """Return the histograms of a run's fitted tickets and Monte Carlo tickets, at the last level that has any."""
    histograms: dict[tuple[int, Arm, str], SurvivorHistograms] = {}

    def add(level: int, arm: Arm, layers: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        for layer, counts in layers.items():
            weights, connectivity = (np.array(counts[name]) for name in ("weights", "connectivity"))
            if total := histograms.get((level, arm, layer)):
                weights, connectivity = weights + total.weights, connectivity + total.connectivity
            name = _NAMES.get(arm) or name_in(run.config, arm)
            histograms[level, arm, layer] = SurvivorHistograms(arm, layer, level, weights, connectivity, name)

    fits: dict[tuple[int, int], Step] = {}  # a ticket counts once: its fit with the most images
    for step in sorted(run.steps("fit"), key=lambda step: float(step.label.get("images", np.inf))):
        fits[step.label["seed"], step.label["level"]] = step
    for (_, level), step in fits.items():
        for arm, layers in step.result["histograms"].items():
            add(level, Arm.parse(arm), layers)
    for step in run.steps("draw"):
        add(step.label["level"], step.label["arm"], step.result["histograms"])
    last = max((level for level, _, _ in histograms), default=0)
    return [histogram for (level, _, _), histogram in histograms.items() if level == last]


def weights_figure(histograms: Sequence[SurvivorHistograms], title: str, styles: Styles | None = None) -> Any:
    """Draw start weights by layer: all weights, survivors of tickets and of Monte Carlo tickets (figure 1)."""
    shown = [histogram for histogram in histograms if histogram.arm != UNIFORM]
    return _figure(shown, "weights", title, styles)


def connectivity_figure(histograms: Sequence[SurvivorHistograms], title: str, styles: Styles | None = None) -> Any:
    """Draw survivors' connectivity by layer: tickets, Monte Carlo tickets, random masks (figure 2)."""
    first = histograms[0].layer
    shown = [histogram for histogram in histograms if histogram.arm != ALL and histogram.layer != first]
    return _figure(shown, "connectivity", title, styles)


def _figure(
    histograms: Sequence[SurvivorHistograms],
    quantity: Literal["weights", "connectivity"],
    title: str,
    styles: Styles | None,
) -> Any:
    layers = list(dict.fromkeys(histogram.layer for histogram in histograms))
    style_of = styles_by_arm(styles, dict.fromkeys(histogram.arm for histogram in histograms))
    figure, panels, across = panel_figure(len(layers), 3.2, 2.3, title)
    named: dict[str, Any] = {}
    for number, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        for histogram in histograms:
            if histogram.layer == layer:
                counts = getattr(histogram, quantity)
                edges = np.linspace(*_ENDS[quantity], len(counts) + 1)
                density = counts / max(1, counts.sum()) / (edges[1] - edges[0])
                if colour := _FILLED.get(histogram.arm):
                    options = {"fill": True, "lw": 0, "color": colour, "alpha": BAND}
                else:
                    style = style_of[histogram.arm]
                    options = {"color": style["color"], "lw": 1.4, "ls": style["ls"]}
                named[histogram.name] = axes.stairs(density, edges, **options)
        title_panel(axes, layer)
        axes.set_xlim(*_ENDS[quantity])
        if quantity == "connectivity":  # most survivors have hardly any input: the root shows the others too
            axes.set_yscale("function", functions=(np.sqrt, np.square))
        density_axes(axes)
        if number + across >= len(layers):
            axes.set_xlabel(_LABELS[quantity], fontsize=PANEL_TITLE)
    root = ", root" if quantity == "connectivity" else ""
    figure.supylabel(f"density of survivors{root}", fontsize=PANEL_TITLE)
    legend_below(figure, named)
    return figure
