"""Training and prediction over surviving weights alone, against dense arithmetic with zeros.

LeNet-300-100 on MNIST (55,000 rows, batches of 60, Adam), tickets of one iterative pruning; each measurement in a
separate process, in turn. The sparse engine takes one thread, all others take all.

- N %: seconds of an epoch over N % of the weights by the sparse engine; ratios to eager PyTorch with masked gradients
  and fused Adam, and to tfticket's Keras loop.
- linear in density: R^2 of a line through the seconds of the sparse engine.
- conv-2 at 2 %: a step of 60 images of CIFAR-10's size, against eager PyTorch.
- ten replicates: of a random mask of 1 %, as lab steps in two processes, against one after another.
- prediction: logits of 10,000 images at 1 %, against TensorFlow; the C file, on one thread, against ONNX Runtime.
"""

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.measure import Benchmark, Report, Row, child, figure, in_turn, ratios, series

LEVELS = {20: 0.06, 13: 0.15, 10: 0.25, 7: None, 3: None}
"""Level of the ticket -> limit of the ratio to PyTorch. A level keeps 79 % of the weights of the one before."""
BATCH_SIZE = 60
EPOCHS = 5
REPLICATES = 10
REPLICATE_EPOCHS = 20
CONV_STEPS = 15


def measure_sparse_training(rounds: int) -> Report:
    have = {name: importlib.util.find_spec(name) is not None for name in ("torch", "onnxruntime", "onnx")}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        densities = child("make_level_tickets", folder=folder)["densities"]
        tickets = {level: str(Path(folder) / f"{level}.safetensors") for level in LEVELS}
        seconds: dict[str, list[float]] = {}
        for level, limit in LEVELS.items():
            rows += _epochs(tickets[level], f"{densities[level]:.1%}", limit, rounds, seconds, have["torch"])
        medians = [float(np.median(seconds[f"{densities[level]:.1%}"])) for level in LEVELS]
        r_squared = np.corrcoef([densities[level] for level in LEVELS], medians)[0, 1] ** 2
        rows.append(figure("linear in density: R^2", [float(r_squared)], at_least=0.98))
        if have["torch"]:
            rows += _conv(rounds)
        rows += _replicates()
        rows += _predictions(tickets[20], rounds, have["onnxruntime"] and have["onnx"])
    missing = ", ".join(name for name, there in have.items() if not there)
    return Report(rows, [f"Not installed, so without figures: {missing}."] if missing else [])


def _epochs(
    ticket: str, name: str, limit: float | None, rounds: int, seconds: dict[str, list[float]], have_torch: bool
) -> list[Row]:
    """Measure an epoch of one ticket by each contender; the sparse engine's seconds go to ``seconds``."""
    contenders: dict[str, dict[str, Any]] = {
        "sparse": {"name": "train_tfticket", "engine": "sparse"},
        "keras": {"name": "train_tfticket", "engine": "keras"},
    }
    if have_torch:
        contenders["PyTorch"] = {"name": "train_pytorch", "masked": "gradient", "fused": True}
    measured = series(in_turn(contenders, rounds, ticket=ticket, epochs=EPOCHS, batch_size=BATCH_SIZE), "seconds")
    ours = seconds[name] = measured["sparse"]
    rows = [figure(f"{name}: epoch, sparse", ours, "s"), figure(f"{name}: epoch, keras", measured["keras"], "s")]
    if have_torch:
        rows.append(figure(f"{name}: epoch, PyTorch", measured["PyTorch"], "s"))
        rows.append(figure(f"{name}: sparse / PyTorch", ratios(ours, measured["PyTorch"]), at_most=limit))
    rows.append(figure(f"{name}: sparse / keras", ratios(ours, measured["keras"])))
    return rows


def _conv(rounds: int) -> list[Row]:
    contenders: dict[str, dict[str, Any]] = {
        "sparse": {"name": "step_sparse", "density": 0.02},
        "PyTorch": {"name": "step_pytorch"},
    }
    shared: dict[str, Any] = {"network": "conv-2", "batch_size": BATCH_SIZE, "iterations": CONV_STEPS}
    measured = series(in_turn(contenders, rounds, **shared), "seconds")
    return [
        *(figure(f"conv-2 at 2 %: step, {name}", values, "s") for name, values in measured.items()),
        figure("conv-2 at 2 %: sparse / PyTorch", ratios(measured["sparse"], measured["PyTorch"]), at_most=0.3),
    ]


def _replicates() -> list[Row]:
    shared: dict[str, Any] = {
        "name": "train_replicates",
        "epochs": REPLICATE_EPOCHS,
        "count": REPLICATES,
    }
    measured = series(in_turn({"two": {"processes": 2}, "one": {"processes": 1}}, 1, **shared), "seconds")
    ratio = ratios(measured["two"], measured["one"])
    return [
        figure("ten replicates: two processes", measured["two"], "s"),
        figure("ten replicates: one after another", measured["one"], "s"),
        figure("ten replicates: two processes / one after another", ratio, at_most=0.5),
    ]


def _predictions(ticket: str, rounds: int, have_onnx: bool) -> list[Row]:
    contenders: dict[str, dict[str, Any]] = {
        "sparse": {"name": "predict_tfticket", "engine": "sparse"},
        "TensorFlow": {"name": "predict_tfticket", "engine": "keras"},
        "C": {"name": "predict_c"},
    }
    if have_onnx:
        contenders["ONNX Runtime"] = {"name": "predict_onnx"}
    measured = series(in_turn(contenders, rounds, ticket=ticket), "seconds")
    rows = [figure(f"prediction: {name}", [1000 * s for s in values], "ms") for name, values in measured.items()]
    ratio = ratios(measured["sparse"], measured["TensorFlow"])
    rows.append(figure("prediction: sparse / TensorFlow", ratio, at_most=0.15))
    if have_onnx:
        ratio = ratios(measured["C"], measured["ONNX Runtime"])
        rows.append(figure("prediction: C / ONNX Runtime", ratio, at_most=0.2))
    return rows


BENCHMARK = Benchmark("sparse_training", measure_sparse_training, rounds=3)
