"""The noise of a draw: stateless, from a seed, so that it depends on (seed, draw, layer) and on nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.backend import tf

KERNEL, BIAS, SIGNS_IN, SIGNS_OUT, OUTPUT = range(5)
"""What of a layer noise is for."""


@dataclass(frozen=True)
class Draw:
    """One draw of all weights of a network.

    Attributes:
        seed: int32 [2], of all draws of a batch.
        index: Which of them, int or int32 scalar.
        estimator: 'flipout', 'independent' or 'local'.
        shared: What is the same for all draws of a batch, computed once; the draws of a batch share it.
    """

    seed: Any
    index: Any
    estimator: str
    shared: dict[Any, Any] = field(default_factory=dict)

    def once(self, place: int, what: str, compute: Callable[[], Any]) -> Any:
        """What is the same for all draws of a batch."""
        if (place, what) not in self.shared:
            self.shared[place, what] = compute()
        return self.shared[place, what]

    def normal(self, place: int, what: int, shape: Any) -> Any:
        """Unit normals, float32."""
        return tf.random.stateless_normal(shape, self._seed_of(place, what), alg="philox")

    def signs(self, place: int, what: int, shape: Any) -> Any:
        """-1 or 1 with equal probability, float32."""
        bits = tf.random.stateless_uniform(
            shape, self._seed_of(place, what), minval=None, maxval=None, dtype=tf.int32, alg="philox"
        )
        return tf.where(bits < 0, -1.0, 1.0)

    def _seed_of(self, place: int, what: int) -> Any:
        """Philox scrambles its seed, so that numbers that differ in a bit give unrelated streams."""
        return tf.bitwise.bitwise_xor(self.seed, tf.stack([self.index, 8 * place + what]))


_draw: ContextVar[Draw | None] = ContextVar("draw", default=None)


@contextmanager
def drawing(draw: Draw) -> Iterator[None]:
    """Within it, variational layers take a draw of their weights; without, their means."""
    token = _draw.set(draw)
    try:
        yield
    finally:
        _draw.reset(token)


def current_draw() -> Draw | None:
    """The draw that is asked for, if one is."""
    return _draw.get()


def noise_seeds(root: int, name: str, first: int, last: int) -> np.ndarray:
    """Seeds of draws first to last - 1 of a named stream, int32 [last - first, 2]."""
    words = [seeds.derive(root, name, index) & (2**64 - 1) for index in range(first, last)]
    return np.array(words, np.uint64).view(np.int32).reshape(-1, 2)
