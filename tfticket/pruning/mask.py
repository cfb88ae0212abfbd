"""Masks: kernel path -> boolean array of the kernel's shape, True = survives. Pure functions."""

import math
from collections.abc import Collection, Mapping

import numpy as np

from tfticket.errors import InputError, nearest
from tfticket.types import Mask


def dense_mask(shapes: Mapping[str, tuple[int, ...]]) -> Mask:
    """Return the mask that keeps every weight."""
    return {path: np.ones(shape, dtype=bool) for path, shape in shapes.items()}


def survivors(mask: Mask) -> dict[str, int]:
    """Return kernel path -> number of surviving weights."""
    return {path: int(np.count_nonzero(kept)) for path, kept in mask.items()}


def density(mask: Mask, exempt: Collection[str] = ()) -> float:
    """Return the fraction of the kernel weights that survive."""
    counted = [kept for path, kept in mask.items() if layer_of(path) not in exempt]
    return sum(int(np.count_nonzero(kept)) for kept in counted) / sum(kept.size for kept in counted)


def prunable_part(mask: Mask, exempt: Collection[str]) -> Mask:
    """Return the masks of the layers that are pruned."""
    layers = [layer_of(path) for path in mask]
    for name in exempt:
        if name not in layers:
            raise InputError(
                f"The exempt layer '{name}' is not among the prunable ones: {', '.join(layers)}.",
                field="prune.exempt",
                suggestion=nearest(name, layers),
            )
    prunable = {path: kept for path, kept in mask.items() if layer_of(path) not in exempt}
    if not prunable:
        raise InputError("Every layer is exempt, so there is nothing to prune.", field="prune.exempt")
    return prunable


def collapsed_layers(before: Mask, after: Mask) -> list[str]:
    """Return the names of the layers that have survivors before and none after."""
    return [layer_of(path) for path, kept in before.items() if kept.any() and not after[path].any()]


def layer_of(path: str) -> str:
    """Return the layer's name in a kernel's path."""
    return path.rpartition("/")[0]


def split_like(flat: np.ndarray, mask: Mask) -> Mask:
    """Split a flat array into the shapes of a mask's kernels, in its order."""
    parts: Mask = {}
    begin = 0
    for path, kept in mask.items():
        size = math.prod(kept.shape)
        parts[path] = flat[begin : begin + size].reshape(kept.shape)
        begin += size
    return parts
