"""Where the windows of convolutions and pooling lie, in any number of dimensions. Pure NumPy."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """Windows that move over an image or a row of tokens.

    Attributes:
        size: Cells of a window along each dimension.
        strides: Cells from a window to the next.
        dilation: Cells from one of a window's cells to the next.
        padding: 'valid', 'same' or 'causal', as TensorFlow has them.
    """

    size: Shape
    strides: Shape
    dilation: Shape
    padding: str

    def counts(self, shape: Shape) -> Shape:
        """How many windows lie along each dimension.

        Args:
            shape: Cells along each dimension.
        """
        if self.padding == "valid":
            spans = (self._span(axis) for axis in range(len(self.size)))
            sizes = zip(shape, spans, self.strides, strict=True)
            return tuple((cells - span) // stride + 1 for cells, span, stride in sizes)
        return tuple(-(-cells // stride) for cells, stride in zip(shape, self.strides, strict=True))

    def pads(self, shape: Shape) -> list[tuple[int, int]]:
        """Cells of padding before and after, along each dimension."""
        found = []
        for axis, (cells, count) in enumerate(zip(shape, self.counts(shape), strict=True)):
            span = self._span(axis)
            missing = max((count - 1) * self.strides[axis] + span - cells, 0)
            before = {"valid": 0, "same": missing // 2, "causal": span - 1}[self.padding]
            found.append((before, max(missing - before, 0)))
        return found

    def padded(self, values: np.ndarray) -> np.ndarray:
        """Values [*cells, channels] with zeros around."""
        pads = self.pads(values.shape[:-1])
        return np.pad(values, [*pads, (0, 0)]) if any(map(any, pads)) else values

    def unpadded(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """The cells of a shape out of what ``padded`` made of it."""
        begins = (before for before, _ in self.pads(shape))
        return values[tuple(slice(begin, begin + cells) for begin, cells in zip(begins, shape, strict=True))]

    def parts(self, shape: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
        """Each place in a window, and the padded cells that lie there in all windows.

        Args:
            shape: Cells along each dimension, without padding.
        """
        counts = self.counts(shape)
        for place in itertools.product(*map(range, self.size)):
            axes = zip(place, self.dilation, self.strides, counts, strict=True)
            yield (
                place,
                tuple(
                    slice(index * apart, index * apart + (count - 1) * stride + 1, stride)
                    for index, apart, stride, count in axes
                ),
            )

    def _span(self, axis: int) -> int:
        return (self.size[axis] - 1) * self.dilation[axis] + 1
