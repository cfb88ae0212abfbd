"""Means and intervals over seeds; bins pooled over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean over ``count`` seeds and its 95 % interval; a single seed has none."""

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_interval(values: Sequence[float]) -> Estimate:
    """Mean and two-sided 95 % Student t interval of independent values.

    It takes the values for a sample from a normal distribution. Paired arms: hand in the differences.
    """
    from scipy.stats import t  # a second to import

    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, None, None, len(array))
    half = float(t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Estimate(mean, mean - half, mean + half, len(array))


def pool_bins(records: Sequence[Mapping[str, Sequence[Any]]]) -> dict[str, np.ndarray]:
    """The bins of several reliability diagrams as one, as if all their rows had been binned together.

    Args:
        records: One or more, each with 'count', 'confidence' and 'accuracy' of the same bins; what an empty bin's
            confidence and accuracy are does not matter.

    Returns:
        'count', and the means 'confidence' and 'accuracy', [bins]; NaN in bins that are empty in all.
    """
    counts = np.array([record["count"] for record in records], dtype=float)
    total = counts.sum(axis=0)
    pooled = {"count": total}
    for name in ("confidence", "accuracy"):
        values = np.array([record[name] for record in records], dtype=float)  # None becomes NaN
        sums = np.where(counts > 0, counts * values, 0.0).sum(axis=0)
        pooled[name] = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return pooled
