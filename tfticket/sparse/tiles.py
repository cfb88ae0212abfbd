"""Rows in tiles, and a compiled network that computes them on several threads."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.sparse.kernels import compute_logits, sum_tiles
from tfticket.sparse.program import Compiled


@dataclass(frozen=True, eq=False)
class Rows:
    """Images or features in the layout that the kernels read.

    Attributes:
        tiles: uint8 or float32, as the data, [tiles, inputs * width]; the last tile is padded with its last row.
        labels: int32 [tiles, width], -1 in the padding.
        count: Number of rows.
    """

    tiles: np.ndarray
    labels: np.ndarray
    count: int


class SparseNetwork:
    """A compiled network and the threads that compute it.

    Args:
        compiled: The network.
        size: Length of theta.
        threads: Number of threads.
    """

    def __init__(self, compiled: Compiled, size: int, threads: int) -> None:
        self.compiled, self.size = compiled, size
        self._pool = ThreadPoolExecutor(threads)
        self._buffers = [self._new_buffers() for _ in range(threads)]

    def _new_buffers(self) -> tuple[np.ndarray, np.ndarray]:
        return aligned_zeros(self.compiled.values), aligned_zeros(self.compiled.errors)

    def lay_out(self, images: np.ndarray, labels: np.ndarray | None = None) -> Rows:
        """Lay images or features out for the kernels.

        Args:
            images: uint8 or float32 [rows, ...].
            labels: int [rows].
        """
        width, inputs = self.compiled.width, self.compiled.inputs
        count = len(images)
        tiles = -(-count // width)
        flat = images.reshape(count, -1)
        laid_out = np.empty((tiles, len(inputs), width), images.dtype)
        for tile in range(tiles):
            part = flat[tile * width : (tile + 1) * width][:, inputs].T
            laid_out[tile, :, : part.shape[1]] = part
            laid_out[tile, :, part.shape[1] :] = part[:, -1:]
        padded_labels = np.full(tiles * width, -1, np.int32)
        if labels is not None:
            padded_labels[:count] = labels
        return Rows(laid_out.reshape(tiles, -1), padded_labels.reshape(tiles, width), count)

    def _map_tiles(self, work: Callable[[int, int, int], Any], rows: Rows) -> Sequence[Any]:
        """Split tiles evenly among threads: equal numbers of threads give equal bits."""
        bounds = np.linspace(0, len(rows.tiles), len(self._buffers) + 1).astype(int)
        parts = list(itertools.pairwise(bounds))
        jobs = [self._pool.submit(work, number, *part) for number, part in enumerate(parts[1:], 1)]
        return [work(0, *parts[0]), *(job.result() for job in jobs)]

    @np.errstate(over="ignore", invalid="ignore")  # of a diverging trajectory
    def log_likelihood_and_gradient(self, theta: np.ndarray, rows: Rows) -> tuple[float, np.ndarray]:
        """Return the log likelihood of rows, and its gradient, float64 [size]."""
        program, width = self.compiled.program, self.compiled.width
        theta32 = theta.astype(np.float32)
        weights = theta32[program.product_weights]

        def work(thread: int, begin: int, end: int) -> tuple[float, np.ndarray]:
            values, errors = self._buffers[thread]
            gradient = np.zeros(self.size)
            tiles, labels = rows.tiles[begin:end], rows.labels[begin:end]
            log_likelihood = sum_tiles(program, theta32, weights, tiles, labels, width, values, errors, gradient)
            if not (np.isfinite(log_likelihood) and np.isfinite(gradient).all()):  # keep NaN out of the next call
                self._buffers[thread] = self._new_buffers()
            return log_likelihood, gradient

        parts = self._map_tiles(work, rows)
        return sum(part[0] for part in parts), np.sum([part[1] for part in parts], axis=0)

    @np.errstate(over="ignore", invalid="ignore")
    def logits(self, theta: np.ndarray, rows: Rows) -> np.ndarray:
        """Return logits, float32 [rows, classes]."""
        program, width = self.compiled.program, self.compiled.width
        theta32 = theta.astype(np.float32)
        weights = theta32[program.product_weights]
        logits = np.empty((len(rows.tiles), len(program.logits), width), np.float32)

        def work(thread: int, begin: int, end: int) -> None:
            values, _ = self._buffers[thread]
            compute_logits(program, theta32, weights, rows.tiles[begin:end], width, values, logits[begin:end])

        self._map_tiles(work, rows)
        return logits.transpose(0, 2, 1).reshape(-1, logits.shape[1])[: rows.count]


def aligned_zeros(size: int) -> np.ndarray:
    """Return zeros float32 [size] aligned with a cache line: loads across two lines take 1.5 times as long."""
    line = 64
    whole = np.zeros(size + line // 4, np.float32)
    begin = -whole.ctypes.data % line // 4
    return whole[begin : begin + size]
