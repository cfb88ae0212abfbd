"""Which rows an iteration sees: batches cut from one endless stream of seeded permutations."""

import numpy as np

from tfticket import seeds


class RowOrder:
    """Iteration t sees positions t x batch_size to (t + 1) x batch_size of permutation 0, 1, 2, ... in a row.

    So every row is seen exactly once an epoch, no batch is short, and what an iteration sees depends on
    (seed, iteration) only, however the training was cut into segments.
    """

    def __init__(self, seed: int, rows: int, batch_size: int) -> None:
        self._seed = seed
        self._rows = rows
        self._batch_size = batch_size
        self._permutations: dict[int, np.ndarray] = {}

    def batches(self, first: int, last: int) -> np.ndarray:
        """Row indices, int32 [last - first, batch_size], of iterations first to last - 1."""
        begin, end = first * self._batch_size, last * self._batch_size
        epochs = range(begin // self._rows, -(-end // self._rows))
        stream = np.concatenate([self._permutation(epoch) for epoch in epochs])
        offset = begin - epochs.start * self._rows
        return stream[offset : offset + end - begin].reshape(-1, self._batch_size)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch not in self._permutations:
            self._permutations = {old: kept for old, kept in self._permutations.items() if old == epoch - 1}
            random = seeds.generator(self._seed, "order", epoch)
            self._permutations[epoch] = random.permutation(self._rows).astype(np.int32)
        return self._permutations[epoch]
