"""Time that the lab adds to the trainings of a level loop.

The quickstart with one seed, 11 levels and no controls runs in a fresh workspace, through the lab as on the command
line. Of its wall time

    overhead = wall - training - evaluation - first compilation,    as a fraction of training

- wall: from opening the run to its end. The import of TensorFlow, reading the data and checking the configuration
  come before, the report after.
- training: the compiled loop after its first call, as the train steps record it (``seconds.training``). Drawing
  the order of the rows is part of it.
- evaluation: validation after every epoch, as the train steps record it (``seconds.evaluation``); of the
  evaluate steps only the time within the metrics, which the benchmark measures. Reading a ticket and weights and
  writing a folder in these steps is overhead.
- first compilation: the first call of a compiled loop (``seconds.first_call``).

So overhead is the rest: building models, assigning and reading weights, pruning, fingerprints, leases, files and
their fsyncs.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, Row, child, figure, say
from tfticket.runs.files import read_json

PRESET = "quickstart"
OVERRIDES = ["seeds=[0]", "control_densities=[]"]
AT_MOST = 0.05

Parts = dict[str, float]


def parts_of(wall: float, evaluating: float, records: Sequence[dict[str, Any]]) -> Parts:
    """Split the wall time of a loop, in seconds.

    ``evaluating`` is spent in the metrics of the evaluate steps; ``records`` are the steps' ``result.json``. The
    overhead has parts for the step functions by kind, and for the lab outside of them.
    """
    trainings = [record["result"]["seconds"] for record in records if record["kind"] == "train"]
    counted = {name: sum(training[name] for training in trainings) for name in ("training", "evaluation", "first_call")}
    kinds = dict.fromkeys(record["kind"] for record in records)
    inside = {kind: sum(record["seconds"] for record in records if record["kind"] == kind) for kind in kinds}
    rest = dict(inside)
    rest["train"] -= sum(counted.values())
    rest["evaluate"] -= evaluating
    return {
        "training": counted["training"],
        "evaluation": counted["evaluation"] + evaluating,
        "first compilation": counted["first_call"],
        **{f"overhead in {kind} steps": seconds for kind, seconds in rest.items()},
        "overhead in the lab": wall - sum(inside.values()),
    }


def overhead_of(parts: Parts) -> float:
    """Return overhead / training."""
    return sum(seconds for name, seconds in parts.items() if name.startswith("overhead")) / parts["training"]


def measure_loop() -> tuple[float, Parts]:
    """Return the wall time of one loop, in seconds, and its parts."""
    with tempfile.TemporaryDirectory() as workspace:
        times = child("level_loop", workspace=workspace, preset=PRESET, overrides=OVERRIDES)
        records = [read_json(path) for path in sorted(Path(workspace).glob("steps/*/result.json"))]
    return times["wall"], parts_of(times["wall"], times["evaluation"], records)


def measure_overhead(rounds: int) -> Report:
    loops = []
    for number in range(rounds):
        loops.append(measure_loop())
        say(f"  round {number + 1} of {rounds}: {overhead_of(loops[-1][1]):.1%}")
    rows: list[Row] = [figure("wall", [wall for wall, _ in loops], "s")]
    rows += [figure(name, [parts[name] for _, parts in loops], "s") for name in loops[0][1]]
    rows.append(figure("overhead / training", [overhead_of(parts) for _, parts in loops], at_most=AT_MOST))
    return Report(rows, [f"{PRESET} with {' '.join(OVERRIDES)}: 11 levels."])


BENCHMARK = Benchmark("overhead", measure_overhead, rounds=3)
