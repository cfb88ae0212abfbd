"""Test metrics at the last evaluation, at the best by validation accuracy and at the best by test accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfticket.evaluation.model_selection import CRITERIA, select_evaluations
from tfticket.reports.grouping import by_level_and_arm
from tfticket.reports.rows import Network, network_fields
from tfticket.reports.tables.arms_table import Table, arm_table, network_row
from tfticket.runs.run_folder import RunFolder

NOTE = (
    "Test metrics of each training at its last evaluation, at the one of the highest validation accuracy, and at the "
    "one of the highest test accuracy, which is chosen on the test rows themselves and so too high. Means over seeds."
)
"""Footnote of the table."""


@dataclass(frozen=True)
class RecordedTraining(Network):
    """A training that recorded test metrics at its evaluations. The fields are keys of ``report --json``.

    Attributes:
        moments: 'last', 'best by validation', 'best by test' -> 'iteration' and every test metric.
    """

    moments: dict[str, dict[str, float]]


def recorded_trainings(run: RunFolder) -> list[RecordedTraining]:
    """Return the trainings of a run that have an arm and recorded test metrics, in the run's order."""
    return [
        RecordedTraining(**network_fields(run, step), moments=moments)
        for step in run.steps("train")
        if "arm" in step.label and (moments := select_evaluations(step.result.get("history", ())))
    ]


def best_epochs_table(trainings: Sequence[RecordedTraining], levels: Sequence[int]) -> Table:
    """Return a table with accuracy and MACE at each of the ``CRITERIA``; a row for each of these levels and arm."""
    groups = by_level_and_arm([training for training in trainings if training.level in levels])
    rows = []
    for _, seeds in sorted(groups.items(), key=lambda group: group[0][0]):
        values = []
        for moment in CRITERIA:
            accuracy, mace = (
                np.mean([np.mean([t.moments[moment][metric] for t in replicates]) for replicates in seeds.values()])
                for metric in ("accuracy", "mace")
            )
            values.append(f"{accuracy:.2%} {mace:.1%}")
        rows.append(network_row(seeds, values))
    return arm_table([f"{moment}\naccuracy  MACE" for moment in CRITERIA], rows)
