"""Cost of op determinism: an epoch with and without it, and whether two processes give the same bits.

``tfticket.backend`` enables it everywhere. Here every second subprocess disables that call before the backend is
imported; both train by tfticket's training loop as in ``epoch.py``.
"""

import tempfile
from pathlib import Path
from typing import Any

from experiments.benchmarks.epoch import EPOCHS
from experiments.benchmarks.measure import Benchmark, Report, child, fact, figure, in_turn, ratios, series

WITH = "with op determinism"
WITHOUT = "without op determinism"
CONTENDERS: dict[str, dict[str, Any]] = {WITH: {"deterministic": True}, WITHOUT: {"deterministic": False}}


def measure_determinism(rounds: int) -> Report:
    rounds = max(rounds, 2)  # to compare bits of two processes
    with tempfile.TemporaryDirectory() as folder:
        ticket = str(Path(folder) / "ticket.safetensors")
        child("make_ticket", path=ticket)
        results = in_turn(CONTENDERS, rounds, name="train_tfticket", ticket=ticket, epochs=EPOCHS)
    seconds, digests = series(results, "seconds"), series(results, "digest")
    rows = [figure(name, values, "s") for name, values in seconds.items()]
    rows.append(figure("with / without", ratios(seconds[WITH], seconds[WITHOUT])))
    rows.append(fact(f"same bits in all processes {WITH}", len(set(digests[WITH])) == 1, wanted=True))
    rows.append(fact(f"same bits in all processes {WITHOUT}", len(set(digests[WITHOUT])) == 1))
    rows.append(fact("same bits with as without", digests[WITH][0] == digests[WITHOUT][0]))
    return Report(
        rows, [f"Seconds per epoch, {rounds} rounds in turn; bits are those of the weights after {EPOCHS} epochs."]
    )


BENCHMARK = Benchmark("determinism", measure_determinism, rounds=5)
