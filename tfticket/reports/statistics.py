"""Means and intervals over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

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
