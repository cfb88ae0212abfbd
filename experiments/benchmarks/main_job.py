"""The main job, ``tfticket run quickstart`` in a fresh workspace: wall time and peak memory.

Memory is the resident memory of the process and its children together, sampled ten times a second, or the peak of the
process by the kernel's count if that is more.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from experiments.benchmarks.measure import KERNEL_UNIT, Benchmark, Report, figure, say

PRESET = "quickstart"
AT_MOST_MINUTES = 10.0
AT_MOST_GB = 2.0
SAMPLING_SECONDS = 0.1


def resident_bytes(process: psutil.Process) -> int:
    """Return the resident memory of a process and its children; 0 once it has ended."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.Error:  # it ended meanwhile
        pass
    return total


def run_job(workspace: Path) -> tuple[float, float]:
    """Run the main job; return (wall minutes, peak GB).

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
            time.sleep(SAMPLING_SECONDS)
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
    return Report(rows, [f"tfticket run {PRESET}, including TensorFlow's start and the report."])


BENCHMARK = Benchmark("main_job", measure_main_job, rounds=1)
