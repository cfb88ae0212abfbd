"""Exact gradients over all rows: log density and gradient of a ticket's posterior, against JAX and TensorFlow.

Every contender has the posterior of the same surviving weights under N(0, 1) and evaluates it at the start weights of
the ticket, warm, in a separate process, on equal numbers of threads; in each round, each of them runs once, in turn.
The tickets come from a run of global iterative pruning for each network. JAX is used as NumPyro does: dense kernels
with zeros, compiled ``value_and_grad``. TensorFlow has dense kernels without the dead inputs and units. The target is
against the fastest variant of a peer: JAX takes all rows in one call (``jax``, as NumPyro) or in tiles, TensorFlow is
compiled by XLA or not. A ratio is the seconds of the peer over those of tfticket, round by round.

Rows, SS being the sparsity in percent, 99, 95, 90 (of LeNet-300-100 on 60,000 rows of MNIST) or ``lenet_5_99``:

- density_SS: surviving fraction of the prunable weights.
- sparse_SS_s: seconds of a gradient of tfticket; jax_SS_s, jax_tiles_SS_s, tensorflow_SS_s, tensorflow_xla_SS_s: of the
  peers.
- jax_over_sparse_SS, jax_tiles_over_sparse_SS, tensorflow_over_sparse_SS, tensorflow_xla_over_sparse_SS: the ratios,
  with a target for the fastest variant.
- log_density_error_SS, gradient_norm_error_SS: the largest relative difference from a peer.
- conv_ENGINE_SS_s, conv_ENGINE_SS_peak_gb: one gradient of a convolutional network of 1.1 million parameters on the
  50,000 images of CIFAR-10 under a random mask, by ENGINE sparse or keras: seconds, peak resident memory.
- cost_density_r2, cost_density_slope_s, cost_density_intercept_s: a line through seconds of a gradient against density
  (random masks, 60,000 rows): R^2, seconds at density 1 above those at 0, seconds at 0. At the lowest densities most
  units of a random mask are dead, and cost nothing: the intercept may lie below 0.
- cost_rows_r2, cost_rows_slope_s, cost_rows_intercept_s: a line against rows (the ticket of 99 %): seconds per row.
"""

import importlib.util
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.measure import Benchmark, Option, Report, Row, child, figure, in_turn, ratios, say, series
from experiments.benchmarks.nuts_children import ticket_file
from tfticket.data.identity import source_by_name
from tfticket.errors import InputError
from tfticket.registry import DATA_DIR
from tfticket.runs.files import atomic_write

OURS = "sparse"
SPARSITIES = (99, 95, 90)
TARGETS = {
    ("jax", "99"): (15, 25),
    ("jax", "95"): (4, 8),
    ("jax", "90"): (2, 3),
    ("tensorflow", "99"): (6, None),
    ("jax", "lenet_5_99"): (8, None),
}
"""Peer and ticket -> the smallest speed-up that meets the target, and the aim beyond it."""
MOST_GB = 4.0
LEAST_R2 = 0.98

DENSE: dict[str, dict[str, Any]] = {
    OURS: {"name": "gradient_sparse"},
    "jax": {"name": "gradient_jax", "tile": None},
    "jax_tiles": {"name": "gradient_jax", "tile": 2000},
    "tensorflow": {"name": "gradient_tensorflow", "compile_": False},
    "tensorflow_xla": {"name": "gradient_tensorflow", "compile_": True},
}
# JAX would need 36 GB for all rows of LeNet-5 in one call, extrapolated from 6,000: larger and smaller tiles.
CONVOLUTIONAL: dict[str, dict[str, Any]] = {
    OURS: {"name": "gradient_sparse"},
    "jax": {"name": "gradient_jax", "tile": 2000, "calls": 1},
    "jax_tiles": {"name": "gradient_jax", "tile": 500, "calls": 1},
}
MOST_CONVOLUTIONAL_ROUNDS = 3
DENSITIES = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2)
ROWS = (2_000, 5_000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000)
CALLS = 5
TICKETS = Option("tickets", "", "folder in which tickets are kept for later; without it they are found again")


def measure_gradients(rounds: int, tickets: str, data: str, figure: str) -> Report:
    check_data(data)
    with tempfile.TemporaryDirectory() as folder:
        ticket_folder = tickets or folder
        rows = []
        for prefix, network in (("", "lenet-300-100"), ("lenet_5_", "lenet-5")):
            densities = find_tickets(ticket_folder, network)
            rows += [Row(f"density_{prefix}{sparsity}", density) for sparsity, density in densities.items()]
        files = {str(sparsity): ticket_file(ticket_folder, "lenet-300-100", sparsity) for sparsity in SPARSITIES}
        rows += compare(_in_turn(DENSE, rounds, files))
        files = {"lenet_5_99": ticket_file(ticket_folder, "lenet-5", 99)}
        rows += compare(_in_turn(CONVOLUTIONAL, min(rounds, MOST_CONVOLUTIONAL_ROUNDS), files))
        convolutional, note = measure_conv(data)
        costs = measure_costs(rounds, ticket_file(ticket_folder, "lenet-300-100", 99))
    if figure:
        plot = cost_figure(costs)
        atomic_write(Path(figure), lambda file: plot.savefig(file, format="png", dpi=200))
    rows += convolutional + [row for cost in costs for row in fit_rows(cost)]
    notes = ["Medians; ratios round by round, seconds of the peer over those of tfticket.", note]
    if not _has_jax():
        notes.append("JAX is not installed: no figures of it. Install NumPyro, which depends on it.")
    return Report(rows, notes)


def check_data(name: str) -> None:
    """Check that CIFAR-10 is on this machine before anything is measured."""
    source = source_by_name(name)
    if source is None or source.size[0] != 50_000:
        raise InputError(f"--data is '{name}'; expected cifar-10 or cifar-10-jpeg.")
    if source.find() is None:
        raise InputError(
            f"{name} is not on this machine, and this benchmark needs it. Set {DATA_DIR} to the folder that holds it, "
            "or take the other of cifar-10 and cifar-10-jpeg by --data."
        )


def find_tickets(folder: str, network: str) -> dict[str, float]:
    """Find the tickets of a network, unless they are in the folder; return sparsity in percent -> density."""
    say(f"  tickets of {network}")
    return child("find_benchmark_tickets", folder=folder, network=network)


def _in_turn(
    contenders: Mapping[str, dict[str, Any]], rounds: int, files: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the results by contender and round, each by ticket."""

    def measure(**arguments: Any) -> dict[str, Any]:
        results = child(**arguments)
        return {"seconds": results[next(iter(files))]["seconds"], "tickets": results}

    installed = {name: run for name, run in contenders.items() if _has_jax() or not name.startswith("jax")}
    return series(in_turn(installed, rounds, measure, tickets=files), "tickets")


def compare(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """Return rows of times, of ratios to the variants of each peer, and of differences of the results.

    Args:
        results: Contender -> for each round: ticket -> 'seconds', 'log_density', 'gradient_norm'.
    """
    rows = []
    for ticket in results[OURS][0]:
        by_ticket = {name: [result[ticket] for result in rounds] for name, rounds in results.items()}
        seconds = series(by_ticket, "seconds")
        rows += [figure(f"{name}_{ticket}_s", values, "s") for name, values in seconds.items()]
        for peer in ("jax", "tensorflow"):
            variants = [name for name in seconds if name.startswith(peer)]
            for rank, name in enumerate(sorted(variants, key=lambda name: statistics.median(seconds[name]))):
                at_least, aim = TARGETS.get((peer, ticket), (None, None)) if rank == 0 else (None, None)
                faster = ratios(seconds[name], seconds[OURS])
                row = figure(f"{name}_over_{OURS}_{ticket}", faster, at_least=at_least)
                rows.append(row if aim is None else replace(row, target=f"{row.target} (aim {aim})"))
        for quantity in ("log_density", "gradient_norm"):
            first = {name: values[0] for name, values in series(by_ticket, quantity).items()}
            errors = [abs(value / first[OURS] - 1) for name, value in first.items() if name != OURS]
            if errors:
                rows.append(figure(f"{quantity}_error_{ticket}", [max(errors)]))
    return rows


def measure_conv(data: str) -> tuple[list[Row], str]:
    """Return rows of the gradient of the convolutional network, and a note on its layers."""
    rows: list[Row] = []
    result: dict[str, Any] = {}
    for engine in ("sparse", "keras"):
        for sparsity in (0, 90):
            result = child("gradient_conv", data=data, engine=engine, sparsity=sparsity)
            say(f"  {engine}, {sparsity} %: {result['seconds']:.1f} s, {result['peak']:.2f} GB")
            name = f"conv_{engine}_{sparsity}"
            rows.append(figure(f"{name}_s", [result["seconds"]], "s"))
            rows.append(figure(f"{name}_peak_gb", [result["peak"]], "GB", at_most=MOST_GB))
    layers = ", ".join(f"{name} {parameters:,}" for name, parameters in result["layers"] if parameters)
    total = sum(parameters for _, parameters in result["layers"])
    source = source_by_name(data)
    return rows, (
        f"The convolutional network has {total:,} parameters: {layers}; a random mask, one exact gradient over the "
        f"{result['rows']:,} images of {data if source is None else source.label}."
    )


@dataclass(frozen=True)
class Cost:
    """Seconds of a gradient against 'density' or 'rows', one per value of ``x``."""

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
    """Plot points and their line, one panel per cost."""
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


def measure_costs(rounds: int, ticket: str) -> list[Cost]:
    """Measure seconds of a gradient against density and against rows, medians over the rounds."""
    results: dict[str, list[dict[str, Any]]] = {"density": [], "rows": []}
    for number in range(rounds):
        results["density"].append(child("scale_density", densities=DENSITIES, calls=CALLS))
        results["rows"].append(child("scale_rows", ticket=ticket, rows=ROWS, calls=CALLS))
        say(f"  round {number + 1} of {rounds}: cost against density and rows")
    return [
        Cost(against, results[against][0]["x"], np.median(seconds, axis=0).tolist())
        for against, seconds in series(results, "seconds").items()
    ]


def fit_rows(cost: Cost) -> list[Row]:
    """Return rows of the least-squares line through costs."""
    line = cost.line
    return [
        figure(f"cost_{cost.against}_r2", [line.rvalue**2], at_least=LEAST_R2),
        figure(f"cost_{cost.against}_slope_s", [line.slope], "s"),
        figure(f"cost_{cost.against}_intercept_s", [line.intercept], "s"),
    ]


def _has_jax() -> bool:
    return importlib.util.find_spec("jax") is not None


BENCHMARK = Benchmark(
    "nuts_gradient",
    measure_gradients,
    rounds=5,
    options=(
        TICKETS,
        Option("data", "cifar-10", "the images of the large network: cifar-10 or cifar-10-jpeg"),
        Option("figure", "", "PNG to write of cost against density and rows"),
    ),
)
