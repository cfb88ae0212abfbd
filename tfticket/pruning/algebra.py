"""Set operations and overlaps of masks of one network. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tfticket.errors import InputError
from tfticket.types import Mask


@dataclass(frozen=True)
class Overlap:
    """Overlap of two masks, in one layer or in all.

    Attributes:
        first, second: Survivors of each mask.
        shared: Survivors of both.
        size: Number of weights.
    """

    first: int
    second: int
    shared: int
    size: int

    @property
    def jaccard(self) -> float:
        """Survivors of both over survivors of either; 1 if neither has any."""
        either = self.first + self.second - self.shared
        return self.shared / either if either else 1.0

    @property
    def coefficient(self) -> float:
        """Survivors of both over survivors of the sparser mask; 1 if it has none."""
        fewer = min(self.first, self.second)
        return self.shared / fewer if fewer else 1.0

    @property
    def expected_overlap(self) -> float:
        """Expected number of shared survivors of independent masks with these densities."""
        return self.first * self.second / self.size


def union(*masks: Mask) -> Mask:
    """Return the mask of weights that survive in any of the masks."""
    return _combine(np.logical_or, masks)


def intersection(*masks: Mask) -> Mask:
    """Return the mask of weights that survive in all of the masks."""
    return _combine(np.logical_and, masks)


def overlap(first: Mask, second: Mask) -> dict[str, Overlap]:
    """Return kernel path -> overlap of two masks."""
    both = intersection(first, second)
    return {
        path: Overlap(
            int(np.count_nonzero(first[path])),
            int(np.count_nonzero(second[path])),
            int(np.count_nonzero(kept)),
            kept.size,
        )
        for path, kept in both.items()
    }


def total(layers: dict[str, Overlap]) -> Overlap:
    """Sum the overlaps of layers to that of whole networks."""
    fields = ("first", "second", "shared", "size")
    return Overlap(*(sum(getattr(layer, field) for layer in layers.values()) for field in fields))


def _combine(operation: Callable[[np.ndarray, np.ndarray], np.ndarray], masks: tuple[Mask, ...]) -> Mask:
    first = masks[0]
    for mask in masks[1:]:
        if {path: kept.shape for path, kept in mask.items()} != {path: kept.shape for path, kept in first.items()}:
            raise InputError(
                f"The masks are of different networks: {', '.join(f'{p} {k.shape}' for p, k in first.items())} and "
                f"{', '.join(f'{p} {k.shape}' for p, k in mask.items())}. Take tickets of one network.",
                field="masks",
            )
    return {path: reduce(operation, (mask[path] for mask in masks)).copy() for path in first}
