"""Subprocesses of the ``networks`` benchmark; see ``children.py``."""

import importlib
import time
from typing import Any

import numpy as np

from experiments.benchmarks.process import peak_memory
from experiments.benchmarks.torch_training import time_step
from tfticket.config import Adam, TrainConfig
from tfticket.data import load_data
from tfticket.tickets import Ticket

EVALUATED_ROWS = 10_000


def step_tfticket(
    network: str, batch_size: int, iterations: int, threads: int, data: str = "cifar-10-small"
) -> dict[str, Any]:
    """Measure seconds of a step of tfticket, under a mask of 20 %, and the peak memory of the process in GB."""
    import tfticket as tt
    from tfticket import backend
    from tfticket.training.gradient import train_weights

    backend.configure(threads)
    rows = load_data(data, validation_rows=100)
    ticket = Ticket.dense(tt.build_model(network, rows), seed=0)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.2 for path, kept in ticket.mask.items()}
    length = f"{iterations}it"
    config = TrainConfig(
        epochs=length, evaluate_every=length, batch_size=batch_size, optimiser=Adam(learning_rate=1e-3)
    )
    for _ in range(2):  # the first one compiles
        trained = train_weights(ticket.model, mask, ticket.start, rows, config, seed=0)
    return {"seconds": trained.seconds["training"] / iterations, "peak": peak_memory()}


def step_pytorch(network: str, batch_size: int, iterations: int, threads: int) -> dict[str, Any]:
    """Measure a step of eager PyTorch, dense."""
    torch, model = _pytorch(network, threads)
    data = load_data("cifar-10-small", validation_rows=100)

    def loss_of(images: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(images), labels)

    return time_step(torch, model, loss_of, data, batch_size, iterations)


def evaluate_tfticket(network: str, threads: int) -> dict[str, Any]:
    """Measure the evaluation of 10,000 images by tfticket."""
    import tfticket as tt
    from tfticket import backend
    from tfticket.network import network_of

    backend.configure(threads)
    data = load_data("cifar-10-small")
    ticket = Ticket.dense(tt.build_model(network, data), seed=0)
    built = network_of(ticket.model)
    built.assign(ticket.mask, ticket.start)
    images = np.resize(data.x_train, (EVALUATED_ROWS, *data.input_shape))
    built.logits(images[:2000])
    began = time.perf_counter()
    built.logits(images)
    return {"seconds": time.perf_counter() - began, "peak": peak_memory()}


def evaluate_pytorch(network: str, threads: int) -> dict[str, Any]:
    """Measure the evaluation by PyTorch in batches of 500, the fastest of 128, 500 and 1,000."""
    torch, model = _pytorch(network, threads)
    model.eval()
    data = load_data("cifar-10-small")
    pixels = torch.from_numpy(np.resize(data.x_train, (EVALUATED_ROWS, *data.input_shape)).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        model(pixels[:500].float() / 255)
        began = time.perf_counter()
        torch.cat([model(batch.float() / 255) for batch in pixels.split(500)])
        return {"seconds": time.perf_counter() - began, "peak": peak_memory()}


def _pytorch(name: str, threads: int) -> tuple[Any, Any]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    build = importlib.import_module("experiments.benchmarks.torch_models").build
    return torch, build(name)
