"""Subprocesses of the ``nuts_gradient`` and ``nuts_draws`` benchmarks for the peers; see ``children.py``.

JAX, NumPyro and TensorFlow are written as by their users. All have the posterior of tfticket: the same surviving
weights as one flat vector, the same rows, N(0, 1) as prior.
"""

import importlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.benchmarks.measure import without_op_determinism
from experiments.benchmarks.nuts_children import time_gradient, whole_mnist
from tfticket.sparse.layout import Layout
from tfticket.tickets import Ticket


def gradient_jax(
    tickets: Mapping[str, str], tile: int | None, threads: int, calls: int = 3, rows: int | None = None
) -> dict[str, Any]:
    """Time log density and gradient by compiled JAX, dense kernels with zeros, all rows as float32 in memory.

    ``tile`` is the number of rows per call. ``threads`` is unused: JAX takes all CPUs of the process.
    """
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")

    def build(ticket: Ticket, layout: Layout) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        images, labels = _rows(rows)
        size = tile or len(images)
        parts = [
            (jnp.asarray(images[begin : begin + size]), jnp.asarray(labels[begin : begin + size]))
            for begin in range(0, len(images), size)
        ]
        likelihood = jax.jit(jax.value_and_grad(_jax_log_likelihood(layout)))
        prior = jax.jit(jax.value_and_grad(lambda theta: -0.5 * jnp.sum(theta**2)))

        def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
            theta = jnp.asarray(point, jnp.float32)
            value, gradient = prior(theta)
            for images_, labels_ in parts:
                part_value, part_gradient = likelihood(theta, images_, labels_)
                value, gradient = value + part_value, gradient + part_gradient
            return float(value) - 0.5 * layout.size * math.log(2 * math.pi), np.asarray(gradient)

        return evaluate

    return _gradients(tickets, build, calls)


def gradient_tensorflow(
    tickets: Mapping[str, str], compile_: bool, threads: int, rows: int | None = None
) -> dict[str, Any]:
    """Time log density and gradient by TensorFlow, dense kernels without dead inputs and units, all rows in one call.

    The networks have dense layers alone; ``compile_`` is by XLA.
    """
    without_op_determinism()
    from tfticket import backend
    from tfticket.backend import tf

    backend.configure(threads)

    def build(ticket: Ticket, layout: Layout) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        images, labels = _rows(rows)
        alive = alive_units(list(ticket.mask.values()))
        places, shapes = _compacted(layout, alive)
        inputs = tf.constant(np.ascontiguousarray(images.reshape(len(images), -1)[:, alive[0]]))
        targets = tf.constant(labels)
        biases = [path for path in layout.shapes if path not in layout.mask]

        def evaluate(theta: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(theta)
                hidden = inputs
                for number, kernel in enumerate(layout.mask):
                    entries, sources = places[kernel]
                    dense = tf.scatter_nd(entries[:, None], tf.gather(theta, sources), [math.prod(shapes[kernel])])
                    bias = tf.gather(theta, places[biases[number]][1])
                    hidden = hidden @ tf.reshape(dense, shapes[kernel]) + bias
                    if number < len(layout.mask) - 1:
                        hidden = tf.nn.relu(hidden)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, hidden)
                value = -tf.reduce_sum(losses) - 0.5 * tf.reduce_sum(theta**2)
            return value, tape.gradient(value, theta)

        compiled = tf.function(evaluate, autograph=False, jit_compile=compile_)

        def as_numbers(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = compiled(tf.constant(theta, tf.float32))
            gradient = tf.convert_to_tensor(gradient)
            return float(value) - 0.5 * layout.size * math.log(2 * math.pi), gradient.numpy()

        return as_numbers

    return _gradients(tickets, build)


def alive_units(masks: list[np.ndarray]) -> list[np.ndarray]:
    """Return the inputs and units of dense layers that reach the logits: int64, from inputs to logits."""
    alive = [np.arange(masks[-1].shape[1])]
    for kept in reversed(masks):
        alive.insert(0, np.flatnonzero(kept[:, alive[0]].any(axis=1)))
    return alive


def _compacted(
    layout: Layout, alive: list[np.ndarray]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, tuple[int, ...]]]:
    """Return path -> (positions in the flattened compact tensor, positions in theta), and path -> compact shape."""
    places, shapes, number = {}, {}, 0
    for path, part in layout.slices.items():
        sources = np.arange(part.start, part.stop)
        if path in layout.mask:
            number += 1
            axes = [alive[number - 1], alive[number]]
        else:
            axes = [alive[number]]
        numbered = np.full(layout.shapes[path], -1)
        numbered.ravel()[layout.indices[path]] = sources
        compact = numbered[np.ix_(*axes)]
        entries = np.flatnonzero(compact.ravel() >= 0)
        places[path], shapes[path] = (entries, compact.ravel()[entries]), compact.shape
    return places, shapes


def sample_numpyro(ticket: str, rows: int, warmup: int, draws: int, depth: int, threads: int) -> dict[str, Any]:
    """Run a chain of NumPyro's NUTS from the prior, with its own warm-up; see ``nuts_children.sample_tfticket``."""
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    infer: Any = importlib.import_module("numpyro.infer")
    layout, model = _numpyro_model(Ticket.load(ticket))
    kernel = infer.NUTS(model, max_tree_depth=depth, init_strategy=infer.init_to_sample)
    chain = infer.MCMC(kernel, num_warmup=warmup, num_samples=draws, progress_bar=False)
    data = tuple(map(jnp.asarray, _rows(rows)))
    began = time.perf_counter()
    chain.warmup(jax.random.PRNGKey(0), *data, extra_fields=("num_steps", "potential_energy"))
    jax.block_until_ready(chain.last_state)
    warmed = time.perf_counter()
    chain.run(jax.random.PRNGKey(1), *data, extra_fields=("num_steps", "potential_energy"))
    fields = chain.get_extra_fields()
    thetas = chain.get_samples()["theta"]
    jax.block_until_ready(thetas)
    log_prior = -0.5 * jnp.sum(thetas**2, axis=1) - 0.5 * layout.size * math.log(2 * math.pi)
    seconds = time.perf_counter() - warmed
    return {
        "log_likelihood": np.asarray(-fields["potential_energy"] - log_prior, float).tolist(),
        "drawing_gradients": int(fields["num_steps"].sum()),
        "drawing_seconds": seconds,
        "seconds": time.perf_counter() - began,
    }


def draw_numpyro(ticket: str, rows: int, depth: int, step_size: float, draws: int, threads: int) -> dict[str, Any]:
    """Draw full trees by NumPyro's NUTS, float32, from the start weights of a ticket; the first draw compiles.

    Returns:
        'seconds' of a draw; 'n_steps' of each.
    """
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    nuts: Any = importlib.import_module("numpyro.infer").NUTS
    loaded = Ticket.load(ticket)
    layout, model = _numpyro_model(loaded)
    kernel = nuts(model, step_size=step_size, adapt_step_size=False, adapt_mass_matrix=False, max_tree_depth=depth)
    data = tuple(map(jnp.asarray, _rows(rows)))
    start = {"theta": jnp.asarray(layout.pack(loaded.start), jnp.float32)}
    state = kernel.init(jax.random.PRNGKey(0), 0, start, data, {})
    step = jax.jit(lambda state: kernel.sample(state, data, {}))
    seconds, steps = [], []
    for number in range(draws + 1):
        began = time.perf_counter()
        state = jax.block_until_ready(step(state))
        if number:
            seconds.append(time.perf_counter() - began)
            steps.append(int(state.num_steps))
    return {"seconds": float(np.median(seconds)), "n_steps": steps}


def _numpyro_model(ticket: Ticket) -> tuple[Layout, Callable[[Any, Any], None]]:
    """Return the layout of a ticket's theta, and NumPyro's model of images and labels."""
    numpyro: Any = importlib.import_module("numpyro")
    layout = Layout.of(ticket.start, ticket.mask, ticket.start)
    logits_of = _jax_logits(layout)

    def model(images: Any, labels: Any) -> None:
        prior = numpyro.distributions.Normal(0.0, 1.0).expand([layout.size]).to_event(1)
        theta = numpyro.sample("theta", prior)
        numpyro.sample("labels", numpyro.distributions.Categorical(logits=logits_of(theta, images)), obs=labels)

    return layout, model


def _gradients(
    tickets: Mapping[str, str],
    build: Callable[[Ticket, Layout], Callable[[np.ndarray], tuple[float, np.ndarray]]],
    calls: int = 3,
) -> dict[str, Any]:
    """Time gradients at the start weights of tickets: name -> results of ``time_gradient``."""
    results = {}
    for name, file in tickets.items():
        ticket = Ticket.load(file)
        layout = Layout.of(ticket.start, ticket.mask, ticket.start)
        results[name] = time_gradient(build(ticket, layout), layout.pack(ticket.start), calls)
    return results


def _rows(count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return images float32 in 0 to 1 and labels int32 of the first ``count`` of 60,000 rows."""
    data = whole_mnist(count)
    return data.x_train.astype(np.float32) / 255, data.y_train


def _jax_logits(layout: Layout) -> Callable[[Any, Any], Any]:
    """Return a function from theta and images to logits of a LeNet: convolutions, ReLU, max-pooling by 2, dense."""
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    last = list(layout.mask)[-1]

    def full(theta: Any, path: str) -> Any:
        shape = layout.shapes[path]
        values = theta[layout.slices[path]]
        if path in layout.mask:
            values = jnp.zeros(math.prod(shape), jnp.float32).at[layout.indices[path]].set(values)
        return values.reshape(shape)

    def logits(theta: Any, images: Any) -> Any:
        x = images
        for path, shape in layout.shapes.items():
            if path not in layout.mask:
                continue
            kernel, bias = full(theta, path), full(theta, path.replace("kernel", "bias"))
            if len(shape) == 4:
                x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                x = jax.nn.relu(x + bias)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            else:
                x = x.reshape(len(x), -1) @ kernel + bias
                x = x if path == last else jax.nn.relu(x)
        return x

    return logits


def _jax_log_likelihood(layout: Layout) -> Callable[[Any, Any, Any], Any]:
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    logits = _jax_logits(layout)

    def log_likelihood(theta: Any, images: Any, labels: Any) -> Any:
        log_probs = jax.nn.log_softmax(logits(theta, images))
        return jnp.sum(jnp.take_along_axis(log_probs, labels[:, None], axis=1))

    return log_likelihood
