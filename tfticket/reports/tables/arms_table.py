"""Tables of arms: test accuracy and NLL of each arm at each level, and the frame that other tables of arms share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfticket.arms import TICKET
from tfticket.reports.rows import Network, name_at
from tfticket.reports.statistics import Estimate
from tfticket.reports.tables.cells import Cell, shown_levels

Table = tuple[list[str], list[list[str]]]
"""Header and rows."""


@dataclass(frozen=True)
class ArmRow:
    """A table's row of one arm at one level.

    Attributes:
        name: See ``name_at``.
        level, density: As of a ``Cell``.
    """

    name: str
    level: int
    density: float
    seeds: int
    values: list[str]


def arm_table(header: Sequence[str], rows: Sequence[ArmRow]) -> Table:
    """Return a table with the columns weights remaining, arm, the columns of ``header``; 'n' seeds where rows differ.

    An unpruned network that several ways of pruning share has one row.
    """
    shown: dict[tuple[int, str], ArmRow] = {}
    for row in rows:
        shown.setdefault((row.level, row.name), row)
    differ = len({row.seeds for row in shown.values()}) > 1
    cells = [
        [f"{row.density:.1%}", row.name, *([str(row.seeds)] if differ else []), *row.values] for row in shown.values()
    ]
    return ["weights\nremaining", "arm", *(["n"] if differ else []), *header], cells


def network_row(seeds: Mapping[int, Sequence[Network]], values: list[str]) -> ArmRow:
    """Return the row of the networks of one arm at one level, by seed."""
    networks = [network for replicates in seeds.values() for network in replicates]
    first = networks[0]
    density = float(np.mean([network.density for network in networks]))
    return ArmRow(
        name_at(first.name, first.arm, first.level, first.variational), first.level, density, len(seeds), values
    )


def metrics_table(cells: Sequence[Cell]) -> Table:
    """Return the table of accuracy and NLL of one run: ``shown_levels`` and their arms."""
    shown = shown_levels(cells)
    rows = []
    for cell in cells:
        if cell.level in shown:
            accuracy = [f"{cell.test['accuracy'].mean:.2%}", difference_text(cell.ticket_minus.get("accuracy"), 100, 2)]
            nll = [f"{cell.test['nll'].mean:.3f}", difference_text(cell.ticket_minus.get("nll"), 1, 3)]
            name = name_at(cell.name, cell.arm, cell.level, cell.variational)
            rows.append(ArmRow(name, cell.level, cell.density, cell.test["accuracy"].count, [*accuracy, *nll]))
    return arm_table(["test\naccuracy", "ticket - arm\n(points)", "test\nNLL", "ticket - arm\n(nats)"], rows)


def references_text(cells: Sequence[Cell]) -> str:
    """Return which tickets the differences of one run's table refer to; '' where it is one ticket for all arms."""
    shown = [cell for cell in cells if cell.level in shown_levels(cells)]
    if not any(cell.ticket_minus and cell.arm.trunk is not None and not cell.arm.is_ticket for cell in shown):
        return ""
    name = next(cell.name for cell in shown if cell.arm == TICKET)
    return f"ticket - arm: for a control, the ticket that it alters; for any other arm, the {name}."


def difference_text(estimate: Estimate | None, factor: float, digits: int) -> str:
    """Return a difference with its 95 % interval, '+4.00 ± 1.20'; '' of None."""
    if estimate is None:
        return ""
    text = f"{round(factor * estimate.mean, digits) + 0.0:+.{digits}f}"  # no minus before zeros
    return text if estimate.high is None else f"{text} ± {factor * (estimate.high - estimate.mean):.{digits}f}"
