"""A training step of the papers' networks, evaluation, and peak memory, against eager PyTorch.

Both train on the bundled images of CIFAR-10's size with equal batches, Adam and numbers of threads. PyTorch is written
as its users write it (``torch_models.py``), with all images as one float32 tensor in memory, the fused kernel of Adam,
and no mask. In each round, each of them runs once, in turn, in a separate process. A step is the mean over some
iterations after the first one; evaluation is of 10,000 images, warm. Peak memory is the resident memory of the process.
"""

from typing import Any

from experiments.benchmarks.epoch import in_turn, series
from experiments.benchmarks.measure import Benchmark, Report, child, command, figure, ratios, threads

STEPS: dict[str, dict[str, Any]] = {
    "conv-2": {"batch_size": 60, "iterations": 20, "at_most": 0.7},
    "resnet-20": {"batch_size": 128, "iterations": 12, "at_most": 0.9},
    "vgg-11": {"batch_size": 128, "iterations": 6, "at_most": None},
    "vit-tiny": {"batch_size": 128, "iterations": 4, "at_most": None},
}
EVALUATED = "resnet-20"
MEMORY_MEASURED = "resnet-18"


def measure_networks(rounds: int) -> Report:
    rows = []
    for name, work in STEPS.items():
        arguments = {"network": name, "batch_size": work["batch_size"], "iterations": work["iterations"]}
        ours, theirs = _against_pytorch("step", rounds, arguments)
        rows += [
            figure(f"{name}: a step of {work['batch_size']}, tfticket", ours, "s"),
            figure(f"{name}: PyTorch", theirs, "s"),
            figure(f"{name}: tfticket / PyTorch", ratios(ours, theirs), at_most=work["at_most"]),
        ]
    ours, theirs = _against_pytorch("evaluate", rounds, {"network": EVALUATED})
    rows += [
        figure(f"{EVALUATED}: evaluation of 10,000 images, tfticket", ours, "s"),
        figure(f"{EVALUATED}: PyTorch", theirs, "s"),
        figure(f"{EVALUATED}: tfticket / PyTorch", ratios(ours, theirs), at_most=1.0),
    ]
    arguments = {"network": MEMORY_MEASURED, "batch_size": 128, "iterations": 2}
    ours, theirs = _against_pytorch("step", 1, arguments, "peak")
    rows += [
        figure(f"{MEMORY_MEASURED}: peak memory at batch 128, tfticket", ours, "GB"),
        figure(f"{MEMORY_MEASURED}: PyTorch", theirs, "GB"),
        figure(f"{MEMORY_MEASURED}: tfticket / PyTorch", ratios(ours, theirs), at_most=1.2),
    ]
    return Report(rows, ["PyTorch trains without a mask; tfticket applies one in every step."])


def _against_pytorch(
    work: str, rounds: int, arguments: dict[str, Any], key: str = "seconds"
) -> tuple[list[float], list[float]]:
    contenders = {library: {"name": f"{work}_{library}"} for library in ("tfticket", "pytorch")}
    results = in_turn(contenders, rounds, lambda contender: child(**contender, **arguments, threads=threads()))
    return series(results, key)["tfticket"], series(results, key)["pytorch"]


BENCHMARK = Benchmark("networks", measure_networks, rounds=3)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
