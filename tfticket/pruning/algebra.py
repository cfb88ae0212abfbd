"""Masks of one network against one another. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tfticket.errors import InputError
from tfticket.types import Mask


@dataclass(frozen=True)
class Overlap:
    """What two masks share, in one layer or in all.

    Attributes:
        first, second: Survivors of each.
        shared: Survivors of both.
        size: Weights.
    """

    first: int
    second: int
    shared: int
    size: int

    @property
    def jaccard(self) -> float:
        """Survivors of both over survivors of either; 1 where neither has one."""
        either = self.first + self.second - self.shared
        return self.shared / either if either else 1.0

    @property
    def coefficient(self) -> float:
        """Survivors of both over those of the sparser mask; 1 where it has none."""
        fewer = min(self.first, self.second)
        return self.shared / fewer if fewer else 1.0

    @property
    def expected_overlap(self) -> float:
        """How many survivors masks of these densities share on average if they know nothing of one another."""
        return self.first * self.second / self.size


def union(*masks: Mask) -> Mask:
    """What survives in any of the masks."""
    return _combined(np.logical_or, masks)


def intersection(*masks: Mask) -> Mask:
    """What survives in every one of the masks."""
    return _combined(np.logical_and, masks)


def overlap(first: Mask, second: Mask) -> dict[str, Overlap]:
    """Kernel path -> what the masks share there.

    Raises:
        InputError: Masks of different networks.
    """
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
    """The overlap of whole networks, from that of their layers."""
    fields = ("first", "second", "shared", "size")
    return Overlap(*(sum(getattr(layer, field) for layer in layers.values()) for field in fields))


def _combined(how: Callable[[np.ndarray, np.ndarray], np.ndarray], masks: tuple[Mask, ...]) -> Mask:
    first = masks[0]
    for mask in masks[1:]:
        if {path: kept.shape for path, kept in mask.items()} != {path: kept.shape for path, kept in first.items()}:
            raise InputError(
                f"The masks are of different networks: {', '.join(f'{p} {k.shape}' for p, k in first.items())} and "
                f"{', '.join(f'{p} {k.shape}' for p, k in mask.items())}. Take tickets of one network."
            )
    return {path: reduce(how, (mask[path] for mask in masks)).copy() for path in first}
