"""Rows summed up over seeds: the report's table and its CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tfticket.reports.rows import Row
from tfticket.reports.statistics import Estimate, mean_interval


@dataclass(frozen=True)
class Cell:
    """One arm of one run at one level, over its seeds.

    Attributes:
        run, arm, level, density: Which; density is the mean over seeds.
        name: What tables and figures call the arm.
        test: Metric -> estimate over seeds, on test rows.
        accuracy_range: Lowest and highest test accuracy of a seed.
        ticket_minus: Metric -> estimate of (ticket - this arm), paired by seed; empty for the ticket itself.
    """

    run: str
    arm: str
    name: str
    level: int
    density: float
    test: dict[str, Estimate]
    accuracy_range: tuple[float, float]
    ticket_minus: dict[str, Estimate]


def summarise(rows: Sequence[Row]) -> list[Cell]:
    """Sum rows up over seeds: by run, by level, the ticket first.

    The unit of pairing is the IMP seed: a control's difference is taken to the ticket whose mask it altered.
    Intervals are unadjusted 95 % ones.
    """
    groups: dict[tuple[str, int, str], dict[int, Row]] = {}
    for row in rows:
        groups.setdefault((row.run, row.level, row.arm), {})[row.seed] = row
    metrics, cells = metrics_of(rows), []
    for (run, level, arm), mine in sorted(groups.items(), key=lambda item: (item[0][:2], item[0][2] != "ticket")):
        tickets = groups.get((run, level, "ticket"), {})
        paired = [seed for seed in mine if seed in tickets] if arm != "ticket" else []
        accuracies = [row.test["accuracy"] for row in mine.values()]
        cells.append(
            Cell(
                run=run,
                arm=arm,
                name=next(iter(mine.values())).name,
                level=level,
                density=sum(row.density for row in mine.values()) / len(mine),
                test={metric: mean_interval([row.test[metric] for row in mine.values()]) for metric in metrics},
                accuracy_range=(min(accuracies), max(accuracies)),
                ticket_minus={
                    metric: mean_interval([tickets[seed].test[metric] - mine[seed].test[metric] for seed in paired])
                    for metric in (metrics if paired else ())
                },
            )
        )
    return cells


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics that every row has."""
    return [name for name in rows[0].test if all(name in row.test for row in rows)] if rows else []


def table_rows(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a run's table: of a run with controls, the dense level and the levels that have some."""
    controlled = {cell.run for cell in cells if cell.ticket_minus}
    shown = {
        (cell.run, cell.level) for cell in cells if cell.ticket_minus or cell.level == 0 or cell.run not in controlled
    }
    accuracy, nll = ["test\naccuracy", "ticket - arm\n(points)"], ["test\nNLL", "ticket - arm\n(nats)"]
    header = ["weights\nremaining", "arm", *accuracy, *nll]
    rows = []
    for cell in cells:
        if (cell.run, cell.level) in shown:
            accuracy = [f"{cell.test['accuracy'].mean:.2%}", _difference(cell.ticket_minus.get("accuracy"), 100, 2)]
            nll = [f"{cell.test['nll'].mean:.3f}", _difference(cell.ticket_minus.get("nll"), 1, 3)]
            arm = "dense" if cell.level == 0 else cell.name
            rows.append([f"{cell.density:.1%}", arm, *accuracy, *nll])
    return header, rows


def seeds_text(cells: Sequence[Cell]) -> str:
    """'3 seeds', or '2 to 3 seeds' where a run is not through."""
    counts = sorted({cell.test["accuracy"].count for cell in cells})
    span = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    return f"{span} seed{'' if counts == [1] else 's'}"


def _difference(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None:
        return ""
    text = f"{factor * estimate.mean:+.{digits}f}"
    return text if estimate.high is None else f"{text} ± {factor * (estimate.high - estimate.mean):.{digits}f}"


def rows_csv(rows: Sequence[Row]) -> str:
    """Every row as CSV: run, data, arm, seed, level, density, sparsity, then each split's metrics (fractions, nats)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    splits, metrics = ("test", "validation"), metrics_of(rows)
    names = ["run", "data", "arm", "seed", "level", "density", "sparsity"]
    writer.writerow(names + [f"{split}_{metric}" for split in splits for metric in metrics])
    for row in rows:
        values = [getattr(row, split)[metric] for split in splits for metric in metrics]
        writer.writerow([row.run, row.data, row.arm, row.seed, row.level, row.density, 1.0 - row.density, *values])
    return buffer.getvalue()
