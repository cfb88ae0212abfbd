"""Pictures of a layer's mask, and numbers. Pure functions."""

import math
from dataclasses import dataclass

import numpy as np

from tfticket.inspection.pictures import LARGEST, picture, receptive_fields

MEANINGS = {
    "network": "Weights remaining of the whole network",
    "layer": "Weights remaining of this layer",
    "unfed units": "Units without any incoming weight: they give their bias alone",
    "unused inputs": "Inputs of the layer from which no weight leads on",
    "just pruned": "Weights that this level has no more and the one before had",
}
"""What the numbers of a layer are, where their names do not say it."""
_LONGEST = 4
"""Times as long as wide that a picture of square cells may be."""


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """A layer's mask, drawn.

    Attributes:
        kept: float [rows, columns], the share of a cell's weights that survives; NaN between tiles.
        lost: The share that the last pruning took, of the same shape; None where there is no level before.
        binned: Whether a cell stands for several weights.
        square: Whether cells are as high as wide.
        rows, columns: What they are, in words.
    """

    kept: np.ndarray
    lost: np.ndarray | None
    binned: bool
    square: bool
    rows: str
    columns: str


def picture_of(kept: np.ndarray, lost: np.ndarray | None, image: tuple[int, ...] | None) -> MaskPicture:
    """Draw a layer's mask: inputs x units; small kernels of a convolution as tiles, many as their densities.

    Args:
        kept: bool, the layer's mask.
        lost: bool, what the last pruning took; None where that is not asked or not known.
        image: Height, width and channels of an image, where units are to be drawn as what they see of it. A layer
            that does not look at the image is drawn as others.
    """
    if image is not None and (seen := receptive_fields("", kept, image)) is not None:
        taken = None if lost is None else receptive_fields("", lost, image)
        tiles = None if taken is None else _mosaic(taken.fields)
        return MaskPicture(_mosaic(seen.fields), tiles, False, True, "", "a tile a unit: what it sees of the image")
    values, binned, tiled = _drawn(kept)
    words = ("inputs", "units") if kept.ndim == 2 else ("input channels", "output channels")
    cells = f", a tile a {kept.shape[0]} x {kept.shape[1]} kernel" if tiled else ""
    square = tiled and max(values.shape) <= _LONGEST * min(values.shape)
    return MaskPicture(values, None if lost is None else _drawn(lost)[0], binned, square, words[0], words[1] + cells)


def numbers_of(kept: np.ndarray, before: np.ndarray | None) -> list[tuple[str, str]]:
    """What there is to say of a layer's mask: name and value.

    Args:
        kept: bool, the mask.
        before: That of the level before; None where there is none.
    """
    fed = np.any(kept.reshape(-1, kept.shape[-1]), axis=0).tolist()
    used = np.any(np.moveaxis(kept, -2, 0).reshape(kept.shape[-2], -1), axis=1).tolist()
    survivors = int(np.count_nonzero(kept))
    found = [
        ("shape", " x ".join(map(str, kept.shape))),
        ("weights", f"{kept.size:,}"),
        ("survivors", f"{survivors:,}"),
        ("layer", f"{100 * survivors / kept.size:.3g} %"),
        ("unfed units", f"{fed.count(False):,} of {len(fed):,}"),
        ("unused inputs", f"{used.count(False):,} of {len(used):,}"),
    ]
    if before is not None and before.shape == kept.shape:
        found.append(("just pruned", f"{np.count_nonzero(before & ~kept):,}"))
    return found


def _drawn(mask: np.ndarray) -> tuple[np.ndarray, bool, bool]:
    """A mask as shares of cells; whether cells stand for several weights; whether kernels are tiles."""
    if mask.ndim == 4 and math.prod(mask.shape[:2]) > 1:
        height, width, inputs, units = mask.shape
        if max(inputs * (height + 1), units * (width + 1)) <= LARGEST:
            tiles = np.full((inputs, height + 1, units, width + 1), np.nan)
            tiles[:, :height, :, :width] = mask.transpose(2, 0, 3, 1)
            return tiles.reshape(inputs * (height + 1), -1)[:-1, :-1], False, True
        return _coarse(mask.mean(axis=(0, 1))), True, False
    found = picture(mask)
    return found.values.astype(float), found.binned, False


def _coarse(shares: np.ndarray) -> np.ndarray:
    """Means over cells, at most ``LARGEST`` a side."""
    for axis in (0, 1):
        size = shares.shape[axis]
        if size > LARGEST:
            begins = np.arange(LARGEST) * size // LARGEST
            widths = np.diff(begins, append=size)
            shares = np.add.reduceat(shares, begins, axis=axis) / (widths[:, None] if axis == 0 else widths)
    return shares


def _mosaic(fields: np.ndarray) -> np.ndarray:
    """A tile a unit, in the units' order, so that a tile stays where it is from level to level."""
    units, height, width, _ = fields.shape
    columns = math.ceil(math.sqrt(units * height / width))
    rows = -(-units // columns)
    tiles = np.full((rows, height + 1, columns, width + 1), np.nan)
    for unit, share in enumerate(fields.mean(axis=-1)):
        tiles[unit // columns, :height, unit % columns, :width] = share
    return tiles.reshape(rows * (height + 1), -1)[:-1, :-1]
