"""One epoch of LeNet-300-100 on MNIST: tfticket, PyTorch in eager mode, ``keras.Model.fit``.

All train on the training rows of the standard split (55,000), batch 128, Adam at 1.2e-3, from the same start
weights and with the same 20 % mask from iterative pruning, on equal numbers of threads. In each round, each of them
trains once, in turn, in a separate subprocess, since thread pools of two libraries in one process would disturb each
other. Figures are seconds per epoch, warm: compilation, tracing, the first epoch and evaluations are not counted.

PyTorch is written in several ways, including no mask at all and the fused kernel of Adam; the fastest one is the peer
of the target.
"""

import importlib.util
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, Row, child, figure, in_turn, ratios, series

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


def compare(seconds: Mapping[str, Sequence[float]]) -> list[Row]:
    """Return rows of the times, of the two ratios with a target, and of the ratios to the other peers."""
    rows = [figure(name, values, "s") for name, values in seconds.items()]
    ours = seconds[OURS]
    pytorch = sorted(
        (name for name in seconds if name.startswith("PyTorch")), key=lambda n: statistics.median(seconds[n])
    )
    for rank, name in enumerate(pytorch):
        at_most = AT_MOST_PYTORCH if rank == 0 else None
        rows.append(figure(f"{OURS} / {name}", ratios(ours, seconds[name]), at_most=at_most))
    rows.append(figure(f"{OURS} / {FIT}", ratios(ours, seconds[FIT]), at_most=AT_MOST_FIT))
    return rows


def measure_epoch(rounds: int) -> Report:
    have_torch = importlib.util.find_spec("torch") is not None
    contenders = {name: run for name, run in CONTENDERS.items() if have_torch or not name.startswith("PyTorch")}
    with tempfile.TemporaryDirectory() as folder:
        ticket = str(Path(folder) / "ticket.safetensors")
        child("make_ticket", path=ticket)
        results = in_turn(contenders, rounds, ticket=ticket, epochs=EPOCHS)
    rows = compare(series(results, "seconds"))
    rows += [figure(f"loss, {name}", losses) for name, losses in series(results, "loss").items()]
    notes = [f"Seconds per epoch, medians; ratios round by round; mean training loss over epoch {EPOCHS}."]
    if not have_torch:
        notes.append("PyTorch is not installed: no figures of it. `make bench` installs it.")
    return Report(rows, notes)


BENCHMARK = Benchmark("epoch", measure_epoch, rounds=7)
