"""Subprocesses of the ``sparse_training`` benchmark; see ``children.py``."""

import ctypes
import importlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.config import Control, ControlStep, DataConfig, Execution, ModelConfig, StartStep, TrainConfig, TrainStep
from tfticket.data import load_data
from tfticket.tickets import Ticket

DATA = DataConfig()
CALLS = 15
"""Calls of a prediction, of which the median is taken."""


def make_level_tickets(folder: str, threads: int) -> dict[str, Any]:
    """Write tickets of LeNet-300-100, pruned iteratively to 1 % in 20 levels of one epoch: 'LEVEL.safetensors'."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    data = load_data()
    model = tt.build_model("lenet-300-100", data)
    tickets = tt.find_tickets(model, data, sparsity=0.99, levels=20, train={"epochs": 1, "batch_size": 60})
    for level in range(21):
        tickets[level].save(Path(folder) / f"{level}.safetensors")
    return {"densities": [tickets[level].density for level in range(21)]}


def train_replicates(epochs: int, count: int, processes: int, threads: int) -> dict[str, Any]:
    """Measure trainings of a random mask of 1 % as lab steps, after short ones in which the processes start."""
    from tfticket.lab import Lab, Request

    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), Execution(processes=processes))
        dense = lab.step("start", StartStep(data=DATA, model=ModelConfig(name="lenet-300-100"), seed=0))
        control = Control(name="random-mask", densities=0.01)
        ticket = lab.step("control", ControlStep(control=control, seed=0), {"ticket": dense})

        def train(seeds: range, length: int) -> None:
            config = TrainConfig(epochs=f"{length}ep", batch_size=60, engine="sparse")
            steps = [TrainStep.of_ticket(DATA, config, seed, 0.01) for seed in seeds]
            lab.steps("train", [Request(step, {"ticket": ticket}, {"seed": step.seed}) for step in steps], threads=1)

        train(range(100, 100 + processes), 1)
        began = time.perf_counter()
        train(range(count), epochs)
        seconds = time.perf_counter() - began
        lab.close()
    return {"seconds": seconds}


def predict_tfticket(ticket: str, engine: str, threads: int) -> dict[str, Any]:
    """Measure the logits of 10,000 images by an engine: 'sparse' or 'keras'."""
    from tfticket import backend
    from tfticket.evaluation.predictive import network_with

    backend.configure(threads)
    loaded, data = Ticket.load(ticket), load_data()
    network = network_with(loaded.model, loaded.mask, loaded.start, engine)  # type: ignore[arg-type]
    return {"seconds": _median_seconds(lambda: network.logits(data.x_test))}


def predict_c(ticket: str, threads: int) -> dict[str, Any]:
    """Measure the logits of 10,000 images by the C file of a ticket, on one thread."""
    from tfticket.export_c import write_c
    from tfticket.sparse.build import compile_ticket

    loaded, images = Ticket.load(ticket), load_data().x_test
    layout, _ = compile_ticket(loaded.model, loaded.mask)
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "ticket.c"), Path(folder, "ticket.so")
        write_c(loaded, layout.pack(loaded.start)[None], source)
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, str(source), "-o", str(library), "-lm"], check=True)
        functions = ctypes.CDLL(str(library))
    logits = np.empty((len(images), 10), np.float32)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (images, logits)]
    return {"seconds": _median_seconds(lambda: functions.ticket_logits(pointers[0], len(images), 0, pointers[1]))}


def predict_onnx(ticket: str, threads: int) -> dict[str, Any]:
    """Measure the logits of 10,000 images by ONNX Runtime, dense with zeros, from float32 pixels / 255."""
    onnx: Any = importlib.import_module("onnx")
    runtime: Any = importlib.import_module("onnxruntime")
    loaded, data = Ticket.load(ticket), load_data()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, constants, last = [], [], "rows"
    names = [path.rpartition("/")[0] for path in loaded.mask]
    for number, name in enumerate(names):
        kernel = loaded.start[f"{name}/kernel"] * loaded.mask[f"{name}/kernel"]
        for part, values in (("kernel", kernel), ("bias", loaded.start[f"{name}/bias"])):
            constants.append(onnx.numpy_helper.from_array(values.astype(np.float32), f"{name}/{part}"))
        out = "logits" if number == len(names) - 1 else f"{name}/sum"
        nodes.append(helper.make_node("Gemm", [last, f"{name}/kernel", f"{name}/bias"], [out]))
        last = out
        if out != "logits":
            nodes.append(helper.make_node("Relu", [out], [f"{name}/out"]))
            last = f"{name}/out"
    ends = [helper.make_tensor_value_info(name, kind, [None, size]) for name, size in (("rows", 784), ("logits", 10))]
    graph = helper.make_graph(nodes, "lenet", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rows = data.x_test.reshape(len(data.x_test), -1).astype(np.float32) / 255
    return {"seconds": _median_seconds(lambda: session.run(None, {"rows": rows}))}


def _median_seconds(call: Callable[[], object]) -> float:
    call()
    seconds = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
