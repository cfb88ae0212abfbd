"""What is done to ResNet-18's mask of 11 million weights: every control, the masks' algebra, the inspection.

Each is asked to take at most a second. Every round takes fresh processes, in which everything is done for the first
time after TensorFlow is imported: one for the inspection, which builds the network, too; one for all else, of which
the first control that draws weights builds the network. Tickets are read from files before the clock starts; their
masks keep the 10 % of the weights that were the largest at initialisation.
"""

import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, command, figure, say

AT_MOST_SECONDS = 1.0
DENSITY = 0.1
SHAPE, CLASSES = (32, 32, 3), 10


def measure_inside(rounds: int) -> Report:
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("make_tickets", folder)
        for number in range(rounds):
            seconds = _in_a_process("time_inspection", folder) | _in_a_process("time_masks", folder)
            for name, value in seconds.items():
                found.setdefault(name, []).append(value)
            slowest = max(seconds, key=lambda name: seconds[name])
            say(f"  round {number + 1} of {rounds}: the slowest is {slowest}, {seconds[slowest]:.2f} s")
    rows = [figure(name, values, "s", AT_MOST_SECONDS) for name, values in found.items()]
    return Report(rows, ["ResNet-18 for images of 32x32: 11,159,232 prunable weights, of which 10 % remain."])


def make_tickets(folder: str) -> dict[str, float]:
    """Two tickets of ResNet-18 as files."""
    from dataclasses import replace

    import numpy as np

    import tfticket as tt
    from tfticket.pruning.selection import prune_mask

    model = tt.build_model("resnet-18", input_shape=SHAPE, num_classes=CLASSES)
    for seed in (0, 1):
        dense = tt.Ticket.dense(model, seed)
        scores = {path: np.abs(dense.start[path]) for path in dense.mask}
        mask = prune_mask(dense.mask, scores, 1 - DENSITY, scope="layerwise")
        replace(dense, mask=mask).save(Path(folder) / f"{seed}.safetensors")
    return {}


def time_inspection(folder: str) -> dict[str, float]:
    """Seconds of an inspection with trained weights and those before."""
    from tfticket.inspection.ticket import inspect_ticket  # TensorFlow, too
    from tfticket.tickets import Ticket

    ticket = Ticket.load(Path(folder) / "0.safetensors")
    trained = {path: ticket.start[path] * kept for path, kept in ticket.mask.items()}
    return {"inspection": _seconds(lambda: inspect_ticket(ticket, trained, ticket.start))}


def time_masks(folder: str) -> dict[str, float]:
    """Seconds of the masks' algebra, of a comparison and of every control."""
    import tfticket.backend  # noqa: F401 -- TensorFlow, before the clock starts
    from tfticket.inspection.comparison import compare_tickets
    from tfticket.pruning.algebra import intersection, overlap, union
    from tfticket.registry import CONTROLS, resolve
    from tfticket.tickets import Ticket

    one, other = (Ticket.load(Path(folder) / f"{seed}.safetensors") for seed in (0, 1))
    seconds = {
        "union": _seconds(lambda: union(one.mask, other.mask)),
        "intersection": _seconds(lambda: intersection(one.mask, other.mask)),
        "overlap": _seconds(lambda: overlap(one.mask, other.mask)),
        "comparison": _seconds(lambda: compare_tickets({"one": one, "other": other})),
    }
    for name in CONTROLS:
        how = {"densities": DENSITY} if name == "random-mask" else {}
        seconds[name] = _seconds(functools.partial(resolve(CONTROLS[name].target), one, 0, **how))
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _in_a_process(function: str, folder: str) -> dict[str, float]:
    """What a function of this module returns in a fresh process."""
    code = f"import json; from {__spec__.name} import {function} as it; print(json.dumps(it({folder!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"The measurement '{function}' failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


BENCHMARK = Benchmark("inside", measure_inside, rounds=5)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
