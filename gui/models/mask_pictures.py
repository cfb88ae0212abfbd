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
_CELL, _TILED_CELL = 3.0, 2.0
"""Pixels a side that a cell has at least; one of a tile, so that lines between tiles stay to be seen."""
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
    def strengths(self) -> np.ndarray:
        """How strongly each cell is coloured, 0 to 1, float [rows, columns]."""
        return self._strength(self.kept if self.lost is None else self.kept + self.lost)

    @property
    def faintest(self) -> float:
        """How strongly a cell is coloured that has a single one of its weights."""
        return float(self._strength(np.array(1 / self.cell)))

    def _strength(self, shares: np.ndarray) -> np.ndarray:
        """In proportion to the share, above what lets a single weight be seen.

        That is more where few cells have any, so that points of a sparse mask stand out, and little where many have,
        so that a mask does not look denser than it is.
        """
        drawn = self.kept if self.lost is None else self.kept + self.lost
        cells = drawn[np.isfinite(drawn)]
        empty = float(np.mean(cells == 0)) if cells.size else 0.0
        least = _FAINTEST + (_STRONGEST - _FAINTEST) * empty**4
        return np.where(shares > 0, least + (1 - least) * shares, 0.0)


_FAINTEST, _STRONGEST = 0.08, 0.55
"""Shares of the full colour that a single of very many weights has: among others everywhere, and alone."""


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
    gone = None
    if kept.ndim == 4 and (grid := _grid(kept.shape, pixels)) is not None:
        if lost is not None:
            gone = _tiles(lost, *grid)
        tile = f"a tile a {kept.shape[0]} x {kept.shape[1]} kernel"
        return MaskPicture(_tiles(kept, *grid), gone, 1, True, *_grid_words(kept.shape, *grid, tile))
    values, cell = _drawn(kept, pixels)
    words = ("inputs", "units") if kept.ndim == 2 else ("input channels", "output channels")
    if lost is not None:
        gone = _drawn(lost, pixels)[0]
    return MaskPicture(values, gone, cell, False, *words)


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


def _grid(shape: tuple[int, ...], pixels: tuple[float, float] | None) -> tuple[int, int] | None:
    """How many input channels stand below one another, and output channels beside one another, as tiles.

    What is more than so many goes on in a further band. None where kernels are single weights, or there are too many
    tiles to be seen.
    """
    height, width, inputs, units = shape
    if height * width == 1:
        return None
    most = _most(pixels, _TILED_CELL)
    wanted = 1.0 if pixels is None else pixels[0] / pixels[1]

    def size(grid: tuple[int, int]) -> tuple[int, int]:
        down, across = -(-units // grid[1]), -(-inputs // grid[0])
        return down * (grid[0] * (height + 1) + 1) - 2, across * (grid[1] * (width + 1) + 1) - 2

    def cost(grid: tuple[int, int]) -> float:
        rows, columns = size(grid)
        return abs(float(np.log(rows / columns / wanted)))

    whole = (inputs, units)
    rows, columns = size(whole)
    if max(rows, columns) <= _LONGEST * min(rows, columns) and rows <= most[0] and columns <= most[1]:
        return whole
    broken = [(inputs, some) for some in range(1, units)] + [(some, units) for some in range(1, inputs)]
    fitting = [grid for grid in broken if size(grid)[0] <= most[0] and size(grid)[1] <= most[1]]
    return min(fitting, key=cost, default=None)


def _tiles(mask: np.ndarray, down: int, across: int) -> np.ndarray:
    """A convolution's kernels as tiles: see ``_grid``; NaN between tiles, twice as wide between bands."""
    height, width, inputs, units = mask.shape
    if down < inputs:
        return _tiles(mask.transpose(1, 0, 3, 2), across, down).T
    bands = -(-units // across)
    found = np.full((bands, inputs * (height + 1) + 1, across * (width + 1)), np.nan)
    for unit in range(units):
        band, place = divmod(unit, across)
        tile = np.full((inputs, height + 1, width), np.nan)
        tile[:, :height] = mask[:, :, :, unit].transpose(2, 0, 1)
        left = place * (width + 1)
        found[band, :-1, left : left + width] = tile.reshape(-1, width)
    if inputs == 1:  # a band is a row of tiles
        return found[:, :-1].reshape(-1, across * (width + 1))[:-1, :-1]
    return found.reshape(-1, across * (width + 1))[:-2, :-1]


def _grid_words(shape: tuple[int, ...], down: int, across: int, tile: str) -> tuple[str, str]:
    """What rows and columns of tiles are."""
    inputs, units = shape[2:]
    if (down, across) == (inputs, units):
        return "input channels", f"output channels, {tile}"
    if down < inputs:
        return f"input channels, {down} a column", f"output channels in each column, {tile}"
    return ("input channels in each band" if inputs > 1 else ""), f"output channels, {across} a row, {tile}"


def _drawn(mask: np.ndarray, pixels: tuple[float, float] | None) -> tuple[np.ndarray, int]:
    """A mask as shares of cells, inputs x units; how many weights a cell stands for."""
    kernel = math.prod(mask.shape[:-2])
    shares = mask.mean(axis=tuple(range(mask.ndim - 2))) if mask.ndim > 2 else mask.astype(float)
    high, wide = (-(-size // most) for size, most in zip(shares.shape, _most(pixels, _CELL), strict=True))
    return _coarse(shares, high, wide), kernel * high * wide


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
