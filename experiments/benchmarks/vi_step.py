"""A step of variational inference, against torch-blue and against deterministic steps.

LeNet-300-100 and LeNet-5 on MNIST, ResNet-20 on images of CIFAR-10's size; batch 128, 10 draws of all weights a step,
Adam, float32, on equal numbers of threads, no mask except in tfticket. torch-blue draws 10 independent
sets of weights, each shared by the batch; so does ``independent``; ``flipout`` draws 10 noise matrices and signs for
each row. In each round, each of them runs once, in turn, in a separate process; a step is the mean over some iterations
after the first ones.
"""

from typing import Any

from experiments.benchmarks.measure import Benchmark, Report, figure, in_turn, ratios, series

DRAWS = 10
DENSE = {"independent": 0.6, "flipout": 0.5, "local": None}
"""Estimator -> target of the ratio to torch-blue's step, LeNet-300-100."""
CONVOLUTIONAL = {"independent": 0.7, "flipout": None}
"""Targets for LeNet-5."""
DETERMINISTIC = 1.3
"""Target for ``independent`` on ResNet-20: ratio to ``DRAWS`` deterministic steps."""
MEMORY = 1.1
"""Target of the memory that training adds, relative to ``DRAWS`` times that of a deterministic step."""


def measure_vi_step(rounds: int) -> Report:
    rows = []
    for network, estimators, iterations in (("lenet-300-100", DENSE, 60), ("lenet-5", CONVOLUTIONAL, 20)):
        contenders: dict[str, dict[str, Any]] = {
            estimator: {"name": "vi_step_tfticket", "estimator": estimator} for estimator in estimators
        }
        contenders["torch-blue"] = {"name": "vi_step_torch_blue"}
        results = in_turn(contenders, rounds, network=network, draws=DRAWS, iterations=iterations)
        seconds = series(results, "seconds")
        theirs = seconds["torch-blue"]
        rows.append(figure(f"{network}: a step, torch-blue", theirs, "s"))
        for estimator, at_most in estimators.items():
            rows.append(figure(f"{network}: {estimator}", seconds[estimator], "s"))
            over = ratios(seconds[estimator], theirs)
            rows.append(figure(f"{network}: {estimator} / torch-blue", over, at_most=at_most))
    return Report(rows + _against_deterministic(rounds))


def _against_deterministic(rounds: int) -> list[Any]:
    network = "resnet-20"
    contenders: dict[str, dict[str, Any]] = {
        "independent": {"estimator": "independent"},
        "deterministic": {"estimator": ""},
    }
    results = in_turn(contenders, rounds, name="vi_step_tfticket", network=network, draws=DRAWS, iterations=6)
    ours, theirs = series(results, "seconds").values()
    scaled = [DRAWS * seconds for seconds in theirs]
    memory = series(results, "peak")
    return [
        figure(f"{network}: independent", ours, "s"),
        figure(f"{network}: {DRAWS} deterministic steps", scaled, "s"),
        figure(f"{network}: independent / {DRAWS} deterministic", ratios(ours, scaled), at_most=DETERMINISTIC),
        figure(f"{network}: memory of training, independent", memory["independent"], "GB"),
        figure(f"{network}: memory of training, deterministic", memory["deterministic"], "GB"),
        figure(
            f"{network}: memory / {DRAWS} x deterministic",
            ratios(memory["independent"], [DRAWS * peak for peak in memory["deterministic"]]),
            at_most=MEMORY,
        ),
    ]


BENCHMARK = Benchmark("vi_step", measure_vi_step, rounds=3)
