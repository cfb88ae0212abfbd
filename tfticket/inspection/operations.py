"""Layers as linear maps that count paths: forward from inputs, backward from outputs. Pure NumPy.

Values are those of one image, without rows: [*cells, channels]. Forward, a value is the number of paths that reach it;
backward, the number of paths that continue from it. With booleans it is True if there is any path.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.inspection.windows import Shape, Windows


@dataclass(frozen=True)
class Operation:
    """A layer without a kernel.

    Attributes:
        forward: Paths that reach each input -> paths that reach the output.
        backward: Paths that continue from the output, shapes of the inputs -> paths that continue from each input.
        keeps_image: True if its output is the image itself, perhaps padded or reshaped.
    """

    forward: Callable[[Sequence[np.ndarray]], np.ndarray]
    backward: Callable[[np.ndarray, Sequence[Shape]], list[np.ndarray]]
    keeps_image: bool = False


class KernelOperation(ABC):
    """A layer with a kernel, whose entries are those of the mask, 0 or 1, as floating point."""

    @abstractmethod
    def forward(self, value: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """Return the paths that reach the output."""

    @abstractmethod
    def backward(self, gradient: np.ndarray, shape: Shape, kernel: np.ndarray) -> np.ndarray:
        """Return the paths that continue from the input, which has this shape."""

    @abstractmethod
    def through(self, value: np.ndarray, gradient: np.ndarray, shape: Shape) -> np.ndarray:
        """Return the paths through each weight if it were kept: ``value`` reach it, ``gradient`` continue from it."""


SAME = Operation(lambda values: values[0], lambda gradient, shapes: [gradient], keeps_image=True)
"""Pass every entry on by itself: activations, normalisation, dropout."""
SUM = Operation(lambda values: sum(values[1:], start=values[0]), lambda gradient, shapes: [gradient] * len(shapes))
"""Add the entries of several inputs."""


def reshape(shape: Shape) -> Operation:
    """Change the shape."""
    return Operation(
        lambda values: values[0].reshape(shape), lambda gradient, shapes: [gradient.reshape(shapes[0])], True
    )


def permute(order: Shape) -> Operation:
    """Reorder the dimensions."""
    inverse = np.argsort(order)
    return Operation(lambda values: values[0].transpose(order), lambda gradient, shapes: [gradient.transpose(inverse)])


def concatenate(axis: int) -> Operation:
    """Concatenate inputs along a dimension."""

    def backward(gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return np.split(gradient, np.cumsum([shape[axis] for shape in shapes])[:-1], axis=axis)

    return Operation(lambda values: np.concatenate(values, axis=axis), backward)


def pad(pads: tuple[tuple[int, int], ...]) -> Operation:
    """Add cells before and after along each dimension, which no path reaches."""

    def backward(gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        inner = zip(pads, shapes[0], strict=True)
        return [gradient[tuple(slice(before, before + cells) for (before, _), cells in inner)]]

    return Operation(lambda values: np.pad(values[0], pads), backward, keeps_image=True)


def crop(crops: tuple[tuple[int, int], ...]) -> Operation:
    """Remove cells before and after along each dimension."""

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        sides = zip(crops, values[0].shape, strict=True)
        return values[0][tuple(slice(before, cells - after) for (before, after), cells in sides)]

    return Operation(forward, lambda gradient, shapes: [np.pad(gradient, crops)])


def pool(windows: Windows) -> Operation:
    """Sum the cells of each window, padding excluded."""

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        padded = windows.padded(values[0])
        return np.asarray(sum(padded[part] for _, part in windows.parts(values[0].shape[:-1])))

    def backward(gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        cells = shapes[0][:-1]
        whole = windows.padded(np.zeros(shapes[0], gradient.dtype))
        for _, part in windows.parts(cells):
            whole[part] += gradient
        return [windows.unpadded(whole, cells)]

    return Operation(forward, backward)


def pool_all(keep_dimensions: bool) -> Operation:
    """Sum all cells of the image: [*cells, channels] -> [channels], or with dimensions of size 1 kept."""
    return Operation(
        lambda values: values[0].sum(axis=tuple(range(values[0].ndim - 1)), keepdims=keep_dimensions),
        lambda gradient, shapes: [np.broadcast_to(gradient, shapes[0])],
    )


def attention(heads: int) -> Operation:
    """Apply attention of several heads, [query, key, value], each [tokens, width] -> the same.

    An entry reaches the outputs of its head that depend on it: a value's entry the same entry of all tokens; a key's
    entry all entries of all tokens; a query's entry all entries of its own token. A path goes through one of the three,
    and pruning a query or key removes paths as pruning a value does.
    """

    def sums(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> list[np.ndarray]:
        parts = zip((query, key, value), ((2,), (0, 2), (0,)), strict=True)
        return [part.reshape(len(part), heads, -1).sum(axis=axes, keepdims=True) for part, axes in parts]

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        query, key, value = sums(*values)
        return np.reshape(query + key + value, values[0].shape)

    def backward(gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        tokens, width = shapes[0]
        whole = (tokens, heads, width // heads)
        return [np.broadcast_to(part, whole).reshape(shapes[0]) for part in sums(gradient, gradient, gradient)]

    return Operation(forward, backward)


class Dense(KernelOperation):
    """A dense layer at every cell: [*cells, inputs] -> [*cells, units]."""

    def forward(self, value: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return _product(_flat(value), kernel).reshape(*value.shape[:-1], -1)

    def backward(self, gradient: np.ndarray, shape: Shape, kernel: np.ndarray) -> np.ndarray:
        return _product(_flat(gradient), kernel.T).reshape(shape)

    def through(self, value: np.ndarray, gradient: np.ndarray, shape: Shape) -> np.ndarray:
        return _through(_flat(value), _flat(gradient))


@dataclass(frozen=True)
class Convolution(KernelOperation):
    """A convolution, as one matrix product over its windows: [*cells, inputs] -> [*windows, units]."""

    windows: Windows

    def forward(self, value: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        paths = _product(self._windows_of(value), _flat(kernel))
        return paths.reshape(*self.windows.counts(value.shape[:-1]), -1)

    def backward(self, gradient: np.ndarray, shape: Shape, kernel: np.ndarray) -> np.ndarray:
        cells = shape[:-1]
        per_window = _product(_flat(gradient), _flat(kernel).T).reshape(*gradient.shape[:-1], *kernel.shape[:-1])
        whole = self.windows.padded(np.zeros(shape, gradient.dtype))
        for position, part in self.windows.parts(cells):
            index: Any = (..., *position, slice(None))
            whole[part] += per_window[index]
        return self.windows.unpadded(whole, cells)

    def through(self, value: np.ndarray, gradient: np.ndarray, shape: Shape) -> np.ndarray:
        return _through(self._windows_of(value), _flat(gradient)).reshape(shape)

    def _windows_of(self, value: np.ndarray) -> np.ndarray:
        cells, channels = value.shape[:-1], value.shape[-1]
        padded = self.windows.padded(value)
        windows = np.empty((*self.windows.counts(cells), *self.windows.size, channels), value.dtype)
        for position, part in self.windows.parts(cells):
            index: Any = (..., *position, slice(None))
            windows[index] = padded[part]
        return windows.reshape(-1, math.prod(self.windows.size) * channels)


def _flat(values: np.ndarray) -> np.ndarray:
    """Return one row a cell, one column a channel."""
    return values.reshape(-1, values.shape[-1])


def _product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply rows by a matrix; for booleans, True where any term is true."""
    if rows.dtype != np.bool_:
        return np.asarray(rows @ matrix)
    distinct, which = _distinct(rows)
    return np.asarray((distinct.astype(matrix.dtype) @ matrix > 0)[which])


def _through(inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Sum inputs times outputs over rows, [inputs, outputs]; for booleans, True where any term is true."""
    if inputs.dtype != np.bool_:
        return np.asarray(inputs.T @ outputs)
    pairs, _ = _distinct(np.concatenate([inputs, outputs], axis=1))
    left, right = np.split(pairs.astype(np.float32), [inputs.shape[1]], axis=1)
    return np.asarray(left.T @ right > 0)


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct boolean rows, and the number of each row among them: most cells of an image are equal."""
    packed = np.ascontiguousarray(np.packbits(rows, axis=1))
    names = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(names, return_index=True, return_inverse=True)
    return rows[first], which
