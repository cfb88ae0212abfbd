"""Subprocesses of the ``networks``, ``vi_step`` and ``costs`` benchmarks; see ``children.py``."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.benchmarks.measure import peak_memory
from tfticket.config import Adam, Objective, TrainConfig
from tfticket.config.schema import validate
from tfticket.config.training import Engine
from tfticket.data import Dataset, load_data
from tfticket.tickets import Ticket

BATCH_SIZE = 128
EVALUATED_ROWS = 10_000
DATA = {"lenet-300-100": "mnist", "lenet-5": "mnist", "resnet-20": "cifar-10-small"}


def step_tfticket(
    network: str, batch_size: int, iterations: int, threads: int, data: str = "cifar-10-small"
) -> dict[str, Any]:
    """Measure seconds of a step of tfticket, under a mask of 20 %, and the peak memory of the process in GB."""
    measured = _step(network, batch_size, iterations, threads, data, density=0.2)
    return measured | {"peak": peak_memory()}


def step_sparse(network: str, batch_size: int, iterations: int, threads: int, density: float) -> dict[str, Any]:
    """Measure seconds of a step of the sparse engine."""
    return _step(network, batch_size, iterations, threads, "cifar-10-small", density=density, engine="sparse")


def vi_step_tfticket(
    network: str,
    estimator: str,
    draws: int,
    iterations: int,
    threads: int,
    data: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> dict[str, Any]:
    """Measure seconds of a step of tfticket, and the increase of peak memory by training in GB.

    Without an estimator the network is deterministic.
    """
    values = {"estimator": estimator, "draws": draws, "evaluation_draws": 1} if estimator else None
    return _step(network, batch_size, iterations, threads, data or DATA[network], values)


def _step(
    network: str,
    batch_size: int,
    iterations: int,
    threads: int,
    data: str,
    objective: dict[str, Any] | None = None,
    density: float = 1.0,
    engine: Engine = "keras",
) -> dict[str, Any]:
    import tfticket as tt
    from tfticket import backend
    from tfticket.training.gradient import train_weights

    backend.configure(threads)
    rows = load_data(data, validation_rows=100)
    model = tt.build_model(network, rows)
    ticket = Ticket.dense(tt.to_variational(model) if objective else model, seed=0)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < density for path, kept in ticket.mask.items()}
    length = f"{iterations}it"
    config = TrainConfig(
        epochs=length,
        evaluate_every=length,
        batch_size=batch_size,
        optimiser=Adam(learning_rate=1e-3),
        engine=engine,
        objective=validate(Objective, objective or {}, where="variational"),
    )
    before = peak_memory()
    for _ in range(2):  # the first one compiles
        trained = train_weights(ticket.model, mask, ticket.start, rows, config, seed=0)
    return {"seconds": trained.seconds["training"] / iterations, "peak": peak_memory() - before}


def _time_torch_step(
    torch: Any, model: Any, loss_of: Callable[[Any, Any], Any], data: Dataset, batch_size: int, iterations: int
) -> dict[str, Any]:
    """Measure seconds of a step of fused Adam, after two to warm up, and the peak memory of the process in GB."""
    images = torch.from_numpy(data.x_train.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    labels = torch.from_numpy(data.y_train.astype(np.int64))
    adam = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def train(count: int) -> None:
        for batch in torch.randperm(len(images))[: count * batch_size].split(batch_size):
            loss = loss_of(images[batch], labels[batch])
            adam.zero_grad()
            loss.backward()
            adam.step()

    train(2)
    began = time.perf_counter()
    train(iterations)
    return {"seconds": (time.perf_counter() - began) / iterations, "peak": peak_memory()}


def step_pytorch(network: str, batch_size: int, iterations: int, threads: int) -> dict[str, Any]:
    """Measure a step of eager PyTorch, dense."""
    torch, model = _pytorch(network, threads)
    data = load_data("cifar-10-small", validation_rows=100)

    def loss_of(images: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(images), labels)

    return _time_torch_step(torch, model, loss_of, data, batch_size, iterations)


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


def vi_step_torch_blue(network: str, draws: int, iterations: int, threads: int) -> dict[str, Any]:
    """Measure a step of torch-blue: equal weight draws, shared by the batch; its sampled divergence; fused Adam."""
    torch: Any = importlib.import_module("torch")
    vi: Any = importlib.import_module("torch_blue.vi")
    distributions: Any = importlib.import_module("torch_blue.vi.distributions")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = load_data(DATA[network], validation_rows=100)
    model = _model(network, torch, vi)
    loss = vi.KullbackLeiblerLoss(distributions.Categorical(), dataset_size=len(data.x_train), heat=1.0)

    def loss_of(images: Any, labels: Any) -> Any:
        return loss(model(images, samples=draws), labels)

    return _time_torch_step(torch, model, loss_of, data, BATCH_SIZE, iterations)


def _model(network: str, torch: Any, vi: Any) -> Any:
    """Build LeNet-300-100, or LeNet-5 in Caffe's form, of torch-blue's layers."""
    nn = torch.nn
    if network == "lenet-300-100":
        sizes = [(784, 300), (300, 100), (100, 10)]
        layers: list[Any] = [nn.Flatten()]
    else:
        sizes = [(800, 500), (500, 10)]
        layers = [vi.VIConv2d(1, 20, 5), nn.MaxPool2d(2), vi.VIConv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten()]
    for place, (inputs, units) in enumerate(sizes):
        layers += [nn.ReLU()] * (place > 0) + [vi.VILinear(inputs, units)]
    return vi.VISequential(*layers)
