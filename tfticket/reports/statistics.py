"""Means and intervals over seeds; bins pooled over them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    """Return the mean and the two-sided 95 % Student t interval of independent values.

    The values are taken for a sample from a normal distribution. For paired arms, pass the differences.
    """
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, None, None, len(array))
    half = float(_student(len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Estimate(mean, mean - half, mean + half, len(array))


def sign_flip_p(values: Sequence[float] | np.ndarray) -> float:
    """Return the p value of the one-sided sign-flip test that values lie above 0.

    It is the share of sign patterns with as large a sum. The test assumes that values are symmetric about their centre,
    not that they are normal. Exact up to 12 values, over all 2^n patterns; for more values over 10,000 patterns, the
    observed one and others drawn with a fixed seed. The smallest p of n values is 1 / 2^n.

    References:
        Fisher (1935), "The design of experiments", section 21.
    """
    array = np.asarray(values, dtype=float)
    sums = _sign_patterns(len(array)) @ array
    return float(np.mean(sums >= sums[0] - 1e-9 * np.abs(array).sum()))  # equal sums differ in their last digits


@lru_cache
def _sign_patterns(count: int) -> np.ndarray:
    """Return patterns of 1 and -1 [patterns, count]; the first is all 1."""
    if count <= 12:  # all of them
        return np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    drawn = np.random.default_rng(0).choice((1.0, -1.0), (9_999, count))
    return np.concatenate([np.ones((1, count)), drawn])


def _student(freedom: int) -> float:
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


_STUDENT = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146,
    2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274,
    2.200985160091639, 2.1788128296672284, 2.1603686564627913, 2.144786687917804, 2.131449545559776,
    2.1199052992212546, 2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864,
    2.0796138447276795, 2.0738730679040254, 2.0686576104190486, 2.0638985616280245, 2.0595385527532972,
    2.0555294386428735, 2.0518305164802846, 2.0484071417952454, 2.045229642132703, 2.0422724563012378,
)  # fmt: skip
"""For 1 to 30 degrees of freedom, from scipy, whose import would freeze a window for half a second."""


def pool_bins(records: Sequence[Mapping[str, Sequence[Any]]]) -> dict[str, np.ndarray]:
    """Return the bins of several reliability diagrams as one, as if all their rows had been binned together.

    Args:
        records: One or more, each with 'count', 'confidence' and 'accuracy' of the same bins; the latter two of empty
            bins are ignored.

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
