"""Stateless noise of weight draws: depends on (seed, draw, layer) and on nothing else."""

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
"""Purposes of a layer's noise."""


@dataclass(frozen=True)
class Draw:
    """One draw of all weights of a network.

    Attributes:
        seed: int32 [2], shared by all draws of a batch.
        index: Number of the draw in its batch, int or int32 scalar.
        estimator: 'flipout', 'independent' or 'local'.
        shared: Cache of values that are the same in all draws of a batch.
    """

    seed: Any
    index: Any
    estimator: str
    shared: dict[Any, Any] = field(default_factory=dict)

    def shared_value(self, place: int, name: str, compute: Callable[[], Any]) -> Any:
        """Return a value that all draws of a batch share, computing it once."""
        if (place, name) not in self.shared:
            self.shared[place, name] = compute()
        return self.shared[place, name]

    def normal(self, place: int, purpose: int, shape: Any) -> Any:
        """Draw standard normals, float32."""
        size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
        bits = self._bits(place, purpose, [2, (size + 1) // 2])
        return tf.reshape(tf.concat(tf.unstack(normals_from(bits)), 0)[:size], shape)

    def signs(self, place: int, purpose: int, shape: Any) -> Any:
        """Draw -1 or 1 with equal probability, float32."""
        return tf.where(self._bits(place, purpose, shape) < 2**31, 1.0, -1.0)

    def _bits(self, place: int, purpose: int, shape: Any) -> Any:
        """Draw random uint32 by Philox.

        The key is the seed; counters of different (draw, place, purpose) begin 2**64 apart. stateless_uniform would
        first scramble the seed, in sixty operations per call: half the graph of a deep network.
        """
        key = self.shared_value(-1, "key", lambda: tf.reshape(tf.bitcast(self.seed, tf.uint64), [1]))
        counter = tf.bitcast(tf.reshape(tf.stack([0, 0, self.index, 8 * place + purpose]), [2, 2]), tf.uint64)
        return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=1, dtype=tf.uint32)


def normals_from(bits: Any) -> Any:
    """Transform uniform bits to independent standard normals (Box and Muller).

    Takes a fifth of the time of TensorFlow's own normals under XLA on a CPU (decision 16), which use the inverse error
    function. Each radius and angle give two numbers; sine and cosine are polynomials with an error below 1e-7. The
    radius has 24 bits, so that no number exceeds 5.8.

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
    """Return sin(2 pi turns) for -1/4 <= turns <= 1/4."""
    squared = turns * turns
    total = tf.constant(_TAYLOR[-1], tf.float32)
    for coefficient in reversed(_TAYLOR[:-1]):
        total = total * squared + coefficient
    return total * turns


_draw: ContextVar[Draw | None] = ContextVar("draw", default=None)


@contextmanager
def drawing(draw: Draw) -> Iterator[None]:
    """Make variational layers draw their weights within this context; outside they use their means."""
    token = _draw.set(draw)
    try:
        yield
    finally:
        _draw.reset(token)


def current_draw() -> Draw | None:
    """Return the draw of the enclosing ``drawing`` context, None outside."""
    return _draw.get()


def noise_seeds(root: int, name: str, first: int, last: int) -> np.ndarray:
    """Return the seeds of draws first to last - 1 of a named stream, int32 [last - first, 2]."""
    words = [seeds.derive(root, name, index) & (2**64 - 1) for index in range(first, last)]
    return np.array(words, np.uint64).view(np.int32).reshape(-1, 2)
