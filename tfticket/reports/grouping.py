"""Rows grouped by arm and IMP seed."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from tfticket.arms import TICKET, Arm
from tfticket.reports.rows import Network, Row

Seeds = Mapping[int, Sequence[Row]]
"""IMP seed -> its replicates, of one arm at one level."""


class HasArm(Protocol):
    """A result of an arm: a row, a cell, a curve."""

    @property
    def arm(self) -> Arm:
        """See ``Row``."""


WithArm = TypeVar("WithArm", bound=HasArm)
AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def by_seed(rows: Sequence[Row]) -> dict[tuple[str, int, Arm], dict[int, list[Row]]]:
    """Group rows as (run, level, arm) -> seed -> replicates: tickets first, then arms in order of appearance."""
    groups: dict[tuple[str, int, Arm], dict[int, dict[int, Row]]] = {}
    arms = list(dict.fromkeys((row.run, row.arm) for row in rows))
    for row in sorted(rows, key=lambda row: (row.arm != TICKET, arms.index((row.run, row.arm)))):
        groups.setdefault((row.run, row.level, row.arm), {}).setdefault(row.seed, {})[row.replicate] = row
    return {
        key: {seed: list(replicates.values()) for seed, replicates in seeds.items()} for key, seeds in groups.items()
    }


def by_level_and_arm(networks: Sequence[AnyNetwork]) -> dict[tuple[int, Arm], dict[int, list[AnyNetwork]]]:
    """Group the networks of one run as (level, arm) -> seed -> replicates, arms in order of appearance."""
    groups: dict[tuple[int, Arm], dict[int, list[AnyNetwork]]] = {}
    for network in networks:
        groups.setdefault((network.level, network.arm), {}).setdefault(network.seed, []).append(network)
    return groups


def without_controls(results: Sequence[WithArm]) -> list[WithArm]:
    """Leave out the controls of a run with several ways of iterative pruning: they are too many for one figure."""
    if all(result.arm.trunk is None for result in results):
        return list(results)
    return [result for result in results if not result.arm.control]


def density_of(seeds: Seeds) -> float:
    """Return the mean density over seeds."""
    return _mean([_mean([row.density for row in replicates]) for replicates in seeds.values()])


def paired(ours: Seeds, theirs: Seeds, metric: str) -> list[float]:
    """Return ours - theirs, one difference for each seed that both have; replicates are averaged first.

    ``metric`` is one on test rows, or one of ``Row.extra_metrics``.
    """
    return [seed_mean(ours[seed], metric) - seed_mean(theirs[seed], metric) for seed in ours if seed in theirs]


def seed_mean(replicates: Sequence[Row], metric: str) -> float:
    """Return the mean of a metric over the replicates of one seed."""
    return _mean([row.test[metric] if metric in row.test else row.extra_metrics[metric] for row in replicates])


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """Return the metrics that every row has."""
    return [name for name in rows[0].test if all(name in row.test for row in rows)] if rows else []


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
