"""Figure of the chains of a ticket: traces, and accuracy and NLL of the prediction against draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfticket.reports.chain_pools import Pool
from tfticket.reports.figures.arm_styles import Styles, arm_styles
from tfticket.reports.figures.style import SMALL, new_figure, plain_axes
from tfticket.reports.rows import Row


def chains_figure(pool: Pool, run: str, others: Sequence[Row], styles: Styles | None = None) -> Any:
    """Draw traces of chains, and the validation accuracy and NLL of their prediction against draws.

    ``others`` are rows of the same seed and level for comparison: the ticket, an ensemble.
    """
    from matplotlib import colormaps  # a second to import

    arm = pool.label["arm"]
    styles = styles or arm_styles([(run, arm), *((row.run, row.arm) for row in others)])
    shades = colormaps["viridis"](np.linspace(0, 0.92, len(pool.traces)))  # arms have other colours
    figure, panels = new_figure(9.6, 7.0, f"{pool.name}: {pool.diagnostics['verdict']}", (2, 2))
    likelihood, accuracy, step_size, nll = panels.ravel()
    for number, trace in enumerate(pool.traces):
        style = {"color": shades[number], "lw": 1.0, "label": f"chain {number}"}
        draws = np.arange(1, len(trace.sample_stats["n_steps"]) + 1)
        likelihood.plot(draws, trace.sample_stats["log_likelihood"] / 1000, **style)
        step_size.plot(draws, trace.sample_stats["step_size"], **style)
        for axes, metric, factor in ((accuracy, "accuracy", 100.0), (nll, "nll", 1.0)):
            kept = [row for row in trace.history if not row["warmup"]]
            axes.plot(
                [row["iteration"] - trace.warmup for row in kept], [factor * row[metric] for row in kept], **style
            )
    for axes, metric, factor, digits in ((accuracy, "accuracy", 100.0, 2), (nll, "nll", 1.0, 3)):
        lines = [("all chains", pool.result["validation"][metric], styles[run, arm])]
        lines += [(row.name, row.validation[metric], styles[row.run, row.arm]) for row in others]
        drawn = [value for line in axes.lines for value in line.get_ydata()] + [factor * lines[0][1]]
        room = 3 * max(max(drawn) - min(drawn), 0.02 * abs(drawn[-1]))
        for name, value, arm_style in lines:
            value *= factor
            label = f"{name}: {value:.{digits}f}"
            style = {"color": arm_style["color"], "lw": 1.4, "ls": arm_style["ls"]}
            if min(drawn) - room <= value <= max(drawn) + room:
                axes.axhline(value, label=label, **style)
            else:  # it would squeeze the chains
                axes.plot([], [], label=f"{label} (outside)", **style)
    trace = pool.traces[0]
    for axes in (likelihood, step_size):
        axes.axvspan(0, trace.warmup, color="#888888", alpha=0.12, lw=0)
        for end in trace.windows:
            axes.axvline(end, color="#888888", lw=0.6, alpha=0.7)
    likelihoods = [trace.sample_stats["log_likelihood"] / 1000 for trace in pool.traces]
    later = np.concatenate([values[len(values) // 10 :] for values in likelihoods])  # the first tenth is far below
    room = 0.05 * np.ptp(later)
    likelihood.set_ylim(later.min() - room, later.max() + room)
    step_size.set_yscale("log")
    for axes, label in (
        (likelihood, "log likelihood (1,000 nats)"),
        (accuracy, "validation accuracy (%)"),
        (step_size, "step size"),
        (nll, "validation NLL (nats)"),
    ):
        axes.set_ylabel(label)
        axes.set_xlabel(
            "draw, warm-up shaded; lines: mass matrix re-estimated"
            if axes in (likelihood, step_size)
            else "draws in the mean prediction so far"
        )
        plain_axes(axes)
        if axes in (accuracy, nll):  # below, where it hides nothing; the traces' legend names the chains
            lines = axes.get_lines()[len(pool.traces) :]
            axes.legend(
                handles=lines, loc="upper left", bbox_to_anchor=(0, -0.19), ncols=2, frameon=False, fontsize=SMALL
            )
    likelihood.legend(loc="lower right", frameon=False, fontsize=SMALL)
    return figure
