"""Paths from inputs to outputs through surviving weights. Pure NumPy.

The network is taken without biases, with every surviving weight 1: activations, normalisation and dropout are the
identity, pooling sums its cells, learned tokens and positions begin no path; for attention see
``operations.Attention``. The number of paths is then the sum of the outputs for an image of ones, and the number from
an input is the gradient of that sum. Reachability is computed separately in booleans, which cannot overflow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfticket.inspection.operations import KernelOperation, Operation
from tfticket.inspection.windows import Shape
from tfticket.types import Mask


@dataclass(frozen=True)
class Call:
    """One use of a layer.

    Attributes:
        layer: The layer's path.
        kind: Its class.
        operation: Its operation; None if it is unknown.
        kernel: Path of its kernel, if it can be pruned.
        inputs: Numbers of its input values.
        output: Number of its output value.
    """

    layer: str
    kind: str
    operation: Operation | KernelOperation | None
    kernel: str | None
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class Graph:
    """A network as calls, in the order of execution.

    Attributes:
        shapes: Shape of each value, of one image.
        calls: The calls.
        image: Number of the value that is the input.
        logits: Number of the value that is the output.
    """

    shapes: tuple[Shape, ...]
    calls: tuple[Call, ...]
    image: int
    logits: int

    @property
    def unknown(self) -> tuple[Call, ...]:
        """Calls of unknown layers; with any of them paths are unknown."""
        return tuple(call for call in self.calls if call.operation is None)


@dataclass(frozen=True)
class Reach:
    """Weights and inputs on paths.

    Attributes:
        live: Kernel path -> bool array: survivors on a path.
        fed: Kernel path -> bool [inputs]: inputs that a path from the network's input reaches.
        inputs: bool, of the image's shape: True if a path begins there.
    """

    live: Mask
    fed: Mask
    inputs: np.ndarray


def reach(graph: Graph, mask: Mask) -> Reach:
    """Return the survivors and inputs that lie on a path.

    Args:
        graph: A network without unknown layers.
        mask: Its mask.
    """

    def kernel(call: Call) -> np.ndarray:
        return mask[_kernel_path(call)].astype(np.float32)

    reached = _forward(graph, kernel)
    continuing = _backward(
        graph, lambda operation, gradient, shape, call: operation.backward(gradient, shape, kernel(call)), bool
    )
    live = {path: np.zeros_like(kept) for path, kept in mask.items()}
    fed = {path: np.zeros(kept.shape[-2], bool) for path, kept in mask.items()}
    for call in graph.calls:
        if isinstance(call.operation, KernelOperation):
            path, value = _kernel_path(call), reached[call.inputs[0]]
            live[path] |= call.operation.through(value, continuing[call.output], mask[path].shape)
            fed[path] |= value.reshape(-1, value.shape[-1]).any(axis=0)
    live = {path: on_path & mask[path] for path, on_path in live.items()}
    return Reach(live, fed, continuing[graph.image])


def unused_units(graph: Graph, mask: Mask) -> dict[str, np.ndarray]:
    """Return the units that no path leaves: layer with a kernel -> bool [units]; {} with an unknown layer.

    Whatever their weights and biases are, they change no output.

    Args:
        graph: A network.
        mask: Its mask.
    """
    if graph.unknown:
        return {}
    continuing = _backward(
        graph,
        lambda operation, gradient, shape, call: operation.backward(
            gradient, shape, mask[_kernel_path(call)].astype(np.float32)
        ),
        bool,
    )
    unused: dict[str, np.ndarray] = {}
    for call in graph.calls:
        if isinstance(call.operation, KernelOperation):
            leaves = continuing[call.output].reshape(-1, continuing[call.output].shape[-1]).any(axis=0)
            unused[call.layer] = np.logical_and(unused.get(call.layer, True), ~leaves)
    return unused


def count_paths(graph: Graph, mask: Mask) -> np.ndarray:
    """Return the number of paths from each input, float64 of the image's shape; not finite if too many for float64.

    Args:
        graph: A network without unknown layers.
        mask: Its mask.
    """

    def through(operation: KernelOperation, gradient: np.ndarray, shape: Shape, call: Call) -> np.ndarray:
        return operation.backward(gradient, shape, mask[_kernel_path(call)].astype(np.float64))

    return _count(graph, through)


def count_dense_paths(graph: Graph, shapes: dict[str, Shape]) -> np.ndarray:
    """Return the same as ``count_paths``, for the dense network.

    Args:
        graph: A network without unknown layers.
        shapes: Kernel path -> shape.
    """

    def through(operation: KernelOperation, gradient: np.ndarray, shape: Shape, call: Call) -> np.ndarray:
        # All units are equal, and all inputs: one of each suffices.
        kernel = np.ones((*shapes[_kernel_path(call)][:-2], 1, 1))
        return np.broadcast_to(operation.backward(gradient.sum(-1, keepdims=True), (*shape[:-1], 1), kernel), shape)

    return _count(graph, through)


Through = Callable[[KernelOperation, np.ndarray, Shape, Call], np.ndarray]
"""Function that takes paths continuing from a call's output back to its input."""


def _count(graph: Graph, through: Through) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return _backward(graph, through, np.float64)[graph.image]


def _forward(graph: Graph, kernel: Callable[[Call], np.ndarray]) -> dict[int, np.ndarray]:
    """Return number of a value -> booleans: a path from the input reaches it."""
    values = {graph.image: np.ones(graph.shapes[graph.image], bool)}
    for call in graph.calls:
        inputs = [values[number] for number in call.inputs]
        if isinstance(call.operation, KernelOperation):
            output = call.operation.forward(inputs[0], kernel(call))
        else:
            output = _operation(call).forward(inputs)
        values[call.output] = output.astype(bool, copy=False)
    return values


def _backward(graph: Graph, through: Through, dtype: type[np.float64] | type[bool]) -> dict[int, np.ndarray]:
    """Return number of a value -> paths that continue from it: their number, or True if there are any."""
    gradients: dict[int, np.ndarray] = {graph.logits: np.ones(graph.shapes[graph.logits], dtype)}
    for call in reversed(graph.calls):
        gradient, shapes = gradients[call.output], [graph.shapes[number] for number in call.inputs]
        if isinstance(call.operation, KernelOperation):
            parts = [through(call.operation, gradient, shapes[0], call)]
        else:
            parts = _operation(call).backward(gradient, shapes)
        for number, part in zip(call.inputs, parts, strict=True):
            part = gradients[number] + part if number in gradients else part
            gradients[number] = part.astype(dtype, copy=False)
    return gradients


def _operation(call: Call) -> Operation:
    assert isinstance(call.operation, Operation)
    return call.operation


def _kernel_path(call: Call) -> str:
    assert call.kernel is not None
    return call.kernel
