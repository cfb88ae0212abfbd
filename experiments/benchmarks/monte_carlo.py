"""A Monte Carlo ticket for Conv-6 from a stored sampler, with connectivity, on CIFAR-10; against one training.

The sampler is fitted to a ticket of Conv-6 that keeps 20 % in every layer. Drawing is timed from the start of its
process to the ticket on disk: importing, reading the images, compiling and all. A training is 20 epochs of 45,000
rows in batches of 60, after which the paper's networks are nearly final; a step of it is measured, without evaluations.

- ticket_5000_s, ticket_45000_s: seconds, connectivity over so many training images.
- ticket_5000_peak_gb, ticket_45000_peak_gb: highest resident memory.
- training_s: seconds of a training, by the time of a step.
- ticket_5000_over_training, ticket_45000_over_training: the ratios, round by round.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.epoch import in_turn
from experiments.benchmarks.measure import Benchmark, Option, Report, child, command, figure, ratios, threads
from experiments.benchmarks.nuts_gradient import check_data

IMAGES = {5_000: 60.0, 45_000: 600.0}
"""Images -> at most so many seconds."""
STEPS = 20 * 750


def measure_monte_carlo(rounds: int, data: str) -> Report:
    check_data(data)
    with tempfile.TemporaryDirectory() as folder:
        sampler = str(Path(folder) / "sampler.json")
        child("fit_conv_6", data=data, sampler=sampler, threads=threads())
        contenders: dict[str, dict[str, Any]] = {
            f"ticket_{images}": {"name": "draw_conv_6", "data": data, "sampler": sampler, "images": images}
            for images in IMAGES
        }
        contenders["training"] = {
            "name": "step_tfticket",
            "network": "conv-6",
            "batch_size": 60,
            "iterations": 60,
            "data": data,
        }

        def measure(how: dict[str, Any]) -> dict[str, Any]:
            began = time.perf_counter()
            found = child(**how, threads=threads())
            whole = time.perf_counter() - began
            return found | {"seconds": STEPS * found["seconds"] if how["name"] == "step_tfticket" else whole}

        found = in_turn(contenders, rounds, measure)
    training = [one["seconds"] for one in found["training"]]
    rows = [figure("training_s", training, "s")]
    for images, most in IMAGES.items():
        name = f"ticket_{images}"
        seconds = [one["seconds"] for one in found[name]]
        rows.append(figure(f"{name}_s", seconds, "s", at_most=most))
        rows.append(figure(f"{name}_peak_gb", [one["peak"] for one in found[name]], "GB"))
        rows.append(figure(f"{name}_over_training", ratios(seconds, training)))
    layers = found["ticket_5000"][0]["layers"]
    closest = ", ".join(
        f"{name} {one['ks_weights']:.3f} / {one['ks_connectivity']:.3f}" for name, one in layers.items()
    )
    return Report(rows, [f"Kolmogorov-Smirnov distances of weights / connectivity, 5,000 images: {closest}."])


BENCHMARK = Benchmark(
    "monte_carlo",
    measure_monte_carlo,
    rounds=3,
    options=(Option("data", "cifar-10", "cifar-10 or cifar-10-jpeg"),),
)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
