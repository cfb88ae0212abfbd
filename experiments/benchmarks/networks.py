"""A training step of the papers' networks, evaluation, and peak memory, against eager PyTorch.

Both train on the bundled images of CIFAR-10's size, batch and Adam alike, on equal numbers of threads; PyTorch as its
users write it (``torch_models.py``), with all images as one float32 tensor in memory, Adam's fused kernel, and no
mask. In each round each of them runs once, in turn, in a process of its own. A step is the mean over some iterations
after the first one; evaluation is of 10,000 images, warm. Peak memory is the process's highest resident memory.
"""

from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, child, command, figure, ratios, say, threads

STEPS: dict[str, dict[str, Any]] = {
    "conv-2": {"batch_size": 60, "iterations": 20, "at_most": 0.7},
    "resnet-20": {"batch_size": 128, "iterations": 12, "at_most": 0.9},
    "vgg-11": {"batch_size": 128, "iterations": 6, "at_most": None},
    "vit-tiny": {"batch_size": 128, "iterations": 4, "at_most": None},
}
EVALUATED = "resnet-20"
REMEMBERED = "resnet-18"


def measure_networks(rounds: int) -> Report:
    rows = []
    for name, work in STEPS.items():
        arguments = {"network": name, "batch_size": work["batch_size"], "iterations": work["iterations"]}
        ours, theirs = _in_turn("step_tfticket", "step_pytorch", rounds, arguments)
        rows += [
            figure(f"{name}: a step of {work['batch_size']}, tfticket", ours, "s"),
            figure(f"{name}: PyTorch", theirs, "s"),
            figure(f"{name}: tfticket / PyTorch", ratios(ours, theirs), at_most=work["at_most"]),
        ]
    ours, theirs = _in_turn("evaluate_tfticket", "evaluate_pytorch", rounds, {"network": EVALUATED})
    rows += [
        figure(f"{EVALUATED}: evaluation of 10,000 images, tfticket", ours, "s"),
        figure(f"{EVALUATED}: PyTorch", theirs, "s"),
        figure(f"{EVALUATED}: tfticket / PyTorch", ratios(ours, theirs), at_most=1.0),
    ]
    arguments = {"network": REMEMBERED, "batch_size": 128, "iterations": 2}
    ours, theirs = _in_turn("step_tfticket", "step_pytorch", 1, arguments, "peak")
    rows += [
        figure(f"{REMEMBERED}: peak memory at batch 128, tfticket", ours, "GB"),
        figure(f"{REMEMBERED}: PyTorch", theirs, "GB"),
        figure(f"{REMEMBERED}: tfticket / PyTorch", ratios(ours, theirs), at_most=1.2),
    ]
    return Report(rows, ["PyTorch trains without a mask; tfticket carries one in every step."])


def _in_turn(
    ours: str, theirs: str, rounds: int, arguments: dict[str, Any], what: str = "seconds"
) -> tuple[list[float], list[float]]:
    found: dict[str, list[float]] = {ours: [], theirs: []}
    for number in range(rounds):
        for contender in (ours, theirs):
            one = child(contender, **arguments, threads=threads())
            found[contender].append(one[what])
            say(f"  round {number + 1} of {rounds}: {arguments['network']}, {contender} {one[what]:.3f}")
    return found[ours], found[theirs]


BENCHMARK = Benchmark("networks", measure_networks, rounds=3)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
