"""The sparse engine: likelihood and gradient over surviving weights alone, on the CPU."""

from typing import Any

import numpy as np

from tfticket.backend import tf
from tfticket.sparse.program import Compiled
from tfticket.sparse.tiles import Rows, SparseNetwork


class SparseEngine:
    """Likelihood of a compiled network over fixed rows.

    Args:
        compiled: The network.
        size: Length of theta.
        images: Training rows, uint8 or float32 [rows, ...].
        labels: int [rows].
        threads: Number of threads.
    """

    name = "sparse"

    def __init__(self, compiled: Compiled, size: int, images: np.ndarray, labels: np.ndarray, threads: int) -> None:
        self._network = SparseNetwork(compiled, size, threads)
        self.rows = len(images)
        self._images, self._labels = images, labels
        self._training = self.prepare(images, labels)

    def prepare(self, images: np.ndarray, labels: np.ndarray | None = None) -> Rows:
        """Lay images or features out for the kernels, uint8 or float32 [rows, ...]; labels: int [rows]."""
        return self._network.lay_out(images, labels)

    def as_tensors(self, theta: Any) -> tuple[Any, Any]:
        """Return ``log_likelihood_and_gradient`` as a graph operation."""

        def compute(theta: np.ndarray) -> tuple[np.float64, np.ndarray]:
            log_likelihood, gradient = self.log_likelihood_and_gradient(theta)
            return np.float64(log_likelihood), gradient

        tensors: tuple[Any, Any] = tf.numpy_function(compute, [theta], (tf.float64, tf.float64))
        return tensors

    def log_likelihood_and_gradient(
        self, theta: np.ndarray, minibatch: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the log likelihood and its gradient, float64 [size]: see ``posterior.Engine``."""
        rows = self._training
        if minibatch is not None:
            rows = self.prepare(self._images[minibatch], self._labels[minibatch])
        return self._network.log_likelihood_and_gradient(theta, rows)

    def logits(self, theta: np.ndarray, rows: Rows) -> np.ndarray:
        """Return logits, float32 [rows, classes]."""
        return self._network.logits(theta, rows)
