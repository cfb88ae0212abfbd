"""Paths from inputs to outputs through surviving weights. Pure NumPy.

The network is taken without biases, every surviving weight as 1: activations, normalisation and dropout let an entry
through, pooling adds up its cells, attention is as ``operations.Attention`` says, learned tokens and positions begin no
path. The number of paths is then the sum of the outputs for an image of ones, and the number from an input is that
sum's gradient. Whether a weight lies on any path is asked apart, of booleans, which cannot grow too large.
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
        operation: What it does; None where that is not known.
        kernel: Path of its kernel, if it can be pruned.
        inputs: Numbers of the values it takes.
        output: Number of the value it makes.
    """

    layer: str
    kind: str
    operation: Operation | KernelOperation | None
    kernel: str | None
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class Graph:
    """A network as calls, in the order in which they run.

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
        """Calls of layers that are not known; paths cannot be told if there are any."""
        return tuple(call for call in self.calls if call.operation is None)


@dataclass(frozen=True)
class Reach:
    """What lies on a path.

    Attributes:
        live: Kernel path -> bool array: survivors on a path.
        fed: Kernel path -> bool [inputs]: what a path from the network's input reaches.
        inputs: bool, of the image's shape: whether a path begins there.
    """

    live: Mask
    fed: Mask
    inputs: np.ndarray


def reach(graph: Graph, mask: Mask) -> Reach:
    """Which survivors and inputs lie on a path.

    Args:
        graph: A network without unknown layers.
        mask: Its mask.
    """

    def kernel(call: Call) -> np.ndarray:
        return mask[_kernel_path(call)].astype(np.float32)

    reached = _forward(graph, kernel)
    going_on = _backward(
        graph, lambda operation, gradient, shape, call: operation.backward(gradient, shape, kernel(call)), bool
    )
    live = {path: np.zeros_like(kept) for path, kept in mask.items()}
    fed = {path: np.zeros(kept.shape[-2], bool) for path, kept in mask.items()}
    for call in graph.calls:
        if isinstance(call.operation, KernelOperation):
            path, value = _kernel_path(call), reached[call.inputs[0]]
            live[path] |= call.operation.through(value, going_on[call.output], mask[path].shape)
            fed[path] |= value.reshape(-1, value.shape[-1]).any(axis=0)
    live = {path: on_path & mask[path] for path, on_path in live.items()}
    return Reach(live, fed, going_on[graph.image])


def count_paths(graph: Graph, mask: Mask) -> np.ndarray:
    """The number of paths from each input, float64 of the image's shape.

    Where they are too many for float64 it holds values that are not finite.

    Args:
        graph: A network without unknown layers.
        mask: Its mask.
    """

    def through(operation: KernelOperation, gradient: np.ndarray, shape: Shape, call: Call) -> np.ndarray:
        return operation.backward(gradient, shape, mask[_kernel_path(call)].astype(np.float64))

    return _count(graph, through)


def count_dense_paths(graph: Graph, shapes: dict[str, Shape]) -> np.ndarray:
    """As ``count_paths``, of the dense network.

    Args:
        graph: A network without unknown layers.
        shapes: Kernel path -> shape.
    """

    def through(operation: KernelOperation, gradient: np.ndarray, shape: Shape, call: Call) -> np.ndarray:
        # All units are alike, and all inputs: one of each will do.
        one = np.ones((*shapes[_kernel_path(call)][:-2], 1, 1))
        return np.broadcast_to(operation.backward(gradient.sum(-1, keepdims=True), (*shape[:-1], 1), one), shape)

    return _count(graph, through)


Through = Callable[[KernelOperation, np.ndarray, Shape, Call], np.ndarray]
"""Takes the paths that go on from a call's output back to its input."""


def _count(graph: Graph, through: Through) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return _backward(graph, through, np.float64)[graph.image]


def _forward(graph: Graph, kernel: Callable[[Call], np.ndarray]) -> dict[int, np.ndarray]:
    """Number of a value -> whether a path from the input reaches it."""
    values = {graph.image: np.ones(graph.shapes[graph.image], bool)}
    for call in graph.calls:
        given = [values[number] for number in call.inputs]
        if isinstance(call.operation, KernelOperation):
            found = call.operation.forward(given[0], kernel(call))
        else:
            found = _known(call).forward(given)
        values[call.output] = found.astype(bool, copy=False)
    return values


def _backward(graph: Graph, through: Through, dtype: type[np.float64] | type[bool]) -> dict[int, np.ndarray]:
    """Number of a value -> the paths that go on from it, or whether there are any."""
    found: dict[int, np.ndarray] = {graph.logits: np.ones(graph.shapes[graph.logits], dtype)}
    for call in reversed(graph.calls):
        gradient, shapes = found[call.output], [graph.shapes[number] for number in call.inputs]
        if isinstance(call.operation, KernelOperation):
            parts = [through(call.operation, gradient, shapes[0], call)]
        else:
            parts = _known(call).backward(gradient, shapes)
        for number, part in zip(call.inputs, parts, strict=True):
            part = found[number] + part if number in found else part
            found[number] = part.astype(dtype, copy=False)
    return found


def _known(call: Call) -> Operation:
    assert isinstance(call.operation, Operation)
    return call.operation


def _kernel_path(call: Call) -> str:
    assert call.kernel is not None
    return call.kernel
