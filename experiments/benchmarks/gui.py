"""The window: start, responsiveness, CPU, memory.

- start_s: from the start of the process to the first painting of a window on a workspace of one run; `tfticket gui`
  starts the command line (``startup``) before that.
- open_s: opening a workspace of 200 runs with 10,000 events each, from a warm index, to the painted table.
- idle_cpu: of that window for ten seconds, as a share of one CPU.
- live_cpu, stall_p99_ms, stall_max_ms: two runs train for twenty seconds, with a thread each, and the Live tab follows
  one of them. A stall is the delay of a 10 ms timer; stall_max_ms is the longest.
- rss_mb: the memory of the process at the end.

Each round is a separate process. It paints on the display if there is one, else offscreen.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, figure, say
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
    """Measure all figures once per round."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        make_workspace(small, runs=1, events=100)
        make_workspace(large)
        results: list[dict[str, float]] = []
        for number in range(rounds):
            live = Path(folder, f"live-{number}")
            began = time.time()
            done = subprocess.run(
                [sys.executable, "-m", "experiments.benchmarks.gui_child", str(began), *map(str, (small, large, live))],
                env=os.environ | ({} if _has_display() else {"QT_QPA_PLATFORM": "offscreen"}),
                capture_output=True,
                text=True,
                check=True,
            )
            results.append(json.loads(done.stdout.splitlines()[-1]))
            say(f"  round {number + 1} of {rounds}: {results[-1]}")
    rows = [
        figure(name, [result[name] for result in results], unit, at_most=TARGETS.get(name))
        for name, unit in FIGURES.items()
    ]
    surface = "on a display" if _has_display() else "offscreen"
    return Report(rows, [f"Painted {surface}. {RUNS} runs of {EVENTS:,} events; two live runs with a thread each."])


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


BENCHMARK = Benchmark("gui", measure_gui, rounds=3)
