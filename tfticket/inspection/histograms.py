"""Histograms of weights, kept and pruned in the same bins. Pure functions."""

import numpy as np

from tfticket.inspection.result import Histogram

BINS = 80
"""Bins of a histogram, half of them below 0 and half above."""


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
