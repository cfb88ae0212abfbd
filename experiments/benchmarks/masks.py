"""Operations on the mask of ResNet-18, 11 million weights: every control, mask algebra, inspection.

The target of each is a second. Every round runs fresh processes, in which each operation runs for the first time after
the import of TensorFlow: one process for the inspection, which also builds the network, and one for the rest, where the
first control that draws weights builds the network. Tickets are read from files before the clock starts; their masks
keep the 10 % of weights that were largest at initialisation.
"""

import functools
import tempfile
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, child, figure, say, seconds_of

AT_MOST_SECONDS = 1.0
DENSITY = 0.1
SHAPE, CLASSES = (32, 32, 3), 10


def measure_masks(rounds: int) -> Report:
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        child("make_tickets", folder=folder)
        for number in range(rounds):
            seconds = child("time_inspection", folder=folder) | child("time_masks", folder=folder)
            for name, value in seconds.items():
                measured.setdefault(name, []).append(value)
            slowest = max(seconds, key=lambda name: seconds[name])
            say(f"  round {number + 1} of {rounds}: the slowest is {slowest}, {seconds[slowest]:.2f} s")
    rows = [figure(name, values, "s", AT_MOST_SECONDS) for name, values in measured.items()]
    return Report(rows, ["ResNet-18 for images of 32x32: 11,159,232 prunable weights, of which 10 % remain."])


def make_tickets(folder: str, threads: int) -> dict[str, float]:
    """Write two tickets of ResNet-18 to files."""
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


def time_inspection(folder: str, threads: int) -> dict[str, float]:
    """Time an inspection with trained weights and start weights."""
    from tfticket.inspection.inspect_ticket import inspect_ticket  # TensorFlow, too
    from tfticket.tickets import Ticket

    ticket = Ticket.load(Path(folder) / "0.safetensors")
    trained = {path: ticket.start[path] * kept for path, kept in ticket.mask.items()}
    return {"inspection": seconds_of(lambda: inspect_ticket(ticket, trained, ticket.start))}


def time_masks(folder: str, threads: int) -> dict[str, float]:
    """Time mask algebra, a comparison and every control."""
    import tfticket.backend  # noqa: F401 -- TensorFlow, before the clock starts
    from tfticket.inspection.comparison import compare_tickets
    from tfticket.pruning.algebra import intersection, overlap, union
    from tfticket.registry import CONTROLS, resolve
    from tfticket.tickets import Ticket

    first, second = (Ticket.load(Path(folder) / f"{seed}.safetensors") for seed in (0, 1))
    seconds = {
        "union": seconds_of(lambda: union(first.mask, second.mask)),
        "intersection": seconds_of(lambda: intersection(first.mask, second.mask)),
        "overlap": seconds_of(lambda: overlap(first.mask, second.mask)),
        "comparison": seconds_of(lambda: compare_tickets({"one": first, "other": second})),
    }
    for name in CONTROLS:
        options = {"densities": DENSITY} if name == "random-mask" else {}
        seconds[name] = seconds_of(functools.partial(resolve(CONTROLS[name].target), first, 0, **options))
    return seconds


BENCHMARK = Benchmark("masks", measure_masks, rounds=5)
