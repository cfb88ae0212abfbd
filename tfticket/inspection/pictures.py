"""Pictures of masks. Pure functions."""

import math

import numpy as np

from tfticket.inspection.result import Picture, ReceptiveFields

LARGEST = 400
"""Most rows and columns of a mask's picture."""


def picture(kept: np.ndarray) -> Picture:
    """Return a kernel's mask as a picture: a row for each input of a unit, a column for each unit; binned if large.

    Args:
        kept: Boolean array, the last dimension over units.
    """
    flat = kept.reshape(-1, kept.shape[-1])
    if max(flat.shape) <= LARGEST:
        return Picture(flat.copy(), binned=False)
    rows, columns = (np.arange(cells := min(size, LARGEST)) * size // cells for size in flat.shape)
    counts = np.add.reduceat(flat.astype(np.uint8), rows, axis=0, dtype=np.int32)
    counts = np.add.reduceat(counts, columns, axis=1)
    heights, widths = (np.diff(begins, append=size) for begins, size in zip((rows, columns), flat.shape, strict=True))
    return Picture((counts / (heights[:, None] * widths)).astype(np.float16), binned=True)


def receptive_fields(path: str, kept: np.ndarray, image: tuple[int, ...]) -> ReceptiveFields | None:
    """Return the receptive field of each unit of the input layer.

    Args:
        path: The layer's kernel.
        kept: Its mask: [pixels, units], or [height, width, channels, units] of a convolution.
        image: Height, width and channels of an image.

    Returns:
        The fields; None for a kernel of another form.
    """
    if len(image) != 3:
        return None
    if kept.ndim == 2 and kept.shape[0] == math.prod(image):
        fields = kept.T.reshape(-1, *image).copy()
        return ReceptiveFields(path, fields, kept.sum(axis=1, dtype=np.int64).reshape(image))
    if kept.ndim == 4 and kept.shape[2] == image[2]:
        return ReceptiveFields(path, np.ascontiguousarray(kept.transpose(3, 0, 1, 2)), None)
    return None
