"""The window: how soon it is there, how smooth it stays, what it takes.

- start_s: from the process's beginning to the first drawing of a window on a workspace of one run; `tfticket gui` takes
  the command line's own start (``startup``) before it.
- open_s: opening a workspace of 200 runs with 10,000 events each, from a warm index, to the drawn table.
- idle_cpu: of that window for ten seconds, as a share of one CPU.
- live_cpu, stall_p99_ms, stall_max_ms: two real runs train for twenty seconds, with a thread each, and the Live tab
  follows one of them. A stall is what a timer of 10 ms comes late by; stall_max_ms is the longest.
- rss_mb: the memory of the process after all this.

Each round is a process of its own. It draws on the display there is, or nowhere (``QT_QPA_PLATFORM=offscreen``).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, command, figure, say
from experiments.benchmarks.workspaces import EVENTS, RUNS, make_workspace

START, STALL, IDLE, OPEN = 1.5, 50.0, 0.05, 1.0
FIGURES = {
    "start_s": "s",
    "open_s": "s",
    "idle_cpu": "",
    "live_cpu": "",
    "stall_p99_ms": "ms",
    "stall_max_ms": "ms",
    "rss_mb": "MB",
}
TARGETS = {"start_s": START, "open_s": OPEN, "idle_cpu": IDLE, "stall_p99_ms": STALL}


def measure_gui(rounds: int) -> Report:
    """All figures, once a round."""
    with tempfile.TemporaryDirectory() as place:
        small, large = Path(place, "small"), Path(place, "large")
        make_workspace(small, runs=1, events=100)
        make_workspace(large)
        found: list[dict[str, float]] = []
        for number in range(rounds):
            live = Path(place, f"live-{number}")
            began = time.time()
            done = subprocess.run(
                [sys.executable, "-m", "experiments.benchmarks.gui_child", str(began), *map(str, (small, large, live))],
                env=os.environ | ({} if _has_display() else {"QT_QPA_PLATFORM": "offscreen"}),
                capture_output=True,
                text=True,
                check=True,
            )
            found.append(json.loads(done.stdout.splitlines()[-1]))
            say(f"  round {number + 1} of {rounds}: {found[-1]}")
    rows = [
        figure(name, [one[name] for one in found], unit, at_most=TARGETS.get(name)) for name, unit in FIGURES.items()
    ]
    drawn = "on a display" if _has_display() else "offscreen"
    return Report(rows, [f"Drawn {drawn}. {RUNS} runs of {EVENTS:,} events; two live runs, a thread each."])


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


BENCHMARK = Benchmark("gui", measure_gui, rounds=3)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
