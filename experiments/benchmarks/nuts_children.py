"""Subprocesses of the ``nuts_gradient`` and ``nuts_draws`` benchmarks for tfticket; see ``children.py``."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.measure import peak_memory
from tfticket.config import SampleConfig
from tfticket.config.schema import validate
from tfticket.data import Dataset, load_data
from tfticket.tickets import Ticket

SEED = 0
SEARCHES: dict[str, dict[str, Any]] = {
    "lenet-300-100": {"levels": 20, "epochs": 2, "kept": {10: 90, 13: 95, 20: 99}},
    "lenet-5": {"levels": 10, "epochs": 1, "kept": {10: 99}},
}
"""Network -> levels and epochs of its pruning, and the tickets that are kept: level -> sparsity in percent."""


def ticket_file(folder: str, network: str, sparsity: int) -> str:
    """Return the path of the ticket of a network at a sparsity in percent."""
    return str(Path(folder) / f"{network}-{sparsity}.safetensors")


def find_benchmark_tickets(folder: str, network: str, threads: int) -> dict[str, Any]:
    """Write the tickets of a network by global iterative pruning to 99 %, unless they exist.

    Returns:
        Sparsity in percent -> density of the nearest ticket.
    """
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    search = SEARCHES[network]
    files = {level: ticket_file(folder, network, sparsity) for level, sparsity in search["kept"].items()}
    if not all(Path(file).exists() for file in files.values()):
        Path(folder).mkdir(parents=True, exist_ok=True)
        data = load_data()
        tickets = tt.find_tickets(
            tt.build_model(network, data),
            data,
            sparsity=0.99,
            levels=search["levels"],
            train={"epochs": search["epochs"]},
            seed=SEED,
        )
        for level, file in files.items():
            tickets[level].save(file)
    return {str(search["kept"][level]): Ticket.load(file).density for level, file in files.items()}


def whole_mnist(rows: int | None = None) -> Dataset:
    """Return MNIST with all 60,000 training and validation rows, or the first ``rows`` of them, as training rows."""
    return first_rows(load_data(), rows)


def time_gradient(
    gradient: Callable[[np.ndarray], tuple[float, np.ndarray]], theta: np.ndarray, calls: int = 3
) -> dict[str, float]:
    """Time at least so many warm calls of a log density and gradient, for at least two seconds; return the median."""
    value, slope = gradient(theta)
    seconds: list[float] = []
    while len(seconds) < calls or sum(seconds) < 2.0:
        began = time.perf_counter()
        gradient(theta)
        seconds.append(time.perf_counter() - began)
    norm = float(np.linalg.norm(np.asarray(slope, np.float64)))
    return {"seconds": statistics.median(seconds), "log_density": value, "gradient_norm": norm}


def gradient_sparse(tickets: Mapping[str, str], threads: int, rows: int | None = None) -> dict[str, Any]:
    """Time log density and gradient by the sparse engine, for each ticket, over 60,000 or ``rows`` rows."""
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior

    backend.configure(threads)
    data, config = whole_mnist(rows), SampleConfig(engine="sparse")
    results = {}
    for name, file in tickets.items():
        ticket = Ticket.load(file)
        posterior = build_posterior(ticket, data, config, threads)
        results[name] = time_gradient(posterior.log_density_and_gradient, posterior.layout.pack(ticket.start))
    return results


def conv_net(input_shape: Sequence[int], num_classes: int) -> Any:
    """Build a plain Keras model that once exceeded 48 GB: 1,116,970 parameters on CIFAR-10.

    Two blocks of two convolutions 3x3 with max-pooling, 32 and 64 channels wide, then dense 256 and the logits.
    """
    from tfticket.backend import keras

    layers = keras.layers
    x = images = keras.Input(input_shape, name="images")
    for block, width in enumerate((32, 64), 1):
        for number in (1, 2):
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv_{block}_{number}")(x)
        x = layers.MaxPooling2D(name=f"pool_{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense_1")(x)
    return keras.Model(images, layers.Dense(num_classes, name="dense_2")(x), name="conv-net")


def gradient_conv(data: str, engine: str, sparsity: int, threads: int) -> dict[str, Any]:
    """Measure a gradient of the convolutional network over all training rows of CIFAR-10, under a random mask.

    ``engine`` is 'sparse' or 'keras', ``sparsity`` in percent; 'peak' is the memory of the process in GB.
    """
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior

    backend.configure(threads)
    rows = first_rows(load_data(data))
    model = conv_net(rows.input_shape, rows.num_classes)
    ticket = random_ticket(model, 1 - sparsity / 100)
    config = validate(SampleConfig, {"engine": engine}, where="memory")
    few = replace(rows, x_train=rows.x_train[:500], y_train=rows.y_train[:500])
    warm = build_posterior(ticket, few, config, threads)
    theta = warm.layout.pack(ticket.start)
    warm.log_density_and_gradient(theta)
    posterior = build_posterior(ticket, rows, config, threads)
    began = time.perf_counter()
    value, _ = posterior.log_density_and_gradient(theta)
    return {
        "seconds": time.perf_counter() - began,
        "log_density": value,
        "peak": peak_memory(),
        "rows": posterior.rows,
        "layers": [(layer.name, layer.count_params()) for layer in model.layers],
    }


def random_ticket(model: Any, density: float) -> Ticket:
    """Return a ticket of random masks, of equal density in each layer."""
    dense, random = Ticket.dense(model, SEED), np.random.default_rng(SEED)
    mask = {}
    for path, kept in dense.mask.items():
        chosen = random.permutation(kept.size) < round(density * kept.size)
        mask[path] = chosen.reshape(kept.shape)
    return replace(dense, mask=mask)


def scale_density(densities: Sequence[float], calls: int, threads: int) -> dict[str, Any]:
    """Time a gradient of LeNet-300-100 over 60,000 rows under random masks, one per density, in turn."""
    import tfticket as tt
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior

    backend.configure(threads)
    data, config = whole_mnist(), SampleConfig(engine="sparse")
    model = tt.build_model("lenet-300-100", data)
    tickets = [random_ticket(model, density) for density in densities]
    posteriors = [build_posterior(ticket, data, config, threads) for ticket in tickets]
    return {"seconds": _in_turn(posteriors, tickets, calls), "x": [ticket.density for ticket in tickets]}


def gradient_costs(
    network: str, data: str, densities: Sequence[float], rows: int, threads: int
) -> dict[str, list[float]]:
    """Time a gradient of a network under random masks, one per density."""
    import tfticket as tt
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior

    backend.configure(threads)
    dataset = first_rows(load_data(data), rows)
    tickets = [random_ticket(tt.build_model(network, dataset), density) for density in densities]
    posteriors = [build_posterior(ticket, dataset, SampleConfig(engine="sparse"), threads) for ticket in tickets]
    return {"seconds": _in_turn(posteriors, tickets, calls=20)}


def scale_rows(ticket: str, rows: Sequence[int], calls: int, threads: int) -> dict[str, Any]:
    """Time a gradient of a ticket over numbers of rows, in turn."""
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior

    backend.configure(threads)
    loaded, config = Ticket.load(ticket), SampleConfig(engine="sparse")
    posteriors = [build_posterior(loaded, whole_mnist(count), config, threads) for count in rows]
    return {"seconds": _in_turn(posteriors, [loaded] * len(rows), calls), "x": list(map(float, rows))}


def draw_sparse(ticket: str, rows: int, depth: int, step_size: float, draws: int, threads: int) -> dict[str, Any]:
    """Draw full trees by tfticket's NUTS, from the start weights of a ticket; the first draw compiles.

    Returns:
        'seconds' of a draw; 'n_steps' of each.
    """
    from tfticket import backend

    backend.configure(threads)
    _, draw = _drawing(ticket, rows, depth, step_size, threads)
    seconds, steps = [], []
    for number in range(draws + 1):
        began = time.perf_counter()
        n_steps = draw()
        if number:
            seconds.append(time.perf_counter() - began)
            steps.append(n_steps)
    return {"seconds": statistics.median(seconds), "n_steps": steps}


def sample_tfticket(
    ticket: str, rows: int | None, options: dict[str, Any], threads: int, seed: int = SEED
) -> dict[str, Any]:
    """Run a chain over the first training rows of MNIST, or all 55,000; see ``ess``.

    Returns:
        'log_likelihood' of each draw after the warm-up; 'drawing_gradients' and 'drawing_seconds' of these draws;
        'gradients' and 'seconds' in all; 'accuracy' and 'nll' of the mean prediction on test rows.
    """
    from tfticket import backend
    from tfticket.sampling.build_posterior import build_posterior
    from tfticket.sampling.chain import run_chain

    backend.configure(threads)
    data = load_data(train_rows=rows)
    config = validate(SampleConfig, {"evaluate_every": 10**6, **options}, where="ess")
    posterior = build_posterior(Ticket.load(ticket), data, config, threads)
    chain = run_chain(posterior, config, seed, 0, {"test": data.split("test")})
    stats = {name: values[chain.begin :] for name, values in chain.sample_stats.items()}
    return {
        "log_likelihood": stats["log_likelihood"],
        "drawing_gradients": sum(stats["n_steps"]),
        "drawing_seconds": sum(stats["seconds"]),
        "gradients": chain.gradients,
        "seconds": chain.seconds,
        "accuracy": chain.history[-1]["test_accuracy"],
        "nll": chain.history[-1]["test_nll"],
    }


def draw_overhead(ticket: str, depth: int, step_size: float, draws: int, threads: int) -> dict[str, Any]:
    """Measure the overhead of a draw of a full tree over 60,000 rows: its gradients alone and the draw, in turn.

    Returns:
        'overhead': the median of (a draw - its gradients) / its gradients; 'seconds' of a draw.
    """
    from tfticket import backend

    backend.configure(threads)
    posterior, draw = _drawing(ticket, None, depth, step_size, threads)
    theta = posterior.layout.pack(Ticket.load(ticket).start)
    gradients = draw()
    posterior.log_density_and_gradient(theta)
    overheads, seconds = [], []
    for _ in range(draws):
        began = time.perf_counter()
        for _ in range(gradients):
            posterior.log_density_and_gradient(theta)
        bare = time.perf_counter() - began
        began = time.perf_counter()
        if draw() != gradients:
            raise RuntimeError("the tree of a draw was not full; take a smaller step")
        seconds.append(time.perf_counter() - began)
        overheads.append((seconds[-1] - bare) / bare)
    return {"overhead": statistics.median(overheads), "seconds": statistics.median(seconds), "n_steps": gradients}


def _drawing(
    ticket: str, rows: int | None, depth: int, step_size: float, threads: int
) -> tuple[Any, Callable[[], int]]:
    """Return the posterior of a ticket, and a function that draws once and returns the number of gradients."""
    from tfticket.sampling.build_posterior import build_posterior
    from tfticket.sampling.nuts import build
    from tfticket.sampling.posterior import Whitened

    loaded, config = Ticket.load(ticket), SampleConfig(engine="sparse", max_tree_depth=depth)
    posterior = build_posterior(loaded, whole_mnist(rows), config, threads)
    sampler = build(Whitened(posterior), config)
    state, random = sampler.init(posterior.layout.pack(loaded.start)), np.random.default_rng(SEED)

    def draw() -> int:
        nonlocal state
        state, stats = sampler.step(state, step_size, random)
        return int(stats.n_steps)

    return posterior, draw


def _in_turn(posteriors: Sequence[Any], tickets: Sequence[Ticket], calls: int) -> list[float]:
    """Return the median seconds of a gradient of each, over calls in turn, after a warm-up call."""
    times: list[list[float]] = [[] for _ in posteriors]
    thetas = [posterior.layout.pack(ticket.start) for posterior, ticket in zip(posteriors, tickets, strict=True)]
    for call in range(calls + 1):
        for posterior, theta, seconds in zip(posteriors, thetas, times, strict=True):
            began = time.perf_counter()
            posterior.log_density_and_gradient(theta)
            if call:
                seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in times]


def first_rows(data: Dataset, rows: int | None = None) -> Dataset:
    """Return the first rows of training and validation, or all of them, as training rows."""
    images, labels = (
        np.concatenate([getattr(data, f"{part}_{split}") for split in ("train", "validation")]) for part in "xy"
    )
    return replace(data, x_train=images[:rows], y_train=labels[:rows])
