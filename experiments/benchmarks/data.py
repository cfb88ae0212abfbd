"""CIFAR-10 from an npz to the device: time and memory, beside NumPy's own reader and a fancy index for the split.

The npz holds the 50,000 + 10,000 images of ``cifar-10`` or ``cifar-10-jpeg``, whichever this machine has. "Ready"
is: read, checked, its rows' SHA-256 taken, split 45,000 / 5,000, the training images a tensor on the device.
TensorFlow is imported before the clock starts. The peer reads the same file by ``numpy.load``, checks and hashes
nothing, splits by the same permutation and makes the same tensor. Each round takes a fresh process for each, in
turn. Memory is the highest resident memory on the way less that at the start, over the bytes of all images.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.measure import Benchmark, Report, child, command, figure, ratios, say, threads
from tfticket.data import load_data
from tfticket.data.identity import source_by_name
from tfticket.errors import InputError

AT_MOST_SECONDS = 3.0
AT_MOST_MEMORY = 1.2
CONTENDERS = {"tfticket": "data_tfticket", "numpy.load": "data_numpy"}


def measure_data(rounds: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path, name = _npz(Path(folder))
        found: dict[str, list[dict[str, Any]]] = {contender: [] for contender in CONTENDERS}
        for number in range(rounds):
            for contender, function in CONTENDERS.items():
                one = child(function, path=str(path), threads=threads())
                found[contender].append(one)
                say(f"  round {number + 1} of {rounds}: {contender} {one['seconds']:.2f} s, {one['memory']:.2f}")
    seconds = {contender: [one["seconds"] for one in all_] for contender, all_ in found.items()}
    memory = {contender: [one["memory"] for one in all_] for contender, all_ in found.items()}
    rows = [
        figure("tfticket", seconds["tfticket"], "s", at_most=AT_MOST_SECONDS),
        figure("numpy.load", seconds["numpy.load"], "s"),
        figure("tfticket / numpy.load", ratios(seconds["tfticket"], seconds["numpy.load"])),
        figure("peak memory / data, tfticket", memory["tfticket"], at_most=AT_MOST_MEMORY),
        figure("peak memory / data, numpy.load", memory["numpy.load"]),
    ]
    return Report(rows, [f"The images are those of {name}."])


def _npz(folder: Path) -> tuple[Path, str]:
    """The whole of CIFAR-10, as an npz."""
    for name in ("cifar-10", "cifar-10-jpeg"):
        source = source_by_name(name)
        path = None if source is None else source.find()
        if source is None or path is None:
            continue
        if path.suffix == ".npz":
            return path, source.label
        data = load_data(path=path)
        images, labels = (
            np.concatenate([getattr(data, f"{part}_{split}") for split in ("train", "validation")]) for part in "xy"
        )
        np.savez(folder / "cifar10.npz", x_train=images, y_train=labels, x_test=data.x_test, y_test=data.y_test)
        return folder / "cifar10.npz", source.label
    raise InputError("This benchmark needs cifar-10 or cifar-10-jpeg; `tfticket data` says where they are looked for.")


BENCHMARK = Benchmark("data", measure_data, rounds=5)


def main() -> None:
    command([BENCHMARK])


if __name__ == "__main__":
    main()
