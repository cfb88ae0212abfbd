"""What an iteration sees: which rows, and how they are augmented. Both come from endless seeded streams."""

from abc import ABC, abstractmethod

import numpy as np

from tfticket import seeds
from tfticket.config import Augment


class EpochStream(ABC):
    """Batches cut from what belongs to epoch 0, 1, 2, ... in a row.

    Iteration t sees positions t x batch_size to (t + 1) x batch_size of that row. So no batch is
    short, and what an iteration sees depends on (seed, iteration) only, however the training was cut into segments.
    """

    def __init__(self, seed: int, rows: int, batch_size: int) -> None:
        self._seed = seed
        self._rows = rows
        self._batch_size = batch_size
        self._epochs: dict[int, np.ndarray] = {}

    def batches(self, first: int, last: int) -> np.ndarray:
        """What iterations first to last - 1 see, [last - first, batch_size, ...]."""
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
        """The part of the stream that belongs to an epoch, [rows, ...]."""


class RowOrder(EpochStream):
    """Rows, int32 [iterations, batch_size]: a permutation an epoch, so that each row is seen exactly once in it."""

    def of_epoch(self, epoch: int) -> np.ndarray:
        """Row indices, int32 [rows]."""
        return seeds.generator(self._seed, "order", epoch).permutation(self._rows).astype(np.int32)


class Augmentations(EpochStream):
    """How each image is augmented, int32 [iterations, batch_size, 3]: offsets down and right, mirrored or not.

    Without augmentation the last axis is empty.
    """

    def __init__(self, seed: int, rows: int, batch_size: int, augment: Augment) -> None:
        super().__init__(seed, rows, batch_size)
        self._augment = augment

    def of_epoch(self, epoch: int) -> np.ndarray:
        """(down, right) in -crop .. crop and mirrored in {0, 1}, int32 [rows, 3]."""
        if self._augment == Augment():
            return np.zeros((self._rows, 0), np.int32)  # not asked for: nothing to draw, nothing to pass on
        random = seeds.generator(self._seed, "augment", epoch)
        crop = self._augment.crop
        offsets = random.integers(-crop, crop, size=(self._rows, 2), endpoint=True)
        mirrored = random.integers(0, 2, size=(self._rows, 1)) * self._augment.flip
        return np.concatenate([offsets, mirrored], axis=1).astype(np.int32)
