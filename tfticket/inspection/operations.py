"""Layers as linear maps that count paths: forward from inputs, backward from outputs. Pure NumPy.

Values are those of one image, without rows: [*cells, channels]. Forward, a value is the number of paths that reach it;
backward, the number of paths that continue from it. With booleans it is True if there is any path.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.inspection.windows import Shape, Windows


class Operation:
    """A layer without a kernel."""

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the paths that reach the output.

        Args:
            values: Paths that reach each input.
        """
        raise NotImplementedError

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        """Return the paths that continue from each input.

        Args:
            gradient: Paths that continue from the output.
            shapes: Shape of each input.
        """
        raise NotImplementedError


class KernelOperation:
    """A layer with a kernel, whose entries are those of the mask, 0 or 1, as floating point."""

    def forward(self, value: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """Return the paths that reach the output."""
        raise NotImplementedError

    def backward(self, gradient: np.ndarray, shape: Shape, kernel: np.ndarray) -> np.ndarray:
        """Return the paths that continue from the input, which has this shape."""
        raise NotImplementedError

    def through(self, value: np.ndarray, gradient: np.ndarray, shape: Shape) -> np.ndarray:
        """Return the paths through each weight if it were kept, of the kernel's shape.

        Args:
            value: Paths that reach the input.
            gradient: Paths that continue from the output.
            shape: Shape of the kernel.
        """
        raise NotImplementedError


class Same(Operation):
    """Pass every entry on by itself: activations, normalisation, dropout."""

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return values[0]

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [gradient]


class Sum(Operation):
    """Add the entries of several inputs."""

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return sum(values[1:], start=values[0])

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [gradient] * len(shapes)


@dataclass(frozen=True)
class Reshape(Operation):
    """Change the shape."""

    shape: Shape

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return values[0].reshape(self.shape)

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [gradient.reshape(shapes[0])]


@dataclass(frozen=True)
class Permute(Operation):
    """Reorder the dimensions."""

    order: Shape

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return values[0].transpose(self.order)

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [gradient.transpose(np.argsort(self.order))]


@dataclass(frozen=True)
class Concatenate(Operation):
    """Concatenate inputs along a dimension."""

    axis: int

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(values, axis=self.axis)

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        ends = np.cumsum([shape[self.axis] for shape in shapes])
        return np.split(gradient, ends[:-1], axis=self.axis)


@dataclass(frozen=True)
class Pad(Operation):
    """Add cells before and after along each dimension, which no path reaches."""

    pads: tuple[tuple[int, int], ...]

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return np.pad(values[0], self.pads)

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        inner = zip(self.pads, shapes[0], strict=True)
        return [gradient[tuple(slice(before, before + cells) for (before, _), cells in inner)]]


@dataclass(frozen=True)
class Crop(Operation):
    """Remove cells before and after along each dimension."""

    crops: tuple[tuple[int, int], ...]

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        sides = zip(self.crops, values[0].shape, strict=True)
        return values[0][tuple(slice(before, cells - after) for (before, after), cells in sides)]

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.pad(gradient, self.crops)]


@dataclass(frozen=True)
class Pool(Operation):
    """Sum the cells of each window, padding excluded."""

    windows: Windows

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        padded = self.windows.padded(values[0])
        return sum(padded[part] for _, part in self.windows.parts(values[0].shape[:-1]))  # type: ignore[return-value]

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        cells = shapes[0][:-1]
        whole = self.windows.padded(np.zeros(shapes[0], gradient.dtype))
        for _, part in self.windows.parts(cells):
            whole[part] += gradient
        return [self.windows.unpadded(whole, cells)]


class PoolAll(Operation):
    """Sum all cells of the image: [*cells, channels] -> [channels], or with dimensions of size 1 kept."""

    def __init__(self, keep_dimensions: bool) -> None:
        self.keep_dimensions = keep_dimensions

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        axes = tuple(range(values[0].ndim - 1))
        return np.asarray(values[0].sum(axis=axes, keepdims=self.keep_dimensions))

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        return [np.broadcast_to(gradient, shapes[0])]


@dataclass(frozen=True)
class Attention(Operation):
    """Attention of several heads, [query, key, value], each [tokens, width] -> the same.

    An entry reaches the outputs of its head that depend on it: a value's entry the same entry of all tokens; a key's
    entry all entries of all tokens; a query's entry all entries of its own token. A path goes through one of the three,
    and pruning a query or key removes paths as pruning a value does.
    """

    heads: int

    def forward(self, values: Sequence[np.ndarray]) -> np.ndarray:
        tokens, width = values[0].shape
        query, key, value = (part.reshape(tokens, self.heads, -1) for part in values)
        reached = query.sum(axis=2, keepdims=True) + key.sum(axis=(0, 2), keepdims=True)
        return np.reshape(reached + value.sum(axis=0, keepdims=True), (tokens, width))

    def backward(self, gradient: np.ndarray, shapes: Sequence[Shape]) -> list[np.ndarray]:
        tokens, width = shapes[0]
        parts = gradient.reshape(tokens, self.heads, -1)
        continuing = (
            parts.sum(axis=2, keepdims=True),
            parts.sum(axis=(0, 2), keepdims=True),
            parts.sum(axis=0, keepdims=True),
        )
        return [np.broadcast_to(part, parts.shape).reshape(tokens, width) for part in continuing]


class Dense(KernelOperation):
    """Apply a dense layer at every cell: [*cells, inputs] -> [*cells, units]."""

    def forward(self, value: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return _product(_flat(value), kernel).reshape(*value.shape[:-1], -1)

    def backward(self, gradient: np.ndarray, shape: Shape, kernel: np.ndarray) -> np.ndarray:
        return _product(_flat(gradient), kernel.T).reshape(shape)

    def through(self, value: np.ndarray, gradient: np.ndarray, shape: Shape) -> np.ndarray:
        return _through(_flat(value), _flat(gradient))


@dataclass(frozen=True)
class Convolution(KernelOperation):
    """Apply a convolution as one matrix product over its windows: [*cells, inputs] -> [*windows, units]."""

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
        """Return the cells of each window, [windows, positions x channels]."""
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
