"""The noise of a draw: stateless, from a seed, so that it depends on (seed, draw, layer) and on nothing else."""

import math
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
        size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
        bits = self._bits(place, what, [2, (size + 1) // 2])
        return tf.reshape(tf.concat(tf.unstack(normals_from(bits)), 0)[:size], shape)

    def signs(self, place: int, what: int, shape: Any) -> Any:
        """-1 or 1 with equal probability, float32."""
        return tf.where(self._bits(place, what, shape) < 2**31, 1.0, -1.0)

    def _bits(self, place: int, what: int, shape: Any) -> Any:
        """Random uint32 of Philox.

        Its key is the seed, its counter begins 2**64 apart for every (draw, place, what). stateless_uniform would first
        scramble a seed, by sixty operations each time: half of a deep network.
        """
        key = self.once(-1, "key", lambda: tf.reshape(tf.bitcast(self.seed, tf.uint64), [1]))
        counter = tf.bitcast(tf.reshape(tf.stack([0, 0, self.index, 8 * place + what]), [2, 2]), tf.uint64)
        return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=1, dtype=tf.uint32)


def normals_from(bits: Any) -> Any:
    """Independent unit normals by Box and Muller's transform.

    A fifth of the time of TensorFlow's own under XLA on a CPU (decision 16): these take the inverse error function. Two
    numbers come of one radius and one angle, whose sine and cosine are polynomials, off by less than 1e-7. Numbers end
    at 5.8, as the 24 bits of a radius do.

    Args:
        bits: Random uint32 [2, pairs].

    Returns:
        float32 [2, pairs].

    References:
        Box and Muller (1958), "A note on the generation of random normal deviates".
    """
    uniform = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
    radius = tf.sqrt(-2.0 * tf.math.log(uniform[0] + 2.0**-24))
    turns = uniform[1] - 0.5
    away = tf.abs(turns)
    sine = _sine(tf.sign(turns) * (0.25 - tf.abs(away - 0.25)))
    return tf.stack([radius * _sine(0.25 - away), radius * sine])


_TAYLOR = [(-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(6)]


def _sine(turns: Any) -> Any:
    """sin(2 pi turns) for a quarter of a turn to either side."""
    squared = turns * turns
    total = tf.constant(_TAYLOR[-1], tf.float32)
    for coefficient in reversed(_TAYLOR[:-1]):
        total = total * squared + coefficient
    return total * turns


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
