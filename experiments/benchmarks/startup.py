"""How soon ``import tfticket`` and ``tfticket --help`` are there, and that neither imports TensorFlow.

The best of five: what the machine does besides only ever adds. The interpreter's own start is included.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, command, fact, figure

AT_MOST_SECONDS = 0.4
IMPORT = ["-c", "import tfticket"]
HELP = ["-m", "tfticket", "--help"]


def seconds_of(arguments: Sequence[str]) -> float:
    """Wall time of a command."""
    began = time.perf_counter()
    subprocess.run(arguments, capture_output=True, check=True)
    return time.perf_counter() - began


def imported(listing: str) -> set[str]:
    """The top-level packages in what ``python -X importtime`` wrote to stderr."""
    lines = [line for line in listing.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def imports_tensorflow(arguments: Sequence[str]) -> bool:
    """Whether Python with these arguments imports TensorFlow."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    return "tensorflow" in imported(done.stderr)


def console_script() -> list[str]:
    """The installed command, or the module where there is none beside the interpreter."""
    script = Path(sys.executable).parent / "tfticket"
    return [str(script)] if script.exists() else [sys.executable, "-m", "tfticket"]


def measure_startup(rounds: int) -> Report:
    commands = {"import tfticket": [sys.executable, *IMPORT], "tfticket --help": [*console_script(), "--help"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            times[name].append(seconds_of(arguments))
    rows = [figure(name, values, "s", AT_MOST_SECONDS, summary=min) for name, values in times.items()]
    rows.append(fact("import tfticket imports TensorFlow", imports_tensorflow(IMPORT), wanted=False))
    rows.append(fact("tfticket --help imports TensorFlow", imports_tensorflow(HELP), wanted=False))
    return Report(rows, [f"The best of {rounds}."])


BENCHMARK = Benchmark("startup", measure_startup, rounds=5)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
