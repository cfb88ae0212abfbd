"""Write a report: figures (PNG and PDF), a table, a CSV, verdicts on claims, from run folders alone."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.reports.chains import Pool, chains_figure, pools_of
from tfticket.reports.claims import Decision
from tfticket.reports.curves import curves_of, learning_figure, shown_curves
from tfticket.reports.figures import controls_figure, has_controls, metric_figure, reliability_figure, save_figures
from tfticket.reports.lineage import lineage_csv, lineage_figures, lineages_of
from tfticket.reports.looks import Looks, arm_looks, tickets_alone
from tfticket.reports.moments import RecordedTraining, moments_csv, recorded_trainings
from tfticket.reports.papers import decisions_of, records
from tfticket.reports.portraits import (
    Closeness,
    Fit,
    closeness_of,
    connectivity_figure,
    fits_of,
    portraits_of,
    weights_figure,
)
from tfticket.reports.rows import Row, rows_of
from tfticket.reports.tables import Cell, record_of, rows_csv, seeds_text, shown_levels, summarise
from tfticket.reports.uncertainty import (
    Evaluated,
    evaluated_of,
    posterior_csv,
    posterior_figure,
    uncertainty_csv,
    uncertainty_figure,
)
from tfticket.runs.files import atomic_write, check_writable, write_json
from tfticket.runs.run_folder import RunFolder, Step

_FIGURES = (  # patterns of their names
    "accuracy",
    "calibration",
    "controls",
    "reliability",
    "learning",
    "start-weights",
    "connectivity",
    "uncertainty",
    "posterior",
    "lineage",
    "lineage-seed-*",
    "chains-*-seed-*",
)
_TABLES = ("uncertainty.csv", "posterior.csv", "moments.csv", "lineage.csv")
"""Of a single run that has what they show."""


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        folder: Where it lies.
        files: The names of its files.
        title: What it is of.
        cells: Its summary.
        rows: What that sums up.
        decisions: Run -> what is decided of the papers' claims.
        pools: Tickets' chains.
        fits: Of a single run: the models that Monte Carlo tickets were drawn from.
        closeness: Of a single run: how close these are to its tickets.
        uncertainty: Of a single run with variational tickets: how unsure its networks are.
        moments: Of a single run: its trainings that recorded test metrics as they went on.
        notes: On figures that could not be drawn.
    """

    folder: Path
    files: list[str]
    title: str
    cells: list[Cell]
    rows: list[Row]
    decisions: dict[str, list[Decision]]
    pools: list[Pool]
    fits: list[Fit]
    closeness: list[Closeness]
    uncertainty: list[Evaluated]
    moments: list[RecordedTraining]
    notes: list[str]


def write_report(runs: Sequence[RunFolder], folder: Path | None = None) -> Report:
    """Write the report of one run or of several together: tables first, since a figure may fail.

    Args:
        runs: From ``read_run``; one that is given twice counts once.
        folder: Where to; a single run's own ``report/`` by default.

    Raises:
        InputError: No folder for several runs; no finished evaluation.
    """
    runs = list({run.folder: run for run in runs}.values())
    if folder is None:
        if len(runs) != 1:
            raise InputError("Several runs in one report need a folder of their own: --out FOLDER.")
        folder = runs[0].folder / "report"
    names = [run.folder.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(
            f"Two runs of one report have the same folder name: {', '.join(names)}. Give one another name."
        )
    rows = [row for run in runs for row in rows_of(run)]
    if not rows:
        raise InputError(f"{', '.join(run.folder.name for run in runs)}: nothing has been evaluated yet.")
    check_writable(folder, "--out")
    cells, decisions, title = summarise(rows), decisions_of(rows), title_of(runs, rows)
    only = runs[0] if len(runs) == 1 else None
    uncertainty = evaluated_of(only) if only else []
    moments = recorded_trainings(only) if only else []
    lineages = lineages_of(only) if only else []
    pools = {run.folder.name: pools_of(run) for run in runs}
    fits, closeness = (fits_of(only), closeness_of(only)) if only else ([], [])
    looks = arm_looks(arms_of(runs))
    figures = _figures(rows, cells, title, looks)
    if only:
        figures |= _further_figures(only, title, looks) | _variational_figures(uncertainty, title, looks)
        figures |= lineage_figures(lineages, title)
    figures |= _chain_figures(pools, rows, looks)
    tables = {"results.csv": rows_csv(rows), **_tables(uncertainty, moments)}
    tables |= {"lineage.csv": lineage_csv(lineages)} if lineages else {}
    _remove_former(folder, [*tables, *(f"{name}.{kind}" for name in figures for kind in ("png", "pdf"))])
    for name, text in tables.items():
        atomic_write(folder / name, lambda file, text=text: file.write_text(text, encoding="utf-8"))  # type: ignore[misc]
    write_json(folder / "summary.json", [record_of(cell) for cell in cells])
    write_json(folder / "claims.json", records(decisions))
    files, notes = save_figures(folder, figures)
    return Report(
        folder,
        [*files, *tables, "summary.json", "claims.json"],
        title,
        cells,
        rows,
        decisions,
        [pool for each in pools.values() for pool in each],
        fits,
        closeness,
        uncertainty,
        moments,
        notes,
    )


def arms_of(runs: Sequence[RunFolder]) -> list[tuple[str, Arm]]:
    """Return (run, arm) of all steps, whether anything is known of them yet or not: figures agree by it."""
    return list(dict.fromkeys((run.folder.name, arm) for run in runs for step in run.steps() if (arm := _arm_of(step))))


def _arm_of(step: Step) -> Arm | None:
    return step.label.get("arm") or (TICKET if step.kind == "fit" else None)


def _remove_former(folder: Path, names: Sequence[str]) -> None:
    """Remove what another report left in this folder and this one does not write."""
    patterns = [f"{pattern}.{kind}" for pattern, kind in itertools.product(_FIGURES, ("png", "pdf"))]
    for file in (file for pattern in (*patterns, *_TABLES) for file in folder.glob(pattern)):
        if file.name not in names:
            file.unlink(missing_ok=True)


Figures = dict[str, Callable[[], Any]]
"""Name -> what draws it."""


def _figures(rows: Sequence[Row], cells: Sequence[Cell], title: str, looks: Looks) -> Figures:
    """Return the figures of what the rows hold: evaluations of former versions have less."""
    seeds = seeds_text(cells)
    spread = seeds if seeds == "1 seed" else f"mean and range of {seeds}"
    alone, one_run = tickets_alone(cells), len({row.run for row in rows}) == 1
    figures: Figures = {"accuracy": partial(metric_figure, alone, "accuracy", title, spread, looks)}
    if "mace" in cells[0].test:
        figures["calibration"] = partial(metric_figure, alone, "mace", title, spread, looks)
    if one_run and len(alone) < len(cells) and has_controls(cells):
        figures["controls"] = partial(controls_figure, cells, title, spread, looks)
    shown = [row for row in tickets_alone(rows) if row.level in shown_levels(cells) and row.reliability]
    if shown and one_run:
        figures["reliability"] = partial(reliability_figure, shown, title, f"bins of the test rows of {seeds}", looks)
    return figures


def _further_figures(run: RunFolder, title: str, looks: Looks) -> Figures:
    """Return the figures of what a run has beside its evaluations."""
    figures: Figures = {}
    curves = shown_curves(curves_of(run))
    if any(curve.level for curve in curves) and max(len(curve.iterations) for curve in curves) > 1:
        figures["learning"] = partial(learning_figure, curves, title, looks)
    if portraits := portraits_of(run):
        figures["start-weights"] = partial(weights_figure, portraits, title, looks)
        if len({one.layer for one in portraits}) > 1:
            figures["connectivity"] = partial(connectivity_figure, portraits, title, looks)
    return figures


def _variational_figures(found: Sequence[Evaluated], title: str, looks: Looks) -> Figures:
    """Return the figures of a run's variational networks."""
    figures: Figures = {"uncertainty": partial(uncertainty_figure, found, title, looks)} if found else {}
    if any(one.posterior for one in found):
        figures["posterior"] = partial(posterior_figure, found, title, looks)
    return figures


def _tables(uncertainty: Sequence[Evaluated], moments: Sequence[RecordedTraining]) -> dict[str, str]:
    """File -> text, of what a run has beside its metrics."""
    tables = {"uncertainty.csv": uncertainty_csv(uncertainty)} if uncertainty else {}
    if any(one.posterior for one in uncertainty):
        tables["posterior.csv"] = posterior_csv(uncertainty)
    return tables | ({"moments.csv": moments_csv(moments)} if moments else {})


def _chain_figures(pools: Mapping[str, Sequence[Pool]], rows: Sequence[Row], looks: Looks) -> Figures:
    """Return the figure of each ticket's chains."""
    figures: Figures = {}
    for run, each in pools.items():
        for pool in each:
            arm, seed, level = (pool.label[name] for name in ("arm", "seed", "level"))
            beside = [row for row in rows if (row.run, row.seed, row.level) == (run, seed, level)]
            beside = [row for row in beside if row.arm == TICKET or row.arm.method == "ensemble"]
            name = f"chains-{arm.key.replace(' ', '-')}-seed-{seed}-level-{level}"
            name = name if len(pools) == 1 else f"{name}-{run}"
            figures[name] = partial(chains_figure, pool, run, beside, looks)
    return figures


def title_of(runs: Sequence[RunFolder], rows: Sequence[Row]) -> str:
    """Which networks and data rows are of, a line each: 'lenet-5 on MNIST, 55,000 training rows'."""
    models = {run.folder.name: run.config["model"]["name"] for run in runs}
    return "\n".join(dict.fromkeys(f"{models[row.run]} on {row.data}" for row in rows))
