"""Images of a layer's mask, and its counts. Pure functions."""

import math
from dataclasses import dataclass

import numpy as np

from tfticket.inspection.pictures import LARGEST, receptive_fields

MEANINGS = {
    "network": "Weights remaining in the whole network",
    "layer": "Weights remaining in this layer",
    "units without inputs": "Units without any incoming weight; they output their bias",
    "unused inputs": "Inputs of the layer without any outgoing weight",
    "just pruned": "Weights pruned at this level",
}
"""Tooltips of the counts."""
COUNTS = ("weights", "survivors", "units", "units without inputs", "inputs", "unused inputs", "just pruned")
_MAX_ASPECT = 4
"""Largest ratio of the sides of an image of square cells."""
_CELL, _TILED_CELL = 3.0, 2.0
"""Smallest side of a cell, in pixels; of a cell of a tile, so that the lines between tiles stay visible."""
_MAX_SIDE = 1000
"""Largest number of cells per side, at any zoom."""


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """Image of a layer's mask.

    Attributes:
        kept: float [rows, columns], surviving fraction of each cell's weights; NaN between tiles.
        lost: Fraction pruned at this level, of the same shape; None without a previous level.
        weights_per_cell: Largest number of weights per cell.
        rows, columns: Axis labels.
    """

    kept: np.ndarray
    lost: np.ndarray | None
    weights_per_cell: int
    square: bool
    rows: str
    columns: str

    @property
    def strengths(self) -> np.ndarray:
        """Colour strength of each cell, 0 to 1, float [rows, columns]."""
        return self._strength(self.kept if self.lost is None else self.kept + self.lost)

    @property
    def faintest(self) -> float:
        """Colour strength of a cell with a single surviving weight."""
        return float(self._strength(np.array(1 / self.weights_per_cell)))

    def _strength(self, shares: np.ndarray) -> np.ndarray:
        """Return colour strengths: proportional to the share, plus a minimum that makes single weights visible.

        The minimum is high in sparse masks, whose points should stand out, and low in others, which should not look
        denser than they are.
        """
        drawn = self.kept if self.lost is None else self.kept + self.lost
        cells = drawn[np.isfinite(drawn)]
        empty = float(np.mean(cells == 0)) if cells.size else 0.0
        minimum = _FAINTEST + (_STRONGEST - _FAINTEST) * empty**4
        return np.where(shares > 0, minimum + (1 - minimum) * shares, 0.0)


_FAINTEST, _STRONGEST = 0.08, 0.55
"""Colour strength of one weight among very many: in a mask without empty cells, and in an almost empty one."""


def draw_mask(
    kept: np.ndarray,
    lost: np.ndarray | None,
    image: tuple[int, ...] | None,
    pixels: tuple[float, float] | None = None,
) -> MaskPicture:
    """Draw a layer's mask as inputs x units; kernels of a convolution as tiles, or as densities if there are many.

    Args:
        kept: bool, mask of the layer.
        lost: bool, weights pruned at this level; None to leave them out.
        image: Height, width and channels of the input, to draw units as their receptive fields; ignored for layers
            that do not read the input.
        pixels: Height and width of the image on the screen; None for at most ``LARGEST`` cells per side.
    """
    if image is not None and (fields := receptive_fields("", kept, image)) is not None:
        lost_fields = None if lost is None else receptive_fields("", lost, image)
        values, cell = _mosaic(fields.fields, _max_cells(pixels, _TILED_CELL))
        tiles = None if lost_fields is None else _mosaic(lost_fields.fields, _max_cells(pixels, _TILED_CELL))[0]
        return MaskPicture(values, tiles, cell, True, "", "one tile per unit: its receptive field in the image")
    gone = None
    if kept.ndim == 4 and (grid := _grid(kept.shape, pixels)) is not None:
        if lost is not None:
            gone = _tiles(lost, *grid)
        tile = f"one tile per {kept.shape[0]} x {kept.shape[1]} kernel"
        return MaskPicture(_tiles(kept, *grid), gone, 1, True, *_grid_words(kept.shape, *grid, tile))
    values, cell = _downsample(kept, pixels)
    words = ("inputs", "units") if kept.ndim == 2 else ("input channels", "output channels")
    if lost is not None:
        gone = _downsample(lost, pixels)[0]
    return MaskPicture(values, gone, cell, False, *words)


def count_mask(kept: np.ndarray, before: np.ndarray | None) -> dict[str, int]:
    """Return the counts of a layer's mask by ``COUNTS``, 'just pruned' only given the mask of the previous level."""
    fed = np.any(kept.reshape(-1, kept.shape[-1]), axis=0)
    used = np.any(np.moveaxis(kept, -2, 0).reshape(kept.shape[-2], -1), axis=1)
    numbers = [kept.size, np.count_nonzero(kept), fed.size, np.sum(~fed), used.size, np.sum(~used)]
    if before is not None and before.shape == kept.shape:
        numbers.append(np.count_nonzero(before & ~kept))
    return {name: int(number) for name, number in zip(COUNTS, numbers, strict=False)}


def summarise_mask(kept: np.ndarray, before: np.ndarray | None) -> list[tuple[str, str]]:
    """Return (name, value) pairs that describe a layer's mask, given that of the previous level."""
    counts = count_mask(kept, before)
    pairs = [
        ("shape", " x ".join(map(str, kept.shape))),
        ("weights", f"{counts['weights']:,}"),
        ("survivors", f"{counts['survivors']:,}"),
        ("layer", f"{100 * counts['survivors'] / counts['weights']:.3g} %"),
        ("units without inputs", f"{counts['units without inputs']:,} of {counts['units']:,}"),
        ("unused inputs", f"{counts['unused inputs']:,} of {counts['inputs']:,}"),
    ]
    return pairs + [(name, f"{counts[name]:,}") for name in ("just pruned",) if name in counts]


def _max_cells(pixels: tuple[float, float] | None, cell: float) -> tuple[int, int]:
    if pixels is None:
        return LARGEST, LARGEST
    rows, columns = (max(1, min(_MAX_SIDE, int(side / cell))) for side in pixels)
    return rows, columns


def _grid(shape: tuple[int, ...], pixels: tuple[float, float] | None) -> tuple[int, int] | None:
    """Return the grid of a convolution's tiles: input channels per column and output channels per row.

    Further channels continue in another band. None if kernels are single weights or the tiles would be too small.
    """
    height, width, inputs, units = shape
    if height * width == 1:
        return None
    limits = _max_cells(pixels, _TILED_CELL)
    aspect = 1.0 if pixels is None else pixels[0] / pixels[1]

    def size(grid: tuple[int, int]) -> tuple[int, int]:
        down, across = -(-units // grid[1]), -(-inputs // grid[0])
        return down * (grid[0] * (height + 1) + 1) - 2, across * (grid[1] * (width + 1) + 1) - 2

    def cost(grid: tuple[int, int]) -> float:
        rows, columns = size(grid)
        return abs(float(np.log(rows / columns / aspect)))

    whole = (inputs, units)
    rows, columns = size(whole)
    if max(rows, columns) <= _MAX_ASPECT * min(rows, columns) and rows <= limits[0] and columns <= limits[1]:
        return whole
    banded = [(inputs, count) for count in range(1, units)] + [(count, units) for count in range(1, inputs)]
    fitting = [grid for grid in banded if size(grid)[0] <= limits[0] and size(grid)[1] <= limits[1]]
    return min(fitting, key=cost, default=None)


def _tiles(mask: np.ndarray, down: int, across: int) -> np.ndarray:
    """Draw a convolution's kernels as tiles in a ``_grid``, with NaN between tiles, twice as wide between bands."""
    height, width, inputs, units = mask.shape
    if down < inputs:
        return _tiles(mask.transpose(1, 0, 3, 2), across, down).T
    bands = -(-units // across)
    image = np.full((bands, inputs * (height + 1) + 1, across * (width + 1)), np.nan)
    for unit in range(units):
        band, place = divmod(unit, across)
        tile = np.full((inputs, height + 1, width), np.nan)
        tile[:, :height] = mask[:, :, :, unit].transpose(2, 0, 1)
        left = place * (width + 1)
        image[band, :-1, left : left + width] = tile.reshape(-1, width)
    if inputs == 1:  # a band is a row of tiles
        return image[:, :-1].reshape(-1, across * (width + 1))[:-1, :-1]
    return image.reshape(-1, across * (width + 1))[:-2, :-1]


def _grid_words(shape: tuple[int, ...], down: int, across: int, tile: str) -> tuple[str, str]:
    inputs, units = shape[2:]
    if (down, across) == (inputs, units):
        return "input channels", f"output channels, {tile}"
    if down < inputs:
        return f"input channels, {down} per column", f"output channels in each column, {tile}"
    return ("input channels in each band" if inputs > 1 else ""), f"output channels, {across} per row, {tile}"


def _downsample(mask: np.ndarray, pixels: tuple[float, float] | None) -> tuple[np.ndarray, int]:
    """Return a mask as surviving fractions of cells, inputs x units, and the number of weights per cell."""
    kernel = math.prod(mask.shape[:-2])
    shares = mask.mean(axis=tuple(range(mask.ndim - 2))) if mask.ndim > 2 else mask.astype(float)
    high, wide = (-(-size // limit) for size, limit in zip(shares.shape, _max_cells(pixels, _CELL), strict=True))
    return _block_means(shares, high, wide), kernel * high * wide


def _block_means(shares: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Return means over blocks of the last two dimensions; the last blocks may be smaller."""
    for axis, block in ((-2, high), (-1, wide)):
        if block > 1:
            size = shares.shape[axis]
            begins = np.arange(0, size, block)
            sizes = np.diff(begins, append=size)
            shares = np.add.reduceat(shares, begins, axis=axis) / (sizes[:, None] if axis == -2 else sizes)
    return shares


def _mosaic(fields: np.ndarray, limits: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Return one tile per unit, at the same place at every level, and the number of weights per cell."""
    units, height, width, channels = fields.shape
    columns = math.ceil(math.sqrt(units * height / width))
    rows = -(-units // columns)
    block = 1
    while block < max(height, width) and (
        rows * (-(-height // block) + 1) > limits[0] or columns * (-(-width // block) + 1) > limits[1]
    ):
        block += 1
    shares = _block_means(fields.mean(axis=-1), block, block)
    height, width = shares.shape[1:]
    tiles = np.full((rows, height + 1, columns, width + 1), np.nan)
    for unit, share in enumerate(shares):
        tiles[unit // columns, :height, unit % columns, :width] = share
    return tiles.reshape(rows * (height + 1), -1)[:-1, :-1], block**2 * channels
