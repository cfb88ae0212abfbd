"""The Keras engine: likelihood and gradient of any model, dense and masked, tile by tile."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfticket.backend import on_device, own_settings, tf
from tfticket.network import MaskedNetwork
from tfticket.sparse.layout import Layout
from tfticket.types import Weights


class KerasEngine:
    """Likelihood of a wrapped Keras model over fixed rows.

    Args:
        network: The model; the engine changes its weights.
        layout: Order of theta.
        weights: All weights of the network; those outside theta stay as they are.
        images: uint8 or float32 [rows, ...].
        labels: int [rows].
    """

    name = "keras"

    def __init__(
        self, network: MaskedNetwork, layout: Layout, weights: Weights, images: np.ndarray, labels: np.ndarray
    ) -> None:
        network.assign(layout.mask, weights)
        self._network, self._layout, self._weights = network, layout, weights
        self.rows, self._tile = len(images), min(network.tile, max(1, len(images)))
        padding = -len(images) % self._tile
        self._images = on_device(np.concatenate([images, images[[-1] * padding]]))
        self._labels = tf.constant(np.concatenate([labels, np.zeros(padding, labels.dtype)]).astype(np.int32))
        self._entries = {path: tf.constant(entries[:, None]) for path, entries in layout.indices.items()}
        self._compiled = tf.function(self.as_tensors, autograph=False)
        signature = [tf.TensorSpec([layout.size], tf.float64), tf.TensorSpec([None], tf.int32)]  # one for all sizes
        self._compiled_minibatch = tf.function(self._minibatch, signature, autograph=False)

    @own_settings()
    def log_likelihood_and_gradient(
        self, theta: np.ndarray, minibatch: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the log likelihood and its gradient, float64 [size]: see ``posterior.Engine``."""
        if minibatch is None:
            log_likelihood, gradient = self._compiled(tf.constant(theta))
        else:
            log_likelihood, gradient = self._compiled_minibatch(theta, minibatch.astype(np.int32))
        return float(log_likelihood), gradient.numpy()

    def as_tensors(self, theta: Any) -> tuple[Any, Any]:
        """Return the log likelihood of all training rows and its gradient as graph operations."""

        def tile_gradient(begin: Any) -> tuple[Any, Any]:
            images, labels = self._images[begin : begin + self._tile], self._labels[begin : begin + self._tile]
            return self._tile_gradient(images, labels, tf.cast(begin + tf.range(self._tile) < self.rows, tf.float32))

        return self._sum_tiles(theta, len(self._images) // self._tile, tile_gradient)

    def _minibatch(self, theta: Any, minibatch: Any) -> tuple[Any, Any]:
        """Return the same of some rows, int32 [any]."""

        def tile_gradient(begin: Any) -> tuple[Any, Any]:
            rows = minibatch[begin : begin + self._tile]
            images, labels = tf.gather(self._images, rows), tf.gather(self._labels, rows)
            return self._tile_gradient(images, labels, tf.constant(1.0))

        return self._sum_tiles(theta, -(-tf.size(minibatch) // self._tile), tile_gradient)

    def _sum_tiles(self, theta: Any, tiles: Any, tile_gradient: Callable[[Any], tuple[Any, Any]]) -> tuple[Any, Any]:
        """Return the sums of log likelihood and gradient over tiles; a loop bounds the memory."""
        self._assign(theta)

        def add(tile: Any, total: Any, gradient: Any) -> tuple[Any, Any, Any]:
            tile_total, addend = tile_gradient(tile * self._tile)
            return tile + 1, total + tf.cast(tile_total, tf.float64), gradient + tf.cast(addend, tf.float64)

        start = (tf.constant(0), tf.constant(0.0, tf.float64), tf.zeros(self._layout.size, tf.float64))
        _, total, gradient = tf.while_loop(lambda tile, *_: tile < tiles, add, start, parallel_iterations=1)
        return total, gradient

    def _assign(self, theta: Any) -> None:
        for path, part in self._layout.slices.items():
            shape = self._layout.shapes[path]
            flat = tf.scatter_nd(self._entries[path], tf.cast(theta[part], tf.float32), [int(np.prod(shape))])
            self._network.variables[path].assign(tf.reshape(flat, shape))

    def _tile_gradient(self, images: Any, labels: Any, is_row: Any) -> tuple[Any, Any]:
        """Return the log likelihood of a tile, float32, and its gradient, float32 [size]; padding has ``is_row`` 0."""
        variables = [self._network.variables[path] for path in self._layout.shapes]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = tf.cast(self._network.model(self._network.inputs(images), training=False), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            log_likelihood = -tf.reduce_sum(losses * is_row)
        gradients = tape.gradient(log_likelihood, variables, unconnected_gradients="zero")
        parts = [
            tf.gather(tf.reshape(gradient, [-1]), self._layout.indices[path])
            for path, gradient in zip(self._layout.shapes, gradients, strict=True)
        ]
        return log_likelihood, tf.concat(parts, 0)

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Return the images unchanged: they are laid out tile by tile."""
        return images

    def logits(self, theta: np.ndarray, prepared: np.ndarray) -> np.ndarray:
        """Return logits, float32 [rows, classes]."""
        self._network.assign(self._layout.mask, self._weights | self._layout.unpack(theta))
        return self._network.logits(prepared)
