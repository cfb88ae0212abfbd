"""One epoch of LeNet-300-100 on MNIST: the product's path, PyTorch in eager mode, ``keras.Model.fit``.

All train on the training rows of the standard split (55,000), batch 128, Adam at 1.2e-3, from the same start
weights and with the same 20 % mask that iterative pruning found, on equal numbers of threads. In each round each
of them trains once, in turn, in a subprocess of its own: two libraries' thread pools in one process would hurt
each other. A figure is seconds an epoch, warm: compilation, tracing and the first epoch are not counted; nor are
evaluations, of which only the product makes any.

PyTorch is written in several ways, among them without any mask and with Adam's fused kernel; the quickest one is
the peer of the target.
"""

import importlib.util
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, Row, child, command, figure, ratios, say, threads

EPOCHS = 6
OURS = "tfticket"
FIT = "keras fit"
AT_MOST_PYTORCH = 0.45
AT_MOST_FIT = 0.22

CONTENDERS: dict[str, dict[str, Any]] = {
    OURS: {"name": "train_tfticket"},
    "PyTorch, dense": {"name": "train_pytorch", "masked": "no"},
    "PyTorch, masked kernels": {"name": "train_pytorch", "masked": "forward"},
    "PyTorch, masked gradients": {"name": "train_pytorch", "masked": "gradient"},
    "PyTorch, masked gradients, fused Adam": {"name": "train_pytorch", "masked": "gradient", "fused": True},
    FIT: {"name": "train_fit"},
}

Measure = Callable[[dict[str, Any]], dict[str, Any]]


def in_turn(contenders: Mapping[str, dict[str, Any]], rounds: int, measure: Measure) -> dict[str, list[dict[str, Any]]]:
    """Measure each contender once a round, A B C A B C ...: what slows the machine for a while slows all."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            found[name].append(measure(contender))
            say(f"  round {number + 1} of {rounds}: {name} {found[name][-1]['seconds']:.3f} s")
    return found


def compare(seconds: Mapping[str, Sequence[float]]) -> list[Row]:
    """Rows of the times, of the two ratios with a target, and of the ratio to each other peer."""
    rows = [figure(name, values, "s") for name, values in seconds.items()]
    ours = seconds[OURS]
    pytorch = sorted(
        (name for name in seconds if name.startswith("PyTorch")), key=lambda n: statistics.median(seconds[n])
    )
    for place, name in enumerate(pytorch):
        at_most = AT_MOST_PYTORCH if place == 0 else None
        rows.append(figure(f"{OURS} / {name}", ratios(ours, seconds[name]), at_most=at_most))
    rows.append(figure(f"{OURS} / {FIT}", ratios(ours, seconds[FIT]), at_most=AT_MOST_FIT))
    return rows


def measure_epoch(rounds: int) -> Report:
    have_torch = importlib.util.find_spec("torch") is not None
    contenders = {name: how for name, how in CONTENDERS.items() if have_torch or not name.startswith("PyTorch")}
    with tempfile.TemporaryDirectory() as folder:
        shared: dict[str, Any] = {"ticket": str(Path(folder) / "ticket.safetensors"), "threads": threads()}
        child("make_ticket", path=shared["ticket"], threads=shared["threads"])
        found = in_turn(contenders, rounds, lambda how: child(**how, **shared, epochs=EPOCHS))
    rows = compare({name: [one["seconds"] for one in all_] for name, all_ in found.items()})
    rows += [figure(f"loss, {name}", [one["loss"] for one in all_]) for name, all_ in found.items()]
    notes = [f"Seconds an epoch, medians; ratios round by round; mean training loss over epoch {EPOCHS}."]
    if not have_torch:
        notes.append("PyTorch is not installed: no figures of it. `make bench` installs it.")
    return Report(rows, notes)


BENCHMARK = Benchmark("epoch", measure_epoch, rounds=7)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
