"""Which moment of a training is told: the last, the best on validation rows, or the best on test rows."""

from collections.abc import Mapping, Sequence
from typing import Any

MOMENTS = ("last", "best by validation", "best by test")
"""The last evaluation, and those of the highest accuracy. Only the first two could be known without the test rows."""


def moments_of(history: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The test metrics at each of the ``MOMENTS``; none where an evaluation has no 'test'.

    Of equal accuracies the earliest counts. All metrics of a moment are of that one evaluation.

    Args:
        history: One row an evaluation: 'iteration', 'accuracy' on validation rows, 'test': metrics on test rows.

    Returns:
        Moment -> 'iteration' and every test metric.
    """
    if not history or not all("test" in row for row in history):
        return {}
    chosen = (
        history[-1],
        max(history, key=lambda row: row["accuracy"]),
        max(history, key=lambda row: row["test"]["accuracy"]),
    )
    return {name: {"iteration": row["iteration"], **row["test"]} for name, row in zip(MOMENTS, chosen, strict=True)}
