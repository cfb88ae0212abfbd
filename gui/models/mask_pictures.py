"""Pictures of a layer's mask, and numbers. Pure functions."""

import math
from dataclasses import dataclass

import numpy as np

from tfticket.inspection.pictures import LARGEST, receptive_fields

MEANINGS = {
    "network": "Weights remaining of the whole network",
    "layer": "Weights remaining of this layer",
    "unfed units": "Units without any incoming weight: they give their bias alone",
    "unused inputs": "Inputs of the layer from which no weight leads on",
    "just pruned": "Weights that this level has no more and the one before had",
}
"""What the numbers of a layer are, where their names do not say it."""
COUNTS = ("weights", "survivors", "units", "unfed units", "inputs", "unused inputs", "just pruned")
"""What ``counts_of`` counts."""
_LONGEST = 4
"""Times as long as wide that a picture of square cells may be."""
_CELL, _TILED_CELL = 3.0, 1.5
"""Pixels a side that a cell has at least; one of a kernel's tile."""
_FINEST = 1000
"""Cells a side at most, however near one looks."""


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """A layer's mask, drawn.

    Attributes:
        kept: float [rows, columns], the share of a cell's weights that survives; NaN between tiles.
        lost: The share that the last pruning took, of the same shape; None where there is no level before.
        cell: How many weights a cell stands for, at most.
        square: Whether cells are as high as wide.
        rows, columns: What they are, in words.
    """

    kept: np.ndarray
    lost: np.ndarray | None
    cell: int
    square: bool
    rows: str
    columns: str

    @property
    def strengths(self) -> tuple[np.ndarray, float]:
        """How strongly each cell is coloured, 0 to 1, and the share of weights that has the full colour.

        A cell with a single weight can be seen, however many weights it stands for.
        """
        shares = self.kept if self.lost is None else self.kept + self.lost
        full = float(np.nanmax(shares, initial=0.0)) or 1.0 if self.cell > 1 else 1.0
        return np.where(shares > 0, _FAINTEST + (1 - _FAINTEST) * shares / full, 0.0), full


_FAINTEST = 0.4
"""Share of the full colour that a single weight has."""


def picture_of(
    kept: np.ndarray,
    lost: np.ndarray | None,
    image: tuple[int, ...] | None,
    pixels: tuple[float, float] | None = None,
) -> MaskPicture:
    """Draw a layer's mask: inputs x units; small kernels of a convolution as tiles, many as their densities.

    Args:
        kept: bool, the layer's mask.
        lost: bool, what the last pruning took; None where that is not asked or not known.
        image: Height, width and channels of an image, where units are to be drawn as what they see of it. A layer
            that does not look at the image is drawn as others.
        pixels: Height and width that the picture is to be seen in; None: at most ``LARGEST`` cells a side.
    """
    if image is not None and (seen := receptive_fields("", kept, image)) is not None:
        taken = None if lost is None else receptive_fields("", lost, image)
        values, cell = _mosaic(seen.fields, _most(pixels, _TILED_CELL))
        tiles = None if taken is None else _mosaic(taken.fields, _most(pixels, _TILED_CELL))[0]
        return MaskPicture(values, tiles, cell, True, "", "a tile a unit: what it sees of the image")
    values, cell, tiled = _drawn(kept, pixels)
    words = ("inputs", "units") if kept.ndim == 2 else ("input channels", "output channels")
    cells = f", a tile a {kept.shape[0]} x {kept.shape[1]} kernel" if tiled else ""
    square = tiled and max(values.shape) <= _LONGEST * min(values.shape)
    gone = None if lost is None else _drawn(lost, pixels)[0]
    return MaskPicture(values, gone, cell, square, words[0], words[1] + cells)


def counts_of(kept: np.ndarray, before: np.ndarray | None) -> dict[str, int]:
    """What can be counted of a layer's mask: see ``COUNTS``.

    Args:
        kept: bool, the mask.
        before: That of the level before; None where there is none, and nothing was just pruned.
    """
    fed = np.any(kept.reshape(-1, kept.shape[-1]), axis=0)
    used = np.any(np.moveaxis(kept, -2, 0).reshape(kept.shape[-2], -1), axis=1)
    numbers = [kept.size, np.count_nonzero(kept), fed.size, np.sum(~fed), used.size, np.sum(~used)]
    if before is not None and before.shape == kept.shape:
        numbers.append(np.count_nonzero(before & ~kept))
    return {name: int(number) for name, number in zip(COUNTS, numbers, strict=False)}


def numbers_of(kept: np.ndarray, before: np.ndarray | None) -> list[tuple[str, str]]:
    """What there is to say of a layer's mask: name and value.

    Args:
        kept: bool, the mask.
        before: That of the level before; None where there is none.
    """
    counts = counts_of(kept, before)
    found = [
        ("shape", " x ".join(map(str, kept.shape))),
        ("weights", f"{counts['weights']:,}"),
        ("survivors", f"{counts['survivors']:,}"),
        ("layer", f"{100 * counts['survivors'] / counts['weights']:.3g} %"),
        ("unfed units", f"{counts['unfed units']:,} of {counts['units']:,}"),
        ("unused inputs", f"{counts['unused inputs']:,} of {counts['inputs']:,}"),
    ]
    return found + [(name, f"{counts[name]:,}") for name in ("just pruned",) if name in counts]


def _most(pixels: tuple[float, float] | None, cell: float) -> tuple[int, int]:
    """How many rows and columns of cells of a size there may be."""
    if pixels is None:
        return LARGEST, LARGEST
    rows, columns = (max(1, min(_FINEST, int(side / cell))) for side in pixels)
    return rows, columns


def _drawn(mask: np.ndarray, pixels: tuple[float, float] | None) -> tuple[np.ndarray, int, bool]:
    """A mask as shares of cells; how many weights a cell stands for; whether kernels are tiles."""
    kernel = math.prod(mask.shape[:2]) if mask.ndim == 4 else 1
    if kernel > 1:
        height, width, inputs, units = mask.shape
        rows, columns = _most(pixels, _TILED_CELL)
        if inputs * (height + 1) <= rows and units * (width + 1) <= columns:
            tiles = np.full((inputs, height + 1, units, width + 1), np.nan)
            tiles[:, :height, :, :width] = mask.transpose(2, 0, 3, 1)
            return tiles.reshape(inputs * (height + 1), -1)[:-1, :-1], 1, True
        shares = mask.mean(axis=(0, 1))
    else:
        shares = mask.reshape(-1, mask.shape[-1]).astype(float)
    high, wide = (-(-size // most) for size, most in zip(shares.shape, _most(pixels, _CELL), strict=True))
    return _coarse(shares, high, wide), kernel * high * wide, False


def _coarse(shares: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Means over cells of so many rows and columns: the last two dimensions; the last cells may be smaller."""
    for axis, block in ((-2, high), (-1, wide)):
        if block > 1:
            size = shares.shape[axis]
            begins = np.arange(0, size, block)
            sizes = np.diff(begins, append=size)
            shares = np.add.reduceat(shares, begins, axis=axis) / (sizes[:, None] if axis == -2 else sizes)
    return shares


def _mosaic(fields: np.ndarray, most: tuple[int, int]) -> tuple[np.ndarray, int]:
    """A tile a unit, in the units' order, so that a tile stays where it is from level to level; a cell's weights."""
    units, height, width, channels = fields.shape
    columns = math.ceil(math.sqrt(units * height / width))
    rows = -(-units // columns)
    block = 1
    while block < max(height, width) and (
        rows * (-(-height // block) + 1) > most[0] or columns * (-(-width // block) + 1) > most[1]
    ):
        block += 1
    shares = _coarse(fields.mean(axis=-1), block, block)
    height, width = shares.shape[1:]
    tiles = np.full((rows, height + 1, columns, width + 1), np.nan)
    for unit, share in enumerate(shares):
        tiles[unit // columns, :height, unit % columns, :width] = share
    return tiles.reshape(rows * (height + 1), -1)[:-1, :-1], block**2 * channels
