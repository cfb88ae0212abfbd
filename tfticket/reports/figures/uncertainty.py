"""Figures of variational networks: entropies and posteriors against weights remaining."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfticket.arms import Arm
from tfticket.evaluation.posterior_summary import QUANTILES
from tfticket.reports.figures.arm_styles import Styles, overlapping, styles_by_arm
from tfticket.reports.figures.metric_curves import weights_axis
from tfticket.reports.figures.style import (
    BAND,
    evenly,
    legend_below,
    lines_in,
    new_figure,
    plain_axes,
    seeds_legend,
    title_panel,
)
from tfticket.reports.grouping import by_level_and_arm, without_controls
from tfticket.reports.network_uncertainty import QUANTITIES, NetworkUncertainty, Seeds, mean_density, seed_means

_MOST_LAYERS = 6
_LOG_RATIO = 30
"""Ratio of the largest to the smallest value from which on an axis is logarithmic."""


def uncertainty_figure(networks: Sequence[NetworkUncertainty], title: str, styles: Styles | None = None) -> Any:
    """Draw aleatoric and epistemic entropy on test rows against weights remaining: mean and range over seeds."""
    from tfticket.reports.figures.number_axes import Numbers, log_axis  # matplotlib takes a second to import

    networks = [network for network in without_controls(networks) if "epistemic" in network.values]
    names, groups = {network.arm: network.name for network in networks}, by_level_and_arm(networks)
    style_of = _overlapping(names, styles)
    figure, panels = new_figure(7.8, 3.9, title, (1, 2))
    for axes, part in zip(panels, ("aleatoric", "epistemic"), strict=True):
        for arm, name in names.items():
            levels = sorted(level for level, other in groups if other == arm)
            values = [seed_means(groups[level, arm], part) for level in levels]
            means = np.array([np.mean(seeds) for seeds in values])
            bars = [means - [min(seeds) for seeds in values], [max(seeds) for seeds in values] - means]
            densities = [100 * mean_density(groups[level, arm]) for level in levels]
            axes.errorbar(densities, means, np.maximum(bars, 0), label=name, capsize=2.5, elinewidth=1, **style_of[arm])
        weights_axis(axes, [network.density for network in networks])
        axes.set_ylabel(f"{part} entropy (nats)")
        axes.yaxis.set_major_formatter(Numbers())
        drawn = [value for seeds in groups.values() for value in seed_means(seeds, part)]
        if max(drawn) > _LOG_RATIO * min(drawn) > 0:  # else all arms but one would lie on the axis
            axes.set_yscale("log")
            log_axis(axes.yaxis)
        else:
            axes.set_ylim(bottom=0)
        plain_axes(axes, small=True)
    legend_below(figure, lines_in(axes), seeds_legend(len({network.seed for network in networks}), "mean and range of"))
    return figure


def posterior_figure(networks: Sequence[NetworkUncertainty], title: str, styles: Styles | None = None) -> Any:
    """Draw posterior deviations, and means over deviations, of surviving weights against weights remaining, by layer.

    The line is the median; of the first arm a dark band holds half of the weights, a light one nine tenths; means over
    seeds. Of more than six layers some evenly between the first and the last.
    """
    from tfticket.reports.figures.number_axes import log_axis  # matplotlib takes a second to import

    variational = [network for network in networks if network.posterior]
    shown = without_controls(variational)
    names, groups = {network.arm: network.name for network in shown}, by_level_and_arm(shown)
    arms = sorted(names, key=lambda arm: -sum(arm == other for _, other in groups))
    style_of = _overlapping(arms, styles)
    layers = evenly(list(dict.fromkeys(layer for network in networks for layer in network.posterior)), _MOST_LAYERS)
    width = max(2.2 * len(layers), 4.8) + 0.6
    figure, panels = new_figure(width, 5.0, title, (2, len(layers)), squeeze=False, sharey="row")
    for panel_row, (quantity, label) in zip(panels, QUANTITIES.items(), strict=True):
        for axes, layer in zip(panel_row, layers, strict=True):
            drawn = []
            for arm in arms:
                levels = sorted(level for level, other in groups if other == arm)
                quantiles = np.array([_quantiles(groups[level, arm], layer, quantity) for level in levels]).T
                densities = [mean_density(groups[level, arm]) for level in levels]
                lowest, low, middle, high, highest = quantiles
                x, colour = 100 * np.array(densities), style_of[arm]["color"]
                axes.plot(x, middle, label=names[arm], **style_of[arm])
                if arm == arms[0]:  # several would hide one another
                    axes.fill_between(x, low, high, color=colour, alpha=BAND, lw=0)
                    axes.fill_between(x, lowest, highest, color=colour, alpha=0.1, lw=0)
                drawn += densities
            weights_axis(axes, drawn)
            axes.set_yscale("log")
            plain_axes(axes, small=True)
            if quantity == "sigma":
                title_panel(axes, layer)
                axes.set_xlabel("")
        panel_row[0].set_ylabel(label)
        log_axis(panel_row[0].yaxis)
    spread = seeds_legend(len({network.seed for network in networks}), "means over")
    bands = f"medians of surviving weights; {names[arms[0]]}: bands of a half and of nine tenths; {spread}"
    bands += "" if len(shown) == len(variational) else "\ncontrols, which are not shown, are in posterior.csv"
    legend_below(figure, lines_in(panels[0, 0]), bands)
    return figure


def _overlapping(arms: Iterable[Arm], styles: Styles | None) -> dict[Arm, dict[str, Any]]:
    arms = list(arms)
    style_of = styles_by_arm(styles, arms)
    return overlapping({arm: style_of[arm] for arm in arms})


def _quantiles(seeds: Seeds, layer: str, quantity: str) -> np.ndarray:
    """Return the quantiles of a layer, means over replicates and seeds that have weights left in it; else NaN."""
    means = []
    for replicates in seeds.values():
        quantiles = [network.posterior[layer][quantity] for network in replicates]
        if known := [values for values in quantiles if values is not None]:
            means.append(np.mean(known, axis=0))
    return np.mean(means, axis=0) if means else np.full(len(QUANTILES), np.nan)
