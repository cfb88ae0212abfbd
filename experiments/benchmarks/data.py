"""CIFAR-10 from an npz to the device: time and memory, against ``numpy.load`` and fancy indexing.

The npz holds the 50,000 + 10,000 images of ``cifar-10`` or ``cifar-10-jpeg``, whichever is on this machine. The work
ends when the rows are read, checked, hashed by SHA-256 and split 45,000 / 5,000, and the training images are a tensor
on the device. TensorFlow is imported before the clock starts. The peer reads the same file by ``numpy.load``, checks
and hashes nothing, splits by the same permutation and makes the same tensor. Each of them runs in a fresh process, in
turn. Memory is the peak resident memory less that at the start, over the bytes of all images.
"""

import tempfile
from pathlib import Path

import numpy as np

from experiments.benchmarks.measure import Benchmark, Report, figure, in_turn, ratios, series
from experiments.benchmarks.nuts_children import first_rows
from tfticket.data import load_data
from tfticket.data.identity import source_by_name
from tfticket.errors import InputError

AT_MOST_SECONDS = 3.0
AT_MOST_MEMORY = 1.2
CONTENDERS = {"tfticket": {"name": "data_tfticket"}, "numpy.load": {"name": "data_numpy"}}


def measure_data(rounds: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path, name = _npz(Path(folder))
        results = in_turn(CONTENDERS, rounds, path=str(path))
    seconds, memory = series(results, "seconds"), series(results, "memory")
    rows = [
        figure("tfticket", seconds["tfticket"], "s", at_most=AT_MOST_SECONDS),
        figure("numpy.load", seconds["numpy.load"], "s"),
        figure("tfticket / numpy.load", ratios(seconds["tfticket"], seconds["numpy.load"])),
        figure("peak memory / data, tfticket", memory["tfticket"], at_most=AT_MOST_MEMORY),
        figure("peak memory / data, numpy.load", memory["numpy.load"]),
    ]
    return Report(rows, [f"The images are those of {name}."])


def _npz(folder: Path) -> tuple[Path, str]:
    """Return an npz of all of CIFAR-10, and its label."""
    for name in ("cifar-10", "cifar-10-jpeg"):
        source = source_by_name(name)
        path = None if source is None else source.find()
        if source is None or path is None:
            continue
        if path.suffix == ".npz":
            return path, source.label
        data = first_rows(load_data(path=path))
        arrays = {name: getattr(data, name) for name in ("x_train", "y_train", "x_test", "y_test")}
        np.savez(folder / "cifar10.npz", **arrays)
        return folder / "cifar10.npz", source.label
    raise InputError(
        "This benchmark needs cifar-10 or cifar-10-jpeg; `tfticket data` lists the folders that are searched."
    )


BENCHMARK = Benchmark("data", measure_data, rounds=5)
