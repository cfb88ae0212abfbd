"""Time of ``import tfticket`` and ``tfticket --help``, neither of which may import TensorFlow.

The minimum of five, since other load only adds time. The start of the interpreter is included.
"""

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.measure import Benchmark, Report, fact, figure, seconds_of

AT_MOST_SECONDS = 0.4
IMPORT = ["-c", "import tfticket"]
HELP = ["-m", "tfticket", "--help"]


def imported(listing: str) -> set[str]:
    """Return the top-level packages in the output of ``python -X importtime``."""
    lines = [line for line in listing.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def imports_tensorflow(arguments: Sequence[str]) -> bool:
    """Return whether Python imports TensorFlow with these arguments."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    return "tensorflow" in imported(done.stderr)


def console_script() -> list[str]:
    """Return the command installed next to the interpreter, or else that of the module."""
    script = Path(sys.executable).parent / "tfticket"
    return [str(script)] if script.exists() else [sys.executable, "-m", "tfticket"]


def measure_startup(rounds: int) -> Report:
    commands = {"import tfticket": [sys.executable, *IMPORT], "tfticket --help": [*console_script(), "--help"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            run = functools.partial(subprocess.run, arguments, capture_output=True, check=True)
            times[name].append(seconds_of(run))
    rows = [figure(name, values, "s", AT_MOST_SECONDS, summary=min) for name, values in times.items()]
    rows.append(fact("import tfticket imports TensorFlow", imports_tensorflow(IMPORT), wanted=False))
    rows.append(fact("tfticket --help imports TensorFlow", imports_tensorflow(HELP), wanted=False))
    return Report(rows, [f"Minimum of {rounds}."])


BENCHMARK = Benchmark("startup", measure_startup, rounds=5)
