"""Seconds of a training step of every network, and of a gradient of a chain, for the costs of presets.

``python -m experiments.benchmarks costs --json > experiments/presets/costs.json`` updates the estimates of
`tfticket list presets` and `tfticket run --dry-run`.
"""

from experiments.benchmarks.measure import Benchmark, Report, child, figure, say

GREY, COLOUR = ("mnist", "28x28x1"), ("cifar-10-small", "32x32x3")

WORK = (
    ("lenet-300-100", GREY, 60, 400),
    ("lenet-300-100", COLOUR, 60, 200),
    ("lenet-5", GREY, 60, 40),
    ("lenet-5", COLOUR, 60, 40),
    ("conv-2", COLOUR, 60, 20),
    ("conv-4", COLOUR, 60, 10),
    ("conv-6", COLOUR, 60, 10),
    ("resnet-18", COLOUR, 60, 4),
    ("resnet-18", COLOUR, 128, 2),
    ("resnet-20", COLOUR, 128, 12),
    ("resnet-110", COLOUR, 128, 3),
    ("vgg-11", COLOUR, 128, 4),
    ("vgg-16", COLOUR, 128, 3),
    ("vgg-19", COLOUR, 128, 3),
    ("vit-tiny", COLOUR, 128, 3),
    ("vit-base", COLOUR, 16, 2),
)
"""Network, data set and shape of an image, batch size (of the papers, except for vit-base), iterations to measure."""


VARIATIONAL = (
    ("lenet-300-100", GREY, 60, 100),
    ("lenet-300-100", GREY, 128, 100),
    ("lenet-300-100", COLOUR, 60, 40),
    ("lenet-5", GREY, 60, 20),
    ("lenet-5", COLOUR, 60, 20),
    ("resnet-18", COLOUR, 60, 2),
    ("resnet-18", COLOUR, 128, 2),
    ("resnet-20", COLOUR, 128, 6),
    ("resnet-110", COLOUR, 128, 2),
    ("vgg-11", COLOUR, 128, 2),
    ("vgg-16", COLOUR, 128, 2),
    ("vgg-19", COLOUR, 128, 2),
    ("vit-tiny", COLOUR, 128, 2),
    ("vit-base", COLOUR, 16, 1),
)
"""Variational networks, measured with two draws; columns as in ``WORK``."""
DRAWS = 2

SAMPLED = (("lenet-300-100", GREY), ("lenet-300-100", COLOUR), ("lenet-5", GREY), ("lenet-5", COLOUR))
"""Networks whose tickets are sampled by presets, with gradients over all rows."""
DENSITIES, ROWS = (0.01, 0.1), 4000
"""Of random masks, and number of rows of a gradient."""


def measure_costs(rounds: int) -> Report:
    rows = []
    for network, (data, shape), batch_size, iterations in WORK:
        arguments = {"network": network, "batch_size": batch_size, "iterations": iterations, "data": data}
        steps = [child("step_tfticket", **arguments)["seconds"] for _ in range(rounds)]
        say(f"  {network}, {shape}, a step of {batch_size}: {steps}")
        rows.append(figure(f"{network} {shape} x {batch_size}", steps, "s"))
    for network, (data, shape), batch_size, iterations in VARIATIONAL:
        arguments = {"network": network, "batch_size": batch_size, "iterations": iterations, "data": data}
        arguments |= {"estimator": "independent", "draws": DRAWS}
        steps = [child("vi_step_tfticket", **arguments)["seconds"] / DRAWS for _ in range(rounds)]
        say(f"  {network}, {shape}, a variational step per draw, batch {batch_size}: {steps}")
        rows.append(figure(f"{network} {shape} variational x {batch_size}", steps, "s"))
    for network, (data, shape) in SAMPLED:
        arguments = {"network": network, "data": data, "densities": DENSITIES, "rows": ROWS}
        gradients = [child("gradient_costs", **arguments)["seconds"] for _ in range(rounds)]
        say(f"  {network}, {shape}, a gradient over {ROWS} rows at {DENSITIES}: {gradients}")
        for density, seconds in zip(DENSITIES, zip(*gradients, strict=True), strict=True):
            rows.append(figure(f"{network} {shape} gradient at {density} x {ROWS}", seconds, "s"))
    return Report(rows)


BENCHMARK = Benchmark("costs", measure_costs, rounds=3)
