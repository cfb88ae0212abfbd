"""Run benchmarks by name, or all of them."""

import importlib

from experiments.benchmarks import BENCHMARKS
from experiments.benchmarks.measure import Benchmark, command


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of a name in ``BENCHMARKS``."""
    result: Benchmark = importlib.import_module(f"experiments.benchmarks.{name}").BENCHMARK
    return result


def main() -> None:
    command([benchmark(name) for name in BENCHMARKS])


if __name__ == "__main__":
    main()
