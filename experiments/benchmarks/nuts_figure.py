"""The figure of the ``nuts_gradient`` benchmark: cost of a gradient against density and against rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cost:
    """Seconds of a gradient against density or rows.

    Attributes:
        against: 'density' or 'rows'.
        x: Densities, or numbers of rows.
        seconds: One per value of ``x``.
    """

    against: str
    x: Sequence[float]
    seconds: Sequence[float]

    @cached_property
    def line(self) -> Any:
        """Least-squares line."""
        from scipy.stats import linregress

        return linregress(self.x, self.seconds)


_AXES = {
    "density": (100.0, "weights remaining (%)", "random masks, 60,000 rows", "per 1 %"),
    "rows": (1e-3, "rows (thousands)", "the ticket of 99 % sparsity", "per 1,000 rows"),
}
"""Variable -> factor and label of the axis, title of the panel, unit of the slope."""


def cost_figure(costs: Sequence[Cost]) -> Any:
    """Plot points and their line, one panel per cost.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    result = Figure(figsize=(3.6 * len(costs), 3.4), layout="constrained")
    for axes, cost in zip(result.subplots(1, len(costs), squeeze=False)[0], costs, strict=True):
        factor, label, title, unit = _AXES[cost.against]
        x, line = np.asarray(cost.x), cost.line
        ends = np.array([0.0, x.max()])
        equation = (
            f"{1e3 * line.intercept:.1f} ms + {1e3 * line.slope / factor:.2g} ms {unit}\nR² = {line.rvalue**2:.4f}"
        )
        axes.plot(
            factor * ends, 1e3 * (line.intercept + line.slope * ends), color="0.45", lw=1, ls="--", label=equation
        )
        axes.plot(factor * x, 1e3 * np.asarray(cost.seconds), "o", color="#0072B2", ms=5, clip_on=False)
        axes.set_xlim(0, 1.03 * factor * x.max())
        axes.set_ylim(0, 1.25e3 * max(cost.seconds))
        axes.set_xlabel(label)
        axes.set_ylabel("a gradient (ms)")
        axes.set_title(title, fontsize=10, loc="left")
        axes.legend(loc="upper left", frameon=False, fontsize=8)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    result.suptitle("LeNet-300-100 on MNIST: exact gradients", fontsize=11, x=0.01, ha="left")
    return result
