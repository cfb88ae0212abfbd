"""Metrics of trainings and masks that claims and the preconditions of verdicts use, from result.json alone.

A metric that was not recorded, by an earlier version or for want of evaluations, is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.arms import SVI, TICKET, Arm

FEWEST_EVALUATIONS = 4
"""Evaluations from which on a history shows if a training still rises."""
SETTLED = 0.97
"""Fraction of its plateau at which a training has settled."""

Key = tuple[Any, ...]
"""(arm, seed, level, replicate)."""


def rise_of(history: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the rise of the validation accuracy over the last quarter: least-squares slope times that quarter.

    The fit takes the evaluations of the last quarter of the iterations, and at least the last three; None of fewer
    evaluations than ``FEWEST_EVALUATIONS``.
    """
    if len(history) < FEWEST_EVALUATIONS:
        return None
    iterations, accuracies = _last_quarter(history)
    return float(np.polyfit(iterations - iterations[0], accuracies, 1)[0] * history[-1]["iteration"] / 4)


def settled_at(history: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the iteration at which the validation accuracy first reaches ``SETTLED`` times its plateau.

    The plateau is the mean over the last quarter, as in ``rise_of``; between two evaluations the accuracy is
    interpolated linearly.
    """
    if len(history) < FEWEST_EVALUATIONS:
        return None
    threshold = SETTLED * float(np.mean(_last_quarter(history)[1]))
    reached = next((index for index, row in enumerate(history) if row["accuracy"] >= threshold), None)
    if not reached:
        return None if reached is None else float(history[0]["iteration"])
    (x0, y0), (x1, y1) = ((row["iteration"], row["accuracy"]) for row in history[reached - 1 : reached + 1])
    return float(x0 + (x1 - x0) * (threshold - y0) / (y1 - y0))


def _last_quarter(history: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    iterations, accuracies = (np.array([row[name] for row in history], float) for name in ("iteration", "accuracy"))
    count = max(3, int(np.sum(iterations > 0.75 * iterations[-1])))
    return iterations[-count:], accuracies[-count:]


def training_metrics(config: Mapping[str, Any], arm: Arm, result: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of an arm's training, by its result: see ``tfticket.reports.rows.Row.extra_metrics``."""
    history, svi = result.get("history") or (), config.get("svi") or {}
    metrics: dict[str, float | None] = {
        "rise": rise_of(history),
        "settled": settled_at(history),
        "seconds": (result.get("seconds") or {}).get("an_iteration") or None,  # 0 where the one segment compiled
        "at_bound": result.get("deviations_at_bound"),
        "iterations": result.get("iterations"),
    }
    training = config.get("train") or {}
    if arm.is_variational and arm.method not in SVI:
        training = config.get("variational_train") or training
    if arm.method in SVI and svi:
        training = svi.get("train") or training
        means = (svi.get("variational") or {}).get("means")
        metrics["own_means"] = float((svi.get("carried"), means) == ("mask", "own"))
        metrics["members"] = (svi.get("population") or {}).get("members")
    metrics["batch_size"] = training.get("batch_size")
    if arm.is_variational:
        metrics["draws"] = (training.get("objective") or {}).get("draws")
    return {name: value for name, value in metrics.items() if value is not None}


def depth_metrics(
    config: Mapping[str, Any], masks: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> dict[Key, dict[str, float]]:
    """Return 'layers' and 'depth' of each pruned ticket: see ``tfticket.reports.rows.Row.extra_metrics``.

    Args:
        config: The run's configuration; where all layers are pruned alike, there are no such metrics.
        masks: Label and result of each start and pruning.
    """
    from scipy.stats import spearmanr  # a second to import

    if config["prune"]["scope"] == "layerwise":
        return {}
    exempt = config["prune"].get("exempt", [])
    counts: dict[Key, dict[str, int]] = {}
    for label, result in masks:
        counts[label.get("arm", TICKET), label.get("seed"), result["level"]] = result["survivors"]
    metrics = {}
    for (arm, seed, level), survivors in counts.items():
        dense = counts.get((arm, seed, 0), {})
        paths = [path for path in survivors if path in dense and path.rpartition("/")[0] not in exempt]
        pruned = [1 - survivors[path] / dense[path] for path in paths]
        if level and len(set(pruned)) > 1:
            rank = float(spearmanr(range(len(pruned)), pruned).statistic)
            metrics[arm, seed, level, 0] = {"depth": rank, "layers": float(len(pruned))}
    return metrics
