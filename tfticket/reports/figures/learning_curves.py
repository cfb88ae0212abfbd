"""Learning curves: validation accuracy against iterations, of a level's arms and of the unpruned network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.reports.figures.arm_styles import Styles, styles_by_arm
from tfticket.reports.figures.metric_curves import UNPRUNED_STYLES, spread_errors
from tfticket.reports.figures.style import (
    BAND_OF_MANY,
    legend_below,
    lines_in,
    new_figure,
    plain_axes,
    seeds_legend,
    title_above,
)
from tfticket.reports.grouping import without_controls
from tfticket.reports.rows import name_at, name_in
from tfticket.runs.run_folder import RunFolder


@dataclass(frozen=True)
class Curve:
    """The learning curve of one training.

    Attributes:
        accuracies: Accuracies on validation rows, fractions.
    """

    arm: Arm
    name: str
    seed: int
    level: int
    iterations: tuple[int, ...]
    accuracies: tuple[float, ...]


def curves_of(run: RunFolder) -> list[Curve]:
    """Return the curve of every training of a run that has an arm, in the run's order."""
    curves = []
    variational = bool(run.config["model"].get("variational"))
    for step in run.steps("train"):
        label = step.label
        if "arm" in label and (history := step.result.get("history")):
            name = name_at(name_in(run.config, label["arm"]), label["arm"], label["level"], variational)
            iterations = tuple(int(row["iteration"]) for row in history)
            accuracies = tuple(float(row["accuracy"]) for row in history)
            curves.append(Curve(label["arm"], name, label["seed"], label["level"], iterations, accuracies))
    return curves


def shown_curves(curves: Sequence[Curve]) -> list[Curve]:
    """Return the curves of the unpruned networks, and of the last level that has arms other than the ticket."""
    level = max((curve.level for curve in curves if curve.arm != TICKET and curve.level), default=None)
    return [
        curve
        for curve in without_controls(curves)
        if curve.level == level or (curve.level == 0 and curve.arm.is_ticket)
    ]


def learning_figure(curves: Sequence[Curve], title: str, styles: Styles | None = None) -> Any:
    """Draw validation accuracy against iterations: mean over seeds, band from lowest to highest seed."""
    from tfticket.reports.figures.number_axes import Numbers  # matplotlib takes a second to import

    arms: dict[str, list[Curve]] = {}
    for curve in sorted(curves, key=lambda curve: (curve.level, curve.arm != TICKET)):
        arms.setdefault(curve.name, []).append(curve)
    style_of = styles_by_arm(styles, (curve.arm for curve in curves))
    unpruned = iter(UNPRUNED_STYLES)
    figure, axes = new_figure(7.2, 4.2)
    bounds = []
    for name, group in arms.items():
        arm, level = group[0].arm, group[0].level
        style = style_of[arm] if level else {"color": "0.45", "ls": next(unpruned), "lw": 1.6}
        points = min(len(curve.iterations) for curve in group)
        x = group[0].iterations[:points]
        seeds: dict[int, list[Any]] = {}
        for curve in group:
            seeds.setdefault(curve.seed, []).append(curve.accuracies[:points])
        values = 100 * np.array([np.mean(replicates, 0) for replicates in seeds.values()])
        axes.plot(x, values.mean(0), label=name, **style)
        axes.fill_between(x, values.min(0), values.max(0), color=style["color"], alpha=BAND_OF_MANY, lw=0)
        bounds += [values.min(), values.max()]
    axes.set_xlabel("iteration")
    axes.set_ylabel("validation accuracy (%)")
    axes.xaxis.set_major_formatter(Numbers())
    spread_errors(axes, bounds)
    plain_axes(axes)
    title_above(axes, title)
    legend_below(figure, lines_in(axes), seeds_legend(len({curve.seed for curve in curves}), "mean and range of"))
    return figure
