"""A training step of the papers' networks, evaluation, and peak memory, against eager PyTorch.

Both train on the bundled images of CIFAR-10's size with equal batches, Adam and numbers of threads. PyTorch is written
as its users write it (``torch_models.py``), with all images as one float32 tensor in memory, the fused kernel of Adam,
and no mask. In each round, each of them runs once, in turn, in a separate process. A step is the mean over some
iterations after the first one; evaluation is of 10,000 images, warm. Peak memory is the resident memory of the process.
"""

from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, Row, figure, in_turn, ratios, series

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
        arguments = {"batch_size": work["batch_size"], "iterations": work["iterations"]}
        what = f"a step of {work['batch_size']}"
        rows += _against_pytorch(name, what, "step", rounds, arguments, work["at_most"])
    rows += _against_pytorch(EVALUATED, "evaluation of 10,000 images", "evaluate", rounds, {}, at_most=1.0)
    arguments = {"batch_size": 128, "iterations": 2}
    rows += _against_pytorch(MEMORY_MEASURED, "peak memory at batch 128", "step", 1, arguments, 1.2, "peak", "GB")
    return Report(rows, ["PyTorch trains without a mask; tfticket applies one in every step."])


def _against_pytorch(
    network: str,
    what: str,
    work: str,
    rounds: int,
    arguments: dict[str, Any],
    at_most: float | None,
    key: str = "seconds",
    unit: str = "s",
) -> list[Row]:
    contenders = {library: {"name": f"{work}_{library}"} for library in ("tfticket", "pytorch")}
    ours, theirs = series(in_turn(contenders, rounds, network=network, **arguments), key).values()
    return [
        figure(f"{network}: {what}, tfticket", ours, unit),
        figure(f"{network}: PyTorch", theirs, unit),
        figure(f"{network}: tfticket / PyTorch", ratios(ours, theirs), at_most=at_most),
    ]


BENCHMARK = Benchmark("networks", measure_networks, rounds=3)
