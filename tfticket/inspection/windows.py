"""Positions of the windows of convolutions and pooling, in any number of dimensions. Pure NumPy."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """Windows that slide over an image or a row of tokens.

    Attributes:
        size: Cells of a window along each dimension.
        strides: Cells from a window to the next.
        dilation: Cells from one of a window's cells to the next.
        padding: 'valid', 'same' or 'causal', as in TensorFlow.
    """

    size: Shape
    strides: Shape
    dilation: Shape
    padding: str

    def counts(self, shape: Shape) -> Shape:
        """Return the number of windows along each dimension of cells."""
        if self.padding == "valid":
            spans = (self._span(axis) for axis in range(len(self.size)))
            sizes = zip(shape, spans, self.strides, strict=True)
            return tuple((cells - span) // stride + 1 for cells, span, stride in sizes)
        return tuple(-(-cells // stride) for cells, stride in zip(shape, self.strides, strict=True))

    def pads(self, shape: Shape) -> list[tuple[int, int]]:
        """Return the cells of padding before and after, along each dimension."""
        pads = []
        for axis, (cells, count) in enumerate(zip(shape, self.counts(shape), strict=True)):
            span = self._span(axis)
            missing = max((count - 1) * self.strides[axis] + span - cells, 0)
            before = {"valid": 0, "same": missing // 2, "causal": span - 1}[self.padding]
            pads.append((before, max(missing - before, 0)))
        return pads

    def padded(self, values: np.ndarray) -> np.ndarray:
        """Pad values [*cells, channels] with zeros."""
        pads = self.pads(values.shape[:-1])
        return np.pad(values, [*pads, (0, 0)]) if any(map(any, pads)) else values

    def unpadded(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """Remove the padding that ``padded`` adds to this shape."""
        starts = (before for before, _ in self.pads(shape))
        return values[tuple(slice(start, start + cells) for start, cells in zip(starts, shape, strict=True))]

    def parts(self, shape: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
        """Yield each position in a window, and the padded cells at this position in all windows of unpadded cells."""
        counts = self.counts(shape)
        for position in itertools.product(*map(range, self.size)):
            axes = zip(position, self.dilation, self.strides, counts, strict=True)
            yield (
                position,
                tuple(
                    slice(index * dilation, index * dilation + (count - 1) * stride + 1, stride)
                    for index, dilation, stride, count in axes
                ),
            )

    def _span(self, axis: int) -> int:
        return (self.size[axis] - 1) * self.dilation[axis] + 1
