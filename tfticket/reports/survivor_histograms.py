"""Histograms of survivors' start weights and connectivity, of tickets and of Monte Carlo tickets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfticket.arms import Arm
from tfticket.reports.rows import name_in
from tfticket.runs.run_folder import RunFolder, Step

ALL, UNIFORM = Arm(control="dense"), Arm(control="uniform")
"""Arms for comparison: all weights, and a random mask."""
_NAMES = {ALL: "all weights", UNIFORM: "random mask"}


@dataclass(frozen=True)
class SurvivorHistograms:
    """Histograms of a layer's survivors, summed over seeds.

    Attributes:
        arm: The ticket, a Monte Carlo arm, ``ALL`` or ``UNIFORM``.
        layer: Name of the layer.
        level: Rounds of pruning.
        weights: Counts in bins of start weights, in the layer's standard deviations, from -3 to 3.
        connectivity: Counts in bins of mean inputs, in the layer's mean, from 0 to 4.
        name: Name of the arm in figures.
    """

    arm: Arm
    layer: str
    level: int
    weights: np.ndarray
    connectivity: np.ndarray
    name: str


def survivor_histograms(run: RunFolder) -> list[SurvivorHistograms]:
    """Return the histograms of a run's fitted tickets and Monte Carlo tickets, at the last level that has any.

    Raises:
        InputError: A step's folder is damaged or missing.
    """
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
