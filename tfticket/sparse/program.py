"""Compile a masked network into the tables of ``tfticket.sparse.kernels``, keeping only what reaches the logits.

A dense layer is a convolution whose window is the whole image. The output of a layer is a region of two buffers, values
and errors, as [channel, y, x] with the zero padding that convolutions need.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tfticket.data import Normalisation
from tfticket.sparse.kernels import ACTIVATION, LINEAR, NONE, Program
from tfticket.sparse.vectors import LANES

CACHE_VALUES = 2**19
"""Values that fit in the processor's cache; they limit the rows of a tile."""

WIDEST = 256
"""Most rows of a tile."""

Pair = tuple[int, int]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Linear:
    """A dense layer or a convolution.

    Attributes:
        kept: bool [vertical, horizontal, channels in, channels out], the surviving weights.
        kernel: int64 [survivors], positions in theta, in C order.
        bias: int64 [channels out], positions in theta; -1 without a bias.
        activation: NONE, RELU or TANH.
        stride, padding: (vertical, horizontal); padding at the top and on the left.
        shape: Of its output, (channels, height, width).
    """

    kept: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray
    shape: Shape
    activation: int = NONE
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    @property
    def sees_all(self) -> bool:
        """True if there is a single window, the whole image, as in a dense layer."""
        return self.shape[1:] == (1, 1) and self.padding == (0, 0)


@dataclass(frozen=True)
class Pool:
    """Maximum or mean over windows; ``kind`` is MAX_POOL or AVERAGE_POOL."""

    kind: int
    size: Pair
    stride: Pair
    padding: Pair
    shape: Shape


@dataclass(frozen=True)
class Activation:
    """An activation that does not follow a dense layer or a convolution."""

    activation: int
    shape: Shape


Layer = Linear | Pool | Activation


@dataclass(frozen=True)
class Compiled:
    """A program and the sizes of its buffers.

    Attributes:
        program: The tables.
        width: Rows per tile.
        values, errors: Lengths of the buffers.
        inputs: int64 [inputs]: indices into a flat row, [height, width, channels] or [features], of its inputs.
    """

    program: Program
    width: int
    values: int
    errors: int
    inputs: np.ndarray


@dataclass(frozen=True)
class _Region:
    """Location of the output of a layer, in units of the width of a tile."""

    shape: Shape
    value: int
    value_size: Pair
    value_padding: Pair
    error: int
    error_size: Pair
    error_padding: Pair
    spread: Pair = (1, 1)

    def value_at(self, channel: Any, y: Any, x: Any) -> Any:
        (height, width), (top, left) = self.value_size, self.value_padding
        return self.value + (channel * height + y + top) * width + x + left

    def error_at(self, channel: Any, y: Any, x: Any) -> Any:
        (height, width), (top, left) = self.error_size, self.error_padding
        return self.error + (channel * height + y * self.spread[0] + top) * width + x * self.spread[1] + left


def compile_network(
    image: Shape, layers: Sequence[Layer], normalisation: Normalisation, most_rows: int = WIDEST
) -> Compiled:
    """Compile a network.

    Args:
        image: (channels, height, width); (features, 1, 1) for rows of features.
        layers: From the image to logits [classes, 1, 1].
        normalisation: Of the rows.
        most_rows: Number of rows that are computed together: a tile needs no more.
    """
    alive = _alive(image, layers)
    regions = _regions(image, layers)
    tables = _Tables()
    operations = [
        _operation(tables, layer, regions[number], regions[number + 1], alive[number], alive[number + 1], number == 0)
        for number, layer in enumerate(layers)
    ]
    channel, y, x = np.nonzero(alive[0])
    classes = np.arange(layers[-1].shape[0])
    last = regions[-1]

    def of_channels(constants: tuple[float, ...]) -> np.ndarray:
        return np.broadcast_to(np.array(constants), image[0])[channel].astype(np.float32)

    values = sum(_numbers(region.shape[0], region.value_size) for region in regions)
    errors = sum(_numbers(region.shape[0], region.error_size) for region in regions)
    enough = min(WIDEST, -(-most_rows // LANES) * LANES)
    width = int(np.clip(2 ** int(np.log2(CACHE_VALUES / values)), LANES, enough))
    program = Program(
        operations=np.array(operations, np.int64),
        runs=tables.of("runs", 6, (0, 1, 4), width),
        sources=tables.of("sources", 1, (0,), width).ravel(),
        product_weights=tables.of("weights", 1, (), width).ravel(),
        dots=tables.of("dots", 7, (0, 1, 3, 4, 5), width),
        biases=tables.of("biases", 5, (0, 2, 3), width),
        pairs=tables.of("pairs", 3, (0, 1, 2), width),
        windows=tables.of("windows", 4, (0, 1), width),
        members=tables.of("members", 2, (0, 1), width),
        inputs=regions[0].value_at(channel, y, x) * width,
        offset=of_channels(normalisation.offset),
        scale=of_channels(normalisation.scale),
        shift=of_channels(normalisation.shift),
        logits=np.stack([last.value_at(classes, 0, 0), last.error_at(classes, 0, 0)], axis=1) * width,
    )
    inputs = (y * image[2] + x) * image[0] + channel
    return Compiled(program, width, values * width, (errors + 2) * width, inputs)


def _alive(image: Shape, layers: Sequence[Layer]) -> list[np.ndarray]:
    """Return what reaches the logits, for the image and the output of each layer: bool [channels, height, width]."""
    alive: list[Any] = [np.ones(layers[-1].shape, bool)]
    shapes = [image, *(layer.shape for layer in layers)]
    for layer, shape in zip(reversed(layers), reversed(shapes[:-1]), strict=True):
        after: Any = alive[0]
        before: Any
        if isinstance(layer, Linear):
            reached: Any = layer.kept[..., after.any(axis=(1, 2))].any(axis=-1)
            if layer.sees_all:
                before = np.zeros(shape, bool)
                before[:, : reached.shape[0], : reached.shape[1]] = reached.transpose(2, 0, 1)
            else:
                before = np.broadcast_to(reached.any(axis=(0, 1))[:, None, None], shape)
        elif isinstance(layer, Pool):
            before = np.broadcast_to(np.any(after, axis=(1, 2))[:, None, None], shape)
        else:
            before = after
        alive.insert(0, before)
    return alive


def _numbers(channels: int, size: Pair) -> int:
    return channels * size[0] * size[1]


def _regions(image: Shape, layers: Sequence[Layer]) -> list[_Region]:
    """Lay out the image and the output of each layer."""
    shapes = [image, *(layer.shape for layer in layers)]
    producers: list[Layer | None] = [None, *layers]
    consumers: list[Layer | None] = [*layers, None]
    regions: list[_Region] = []
    value = error = 0
    for shape, producer, consumer in zip(shapes, producers, consumers, strict=True):
        value_size, value_padding = shape[1:], (0, 0)
        if isinstance(consumer, Linear):
            value_padding = consumer.padding
            reach = [
                (out - 1) * stride + size
                for out, stride, size in zip(consumer.shape[1:], consumer.stride, consumer.kept.shape[:2], strict=True)
            ]
            value_size = _pair(max(n + p, r) for n, p, r in zip(shape[1:], value_padding, reach, strict=True))
        error_size, error_padding, spread = shape[1:], (0, 0), (1, 1)
        if isinstance(producer, Linear) and not producer.sees_all:
            spread = producer.stride
            size = producer.kept.shape[:2]
            error_padding = _pair(k - 1 - p for k, p in zip(size, producer.padding, strict=True))
            error_size = _pair(
                max(before + k - 1, (n - 1) * s + 1 + p)
                for before, k, n, s, p in zip(
                    regions[-1].shape[1:], size, shape[1:], spread, error_padding, strict=True
                )
            )
        if isinstance(producer, Activation):  # the derivative is taken in place
            region = replace(regions[-1], value=value, value_size=value_size, value_padding=value_padding)
        else:
            region = _Region(shape, value, value_size, value_padding, error, error_size, error_padding, spread)
            error += _numbers(shape[0], error_size)
        value += _numbers(shape[0], value_size)
        regions.append(region)
    return regions


def _pair(values: Any) -> Pair:
    first, second = values
    return int(first), int(second)


class _Tables:
    """Rows of tables under construction."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}
        self._lengths: dict[str, int] = {}

    def add(self, name: str, *columns: Any) -> tuple[int, int]:
        """Add rows from broadcast columns; return the range of their indices, the end exclusive."""
        rows = np.stack([column.ravel() for column in np.broadcast_arrays(*columns)], axis=1).astype(np.int64)
        begin = self._lengths.get(name, 0)
        self._parts.setdefault(name, []).append(rows)
        self._lengths[name] = begin + len(rows)
        return begin, begin + len(rows)

    def of(self, name: str, columns: int, positions: tuple[int, ...], width: int) -> np.ndarray:
        """Return a table, with columns of positions and lengths in numbers."""
        table = np.concatenate([np.empty((0, columns), np.int64), *self._parts.get(name, [])])
        table[:, positions] *= width
        return np.ascontiguousarray(table)


NOTHING = (0, 0)


def _operation(
    tables: _Tables, layer: Layer, source: _Region, target: _Region, before: np.ndarray, after: np.ndarray, first: bool
) -> list[int]:
    """Return one row of ``Program.operations``."""
    if isinstance(layer, Linear):
        kind, activation = LINEAR, layer.activation
        products = _products(layer, np.asarray(after.any(axis=(1, 2))))
        forward = _forward_runs(tables, layer, products, source, target, after)
        if layer.sees_all:
            backward, dots = _dense_backward(tables, products, source, target, before, first), NOTHING
        else:
            backward = NOTHING if first else _backward_runs(tables, layer, products, source, target, before)
            dots = _dots(tables, layer, products, source, target)
        biases = _biases(tables, layer, target, after)
        pairs = NOTHING if activation == NONE else _pairs(tables, target, after)
        return [kind, activation, *forward, *backward, *dots, *biases, *pairs, int(layer.sees_all)]
    if isinstance(layer, Pool):
        windows = _windows(tables, layer, source, target, after)
        return [layer.kind, NONE, *windows, *(NOTHING if first else windows), *NOTHING, *NOTHING, *NOTHING, 0]
    channel, y, x = np.nonzero(after)
    copies = tables.add("pairs", source.value_at(channel, y, x), target.value_at(channel, y, x), 1)
    pairs = _pairs(tables, target, after)
    return [ACTIVATION, layer.activation, *copies, *NOTHING, *NOTHING, *NOTHING, *pairs, 0]


class _Products(NamedTuple):
    """Columns of the surviving weights that reach the logits."""

    down: np.ndarray
    right: np.ndarray
    channel_in: np.ndarray
    channel_out: np.ndarray
    weight: np.ndarray


def _products(layer: Linear, alive: np.ndarray) -> _Products:
    columns = (*np.nonzero(layer.kept), layer.kernel)
    reaching = alive[columns[3]]
    return _Products(*(column[reaching] for column in columns))


def _grouped(tables: _Tables, groups: np.ndarray, sources: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Add products sorted by group; return where each group begins, and the end of the last one, [count + 1]."""
    order = np.lexsort((sources, groups))
    begin, _ = tables.add("sources", sources[order])
    tables.add("weights", weights[order])
    return begin + np.searchsorted(groups[order], np.arange(count + 1))


def _forward_runs(
    tables: _Tables, layer: Linear, products: _Products, source: _Region, target: _Region, after: np.ndarray
) -> tuple[int, int]:
    channels, height, width = layer.shape
    (down, right), (top, left) = layer.stride, layer.padding
    sources = source.value_at(products.channel_in, products.down - top, products.right - left)
    ends = _grouped(tables, products.channel_out, sources, products.weight, channels)
    channel, y, x, length = _places(np.flatnonzero(after.any(axis=(1, 2))), height, width, right == 1)
    shift = (y * down * source.value_size[1]) + x * right
    return tables.add(
        "runs", target.value_at(channel, y, x), length, ends[channel], ends[channel + 1], shift, layer.bias[channel]
    )


def _places(channels: np.ndarray, height: int, width: int, whole: bool) -> tuple[np.ndarray, np.ndarray, Any, int]:
    """Return channel, y, x of runs, and their length: whole rows of pixels, or single ones."""
    steps = (np.arange(height), np.zeros(1, int) if whole else np.arange(width))
    channel, y, x = (grid.ravel() for grid in np.meshgrid(channels, *steps, indexing="ij"))
    return channel, y, x, width if whole else 1


def _dense_backward(
    tables: _Tables, products: _Products, source: _Region, target: _Region, before: np.ndarray, first: bool
) -> tuple[int, int]:
    """Add runs whose shift is the position of the input value, and whose target is below 0 where no error is needed."""
    shape = source.shape
    groups = np.ravel_multi_index((products.channel_in, products.down, products.right), shape)
    sources = target.error_at(products.channel_out, 0, 0)
    ends = _grouped(tables, groups, sources, products.weight, int(np.prod(shape)))
    place = np.nonzero(before)
    group = np.ravel_multi_index(place, shape)
    errors = -1 if first else source.error_at(*place)
    return tables.add("runs", errors, 1, ends[group], ends[group + 1], source.value_at(*place), -1)


def _backward_runs(
    tables: _Tables, layer: Linear, products: _Products, source: _Region, target: _Region, before: np.ndarray
) -> tuple[int, int]:
    channels, height, width = source.shape
    size = layer.kept.shape
    rows, columns = target.error_size
    sources = target.error + (products.channel_out * rows + size[0] - 1 - products.down) * columns
    sources += size[1] - 1 - products.right
    ends = _grouped(tables, products.channel_in, sources, products.weight, channels)
    alive = np.flatnonzero(before.any(axis=(1, 2)))
    channel, y, x, length = _places(alive, height, width, source.spread[1] == 1)
    return tables.add(
        "runs", source.error_at(channel, y, x), length, ends[channel], ends[channel + 1], y * columns + x, -1
    )


def _dots(tables: _Tables, layer: Linear, products: _Products, source: _Region, target: _Region) -> tuple[int, int]:
    (down, right), (top, left) = layer.stride, layer.padding
    _, height, width = layer.shape
    value = source.value_at(products.channel_in, products.down - top, products.right - left)
    error = target.error_at(products.channel_out, 0, 0)
    order = np.lexsort((error, value))
    length = (width - 1) * right + 1  # between neighbours that are spread the errors are 0
    pitches = (down * source.value_size[1], target.spread[0] * target.error_size[1])
    return tables.add("dots", value[order], error[order], height, *pitches, length, products.weight[order])


def _biases(tables: _Tables, layer: Linear, target: _Region, after: np.ndarray) -> tuple[int, int]:
    channel = np.flatnonzero(after.any(axis=(1, 2)) & (layer.bias >= 0))
    _, height, width = layer.shape
    pitch, length = target.spread[0] * target.error_size[1], (width - 1) * target.spread[1] + 1
    return tables.add("biases", target.error_at(channel, 0, 0), height, pitch, length, layer.bias[channel])


def _pairs(tables: _Tables, region: _Region, alive: np.ndarray) -> tuple[int, int]:
    _, height, width = region.shape
    channel, y, x, length = _places(np.flatnonzero(alive.any(axis=(1, 2))), height, width, region.spread[1] == 1)
    return tables.add("pairs", region.value_at(channel, y, x), region.error_at(channel, y, x), length)


def _windows(tables: _Tables, layer: Pool, source: _Region, target: _Region, after: np.ndarray) -> tuple[int, int]:
    """Add the windows of a pooling layer and their members, without the padding."""
    _, height, width = source.shape
    channel, y, x = (indices[:, None] for indices in np.nonzero(after))
    down, right = (offsets.ravel()[None, :] for offsets in np.indices(layer.size))
    rows = y * layer.stride[0] - layer.padding[0] + down
    columns = x * layer.stride[1] - layer.padding[1] + right
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    channels = np.broadcast_to(channel, inside.shape)[inside]
    places = (channels, rows[inside], columns[inside])
    begin, _ = tables.add("members", source.value_at(*places), source.error_at(*places))
    ends = begin + np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    place = (channel[:, 0], y[:, 0], x[:, 0])
    return tables.add("windows", target.value_at(*place), target.error_at(*place), ends[:-1], ends[1:])
