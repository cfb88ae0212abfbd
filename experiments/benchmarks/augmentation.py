"""Cost of augmentation in a step of Conv-2: random flip and a crop from four pixels of padding, against neither.

Both train on the bundled images of CIFAR-10's size by tfticket's training loop, batch 60, Adam at 2e-4, in one process,
in turn. Figures are seconds per iteration, warm.
"""

from experiments.benchmarks.measure import Benchmark, Report, child, figure, ratios

AT_MOST = 1.10


def measure_augmentation(rounds: int) -> Report:
    seconds = child("augment_conv_2", rounds=rounds, iterations=30)
    return Report(
        [
            figure("augmented", seconds["augmented"], "s"),
            figure("plain", seconds["plain"], "s"),
            figure("augmented / plain", ratios(seconds["augmented"], seconds["plain"]), at_most=AT_MOST),
        ]
    )


BENCHMARK = Benchmark("augmentation", measure_augmentation, rounds=7)
