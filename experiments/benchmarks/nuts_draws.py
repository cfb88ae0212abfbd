"""Draws of the No-U-Turn sampler at equal depth, against NumPyro, and the overhead over its gradients.

The ticket of LeNet-300-100 at 99 % of ``nuts_gradient``: equal surviving weights under N(0, 1), from its start weights.
The step is so small that every tree is full: both take the same number of gradients per draw, else the benchmark fails.
NumPyro is used as by its users: a model in float32, dense kernels with zeros, a compiled draw. In each round, each of
them runs once, in turn, in a separate process; a warm-up draw is not counted.

- n_steps: gradients per draw, of both.
- sparse_draws_per_minute, numpyro_draws_per_minute: 10,000 rows.
- sparse_over_numpyro: the ratio, round by round.
- overhead_60000: (time of a draw - time of its gradients) / time of its gradients, 60,000 rows, in one process in turn.
- sparse_draw_60000_s: seconds of such a draw.
"""

import importlib.util
import tempfile
from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, figure, in_turn, ratios, series
from experiments.benchmarks.nuts_children import ticket_file
from experiments.benchmarks.nuts_gradient import TICKETS, find_tickets

OURS, THEIRS, OVERHEAD = "sparse", "numpyro", "overhead"
ROWS = 10_000
DEPTH = 6
STEP_SIZE = 1e-5
DRAWS = {OURS: 20, THEIRS: 3, OVERHEAD: 5}
AT_LEAST_RATIO = 10.0
AT_MOST_OVERHEAD = 0.1


def measure_draws(rounds: int, tickets: str) -> Report:
    have_numpyro = importlib.util.find_spec("numpyro") is not None
    contenders: dict[str, dict[str, Any]] = {
        OURS: {"name": "draw_sparse", "rows": ROWS, "draws": DRAWS[OURS]},
        THEIRS: {"name": "draw_numpyro", "rows": ROWS, "draws": DRAWS[THEIRS]},
        OVERHEAD: {"name": "draw_overhead", "draws": DRAWS[OVERHEAD]},
    }
    if not have_numpyro:
        del contenders[THEIRS]
    with tempfile.TemporaryDirectory() as folder:
        ticket_folder = tickets or folder
        find_tickets(ticket_folder, "lenet-300-100")
        ticket = ticket_file(ticket_folder, "lenet-300-100", 99)
        results = in_turn(contenders, rounds, ticket=ticket, depth=DEPTH, step_size=STEP_SIZE)
    overhead = results.pop(OVERHEAD)
    steps = full_trees(results)
    per_minute = {name: [60 / seconds for seconds in times] for name, times in series(results, "seconds").items()}
    rows = [figure("n_steps", [steps])]
    rows += [figure(f"{name}_draws_per_minute", values) for name, values in per_minute.items()]
    notes = [f"Trees of depth {DEPTH}; medians, ratios round by round; {ROWS:,} rows unless stated otherwise."]
    if have_numpyro:
        faster = ratios(per_minute[OURS], per_minute[THEIRS])
        rows.append(figure("sparse_over_numpyro", faster, at_least=AT_LEAST_RATIO))
    else:
        notes.append("NumPyro is not installed: no figures of it.")
    rows += [
        figure("overhead_60000", [result["overhead"] for result in overhead], at_most=AT_MOST_OVERHEAD),
        figure("sparse_draw_60000_s", [result["seconds"] for result in overhead], "s"),
    ]
    return Report(rows, notes)


def full_trees(results: dict[str, list[dict[str, Any]]]) -> int:
    """Return the gradients per draw, which must be those of full trees in all draws of all samplers.

    Raises:
        RuntimeError: They are not.
    """
    expected: int = 2**DEPTH - 1
    for name, rounds in results.items():
        taken = {steps for result in rounds for steps in result["n_steps"]}
        if taken != {expected}:
            raise RuntimeError(f"{name} took {sorted(taken)} gradients per draw; expected {expected} in each.")
    return expected


BENCHMARK = Benchmark("nuts_draws", measure_draws, rounds=5, options=(TICKETS,))
