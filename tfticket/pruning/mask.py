"""Masks: kernel path -> boolean array of the kernel's shape, True = survives. Pure functions."""

import math
from collections.abc import Collection, Mapping

import numpy as np

from tfticket.types import Mask


def dense_mask(shapes: Mapping[str, tuple[int, ...]]) -> Mask:
    """The mask that keeps every weight."""
    return {path: np.ones(shape, dtype=bool) for path, shape in shapes.items()}


def survivors(mask: Mask) -> dict[str, int]:
    """Kernel path -> number of surviving weights."""
    return {path: int(np.count_nonzero(kept)) for path, kept in mask.items()}


def density(mask: Mask, exempt: Collection[str] = ()) -> float:
    """Fraction of the kernel weights that survive.

    Args:
        mask: The mask.
        exempt: Layers' names that do not count, since they are never pruned.
    """
    counted = [kept for path, kept in mask.items() if layer_of(path) not in exempt]
    return sum(int(np.count_nonzero(kept)) for kept in counted) / sum(kept.size for kept in counted)


def layer_of(path: str) -> str:
    """The layer's name in a kernel's path."""
    return path.rpartition("/")[0]


def split_like(flat: np.ndarray, mask: Mask) -> Mask:
    """Cut a flat array into the shapes of a mask's kernels, in its order."""
    parts: Mask = {}
    begin = 0
    for path, kept in mask.items():
        size = math.prod(kept.shape)
        parts[path] = flat[begin : begin + size].reshape(kept.shape)
        begin += size
    return parts
