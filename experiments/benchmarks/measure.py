"""Common parts of all benchmarks: figures and targets, subprocesses, the machine, the command line.

Every measurement runs in a separate subprocess, so that no thread pool, allocator or setting of one library affects the
figures of another, and all get the same number of threads.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.benchmarks import BENCHMARKS

DISTURBED = 0.05
"""Share of the CPUs taken by other processes above which a report warns."""

LIBRARIES = (
    "tfticket",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "torch",
    "torch-blue",
    "jax",
    "numpyro",
    "numba",
    "numpy",
)

Summary = Callable[[Sequence[float]], float]
KERNEL_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: Name of the measurement.
        value: The figure, or yes or no.
        unit: Of the figure; '' for ratios, fractions and facts.
        values: All measurements, in order.
        target: Such as '<= 0.45'; '' without a target.
        met: Whether the target is met; None without a target.
    """

    name: str
    value: float | bool
    unit: str = ""
    values: tuple[float, ...] = ()
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Report:
    """Results of a benchmark.

    Attributes:
        rows: Figures.
        notes: Conditions that a reader needs to interpret the figures.
        others: Share of the CPUs that other processes took meanwhile.
    """

    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    others: float = 0.0


@dataclass(frozen=True)
class Option:
    """An option of benchmarks on the command line, and argument of ``Benchmark.run``."""

    name: str
    default: str
    help: str


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: ``run`` measures, given the number of rounds and the options besides the common ones."""

    name: str
    run: Callable[..., Report]
    rounds: int
    options: tuple[Option, ...] = ()


def figure(
    name: str,
    values: Sequence[float],
    unit: str = "",
    at_most: float | None = None,
    summary: Summary = statistics.median,
    at_least: float | None = None,
) -> Row:
    """Return the row of repeated measurements; a target is ``at_most`` or ``at_least``."""
    value = float(summary(values))
    row = Row(name, value, unit, tuple(values))
    if at_least is not None:
        return replace(row, target=f">= {_number(at_least)} {unit}".rstrip(), met=value >= at_least)
    if at_most is not None:
        return replace(row, target=f"<= {_number(at_most)} {unit}".rstrip(), met=value <= at_most)
    return row


def fact(name: str, value: bool, wanted: bool | None = None) -> Row:
    """Return the row of a fact, yes or no."""
    return Row(name, value) if wanted is None else Row(name, value, target=_yes(wanted), met=value == wanted)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours over theirs, round by round."""
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def threads() -> int:
    """Return the number of threads of all measurements: the CPUs of this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def child(name: str, **arguments: Any) -> dict[str, Any]:
    """Call a function of ``experiments.benchmarks.children`` in a fresh process, with this machine's number of threads.

    Raises:
        RuntimeError: It failed; the message ends with its stderr.
    """
    count = threads()
    command = [
        sys.executable,
        "-m",
        "experiments.benchmarks.children",
        name,
        json.dumps({"threads": count, **arguments}),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(count), "MKL_NUM_THREADS": str(count)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"The measurement '{name}' failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peak_memory() -> float:
    """Return the peak resident memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KERNEL_UNIT / 1e9


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def without_op_determinism() -> None:
    """Import the backend with ``enable_op_determinism`` replaced by a no-op."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism = lambda: None
    importlib.import_module("tfticket.backend")


def in_turn(
    contenders: Mapping[str, dict[str, Any]], rounds: int, measure: Callable[..., dict[str, Any]] = child, **shared: Any
) -> dict[str, list[dict[str, Any]]]:
    """Measure each contender once per round, A B C A B C ..., so that disturbances affect all of them."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            results[name].append(measure(**contender, **shared))
            say(f"  round {number + 1} of {rounds}: {name} {results[name][-1]['seconds']:.3f} s")
    return results


def series(results: Mapping[str, Sequence[Mapping[str, Any]]], key: str) -> dict[str, list[Any]]:
    """Return one result of all rounds, by contender."""
    return {name: [result[key] for result in rounds] for name, rounds in results.items()}


def machine() -> dict[str, Any]:
    """Describe this machine and the versions of libraries."""
    return {
        "cpu": _cpu_model(),
        "threads": threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def say(text: str) -> None:
    """Report progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def run_and_watch_cpus(benchmark: Benchmark, rounds: int, chosen: Mapping[str, str]) -> Report:
    """Run a benchmark; its report warns if other processes took many of the CPUs.

    A busy machine does not slow all contenders alike: OpenMP threads spin while they wait for one that is not running,
    so PyTorch may take ten times as long, in favour of tfticket.
    """
    began, before = time.perf_counter(), _foreign_seconds()
    report = benchmark.run(rounds, **chosen)
    seconds = time.perf_counter() - began
    others = max(0.0, (_foreign_seconds() - before) / seconds / (psutil.cpu_count() or 1))
    warning = f"Other processes took {others:.0%} of the CPUs meanwhile: do not trust these figures."
    return replace(report, others=round(others, 3), notes=report.notes + [warning] * (others > DISTURBED))


def command(benchmarks: Sequence[Benchmark], arguments: Sequence[str] | None = None) -> None:
    """Run the command line for some benchmarks; all of them run if none is named."""
    names = [benchmark.name for benchmark in benchmarks]
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks", description="Measure, and compare with targets."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all of them by default")
    parser.add_argument("--json", action="store_true", help="print JSON, with all measurements")
    parser.add_argument("--rounds", type=int, help="repetitions; each benchmark has its own default")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    extra = {option.name: option for benchmark in benchmarks for option in benchmark.options}
    for option in extra.values():
        users = ", ".join(benchmark.name for benchmark in benchmarks if option in benchmark.options)
        parser.add_argument(f"--{option.name}", default=option.default, help=f"{option.help} ({users})")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in names]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(names)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.list:
        for name in names:
            print(f"{name:13} {BENCHMARKS[name]}")
        return
    this_machine = machine()
    if not options.json:
        print_machine(this_machine)
    reports = {}
    for benchmark in benchmarks:
        if benchmark.name in (options.names or names):
            say(f"{benchmark.name} ...")
            chosen = {option.name: getattr(options, option.name) for option in benchmark.options}
            reports[benchmark.name] = run_and_watch_cpus(benchmark, options.rounds or benchmark.rounds, chosen)
            if not options.json:
                print_report(benchmark.name, reports[benchmark.name])
    if options.json:
        records = {name: asdict(report) for name, report in reports.items()}
        print(json.dumps({"machine": this_machine, "benchmarks": records}, indent=1))


def print_machine(values: dict[str, Any]) -> None:
    """Print the machine and the versions of libraries in two lines."""
    versions = ", ".join(f"{name} {values[name] or 'absent'}" for name in LIBRARIES)
    print(
        f"{values['cpu']}, {values['threads']} threads, {values['memory_gb']} GB, load {values['load_average']}, "
        f"{values['system']}, Python {values['python']}\n{versions}"
    )


def print_report(name: str, report: Report) -> None:
    """Print a table: figure, spread over the rounds, target, whether it is met."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=name, title_justify="left")
    for column in ("what", "figure", "min - max", "target", "met"):
        table.add_column(column, justify="left" if column in ("what", "met") else "right")
    for row in report.rows:
        value = _yes(row.value) if isinstance(row.value, bool) else f"{_number(row.value)} {row.unit}".rstrip()
        spread = f"{_number(min(row.values))} - {_number(max(row.values))}" if len(row.values) > 1 else ""
        table.add_row(row.name, value, spread, row.target, "" if row.met is None else _yes(row.met))
    console = Console()
    console.print(table)
    for note in report.notes:
        console.print(f"- {note}", markup=False, highlight=False)


def _foreign_seconds() -> float:
    """Return the CPU seconds since the machine started, without those of this process and of its ended children."""
    busy, own = psutil.cpu_times(), os.times()
    ours = own.user + own.system + own.children_user + own.children_system
    return float(busy.user + busy.nice + busy.system) - ours


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown CPU"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
