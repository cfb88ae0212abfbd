"""Subprocesses of the ``vi_step`` benchmark; see ``children.py``."""

import importlib
from typing import Any

from experiments.benchmarks.process import peak_memory
from experiments.benchmarks.torch_training import time_step
from tfticket.config import Adam, Objective, TrainConfig
from tfticket.config.schema import validate
from tfticket.data import load_data
from tfticket.tickets import Ticket

BATCH_SIZE = 128
DATA = {"lenet-300-100": "mnist", "lenet-5": "mnist", "resnet-20": "cifar-10-small"}


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
    import tfticket as tt
    from tfticket import backend
    from tfticket.training.gradient import train_weights

    backend.configure(threads)
    rows = load_data(data or DATA[network], validation_rows=100)
    model = tt.build_model(network, rows)
    ticket = Ticket.dense(tt.to_variational(model) if estimator else model, seed=0)
    length = f"{iterations}it"
    values = {"estimator": estimator, "draws": draws, "evaluation_draws": 1} if estimator else {}
    objective = validate(Objective, values, where="variational")
    config = TrainConfig(
        epochs=length,
        evaluate_every=length,
        batch_size=batch_size,
        optimiser=Adam(learning_rate=1e-3),
        objective=objective,
    )
    before = peak_memory()
    for _ in range(2):  # the first one compiles
        trained = train_weights(ticket.model, ticket.mask, ticket.start, rows, config, seed=0)
    return {"seconds": trained.seconds["training"] / iterations, "peak": peak_memory() - before}


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

    return time_step(torch, model, loss_of, data, BATCH_SIZE, iterations)


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
