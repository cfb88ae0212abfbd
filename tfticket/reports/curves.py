"""Learning curves: validation accuracy against iterations, of a level's arms and of the unpruned network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.reports.figures import UNPRUNED_STYLES, legend_below, spread_errors, title_above
from tfticket.reports.looks import Looks, arm_looks, by_arm, tickets_alone
from tfticket.reports.rows import name_at, name_in
from tfticket.runs.run_folder import RunFolder


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        arm, name: What it trained, and what figures call it.
        seed, level: The IMP seed, and rounds of pruning.
        iterations: Of its evaluations.
        accuracies: On validation rows, fractions.
    """

    arm: Arm
    name: str
    seed: int
    level: int
    iterations: tuple[int, ...]
    accuracies: tuple[float, ...]


def curves_of(run: RunFolder) -> list[Curve]:
    """Every training of a run that has an arm, in its order.

    Raises:
        InputError: A step's folder is not whole.
    """
    found = []
    variational = bool(run.config["model"].get("variational"))
    for step in run.steps("train"):
        label = step.label
        if "arm" in label and (history := step.result.get("history")):
            name = name_at(name_in(run.config, label["arm"]), label["arm"], label["level"], variational)
            iterations = tuple(int(row["iteration"]) for row in history)
            accuracies = tuple(float(row["accuracy"]) for row in history)
            found.append(Curve(label["arm"], name, label["seed"], label["level"], iterations, accuracies))
    return found


def shown_curves(curves: Sequence[Curve]) -> list[Curve]:
    """The unpruned networks, and the arms of the last level that has some beside the ticket."""
    level = max((curve.level for curve in curves if curve.arm != TICKET and curve.level), default=None)
    alone = tickets_alone(curves)
    return [curve for curve in alone if curve.level == level or (curve.level == 0 and curve.arm.is_ticket)]


def learning_figure(curves: Sequence[Curve], title: str, looks: Looks | None = None) -> Any:
    """Validation accuracy against iterations: mean over seeds, band from lowest to highest seed.

    Args:
        curves: From ``shown_curves``: of one level, and of the unpruned network.
        title: Written above the axes: network and data.
        looks: Of all arms of the report's one run; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    from tfticket.reports.number_axes import Numbers

    arms: dict[str, list[Curve]] = {}
    for curve in sorted(curves, key=lambda one: (one.level, one.arm != TICKET)):
        arms.setdefault(curve.name, []).append(curve)
    of_arm = by_arm(looks or arm_looks(("", curve.arm) for curve in curves))
    unpruned = iter(UNPRUNED_STYLES)
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    bounds = []
    for name, each in arms.items():
        arm, level = each[0].arm, each[0].level
        look = of_arm[arm] if level else {"color": "0.45", "ls": next(unpruned), "lw": 1.6}
        points = min(len(curve.iterations) for curve in each)
        x = each[0].iterations[:points]
        seeds: dict[int, list[Any]] = {}
        for curve in each:
            seeds.setdefault(curve.seed, []).append(curve.accuracies[:points])
        values = 100 * np.array([np.mean(replicates, 0) for replicates in seeds.values()])
        axes.plot(x, values.mean(0), label=name, **look)
        axes.fill_between(x, values.min(0), values.max(0), color=look["color"], alpha=0.12, lw=0)
        bounds += [values.min(), values.max()]
    axes.set_xlabel("iteration")
    axes.set_ylabel("validation accuracy (%)")
    axes.xaxis.set_major_formatter(Numbers())
    spread_errors(axes, bounds)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    title_above(axes, title)
    count = len({curve.seed for curve in curves})
    legend_below(
        figure,
        axes.get_legend_handles_labels(),
        "1 seed" if count == 1 else f"mean and range of {count} seeds",
    )
    return figure
