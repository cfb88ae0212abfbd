"""Pictures of masks, and histograms of weights. Pure functions."""

import math

import numpy as np

from tfticket.inspection.result import Histogram, Picture, ReceptiveFields

LARGEST = 400
"""Most rows and columns of a mask's picture."""
BINS = 80
"""Bins of a histogram, half of them below 0 and half above."""


def picture(kept: np.ndarray) -> Picture:
    """Return a kernel's mask as a picture: a row for each input of a unit, a column for each unit; binned if large."""
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


def histogram(weights: np.ndarray, kept: np.ndarray, counted: np.ndarray | None = None) -> Histogram:
    """Count a kernel's weights between minus and plus the largest absolute value.

    Args:
        weights: The weights; non-finite ones are left out.
        kept: Boolean array of their shape, True = survives.
        counted: Boolean array of their shape, True = counts; all by default.
    """
    if not np.all(finite := np.isfinite(weights)):
        counted = finite if counted is None else finite & counted
    if counted is not None:
        weights, kept = weights[counted], kept[counted]
    top = float(np.max(np.abs(weights), initial=0.0)) or 1.0
    # In float64 only where float32 does not suffice: this is most of the cost of a histogram.
    scale = BINS / (2 * top)
    scaled = weights * (np.float32(scale) if 1e-30 < top < 1e30 else np.float64(scale))
    bins = np.clip(scaled + BINS // 2, 0, BINS - 1).astype(np.uint8)
    bins += kept.astype(np.uint8) * np.uint8(BINS)
    counts = np.bincount(bins.ravel(), minlength=2 * BINS)
    return Histogram(np.linspace(-top, top, BINS + 1), counts[BINS:], counts[:BINS])
