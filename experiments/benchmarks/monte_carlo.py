"""A Monte Carlo ticket for Conv-6 from a stored sampler, with connectivity, on CIFAR-10; against one training.

The sampler is fitted to a ticket of Conv-6 that keeps 20 % in every layer. Drawing is timed from the start of its
process to the ticket on disk: importing, reading the images, compiling and all. A training is 20 epochs of 45,000
rows in batches of 60, after which the networks of the paper are nearly final; a step is measured, without evaluations.

- ticket_5000_s, ticket_45000_s: seconds, connectivity over so many training images.
- ticket_5000_peak_gb, ticket_45000_peak_gb: peak resident memory.
- training_s: seconds of a training, extrapolated from a step.
- ticket_5000_over_training, ticket_45000_over_training: the ratios, round by round.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.measure import Benchmark, Option, Report, child, figure, in_turn, ratios, series
from experiments.benchmarks.nuts_gradient import check_data

IMAGES = {5_000: 60.0, 45_000: 600.0}
"""Number of images -> target in seconds."""
STEPS = 20 * 750


def measure_monte_carlo(rounds: int, data: str) -> Report:
    check_data(data)
    with tempfile.TemporaryDirectory() as folder:
        sampler = str(Path(folder) / "sampler.json")
        child("fit_conv_6", data=data, sampler=sampler)
        contenders: dict[str, dict[str, Any]] = {
            f"ticket_{images}": {"name": "draw_conv_6", "sampler": sampler, "images": images} for images in IMAGES
        }
        contenders["training"] = {"name": "step_tfticket", "network": "conv-6", "batch_size": 60, "iterations": 60}

        def measure(name: str, **arguments: Any) -> dict[str, Any]:
            began = time.perf_counter()
            result = child(name, **arguments)
            wall = time.perf_counter() - began
            return result | {"seconds": STEPS * result["seconds"] if name == "step_tfticket" else wall}

        results = in_turn(contenders, rounds, measure, data=data)
    times = series(results, "seconds")
    training = times["training"]
    rows = [figure("training_s", training, "s")]
    for images, most in IMAGES.items():
        name = f"ticket_{images}"
        rows.append(figure(f"{name}_s", times[name], "s", at_most=most))
        rows.append(figure(f"{name}_peak_gb", [result["peak"] for result in results[name]], "GB"))
        rows.append(figure(f"{name}_over_training", ratios(times[name], training)))
    layers = results["ticket_5000"][0]["layers"]
    distances = ", ".join(
        f"{name} {layer['ks_weights']:.3f} / {layer['ks_connectivity']:.3f}" for name, layer in layers.items()
    )
    return Report(rows, [f"Kolmogorov-Smirnov distances of weights / connectivity, 5,000 images: {distances}."])


DATA = Option("data", "cifar-10", "cifar-10 or cifar-10-jpeg")
BENCHMARK = Benchmark("monte_carlo", measure_monte_carlo, rounds=3, options=(DATA,))
