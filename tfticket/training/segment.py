"""What the engines of training have in common: the inputs of a segment of iterations, and what a loop does."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfticket.data import Dataset
from tfticket.types import Mask, Weights

State = dict[str, np.ndarray]
"""Everything an iteration changes: 'weights/<path>', and the slots of the optimiser."""


def weights_of(state: State) -> Weights:
    """Return the weights of a state."""
    prefix = "weights/"
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


class Segment(NamedTuple):
    """Inputs of a segment of iterations.

    Attributes:
        images: Training rows, as ``Loop.load`` returns them.
        labels: Likewise.
        rows: int32 [iterations, batch_size].
        moves: int32 [iterations, batch_size, 3], augmentation of each image; the last axis is empty without.
        rates: float32 [iterations], learning rates.
        noise: int32 [iterations, 2], seeds of a variational network's draws.
        kl_coefficients: float32 [iterations, variational layers].
    """

    images: Any
    labels: Any
    rows: np.ndarray
    moves: np.ndarray
    rates: np.ndarray
    noise: np.ndarray
    kl_coefficients: np.ndarray


@dataclass
class Pace:
    """Measured speed of a loop, in iterations per second, for segments that take about equally long."""

    speed: float = 1.0

    def length(self, seconds: float, most: int) -> int:
        """Return the number of iterations that take about this long, from 1 to ``most``."""
        return int(min(most, max(1.0, seconds * self.speed)))

    def update(self, iterations: int, seconds: float) -> None:
        """Take a segment into account: the next one is at most ten times longer."""
        self.speed = min(iterations / seconds, 10.0 * self.speed)


class Loop(Protocol):
    """A network and an optimiser that run segments of iterations.

    Attributes:
        engine: Its name.
        capacity: Maximum number of iterations in a segment.
        fresh: True until the first segment has run.
        jit: True if XLA compiled it.
        variational: Path -> layer, of the variational layers.
    """

    engine: str
    capacity: int
    fresh: bool

    @property
    def jit(self) -> bool: ...

    @property
    def variational(self) -> dict[str, Any]: ...

    def check(self, data: Dataset) -> None:
        """Check that the network can be trained on these data."""

    def load(self, data: Dataset) -> tuple[Any, Any]:
        """Return training rows and labels as ``run`` reads them."""

    def start(self, mask: Mask, weights: Weights) -> None:
        """Begin a training: take mask and weights, set optimiser slots to 0."""

    def state(self) -> State:
        """Return the present weights and optimiser slots."""

    def restore(self, mask: Mask, state: State) -> None:
        """Resume from a state."""

    def length_for(self, seconds: float) -> int:
        """Return the number of iterations that take about this long, at most ``capacity``. Bits do not depend on it."""

    def run(self, segment: Segment) -> np.ndarray:
        """Run a segment of at most ``capacity`` iterations.

        Returns:
            float32 [iterations], each batch's mean loss before its update: the cross-entropy, or the objective.
        """

    def weights(self) -> Weights:
        """Return the present weights, path -> float32 array."""

    def log_probs(self, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
        """Return the log of the mean prediction of the present weights, float64 [rows, classes]."""

    def undefined_constraints(self, before: Weights) -> list[str]:
        """Return the paths whose constraint maps these finite weights to infinity or NaN."""
