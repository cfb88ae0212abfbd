"""Cost of op determinism: an epoch with and without it, and whether two processes give the same bits.

``tfticket.backend`` enables it everywhere. Here every second subprocess disables that call before the backend is
imported; both train by tfticket's training loop as in ``epoch.py``.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.epoch import EPOCHS, in_turn, series
from experiments.benchmarks.measure import Benchmark, Report, child, command, fact, figure, ratios, threads

WITH = "with op determinism"
WITHOUT = "without op determinism"
CONTENDERS: dict[str, dict[str, Any]] = {WITH: {"deterministic": True}, WITHOUT: {"deterministic": False}}


def all_equal(digests: Sequence[str]) -> bool:
    """Return whether all trainings ended with the same bits."""
    return len(set(digests)) == 1


def measure_determinism(rounds: int) -> Report:
    rounds = max(rounds, 2)  # to compare bits of two processes
    with tempfile.TemporaryDirectory() as folder:
        shared: dict[str, Any] = {"ticket": str(Path(folder) / "ticket.safetensors"), "threads": threads()}
        child("make_ticket", path=shared["ticket"], threads=shared["threads"])
        results = in_turn(
            CONTENDERS, rounds, lambda contender: child("train_tfticket", **contender, **shared, epochs=EPOCHS)
        )
    seconds, digests = series(results, "seconds"), series(results, "digest")
    rows = [figure(name, values, "s") for name, values in seconds.items()]
    rows.append(figure("with / without", ratios(seconds[WITH], seconds[WITHOUT])))
    rows.append(fact(f"same bits in all processes {WITH}", all_equal(digests[WITH]), wanted=True))
    rows.append(fact(f"same bits in all processes {WITHOUT}", all_equal(digests[WITHOUT])))
    rows.append(fact("same bits with as without", digests[WITH][0] == digests[WITHOUT][0]))
    return Report(
        rows, [f"Seconds per epoch, {rounds} rounds in turn; bits are those of the weights after {EPOCHS} epochs."]
    )


BENCHMARK = Benchmark("determinism", measure_determinism, rounds=5)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
