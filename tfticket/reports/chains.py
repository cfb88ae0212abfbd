"""What chains did: their verdicts, traces, and accuracy against draws, from a run's folders alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.reports.looks import Looks, arm_looks
from tfticket.reports.rows import Row
from tfticket.runs.artefacts import load_tensors
from tfticket.runs.progress import clock
from tfticket.runs.run_folder import RunFolder
from tfticket.runs.step_files import read_result
from tfticket.text import for_figure

_TOLD = ("log_likelihood", "n_steps", "step_size", "acceptance_rate")


@dataclass(frozen=True)
class Trace:
    """One chain, draw by draw, the warm-up first.

    Attributes:
        told: Name -> one number a draw, float64 [draws].
        history: One row an evaluation: iteration, warmup, accuracy, nll (validation rows), test_accuracy, test_nll.
        warmup: Draws of the warm-up.
        windows: After which draws its mass was set anew.
    """

    told: dict[str, np.ndarray]
    history: list[dict[str, float]]
    warmup: int
    windows: list[int]


@dataclass(frozen=True)
class Pool:
    """The chains of one ticket, pooled.

    Attributes:
        folder: The step's.
        chains: The folders of its chains.
        label: arm, seed, level, density.
        diagnostics: See ``tfticket.sampling.diagnostics``.
        result: What the pooled prediction's evaluation found.
        mean_weights: Of each chain: metrics on test rows of the network of its mean weights.
        traces: Of its chains.
    """

    folder: Path
    chains: list[Path]
    label: Mapping[str, Any]
    diagnostics: dict[str, Any]
    result: dict[str, Any]
    mean_weights: list[dict[str, float]]
    traces: list[Trace]

    @property
    def name(self) -> str:
        """In words."""
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Its name in parts."""
        which = f"seed {self.label['seed']}", f"{100 * self.label['density']:.3g} % left"
        return (*self.label["arm"].names, *which)


def pools_of(run: RunFolder) -> list[Pool]:
    """The pooled chains of a run, in its order.

    Raises:
        InputError: A step's folder is not whole.
    """
    pools = []
    for step in run.steps("pool"):
        chains = chains_of(step.inputs)
        with step.advice():
            means = [read_result(chain)["result"]["mean_weights"]["test"] for chain in chains]
            traces = [_trace(chain) for chain in chains]
        pools.append(Pool(step.path, chains, step.label, step.result["diagnostics"], step.result, means, traces))
    return pools


def chains_of(inputs: Mapping[str, Path]) -> list[Path]:
    """Return the folders of the chains among the inputs of a step that pools them."""
    return [folder for name, folder in inputs.items() if name != "ticket"]


def _trace(folder: Path) -> Trace:
    path = folder / "chain.safetensors"
    tensors, header = load_tensors(path, "chain", [f"told/{name}" for name in _TOLD])
    windows = header["windows"]
    ends = windows["first"] + np.cumsum(windows["slow"])
    total = windows["first"] + sum(windows["slow"]) + windows["last"]
    told = {name.removeprefix("told/"): values for name, values in tensors.items()}
    return Trace(told, header["history"], total, [int(end) for end in ends])


def verdict_of(name: str, found: dict[str, Any]) -> str:
    """The verdict on chains, its reasons and the caution, in a sentence each.

    Args:
        name: Whose chains they are.
        found: Their diagnostics.
    """
    reasons = f": {'; '.join(found['reasons'])}" if found["reasons"] else ""
    return f"{name}: {found['verdict']}{reasons}. {found['caution']}"


def beside_of(pool: Pool) -> str:
    """What sampling cost, and what the networks of mean weights do on test rows beside the mean prediction."""

    def words(each: Sequence[dict[str, float]]) -> str:
        accuracies = (f"{100 * one['accuracy']:.2f} %" for one in each)
        nlls = (f"{one['nll']:.4f}" for one in each)
        return f"{', '.join(accuracies)}, NLL {', '.join(nlls)}"

    found = pool.diagnostics
    return (
        f"{pool.name}: {clock(found['seconds'])} of sampling, summed over chains, "
        f"{found['gradients'] / found['seconds']:,.0f} gradients a second. Test accuracy of the mean prediction "
        f"{words([pool.result['test']])}; of the network of each chain's mean weights {words(pool.mean_weights)}."
    )


CHAIN_HEADER = ["chains of", "draws", "R-hat", "R-hat\nweights", "ESS", "E-\nBFMI", "at\ncap", "div."]
"""Of ``chain_row``: R-hat and ESS (the smaller of bulk and tail) in function space, R-hat of weights, the lowest
E-BFMI, trees at the cap, divergences; narrow enough for 80 columns."""


def chain_row(pool: Pool) -> list[str]:
    """A table's row of ``CHAIN_HEADER``."""
    found, function = pool.diagnostics, pool.diagnostics["function"]
    return [
        "\n".join([*pool.names[:-2], ", ".join(pool.names[-2:])]),
        f"{found['chains']} x {min(found['draws'])}",
        _known(function["r_hat"], ".4g"),
        _known(found["weights"]["r_hat"], ".4g"),
        _known(None if function["r_hat"] is None else min(function["ess_bulk"], function["ess_tail"]), ".0f"),
        _known(None if None in found["e_bfmi"] else min(found["e_bfmi"]), ".2f"),
        f"{found['capped']:.0%}",
        str(found["divergences"]),
    ]


def _known(value: float | None, written: str) -> str:
    return "-" if value is None else format(value, written)


def chains_figure(pool: Pool, run: str, others: Sequence[Row], looks: Looks | None = None) -> Any:
    """Traces of chains, and the validation accuracy and NLL of their prediction against draws.

    Args:
        pool: The chains.
        run: Whose.
        others: Rows of the same seed and level to draw as lines beside: the ticket, an ensemble.
        looks: Of all arms of the report; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib import colormaps  # a second to import
    from matplotlib.figure import Figure

    arm = pool.label["arm"]
    looks = looks or arm_looks([(run, arm), *((row.run, row.arm) for row in others)])
    shades = colormaps["viridis"](np.linspace(0, 0.92, len(pool.traces)))  # arms have other colours
    figure = Figure(figsize=(9.6, 7.0), layout="constrained")
    likelihood, accuracy, work, nll = figure.subplots(2, 2).ravel()
    for number, trace in enumerate(pool.traces):
        look = {"color": shades[number], "lw": 1.0, "label": f"chain {number}"}
        draws = np.arange(1, len(trace.told["n_steps"]) + 1)
        likelihood.plot(draws, trace.told["log_likelihood"] / 1000, **look)
        work.plot(draws, trace.told["step_size"], **look)
        for axes, metric, factor in ((accuracy, "accuracy", 100.0), (nll, "nll", 1.0)):
            kept = [row for row in trace.history if not row["warmup"]]
            axes.plot([row["iteration"] - trace.warmup for row in kept], [factor * row[metric] for row in kept], **look)
    for axes, metric, factor, digits in ((accuracy, "accuracy", 100.0, 2), (nll, "nll", 1.0, 3)):
        lines = [("all chains", pool.result["validation"][metric], looks[run, arm])]
        lines += [(row.name, row.validation[metric], looks[row.run, row.arm]) for row in others]
        near = [value for line in axes.lines for value in line.get_ydata()] + [factor * lines[0][1]]
        room = 3 * max(max(near) - min(near), 0.02 * abs(near[-1]))
        for name, value, whose in lines:
            value *= factor
            label = f"{name}: {value:.{digits}f}"
            look = {"color": whose["color"], "lw": 1.4, "ls": whose["ls"]}
            if min(near) - room <= value <= max(near) + room:
                axes.axhline(value, label=label, **look)
            else:  # it would press the chains together
                axes.plot([], [], label=f"{label} (outside)", **look)
    trace = pool.traces[0]
    for axes in (likelihood, work):
        axes.axvspan(0, trace.warmup, color="#888888", alpha=0.12, lw=0)
        for end in trace.windows:
            axes.axvline(end, color="#888888", lw=0.6, alpha=0.7)
    settled = np.concatenate([each.told["log_likelihood"][len(each.told["n_steps"]) // 10 :] for each in pool.traces])
    spread = np.ptp(settled) / 1000
    likelihood.set_ylim(settled.min() / 1000 - 0.05 * spread, settled.max() / 1000 + 0.05 * spread)
    work.set_yscale("log")
    for axes, label in (
        (likelihood, "log likelihood (1,000 nats)"),
        (accuracy, "validation accuracy (%)"),
        (work, "step size"),
        (nll, "validation NLL (nats)"),
    ):
        axes.set_ylabel(label)
        axes.set_xlabel(
            "draw, warm-up shaded; lines: the mass is set anew"
            if axes in (likelihood, work)
            else "draws in the mean prediction so far"
        )
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if axes in (accuracy, nll):  # below, where it hides nothing; the chains' names stand once, at the traces
            lines = axes.get_lines()[len(pool.traces) :]
            axes.legend(handles=lines, loc="upper left", bbox_to_anchor=(0, -0.19), ncols=2, frameon=False, fontsize=8)
    likelihood.legend(loc="lower right", frameon=False, fontsize=8)
    figure.suptitle(for_figure(f"{pool.name}: {pool.diagnostics['verdict']}"), fontsize=11)
    return figure
