"""Test metrics at the last evaluation, the best by validation and the best by test, beside one another."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfticket.arms import Arm
from tfticket.evaluation.model_selection import CRITERIA, select_evaluations
from tfticket.reports.rows import name_at, name_in
from tfticket.reports.tables import Line, table_of
from tfticket.runs.run_folder import RunFolder
from tfticket.text import CsvWriter

WHAT = (
    "Test metrics at the last evaluation of each training, at the one of the highest validation accuracy, and at the "
    "one of the highest test accuracy, which is chosen on the test rows themselves and so too high. Means over seeds."
)
"""What the table shows."""


@dataclass(frozen=True)
class RecordedTraining:
    """A training whose test metrics were recorded as it went on.

    Attributes:
        arm, name: What it trained, and what tables call it.
        seed, level, replicate: Which.
        density: Fraction of the prunable weights that survive.
        moments: 'last', 'best by validation', 'best by test' -> 'iteration' and every test metric.
        variational: True if the run's own network is variational.
    """

    arm: Arm
    name: str
    seed: int
    level: int
    replicate: int
    density: float
    moments: dict[str, dict[str, float]]
    variational: bool


def recorded_trainings(run: RunFolder) -> list[RecordedTraining]:
    """The trainings of a run that have an arm and recorded test metrics, in its order.

    Raises:
        InputError: A step's folder is not whole.
    """
    found = []
    variational = bool(run.config["model"].get("variational"))
    for step in run.steps("train"):
        label = step.label
        if "arm" in label and (moments := select_evaluations(step.result.get("history", ()))):
            arm, level = label["arm"], label["level"]
            whose = (arm, name_in(run.config, arm), label["seed"], level, label.get("replicate", 0))
            found.append(RecordedTraining(*whose, step.result["density"], moments, variational))
    return found


def moments_table(trainings: Sequence[RecordedTraining], levels: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each level and arm; in each moment's column accuracy and MACE.

    Args:
        trainings: From ``recorded_trainings``.
        levels: Which are shown.
    """
    groups: dict[tuple[int, Arm], dict[int, list[RecordedTraining]]] = {}
    for one in trainings:
        if one.level in levels:
            groups.setdefault((one.level, one.arm), {}).setdefault(one.seed, []).append(one)
    lines = []
    for (level, arm), seeds in sorted(groups.items(), key=lambda group: group[0][0]):
        each = [one for replicates in seeds.values() for one in replicates]
        values = []
        for moment in CRITERIA:
            means = [
                [np.mean([one.moments[moment][metric] for one in same]) for metric in ("accuracy", "mace")]
                for same in seeds.values()
            ]
            accuracy, mace = np.mean(means, axis=0)
            values.append(f"{accuracy:.2%} {mace:.1%}")
        density = float(np.mean([one.density for one in each]))
        name = name_at(each[0].name, arm, level, each[0].variational)
        lines.append(Line(name, level, density, len(seeds), values))
    return table_of([f"{moment}\naccuracy  MACE" for moment in CRITERIA], lines)


def moments_csv(trainings: Sequence[RecordedTraining]) -> str:
    """A row for each training and moment: whose, when, and its test metrics (fractions, nats)."""
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    metrics = [name for name in trainings[0].moments["last"] if name != "iteration"]
    whose = ["arm", "seed", "replicate", "level", "density", "moment", "iteration"]
    writer.writerow([*whose, *(f"test_{metric}" for metric in metrics)])
    for one in trainings:
        for moment, found in one.moments.items():
            values = [found[name] for name in ("iteration", *metrics)]
            writer.writerow([one.arm.key, one.seed, one.replicate, one.level, one.density, moment, *values])
    return buffer.getvalue()
