"""Effective draws of a ticket's posterior per gradient and per minute, by sampler, against NumPyro's NUTS.

LeNet-300-100 at 99 %, the ticket of ``nuts_gradient``, N(0, 1) as prior, 10,000 training rows of MNIST, one chain of
each sampler in a separate process. Effective draws are of the log likelihood, after the warm-up (ArviZ). NumPyro is
used as by its users: float32, dense kernels with zeros, its own warm-up, from the prior.

- SAMPLER: effective draws per 1,000 gradients, and per minute; accuracy and NLL of the mean prediction on test rows.
- mclmc / nuts from the prior, hmc / nuts from the prior: of effective draws per 1,000 gradients.
- mclmc / numpyro: of effective draws per minute.
- prediction: MCLMC over 55,000 rows, three seeds: accuracy and NLL on test rows (the worst), and all gradients, with
  those of start and warm-up.
"""

import importlib.util
import tempfile
from typing import Any

import numpy as np

from experiments.benchmarks.measure import Benchmark, Report, Row, figure, in_turn, ratios, series
from experiments.benchmarks.nuts_children import ticket_file
from experiments.benchmarks.nuts_gradient import TICKETS, find_tickets

ROWS = 10_000
PRIOR = "nuts from the prior"
SAMPLERS: dict[str, dict[str, Any]] = {
    "mclmc": {"method": "mclmc", "start": "trained", "warmup": 60, "draws": 200, "steps_per_draw": 100},
    "hmc": {"method": "hmc", "start": "trained", "warmup": 60, "draws": 60, "trajectory_length": 4.5},
    PRIOR: {"method": "nuts", "warmup": 100, "draws": 100, "max_tree_depth": 8},
}
NUMPYRO = {"warmup": 100, "draws": 60, "depth": 8}
PREDICTION = {"method": "mclmc", "start": "trained", "warmup": 60, "draws": 80, "steps_per_draw": 100}
SEEDS = 3


def measure_ess(rounds: int, tickets: str) -> Report:
    contenders = {
        name: {"name": "sample_tfticket", "rows": ROWS, "options": options} for name, options in SAMPLERS.items()
    }
    if have_numpyro := importlib.util.find_spec("numpyro") is not None:
        contenders["numpyro"] = {"name": "sample_numpyro", "rows": ROWS, **NUMPYRO}
    with tempfile.TemporaryDirectory() as folder:
        ticket_folder = tickets or folder
        find_tickets(ticket_folder, "lenet-300-100")
        ticket = ticket_file(ticket_folder, "lenet-300-100", 99)
        results = in_turn(contenders, rounds, ticket=ticket)
        whole = {f"seed {seed}": {"seed": seed} for seed in range(SEEDS)}
        predicted = in_turn(whole, 1, name="sample_tfticket", ticket=ticket, rows=None, options=PREDICTION)
    rows: list[Row] = []
    per_gradient, per_minute = {}, {}
    for name, measured in results.items():
        effective = [effective_draws(result["log_likelihood"]) for result in measured]
        per_gradient[name] = [
            1000 * ess / result["drawing_gradients"] for ess, result in zip(effective, measured, strict=True)
        ]
        per_minute[name] = [
            60 * ess / result["drawing_seconds"] for ess, result in zip(effective, measured, strict=True)
        ]
        rows += [
            figure(f"{name}: effective draws per 1,000 gradients", per_gradient[name]),
            figure(f"{name}: effective draws per minute", per_minute[name]),
        ]
    for name, measured in results.items():
        if name != "numpyro":
            rows += [figure(f"{name}: {key}", [result[key] for result in measured]) for key in ("accuracy", "nll")]
    rows += [
        figure(f"mclmc / {PRIOR}", ratios(per_gradient["mclmc"], per_gradient[PRIOR]), at_least=30),
        figure(f"hmc / {PRIOR}", ratios(per_gradient["hmc"], per_gradient[PRIOR])),
    ]
    if have_numpyro:
        rows.append(figure("mclmc / numpyro", ratios(per_minute["mclmc"], per_minute["numpyro"]), at_least=50))
    for key, limits in {
        "accuracy": {"at_least": 0.97, "summary": min},
        "nll": {"at_most": 0.1, "summary": max},
        "gradients": {"at_most": 15_000, "summary": max},
    }.items():
        values = [value for of_seed in series(predicted, key).values() for value in of_seed]
        rows.append(figure(f"prediction: {key}", values, **limits))  # type: ignore[arg-type]
    return Report(rows, [f"One chain of each; {ROWS:,} rows, prediction 55,000."])


def effective_draws(values: list[float]) -> float:
    """Return the effective number of draws of a chain's quantity."""
    from arviz_stats.base import array_stats

    return float(array_stats.ess(np.array(values)[None], chain_axis=0, draw_axis=1))


BENCHMARK = Benchmark("ess", measure_ess, rounds=1, options=(TICKETS,))
