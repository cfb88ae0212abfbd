"""Layout of theta: surviving weights, biases and the like of a ticket as one flat vector."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfticket.errors import InputError
from tfticket.types import Mask, Weights


@dataclass(frozen=True, eq=False)
class Layout:
    """Order of the flat vector theta: tensor by tensor, each in C order, without pruned entries.

    Attributes:
        shapes: Path -> shape of every sampled tensor, in the order of the network.
        mask: Kernel path -> boolean array, True = survives.
    """

    shapes: Mapping[str, tuple[int, ...]]
    mask: Mask

    def __repr__(self) -> str:
        return f"Layout({self.size:,} weights of {len(self.shapes)} tensors)"

    @classmethod
    def of(cls, weights: Weights, mask: Mask, sampled: Iterable[str]) -> "Layout":
        """Return the layout of a ticket.

        Raises:
            InputError: No kernel has a surviving weight.
        """
        if not any(kept.any() for kept in mask.values()):
            raise InputError(
                "The mask leaves no weight in any layer, so there is nothing to sample. Take a ticket of a lower "
                "level.",
                field="mask",
            )
        return cls({path: weights[path].shape for path in sampled}, mask)

    @cached_property
    def indices(self) -> dict[str, np.ndarray]:
        """Path -> int64 [survivors], their positions in the flattened tensor."""
        return {
            path: np.flatnonzero(self.mask[path]) if path in self.mask else np.arange(np.prod(shape, dtype=int))
            for path, shape in self.shapes.items()
        }

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Path -> its part of theta."""
        slices, begin = {}, 0
        for path, entries in self.indices.items():
            slices[path] = slice(begin, begin + len(entries))
            begin += len(entries)
        return slices

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(len(entries) for entries in self.indices.values())

    def of_units(self, units: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the variables of some units, bool [size]: the kernel weights that lead to them, and their biases.

        Args:
            units: Layer -> bool [units].
        """
        chosen = np.zeros(self.size, bool)
        for layer, of_layer in units.items():
            for path in (f"{layer}/kernel", f"{layer}/bias"):
                if path in self.shapes and self.shapes[path][-1] == len(of_layer):
                    chosen[self.slices[path]] = of_layer[self.indices[path] % len(of_layer)]
        return chosen

    def pack(self, weights: Weights) -> np.ndarray:
        """Return theta of weights, float64 [size]."""
        return np.concatenate([weights[path].ravel()[entries] for path, entries in self.indices.items()]).astype(float)

    def unpack(self, theta: np.ndarray) -> Weights:
        """Return the weights of theta, 0 where pruned.

        Args:
            theta: float [..., size].

        Returns:
            Path -> float32 [..., *shape].
        """
        return {path: self.unpack_tensor(theta, path) for path in self.shapes}

    def unpack_tensor(self, theta: np.ndarray, path: str) -> np.ndarray:
        """Return one tensor of theta [..., size]: float32 [..., *shape], 0 where pruned."""
        shape = self.shapes[path]
        full = np.zeros((*theta.shape[:-1], int(np.prod(shape, dtype=int))), np.float32)
        full[..., self.indices[path]] = theta[..., self.slices[path]]
        return full.reshape(*theta.shape[:-1], *shape)
