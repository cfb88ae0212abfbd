"""Model selection: the last evaluation of a training, the best on validation rows, or the best on test rows."""

from collections.abc import Mapping, Sequence
from typing import Any

CRITERIA = ("last", "best by validation", "best by test")
"""The last evaluation, and those of the highest accuracy. Only the first two can be chosen without test rows."""


def select_evaluations(history: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the test metrics of the evaluation that each of the ``CRITERIA`` selects; {} where one lacks 'test'.

    Of equal accuracies the earliest is selected.

    Args:
        history: One row per evaluation: 'iteration', 'accuracy' on validation rows, 'test': metrics on test rows.

    Returns:
        Criterion -> 'iteration' and every test metric.
    """
    if not history or not all("test" in row for row in history):
        return {}
    selected = (
        history[-1],
        max(history, key=lambda row: row["accuracy"]),
        max(history, key=lambda row: row["test"]["accuracy"]),
    )
    return {name: {"iteration": row["iteration"], **row["test"]} for name, row in zip(CRITERIA, selected, strict=True)}
