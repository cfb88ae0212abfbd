"""Rows summarised over seeds: a cell for each arm at each level."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfticket.arms import TICKET, Arm
from tfticket.reports.grouping import HasArm, Seeds, by_seed, density_of, metrics_of, paired, seed_mean
from tfticket.reports.rows import Row
from tfticket.reports.statistics import Estimate, mean_interval


@dataclass(frozen=True)
class Cell:
    """One arm of one run at one level, over its seeds. The fields are the keys of ``summary.json``.

    Attributes:
        density: Mean over seeds.
        replicates: Fewest and most replicates of a seed.
        test: Metric -> estimate over seeds, on test rows.
        test_range: Metric -> lowest and highest value of a seed.
        ticket_minus: Metric -> estimate of (ticket - this arm), paired by seed; empty for the ticket itself.
        emptied: Layer -> the seeds of which some replicate has no weight left in it.
    """

    run: str
    arm: Arm
    name: str
    level: int
    density: float
    replicates: tuple[int, int]
    test: dict[str, Estimate]
    test_range: dict[str, tuple[float, float]]
    ticket_minus: dict[str, Estimate]
    emptied: dict[str, list[int]]
    variational: bool = False


def record_of(result: HasArm) -> dict[str, Any]:
    """Return a dataclass with an arm as plain values, for JSON."""
    return {**asdict(result), "arm": result.arm.key}  # type: ignore[call-overload]


def summarise(rows: Sequence[Row]) -> list[Cell]:
    """Summarise rows over seeds: by run, by level, the ticket first, controls in the run's order.

    The unit is the IMP seed: its replicates are averaged first. A control's difference is taken to the ticket that it
    alters; tickets of other ways of pruning are compared with the run's own. Intervals are unadjusted 95 % ones.
    """
    groups = by_seed(rows)
    return [
        _cell(key, seeds, groups.get((*key[:2], TICKET if key[2].is_ticket else key[2].ticket), {}), metrics_of(rows))
        for key, seeds in sorted(groups.items(), key=lambda item: item[0][:2])
    ]


def _cell(key: tuple[str, int, Arm], seeds: Seeds, ticket: Seeds, metrics: Sequence[str]) -> Cell:
    run, level, arm = key
    counts = [len(replicates) for replicates in seeds.values()]
    values = {metric: [seed_mean(replicates, metric) for replicates in seeds.values()] for metric in metrics}
    compared = metrics if arm != TICKET and not ticket.keys().isdisjoint(seeds) else ()
    row = next(iter(seeds.values()))[0]
    return Cell(
        run=run,
        arm=arm,
        name=row.name,
        level=level,
        density=density_of(seeds),
        replicates=(min(counts), max(counts)),
        test={metric: mean_interval(values[metric]) for metric in metrics},
        test_range={metric: (min(values[metric]), max(values[metric])) for metric in metrics},
        ticket_minus={metric: mean_interval(paired(ticket, seeds, metric)) for metric in compared},
        emptied=_seeds_by_collapsed_layer(seeds),
        variational=row.variational,
    )


def _seeds_by_collapsed_layer(seeds: Seeds) -> dict[str, list[int]]:
    layers: dict[str, list[int]] = {}
    for seed, replicates in seeds.items():
        for layer in dict.fromkeys(layer for row in replicates for layer in row.collapsed_layers):
            layers.setdefault(layer, []).append(seed)
    return layers


def shown_levels(cells: Sequence[Cell]) -> list[int]:
    """Return the levels that tables show: of a run with controls or transplants those that have some, and the dense."""
    levels = {cell.level for cell in cells}
    controlled = {cell.level for cell in cells if cell.ticket_minus and not cell.arm.is_ticket}
    return sorted(controlled | ({0} & levels) if controlled else levels)


def seeds_text(cells: Sequence[Cell]) -> str:
    """Return '5 seeds, 3 replicates of each control'; '2 to 3 seeds' where a run is unfinished."""
    text = _range_text([cell.test["accuracy"].count for cell in cells], "seed")
    controls = [cell for cell in cells if not cell.arm.is_ticket and cell.arm.method == "train"]
    replicates = [count for cell in controls for count in cell.replicates]
    return f"{text}, {_range_text(replicates, 'replicate')} of each control" if max(replicates, default=1) > 1 else text


def _range_text(counts: Sequence[int], noun: str) -> str:
    low, high = min(counts), max(counts)
    return f"{low} to {high} {noun}s" if low < high else f"{low} {noun}{'' if low == 1 else 's'}"
