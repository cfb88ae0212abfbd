"""The sparse engine: likelihood and gradient over surviving weights alone, on the CPU."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.backend import tf
from tfticket.sampling.kernels import sum_tiles, tell_logits
from tfticket.sampling.program import Compiled


@dataclass(frozen=True, eq=False)
class Rows:
    """Images or features as the kernels read them.

    Attributes:
        tiles: uint8 or float32, as the data, [tiles, inputs * width]. What is over in the last tile repeats a row.
        labels: int32 [tiles, width], -1 where there is no row.
        count: Rows.
    """

    tiles: np.ndarray
    labels: np.ndarray
    count: int


class SparseEngine:
    """Likelihood of a compiled network over fixed rows.

    Args:
        compiled: The network.
        size: Length of theta.
        images: Training rows, uint8 or float32 [rows, ...].
        labels: int [rows].
        threads: How many work at once.
    """

    name = "sparse"

    def __init__(self, compiled: Compiled, size: int, images: np.ndarray, labels: np.ndarray, threads: int) -> None:
        self._compiled, self._size = compiled, size
        self.rows = len(images)
        self._pool = ThreadPoolExecutor(threads)
        self._buffers = [self._new_buffers() for _ in range(threads)]
        self._training = self.prepare(images, labels)

    def _new_buffers(self) -> tuple[np.ndarray, np.ndarray]:
        return _aligned(self._compiled.values), _aligned(self._compiled.errors)

    def prepare(self, images: np.ndarray, labels: np.ndarray | None = None) -> Rows:
        """Lay images or features out as the kernels read them.

        Args:
            images: uint8 or float32 [rows, ...].
            labels: int [rows].
        """
        width, inputs = self._compiled.width, self._compiled.inputs
        count = len(images)
        tiles = -(-count // width)
        flat = images.reshape(count, -1)
        found = np.empty((tiles, len(inputs), width), images.dtype)
        for tile in range(tiles):
            part = flat[tile * width : (tile + 1) * width][:, inputs].T
            found[tile, :, : part.shape[1]] = part
            found[tile, :, part.shape[1] :] = part[:, -1:]
        told = np.full(tiles * width, -1, np.int32)
        if labels is not None:
            told[:count] = labels
        return Rows(found.reshape(tiles, -1), told.reshape(tiles, width), count)

    def _share(self, work: Any, rows: Rows) -> Sequence[Any]:
        """Split tiles evenly among threads; the same split for the same number of threads, so the same bits."""
        bounds = np.linspace(0, len(rows.tiles), len(self._buffers) + 1).astype(int)
        parts = list(itertools.pairwise(bounds))
        jobs = [self._pool.submit(work, number, *part) for number, part in enumerate(parts[1:], 1)]
        return [work(0, *parts[0]), *(job.result() for job in jobs)]

    def as_tensors(self, theta: Any) -> tuple[Any, Any]:
        """``log_likelihood_and_gradient`` as an operation of a graph."""

        def numbers(at: np.ndarray) -> tuple[np.float64, np.ndarray]:
            found, gradient = self.log_likelihood_and_gradient(at)
            return np.float64(found), gradient

        found: tuple[Any, Any] = tf.numpy_function(numbers, [theta], (tf.float64, tf.float64))
        return found

    @np.errstate(over="ignore", invalid="ignore")  # of a trajectory that has run away
    def log_likelihood_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log likelihood of the training rows, and its gradient, float64 [size]."""
        program, width, rows = self._compiled.program, self._compiled.width, self._training
        values32 = theta.astype(np.float32)
        weights = values32[program.product_weights]

        def work(thread: int, begin: int, end: int) -> tuple[float, np.ndarray]:
            values, errors = self._buffers[thread]
            gradient = np.zeros(self._size)
            found = sum_tiles(
                program,
                values32,
                weights,
                rows.tiles[begin:end],
                rows.labels[begin:end],
                width,
                values,
                errors,
                gradient,
            )
            if not (np.isfinite(found) and np.isfinite(gradient).all()):  # nor may the next call find such numbers
                self._buffers[thread] = self._new_buffers()
            return found, gradient

        parts = self._share(work, rows)
        return sum(part[0] for part in parts), np.sum([part[1] for part in parts], axis=0)

    def logits(self, theta: np.ndarray, rows: Rows) -> np.ndarray:
        """Logits, float32 [rows, classes]."""
        program, width = self._compiled.program, self._compiled.width
        values32 = theta.astype(np.float32)
        weights = values32[program.product_weights]
        found = np.empty((len(rows.tiles), len(program.logits), width), np.float32)

        def work(thread: int, begin: int, end: int) -> None:
            values, _ = self._buffers[thread]
            tell_logits(program, values32, weights, rows.tiles[begin:end], width, values, found[begin:end])

        self._share(work, rows)
        return found.transpose(0, 2, 1).reshape(-1, found.shape[1])[: rows.count]


def _aligned(size: int) -> np.ndarray:
    """Zeros float32 [size] that begin with a line of the cache: loads across two lines take half as long again."""
    line = 64
    whole = np.zeros(size + line // 4, np.float32)
    begin = -whole.ctypes.data % line // 4
    return whole[begin : begin + size]
