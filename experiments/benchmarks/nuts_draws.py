"""Draws of the No-U-Turn sampler at equal depth, against NumPyro, and what the sampler adds to its gradients.

The ticket of LeNet-300-100 at 99 % of ``nuts_gradient``: the same surviving weights under N(0, 1), from its start
weights. The step is so small that every tree is full: both take the same number of gradients a draw, and the
benchmark fails where they do not. NumPyro is as its users have it: a model in float32, kernels dense with zeros, one
draw compiled. In each round each of them runs once, in turn, in a process of its own; a draw to warm up is not counted.

- n_steps: gradients a draw, of both.
- sparse_draws_per_minute, numpyro_draws_per_minute: 10,000 rows.
- sparse_over_numpyro: the ratio, round by round.
- overhead_60000: a draw's time beyond that of as many bare gradients, over theirs, 60,000 rows, in one process in turn.
- sparse_draw_60000_s: seconds of such a draw.
"""

import importlib.util
import tempfile
from typing import Any

from experiments.benchmarks.epoch import in_turn
from experiments.benchmarks.measure import Benchmark, Report, child, command, figure, ratios, threads
from experiments.benchmarks.nuts_children import ticket_file
from experiments.benchmarks.nuts_gradient import TICKETS, find

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
        place = tickets or folder
        find(place, "lenet-300-100")
        shared: dict[str, Any] = {
            "ticket": ticket_file(place, "lenet-300-100", 99),
            "depth": DEPTH,
            "step_size": STEP_SIZE,
        }
        found = in_turn(contenders, rounds, lambda how: child(**how, **shared, threads=threads()))
    steps = full_trees({name: found[name] for name in found if name != OVERHEAD})
    a_minute = {name: [60 / one["seconds"] for one in found[name]] for name in found if name != OVERHEAD}
    rows = [figure("n_steps", [steps])]
    rows += [figure(f"{name}_draws_per_minute", values) for name, values in a_minute.items()]
    notes = [f"Trees of depth {DEPTH}; medians, ratios round by round; {ROWS:,} rows where nothing else is said."]
    if have_numpyro:
        rows.append(figure("sparse_over_numpyro", ratios(a_minute[OURS], a_minute[THEIRS]), at_least=AT_LEAST_RATIO))
    else:
        notes.append("NumPyro is not installed: no figures of it.")
    beyond = found[OVERHEAD]
    rows += [
        figure("overhead_60000", [one["overhead"] for one in beyond], at_most=AT_MOST_OVERHEAD),
        figure("sparse_draw_60000_s", [one["seconds"] for one in beyond], "s"),
    ]
    return Report(rows, notes)


def full_trees(found: dict[str, list[dict[str, Any]]]) -> int:
    """The gradients a draw, equal in all draws of all samplers.

    Raises:
        RuntimeError: They are not.
    """
    wanted: int = 2**DEPTH - 1
    for name, all_ in found.items():
        taken = {steps for one in all_ for steps in one["n_steps"]}
        if taken != {wanted}:
            raise RuntimeError(f"{name} took {sorted(taken)} gradients a draw; expected {wanted} in each.")
    return wanted


BENCHMARK = Benchmark("nuts_draws", measure_draws, rounds=5, options=(TICKETS,))


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
