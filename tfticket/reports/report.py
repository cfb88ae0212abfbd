"""Write a report: figures (PNG and PDF), a table, a CSV, verdicts on claims, from run folders alone."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.reports.chains import Pool, chains_figure, pools_of
from tfticket.reports.claims import Decision
from tfticket.reports.curves import curves_of, learning_figure, shown_curves
from tfticket.reports.figures import controls_figure, metric_figure, reliability_figure, save_figures
from tfticket.reports.lineage import lineage_csv, lineage_figures, lineages_of
from tfticket.reports.looks import tickets_alone
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
from tfticket.reports.rows import Row, Run, control_of, rows_of
from tfticket.reports.tables import Cell, rows_csv, seeds_text, shown_levels, summarise
from tfticket.reports.uncertainty import (
    Evaluated,
    evaluated_of,
    posterior_csv,
    posterior_figure,
    uncertainty_csv,
    uncertainty_figure,
)
from tfticket.runs.files import atomic_write, check_writable, write_json

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


def write_report(runs: Sequence[Run], folder: Path | None = None) -> Report:
    """Write the report of one run or of several together.

    Args:
        runs: From ``read_run``.
        folder: Where to; a single run's own ``report/`` by default.

    Raises:
        InputError: No folder for several runs; no finished evaluation.
    """
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
    figures = _figures(rows, cells, title)
    uncertainty = evaluated_of(runs[0]) if len(runs) == 1 else []
    moments = recorded_trainings(runs[0]) if len(runs) == 1 else []
    lineages = lineages_of(runs[0]) if len(runs) == 1 else []
    if len(runs) == 1:
        figures |= _further_figures(runs[0], title) | _variational_figures(uncertainty, title)
        figures |= lineage_figures(lineages, title)
    pools = {run.folder.name: pools_of(run) for run in runs}
    figures |= _chain_figures(pools, rows)
    for pattern, kind in itertools.product(_FIGURES, ("png", "pdf")):  # of another report in this folder
        for file in folder.glob(f"{pattern}.{kind}"):
            if file.stem not in figures:
                file.unlink()
    files = save_figures(folder, figures)
    atomic_write(folder / "results.csv", lambda file: file.write_text(rows_csv(rows), encoding="utf-8"))
    tables = _tables(uncertainty, moments) | ({"lineage.csv": lineage_csv(lineages)} if lineages else {})
    for name in _TABLES:
        (folder / name).unlink(missing_ok=True)
    for name, text in tables.items():
        atomic_write(folder / name, lambda file, text=text: file.write_text(text, encoding="utf-8"))  # type: ignore[misc]
    write_json(folder / "summary.json", [asdict(cell) for cell in cells])
    write_json(folder / "claims.json", records(decisions))
    return Report(
        folder,
        [*files, "results.csv", *tables, "summary.json", "claims.json"],
        title,
        cells,
        rows,
        decisions,
        [pool for each in pools.values() for pool in each],
        fits_of(runs[0]) if len(runs) == 1 else [],
        closeness_of(runs[0]) if len(runs) == 1 else [],
        uncertainty,
        moments,
    )


def _figures(rows: Sequence[Row], cells: Sequence[Cell], title: str) -> dict[str, Any]:
    """Name -> figure, of what the rows hold: evaluations of former versions have less."""
    seeds = seeds_text(cells)
    spread = seeds if seeds == "1 seed" else f"mean and range of {seeds}"
    alone, one_run = tickets_alone(cells), len({row.run for row in rows}) == 1
    figures = {"accuracy": metric_figure(alone, "accuracy", title, spread)}
    if "mace" in cells[0].test:
        figures["calibration"] = metric_figure(alone, "mace", title, spread)
    if one_run and len(alone) < len(cells) and (controls := controls_figure(cells, title, spread)):
        figures["controls"] = controls
    shown = [row for row in tickets_alone(rows) if row.level in shown_levels(cells) and row.reliability]
    if shown and one_run:
        figures["reliability"] = reliability_figure(shown, title, f"bins of the test rows of {seeds}")
    return figures


def _further_figures(run: Run, title: str) -> dict[str, Any]:
    """Name -> figure, of what a run has beside its evaluations."""
    figures = {}
    curves = shown_curves(curves_of(run))
    if any(curve.level for curve in curves) and max(len(curve.iterations) for curve in curves) > 1:
        figures["learning"] = learning_figure(curves, title)
    if portraits := portraits_of(run):
        figures["start-weights"] = weights_figure(portraits, title)
        if len({one.layer for one in portraits}) > 1:
            figures["connectivity"] = connectivity_figure(portraits, title)
    return figures


def _variational_figures(found: Sequence[Evaluated], title: str) -> dict[str, Any]:
    """Name -> figure, of a run's variational networks."""
    figures = {"uncertainty": uncertainty_figure(found, title)} if found else {}
    if any(one.posterior for one in found):
        figures["posterior"] = posterior_figure(found, title)
    return figures


def _tables(uncertainty: Sequence[Evaluated], moments: Sequence[RecordedTraining]) -> dict[str, str]:
    """File -> text, of what a run has beside its metrics."""
    tables = {"uncertainty.csv": uncertainty_csv(uncertainty)} if uncertainty else {}
    if any(one.posterior for one in uncertainty):
        tables["posterior.csv"] = posterior_csv(uncertainty)
    return tables | ({"moments.csv": moments_csv(moments)} if moments else {})


def _chain_figures(pools: Mapping[str, Sequence[Pool]], rows: Sequence[Row]) -> dict[str, Any]:
    """Name -> figure of each ticket's chains."""
    figures = {}
    for run, each in pools.items():
        for pool in each:
            arm, seed, level = (pool.label[name] for name in ("arm", "seed", "level"))
            beside = [row for row in rows if (row.run, row.seed, row.level) == (run, seed, level)]
            beside = [row for row in beside if row.arm == "ticket" or control_of(row.arm) == "ensemble"]
            name = f"chains-{arm.replace(' ', '-')}-seed-{seed}-level-{level}"
            figures[name if len(pools) == 1 else f"{name}-{run}"] = chains_figure(pool, beside)
    return figures


def title_of(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """Which networks and data rows are of, a line each: 'lenet-5 on MNIST, 55,000 training rows'."""
    models = {run.folder.name: run.config["model"]["name"] for run in runs}
    return "\n".join(dict.fromkeys(f"{models[row.run]} on {row.data}" for row in rows))
