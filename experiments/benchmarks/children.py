"""Measurements in subprocesses: ``python -m experiments.benchmarks.children FUNCTION JSON``.

Prints the result of the function as one line of JSON. TensorFlow and PyTorch are imported in the functions, so that a
process imports only the library that it measures.
"""

import hashlib
import importlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil

from experiments.benchmarks import masks, nuts_children, nuts_peers, sparse_children, step_children
from experiments.benchmarks.measure import peak_memory, without_op_determinism
from tfticket.config import Adam, Augment, TrainConfig
from tfticket.config.training import Engine
from tfticket.data import Dataset, load_data
from tfticket.data.normalisation import UNIT
from tfticket.tickets import Ticket

BATCH_SIZE = 128
SCALE = UNIT.scale[0]
ADAM = Adam(learning_rate=1.2e-3)
DENSITY = 0.2
SEED = 0
SPLITS = ("train", "validation", "test")


def make_ticket(path: str, threads: int) -> dict[str, Any]:
    """Write a ticket of LeNet-300-100, pruned iteratively to 20 % in seven levels of one epoch."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    data = load_data()
    model = tt.build_model("lenet-300-100", data)
    tickets = tt.find_tickets(model, data, sparsity=1 - DENSITY, levels=7, train={"epochs": 1}, seed=SEED)
    tickets[-1].save(path)
    return {"density": tickets[-1].density}


def train_tfticket(
    ticket: str,
    epochs: int,
    threads: int,
    deterministic: bool = True,
    engine: Engine = "keras",
    batch_size: int = BATCH_SIZE,
) -> dict[str, Any]:
    """Train by tfticket, without the time of evaluations, which it records.

    A first training of one epoch compiles and warms up.
    """
    if not deterministic:
        without_op_determinism()
    from tfticket import backend
    from tfticket.training.gradient import train_weights

    backend.configure(threads)
    loaded, data = Ticket.load(ticket), load_data()

    def train(count: int) -> Any:
        config = TrainConfig(epochs=f"{count}ep", batch_size=batch_size, optimiser=ADAM, engine=engine)
        return train_weights(loaded.model, loaded.mask, loaded.start, data, config, SEED)

    train(1)
    began = time.perf_counter()
    trained = train(epochs)
    seconds = time.perf_counter() - began - trained.seconds["evaluation"]
    if trained.seconds["first_call"]:
        raise RuntimeError("the timed training compiled; the warm-up should have compiled everything")
    digest = hashlib.sha256(b"".join(trained.weights[path].tobytes() for path in sorted(trained.weights)))
    return {"seconds": seconds / epochs, "loss": trained.history[-1]["loss"], "digest": digest.hexdigest()}


def train_pytorch(
    ticket: str, epochs: int, threads: int, masked: str, fused: bool = False, batch_size: int = BATCH_SIZE
) -> dict[str, Any]:
    """Train eagerly in PyTorch, all rows as one float32 tensor in memory, a new permutation each epoch.

    A first training of one epoch warms up.

    Args:
        ticket: File of the ticket.
        epochs: Number of epochs.
        threads: Number of threads.
        masked: 'no' trains the dense network; 'forward' multiplies the kernels by the mask in each forward pass;
            'gradient' multiplies them once at the start, and then each gradient.
        fused: Whether to use the fused kernel of Adam instead of the default.
        batch_size: Rows per iteration.
    """
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    loaded, data = Ticket.load(ticket), load_data()
    images = torch.from_numpy(data.x_train.reshape(len(data.x_train), -1)).float() * SCALE
    labels = torch.from_numpy(data.y_train).long()
    names = [path.rpartition("/")[0] for path in loaded.mask]
    masks = [torch.from_numpy(loaded.mask[f"{name}/kernel"].T).float().contiguous() for name in names]

    def layer(name: str, mask: Any) -> Any:
        kernel = torch.from_numpy(loaded.start[f"{name}/kernel"].T).contiguous()
        built = torch.nn.Linear(kernel.shape[1], kernel.shape[0])
        with torch.no_grad():
            built.weight.copy_(kernel if masked == "no" else kernel * mask)
            built.bias.copy_(torch.from_numpy(loaded.start[f"{name}/bias"]))
        return built

    def train(count: int) -> float:
        layers = [layer(name, mask) for name, mask in zip(names, masks, strict=True)]
        parameters = [parameter for built in layers for parameter in built.parameters()]
        betas = (ADAM.beta_1, ADAM.beta_2)
        # None is the default of PyTorch
        adam = torch.optim.Adam(parameters, ADAM.learning_rate, betas, ADAM.epsilon, fused=fused or None)
        for _ in range(count):
            total, steps = torch.zeros(()), 0
            for batch in torch.randperm(len(images)).split(batch_size):
                hidden = images[batch]
                for built, mask in zip(layers, masks, strict=True):
                    kernel = built.weight * mask if masked == "forward" else built.weight
                    hidden = torch.nn.functional.linear(hidden, kernel, built.bias)
                    if built is not layers[-1]:
                        hidden = torch.relu(hidden)
                loss = torch.nn.functional.cross_entropy(hidden, labels[batch])
                adam.zero_grad()
                loss.backward()
                if masked == "gradient":
                    for built, mask in zip(layers, masks, strict=True):
                        built.weight.grad.mul_(mask)
                adam.step()
                total += loss.detach()
                steps += 1
        return float(total) / steps

    train(1)
    began = time.perf_counter()
    final = train(epochs)
    return {"seconds": (time.perf_counter() - began) / epochs, "loss": final}


def train_fit(ticket: str, epochs: int, threads: int) -> dict[str, Any]:
    """Train by ``keras.Model.fit`` with TFMOT's wrappers and callback, rows as float32 in memory.

    Timed from the end of the first epoch, which traces, to the end of the last. Without op determinism, which slows
    ``tf.data`` and is not the default of ``fit``.
    """
    without_op_determinism()
    import tensorflow_model_optimization as tfmot

    from tfticket import backend
    from tfticket.backend import keras
    from tfticket.models import model_from_spec, named_variables
    from tfticket.pruning.wrapping import with_mask

    backend.configure(threads)
    loaded, data = Ticket.load(ticket), load_data()
    plain = model_from_spec(loaded.model)
    for path, (_, variable) in named_variables(plain).items():
        variable.assign(loaded.start[path])
    model = with_mask(plain, loaded.mask)
    model.compile(
        keras.optimizers.Adam(ADAM.learning_rate, ADAM.beta_1, ADAM.beta_2, ADAM.epsilon),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    history = model.fit(
        data.x_train.astype(np.float32) * np.float32(SCALE),
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep(), clock],
    )
    return {"seconds": (ends[-1] - ends[0]) / (epochs - 1), "loss": history.history["loss"][-1]}


def level_loop(workspace: str, preset: str, overrides: list[str], threads: int) -> dict[str, Any]:
    """Run an experiment by the lab, as the command line does.

    Returns:
        'wall': seconds of the run; 'evaluation': seconds within the metrics of its evaluate steps, whose records
        include reading and writing.
    """
    from tfticket import backend
    from tfticket.presets import experiment_of, load_experiment
    from tfticket.run import open_run
    from tfticket.tickets.evaluation import evaluate_weights

    evaluation = 0.0

    def timed(*arguments: Any) -> Any:
        nonlocal evaluation
        began = time.perf_counter()
        result = evaluate_weights(*arguments)
        evaluation += time.perf_counter() - began
        return result

    config: Any = load_experiment(preset, overrides)
    backend.configure(threads)
    experiment = experiment_of(config.experiment)
    experiment.check_data(config)  # loads the data
    with patch("tfticket.steps.evaluate_weights", timed):
        began = time.perf_counter()
        with open_run(Path(workspace), config) as lab:
            experiment.run(lab, config)
        wall = time.perf_counter() - began
    return {"wall": wall, "evaluation": evaluation}


def data_tfticket(path: str, threads: int) -> dict[str, Any]:
    """Read an npz by tfticket until the training images are on the device."""
    from tfticket import backend

    backend.configure(threads)
    backend.on_device(np.zeros(64, np.uint8))

    def ready() -> tuple[Any, int]:
        data = load_data(path=path)
        return (data, backend.on_device(data.x_train)), sum(data.split(split)[0].nbytes for split in SPLITS)

    return _time_and_memory(ready)


def data_numpy(path: str, threads: int) -> dict[str, Any]:
    """Read an npz by ``numpy.load``, a fancy index and ``tf.constant``, without checks or hashes."""
    from tfticket import backend

    backend.configure(threads)
    backend.on_device(np.zeros(64, np.uint8))

    def ready() -> tuple[Any, int]:
        with np.load(path) as file:
            images, test = file["x_train"], file["x_test"]
        order = np.random.default_rng(0).permutation(len(images))
        train, validation = images[order[5000:]], images[order[:5000]]
        return (test, validation, train, backend.tf.constant(train)), images.nbytes + test.nbytes

    return _time_and_memory(ready)


def augment_conv_2(rounds: int, iterations: int, threads: int) -> dict[str, Any]:
    """Time an iteration of Conv-2 with and without augmentation, in turn."""
    import tfticket as tt
    from tfticket import backend
    from tfticket.training.gradient import train_weights

    backend.configure(threads)
    data = load_data("cifar-10-small", validation_rows=100)
    ticket = Ticket.dense(tt.build_model("conv-2", data), SEED)
    seconds: dict[str, list[float]] = {"augmented": [], "plain": []}
    for round_ in range(rounds + 1):
        for name, augment in (("augmented", Augment(flip=True, crop=4)), ("plain", Augment())):
            length, adam = f"{iterations}it", Adam(learning_rate=2e-4)
            config = TrainConfig(epochs=length, evaluate_every=length, batch_size=60, optimiser=adam, augment=augment)
            trained = train_weights(ticket.model, ticket.mask, ticket.start, data, config, SEED)
            if round_:  # the first one compiles
                seconds[name].append(trained.seconds["training"] / iterations)
    return seconds


def fit_conv_6(data: str, sampler: str, threads: int) -> dict[str, Any]:
    """Write a sampler of a ticket of Conv-6 that keeps 20 % in every layer, after a few steps of training."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    rows = _rows(data)
    model = tt.build_model("conv-6", rows)
    train = {"epochs": "20it", "evaluate_every": "20it", "optimiser": {"name": "adam", "learning_rate": 3e-4}}
    tickets = tt.find_tickets(model, rows, sparsity=0.8, levels=1, scope="layerwise", train=train, seed=SEED)
    tt.fit_survival_model(tickets[-1], rows, images=1000).save(sampler)
    return {"density": tickets[-1].density}


def draw_conv_6(data: str, sampler: str, images: int, threads: int) -> dict[str, Any]:
    """Write a Monte Carlo ticket for Conv-6, connectivity over ``images``; return memory and distances by layer."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    rows = _rows(data)
    dense = tt.Ticket.dense(tt.build_model("conv-6", rows), SEED + 1, data=rows)
    drawn = tt.draw_mc_ticket(tt.SurvivalModel.load(sampler), dense, rows, SEED, images=images)
    with tempfile.TemporaryDirectory() as folder:
        drawn.save(Path(folder) / "ticket.safetensors")
    return {"peak": peak_memory(), "layers": drawn.provenance["monte_carlo"]["layers"]}


def _rows(data: str) -> Dataset:
    """Return 45,000 training rows, as in the paper."""
    return load_data(data, validation_rows=5000, train_rows=45_000)


def _time_and_memory(work: Callable[[], tuple[Any, int]]) -> dict[str, Any]:
    """Measure the seconds of some work, and its peak resident memory over the bytes of its images, by sampling."""
    process = psutil.Process()
    before = process.memory_info().rss
    peak, done = before, threading.Event()

    def sample_memory() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=sample_memory)
    watcher.start()
    began = time.perf_counter()
    kept, size = work()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    peak = max(peak, process.memory_info().rss)
    del kept
    return {"seconds": seconds, "memory": (peak - before) / size}


MODULES = (sys.modules[__name__], masks, nuts_children, nuts_peers, sparse_children, step_children)


def main() -> None:
    function = next(getattr(module, sys.argv[1]) for module in MODULES if hasattr(module, sys.argv[1]))
    print(json.dumps(function(**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
