"""Histograms of survivors: figures 1 and 2 of "Monte Carlo winning tickets"."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfticket.reports.figures.arm_styles import Styles, styles_by_arm
from tfticket.reports.figures.style import BAND, PANEL_TITLE, density_axes, legend_below, panel_figure, title_panel
from tfticket.reports.survivor_histograms import ALL, UNIFORM, SurvivorHistograms

_FILLED = {ALL: "#7F7F7F", UNIFORM: "#000000"}
_ENDS = {"weights": (-3.0, 3.0), "connectivity": (0.0, 4.0)}
_LABELS = {"weights": "start weight / standard deviation", "connectivity": "mean input / the layer's mean"}


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
