"""Cost of augmentation in a step of Conv-2: random flip and a crop from four pixels of padding, against neither.

Both train on the bundled images of CIFAR-10's size by tfticket's training loop, batch 60, Adam at 2e-4, in one process,
in turn. Figures are seconds per iteration, warm.
"""

from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, child, command, figure, threads

AT_MOST = 1.10


def measure_augmentation(rounds: int) -> Report:
    seconds: dict[str, Any] = child("augment_conv_2", rounds=rounds, iterations=30, threads=threads())
    pairs = list(zip(seconds["augmented"], seconds["plain"], strict=True))
    return Report(
        [
            figure("augmented", seconds["augmented"], "s"),
            figure("plain", seconds["plain"], "s"),
            figure("augmented / plain", [augmented / plain for augmented, plain in pairs], at_most=AT_MOST),
        ]
    )


BENCHMARK = Benchmark("augmentation", measure_augmentation, rounds=7)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
