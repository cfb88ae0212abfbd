"""Batches of an iteration, rows and augmentations, from endless seeded streams."""

from abc import ABC, abstractmethod

import numpy as np

from tfticket import seeds
from tfticket.config import Augment


class EpochStream(ABC):
    """Batches cut from the concatenated streams of epochs 0, 1, 2, ...

    Iteration t takes positions t x batch_size to (t + 1) x batch_size - 1. So no batch is short, and a batch depends
    on (seed, iteration) only, however the training was cut into segments.
    """

    def __init__(self, seed: int, rows: int, batch_size: int) -> None:
        self._seed = seed
        self._rows = rows
        self._batch_size = batch_size
        self._epochs: dict[int, np.ndarray] = {}

    def batches(self, first: int, last: int) -> np.ndarray:
        """Return the batches of iterations first to last - 1, [last - first, batch_size, ...]."""
        begin, end = first * self._batch_size, last * self._batch_size
        epochs = range(begin // self._rows, -(-end // self._rows))
        stream = np.concatenate([self._epoch(epoch) for epoch in epochs])
        offset = begin - epochs.start * self._rows
        return stream[offset : offset + end - begin].reshape(last - first, self._batch_size, *stream.shape[1:])

    def _epoch(self, epoch: int) -> np.ndarray:
        if epoch not in self._epochs:
            self._epochs = {old: kept for old, kept in self._epochs.items() if old == epoch - 1}
            self._epochs[epoch] = self.of_epoch(epoch)
        return self._epochs[epoch]

    @abstractmethod
    def of_epoch(self, epoch: int) -> np.ndarray:
        """Return an epoch's part of the stream, [rows, ...]."""


class RowOrder(EpochStream):
    """Rows, int32 [iterations, batch_size]: a permutation per epoch, so that each row occurs exactly once in it."""

    def of_epoch(self, epoch: int) -> np.ndarray:
        """Return row indices, int32 [rows]."""
        return seeds.generator(self._seed, "order", epoch).permutation(self._rows).astype(np.int32)


class Augmentations(EpochStream):
    """Augmentations, int32 [iterations, batch_size, 3]: offset down, offset right, 1 to mirror.

    Without augmentation the last axis is empty.
    """

    def __init__(self, seed: int, rows: int, batch_size: int, augment: Augment) -> None:
        super().__init__(seed, rows, batch_size)
        self._augment = augment

    def of_epoch(self, epoch: int) -> np.ndarray:
        """Draw offsets in -crop .. crop and mirroring in {0, 1}, int32 [rows, 3]."""
        if self._augment == Augment():
            return np.zeros((self._rows, 0), np.int32)
        generator = seeds.generator(self._seed, "augment", epoch)
        crop = self._augment.crop
        offsets = generator.integers(-crop, crop, size=(self._rows, 2), endpoint=True)
        mirrored = generator.integers(0, 2, size=(self._rows, 1)) * self._augment.flip
        return np.concatenate([offsets, mirrored], axis=1).astype(np.int32)
