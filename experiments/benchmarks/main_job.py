"""The main job, ``tfticket run quickstart`` in a fresh workspace: wall time and peak memory.

Memory is the resident memory of the process and its children together, looked at ten times a second, or the
process's own high-water mark as the kernel kept it where that is more.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from experiments.benchmarks.measure import Benchmark, Report, command, figure, say

PRESET = "quickstart"
AT_MOST_MINUTES = 10.0
AT_MOST_GB = 2.0
LOOK_EVERY = 0.1
KERNEL_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def resident_bytes(process: psutil.Process) -> int:
    """Resident memory of a process and its children; 0 once it is gone."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:  # gone between two looks
        pass
    return total


def run_job(workspace: Path) -> tuple[float, float]:
    """Run the main job; returns (wall minutes, peak GB).

    Raises:
        RuntimeError: It failed.
    """
    log = workspace / "log.txt"
    arguments = [sys.executable, "-m", "tfticket", "run", PRESET, "--workspace", str(workspace)]
    with log.open("w", encoding="utf-8") as output:
        began = time.perf_counter()
        job = subprocess.Popen(arguments, stdout=output, stderr=output)
        process, peak = psutil.Process(job.pid), 0
        while True:
            pid, status, usage = os.wait4(job.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, resident_bytes(process))
            time.sleep(LOOK_EVERY)
        seconds = time.perf_counter() - began
        job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode != 0:
        raise RuntimeError(f"The main job failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
    return seconds / 60, max(peak, usage.ru_maxrss * KERNEL_UNIT) / 1e9


def measure_main_job(rounds: int) -> Report:
    jobs = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as workspace:
            jobs.append(run_job(Path(workspace)))
        say(f"  round {number + 1} of {rounds}: {jobs[-1][0]:.1f} min, {jobs[-1][1]:.2f} GB")
    rows = [
        figure("wall", [minutes for minutes, _ in jobs], "min", AT_MOST_MINUTES),
        figure("peak memory", [memory for _, memory in jobs], "GB", AT_MOST_GB),
    ]
    return Report(rows, [f"tfticket run {PRESET}, TensorFlow's start and the report included."])


BENCHMARK = Benchmark("main_job", measure_main_job, rounds=1)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
