"""Rows summed up over seeds: the report's tables and its CSV."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfticket.arms import TICKET, Arm
from tfticket.reports.claims import Decision
from tfticket.reports.looks import HasArm
from tfticket.reports.rows import Row, name_at
from tfticket.reports.statistics import Estimate, mean_interval
from tfticket.text import CsvWriter

Seeds = Mapping[int, Sequence[Row]]
"""IMP seed -> its replicates, of one arm at one level."""


@dataclass(frozen=True)
class Cell:
    """One arm of one run at one level, over its seeds.

    Attributes:
        run, arm, level, density: Which; density is the mean over seeds.
        name: What tables and figures call the arm.
        replicates: How many the seed with the fewest has, and that with the most.
        test: Metric -> estimate over seeds, on test rows.
        test_range: Metric -> its lowest and highest value of a seed.
        ticket_minus: Metric -> estimate of (ticket - this arm), paired by seed; empty for the ticket itself.
        emptied: Layer -> the seeds of which some replicate has no weight left in it.
        variational: True if the run's own network is variational.
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


def record_of(one: HasArm) -> dict[str, Any]:
    """Return a dataclass that is of an arm as plain values, for JSON."""
    return {**asdict(one), "arm": one.arm.key}  # type: ignore[call-overload]


def summarise(rows: Sequence[Row]) -> list[Cell]:
    """Sum rows up over seeds: by run, by level, the ticket first, controls in the order of the run.

    The unit is the IMP seed: its replicates are averaged first, and a control's difference is taken to the ticket
    that it altered; tickets of other ways of pruning are compared with the run's own. Intervals are unadjusted 95 %
    ones.
    """
    groups = by_seed(rows)
    return [
        _cell(key, seeds, groups.get((*key[:2], _compared_with(key[2])), {}), metrics_of(rows))
        for key, seeds in sorted(groups.items(), key=lambda item: item[0][:2])
    ]


def _compared_with(arm: Arm) -> Arm:
    """The arm whose difference to an arm is told."""
    return TICKET if arm.is_ticket else arm.ticket


def by_seed(rows: Sequence[Row]) -> dict[tuple[str, int, Arm], dict[int, list[Row]]]:
    """Rows as (run, level, arm) -> seed -> replicates: tickets first, then the arms as they first appear."""
    found: dict[tuple[str, int, Arm], dict[int, dict[int, Row]]] = {}
    arms = list(dict.fromkeys((row.run, row.arm) for row in rows))
    for row in sorted(rows, key=lambda row: (row.arm != TICKET, arms.index((row.run, row.arm)))):
        found.setdefault((row.run, row.level, row.arm), {}).setdefault(row.seed, {})[row.replicate] = row
    return {key: {seed: list(each.values()) for seed, each in seeds.items()} for key, seeds in found.items()}


def density_of(seeds: Seeds) -> float:
    """Mean density over seeds."""
    return _mean([_mean([row.density for row in replicates]) for replicates in seeds.values()])


def paired(ours: Seeds, theirs: Seeds, metric: str) -> list[float]:
    """Ours - theirs, one difference for each seed that has both, replicates averaged first.

    Args:
        ours: An arm.
        theirs: Another.
        metric: One on test rows, or what rows have beside.
    """
    return [_value(ours[seed], metric) - _value(theirs[seed], metric) for seed in ours if seed in theirs]


def _value(replicates: Sequence[Row], metric: str) -> float:
    return _mean([row.test[metric] if metric in row.test else row.beside[metric] for row in replicates])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _cell(key: tuple[str, int, Arm], seeds: Seeds, ticket: Seeds, metrics: Sequence[str]) -> Cell:
    run, level, arm = key
    counts = [len(replicates) for replicates in seeds.values()]
    values = {metric: [_value(replicates, metric) for replicates in seeds.values()] for metric in metrics}
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
        emptied=_emptied(seeds),
        variational=row.variational,
    )


def _emptied(seeds: Seeds) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for seed, replicates in seeds.items():
        for layer in dict.fromkeys(layer for row in replicates for layer in row.emptied):
            found.setdefault(layer, []).append(seed)
    return found


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics that every row has."""
    return [name for name in rows[0].test if all(name in row.test for row in rows)] if rows else []


def shown_levels(cells: Sequence[Cell]) -> list[int]:
    """Of a run with controls or transplants, the dense level and the levels that have some; else all."""
    levels = {cell.level for cell in cells}
    controlled = {cell.level for cell in cells if cell.ticket_minus and not cell.arm.is_ticket}
    return sorted(controlled | ({0} & levels) if controlled else levels)


def table_rows(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one run's table: ``shown_levels`` and their arms."""
    shown = shown_levels(cells)
    lines = []
    for cell in cells:
        if cell.level in shown:
            accuracy = [f"{cell.test['accuracy'].mean:.2%}", _difference(cell.ticket_minus.get("accuracy"), 100, 2)]
            nll = [f"{cell.test['nll'].mean:.3f}", _difference(cell.ticket_minus.get("nll"), 1, 3)]
            name = name_at(cell.name, cell.arm, cell.level, cell.variational)
            lines.append(Line(name, cell.level, cell.density, cell.test["accuracy"].count, [*accuracy, *nll]))
    return table_of(["test\naccuracy", "ticket - arm\n(points)", "test\nNLL", "ticket - arm\n(nats)"], lines)


@dataclass(frozen=True)
class Line:
    """A table's line of one arm at one level.

    Attributes:
        name: See ``name_at``.
        level, density: As of a ``Cell``.
        seeds: How many it is the mean of.
        values: What stands in the columns of this table.
    """

    name: str
    level: int
    density: float
    seeds: int
    values: list[str]


def table_of(header: Sequence[str], lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of arms: weights remaining, arm, 'n' seeds where rows differ in them, the columns.

    An unpruned network that several ways of pruning share has one row.
    """
    shown: dict[tuple[int, str], Line] = {}
    for line in lines:
        shown.setdefault((line.level, line.name), line)
    differ = len({line.seeds for line in shown.values()}) > 1
    rows = [
        [f"{line.density:.1%}", line.name, *([str(line.seeds)] if differ else []), *line.values]
        for line in shown.values()
    ]
    return ["weights\nremaining", "arm", *(["n"] if differ else []), *header], rows


def references_text(cells: Sequence[Cell]) -> str:
    """Which ticket the differences in one run's table are to, where it is not the same for all arms; else nothing."""
    shown = [cell for cell in cells if cell.level in shown_levels(cells)]
    if not any(cell.ticket_minus and cell.arm.trunk is not None and not cell.arm.is_ticket for cell in shown):
        return ""
    name = next(cell.name for cell in shown if cell.arm == TICKET)
    return f"ticket - arm: a control's ticket is the one that it altered, that of any other arm is the {name}."


def seeds_text(cells: Sequence[Cell]) -> str:
    """'5 seeds, 3 replicates of each control'; '2 to 3 seeds' where a run is not through."""
    text = _span([cell.test["accuracy"].count for cell in cells], "seed")
    controls = [cell for cell in cells if not cell.arm.is_ticket and cell.arm.method == "train"]
    replicates = [count for cell in controls for count in cell.replicates]
    return f"{text}, {_span(replicates, 'replicate')} of each control" if max(replicates, default=1) > 1 else text


def _span(counts: Sequence[int], what: str) -> str:
    low, high = min(counts), max(counts)
    return f"{low} to {high} {what}s" if low < high else f"{low} {what}{'' if low == 1 else 's'}"


def _difference(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None:
        return ""
    text = f"{round(factor * estimate.mean, digits) + 0.0:+.{digits}f}"  # no minus before zeros
    return text if estimate.high is None else f"{text} ± {factor * (estimate.high - estimate.mean):.{digits}f}"


def claims_rows(decisions: Sequence[Decision]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of claims of one run."""
    header = ["claim", "claimed mean\n(points)", "decided by", "difference\n(points)", "verdict", "p", "p\nsigns"]
    return header, [_claim_row(one) for one in decisions]


def _claim_row(one: Decision) -> list[str]:
    members, factor = len(one.comparison.differences), one.comparison.factor
    unit = "" if one.comparison.unit == "points" else f" {one.comparison.unit}"
    margin = f"{factor * one.comparison.margin:g}{unit}"
    test = {"beats": "above 0", "matches": f"within ±{margin}", "reaches": f"above -{margin}"}[one.comparison.kind]
    against = one.verdict == "contradicted"
    p_values = (one.p_against, one.p_signs_against) if against else (one.p, one.p_signs)
    test = f"all {members} {test}" if members > 1 else test
    difference = _difference(one.difference, factor, 2) + unit
    return [letter_of(one), test, one.member, difference, one.verdict, *map(_p_text, p_values)]


def letter_of(one: Decision) -> str:
    """'A5': the paper's letter and the claim's number."""
    return one.comparison.claim.partition(":")[0]


def _p_text(p: float | None) -> str:
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def claims_notes(decisions: Sequence[Decision]) -> list[str]:
    """Below one run's table: why claims are withheld, a line for each kind of reason."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    for one in decisions:
        for reason in one.comparison.reasons:
            kind, *detail = re.split(r"(?<=[:;]) ", reason, maxsplit=1)
            reasons.setdefault(kind, []).append((letter_of(one), "".join(detail)))
    return [_withheld(kind, details) for kind, details in reasons.items()]


def _withheld(kind: str, details: Sequence[tuple[str, str]]) -> str:
    """The line of one kind of reason: of which claims, and what differs between them."""
    claims: dict[str, list[str]] = {}
    for claim, detail in details:
        claims.setdefault(detail, []).append(claim)
    each = [f"{detail} ({', '.join(letters)})" for detail, letters in claims.items()] if len(claims) > 1 else claims
    return f"Withheld ({', '.join(dict(details))}): {kind} {'; '.join(each)}".rstrip() + "."


def rows_csv(rows: Sequence[Row]) -> str:
    """Every row as CSV: whose it is, density and sparsity, then each split's metrics (fractions, nats).

    Last, where any was recorded, the ends of the test metrics' bootstrap intervals.
    """
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    splits, metrics = ("test", "validation"), metrics_of(rows)
    names = ["run", "data", "arm", "seed", "replicate", "level", "density", "sparsity"]
    resampled = metrics if any(row.intervals for row in rows) else []
    names += [f"{split}_{metric}" for split in splits for metric in metrics]
    writer.writerow(names + [f"test_{metric}_{end}" for metric in resampled for end in ("low", "high")])
    for row in rows:
        values = [getattr(row, split)[metric] for split in splits for metric in metrics]
        whose = [row.run, row.data, row.arm.key, row.seed, row.replicate, row.level]
        ends = [end for metric in resampled for end in row.intervals.get(metric, ("", ""))]
        writer.writerow([*whose, row.density, 1.0 - row.density, *values, *ends])
    return buffer.getvalue()
