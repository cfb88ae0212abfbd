"""Chains that no diagnostic may be computed of: infinite, standing still, copies of one another."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

_SHARED = 0.01
"""Fraction of identical log likelihoods above which two chains are copies."""
_CORRELATION = 1 - 1e-6
"""Correlation of a quantity, draw by draw, above which two chains are not independent."""
_FEWEST_CORRELATED = 20
"""Fewest draws for a correlation: with fewer, some of hundreds of quantities are correlated by chance."""


def broken(
    function: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    likelihoods: Sequence[np.ndarray],
) -> list[str]:
    """Return what is broken, a reason each.

    Args:
        function: Quantities in function space, float [chains, draws, n], by name.
        others: Other quantities; of these 'weights' must move as well.
        likelihoods: Log likelihoods of each chain, float [draws of the chain].
    """
    moving = {name: values for name, values in others.items() if name == "weights"}
    quantities = {**function, **others}
    return [*_undefined(quantities), *_stuck(function, moving), *_copies(likelihoods, quantities)]


def _undefined(quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Name the quantities [chains, draws, n] that are infinite or undefined somewhere."""
    reasons = []
    for name, values in quantities.items():
        broken = ~np.isfinite(values)
        if count := int(broken.any(axis=(0, 1)).sum()):
            of = f" ({count} of {values.shape[2]})" if values.shape[2] > 1 else ""
            draws, total = int(broken.any(axis=2).sum()), values.shape[0] * values.shape[1]
            reasons.append(f"{name}{of} infinite or undefined in {draws:,} of {total:,} draws")
    return reasons


def _stuck(function: Mapping[str, np.ndarray], theta: Mapping[str, np.ndarray]) -> list[str]:
    """Name the quantities that never change, and the chains that repeat their first draw."""
    changes = {name: _changes(values) for name, values in {**function, **theta}.items() if values.shape[1] > 1}
    constant = [name for name, changed in changes.items() if name in function and not changed.any()]
    reasons = [f"{' and '.join(constant)} the same in all draws of each chain"] if constant else []
    moved = [changed.any(axis=1) for changed in changes.values()]
    stuck = np.flatnonzero(~np.any(moved, axis=0)).tolist() if moved else []
    return reasons + [f"chain {number} is stuck: all its draws are the same" for number in stuck]


def _changes(values: np.ndarray) -> np.ndarray:
    """Return bool [chains, n]: True where a quantity changes; NaN counts as one, since ``_undefined`` reports it."""
    with np.errstate(invalid="ignore"):
        changed: np.ndarray = ~(np.ptp(values, axis=1) == 0)
    return changed


def _copies(likelihoods: Sequence[np.ndarray], quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Name pairs of dependent chains: they share draws, in any order, or are correlated draw by draw."""
    reasons = []
    finite = [values[np.isfinite(values)] for values in likelihoods]
    moving = [values if len(values) and np.ptp(values) else values[:0] for values in finite]
    for first, second in itertools.combinations(range(len(moving)), 2):
        pair = (moving[first], moving[second])
        shared = max(np.isin(*pair).mean(), np.isin(*pair[::-1]).mean()) if all(map(len, pair)) else 0.0
        correlated = [name for name, values in quantities.items() if _correlated(values[first], values[second])]
        if shared > _SHARED:
            reasons.append(
                f"chains {first} and {second} share {shared:.0%} of their draws: copies, or the same seed twice"
            )
        elif correlated:
            reasons.append(
                f"chains {first} and {second} are not independent: {', '.join(correlated)} perfectly correlated"
            )
    return reasons


def _correlated(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether any quantity [draws, n] of two chains is perfectly correlated, draw by draw."""
    if len(first) < _FEWEST_CORRELATED:
        return False
    with np.errstate(all="ignore"):
        a, b = ((values - values.mean(0)) / values.std(0) for values in (first, second))
        return bool(np.any(np.abs((a * b).mean(0)) > _CORRELATION))
