"""Write a report: figures (PNG and PDF), tables, CSV files, verdicts on claims, from run folders alone."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.reports.chain_pools import Pool, pools_of
from tfticket.reports.claims.decision import Decision
from tfticket.reports.claims.papers import decisions_of, records
from tfticket.reports.figures.arm_styles import Styles, arm_styles
from tfticket.reports.figures.chain_traces import chains_figure
from tfticket.reports.figures.learning_curves import curves_of, learning_figure, shown_curves
from tfticket.reports.figures.lineage import lineage_figures
from tfticket.reports.figures.metric_curves import controls_figure, has_controls, metric_figure
from tfticket.reports.figures.reliability import reliability_figure
from tfticket.reports.figures.style import Figures, save_figures
from tfticket.reports.figures.survivors import connectivity_figure, survivor_histograms, weights_figure
from tfticket.reports.figures.uncertainty import posterior_figure, uncertainty_figure
from tfticket.reports.grouping import without_controls
from tfticket.reports.kl_lineages import Lineage, lineages_of
from tfticket.reports.network_uncertainty import NetworkUncertainty, uncertainties_of
from tfticket.reports.rows import Row, rows_of
from tfticket.reports.tables.best_epochs import RecordedTraining, recorded_trainings
from tfticket.reports.tables.cells import Cell, record_of, seeds_text, shown_levels, summarise
from tfticket.reports.tables.csv_files import best_epochs_csv, lineage_csv, posterior_csv, rows_csv, uncertainty_csv
from tfticket.reports.tables.survival_models import Closeness, Fit, closeness_of, fits_of
from tfticket.runs.files import atomic_write, check_writable, write_json
from tfticket.runs.run_folder import RunFolder

_FIGURES = (  # patterns of file names
    *("accuracy", "calibration", "controls", "reliability", "learning", "start-weights", "connectivity"),
    *("uncertainty", "posterior", "lineage", "lineage-seed-*", "chains-*-seed-*"),
)
_TABLES = ("uncertainty.csv", "posterior.csv", "moments.csv", "lineage.csv")
"""Tables that only some runs have."""


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        files: The names of its files.
        cells: The summary of ``rows``.
        decisions: Run -> verdicts on the papers' claims.
        fits: Of a single run: models of survival of Monte Carlo tickets.
        closeness: Of a single run: distances of Monte Carlo tickets to its tickets.
        uncertainty: Of a single run with variational tickets: uncertainty of its networks.
        best_epochs: Of a single run: its trainings that recorded test metrics at their evaluations.
        notes: Notes on figures that could not be drawn.
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
    uncertainty: list[NetworkUncertainty]
    best_epochs: list[RecordedTraining]
    notes: list[str]


def write_report(runs: Sequence[RunFolder], folder: Path | None = None) -> Report:
    """Write the report of one run or of several together: tables first, since a figure may fail.

    Args:
        runs: From ``read_run``; a run that is given twice counts once.
        folder: The folder to write to; a single run's own ``report/`` by default.

    Raises:
        InputError: No folder for several runs; no finished evaluation.
    """
    runs = list({run.folder: run for run in runs}.values())
    if folder is None:
        if len(runs) != 1:
            raise InputError("A report of several runs has no default folder. Name one: --out FOLDER.", field="--out")
        folder = runs[0].folder / "report"
    names = [run.folder.name for run in runs]
    if len(set(names)) < len(names):
        raise InputError(f"Two runs have the same folder name: {', '.join(names)}. Rename one of the folders.")
    rows = [row for run in runs for row in rows_of(run)]
    if not rows:
        raise InputError(
            f"{', '.join(names)}: nothing has been evaluated yet. Report again after the first evaluation."
        )
    check_writable(folder, "--out")
    cells, decisions, title = summarise(rows), decisions_of(rows), title_of(runs, rows)
    single = runs[0] if len(runs) == 1 else None
    uncertainty = uncertainties_of(single) if single else []
    best_epochs = recorded_trainings(single) if single else []
    lineages = lineages_of(single) if single else []
    pools = {run.folder.name: pools_of(run) for run in runs}
    fits, closeness = (fits_of(single), closeness_of(single)) if single else ([], [])
    styles = arm_styles(arms_of(runs))
    figures = _metric_figures(rows, cells, title, styles)
    if single:
        figures |= _step_figures(single, title, styles) | lineage_figures(lineages, title)
    if uncertainty:
        figures["uncertainty"] = partial(uncertainty_figure, uncertainty, title, styles)
    if any(network.posterior for network in uncertainty):
        figures["posterior"] = partial(posterior_figure, uncertainty, title, styles)
    figures |= _chain_figures(pools, rows, styles)
    tables = _csv_files(rows, uncertainty, best_epochs, lineages)
    _remove_former(folder, [*tables, *(f"{name}.{kind}" for name in figures for kind in ("png", "pdf"))])
    for name, text in tables.items():
        atomic_write(folder / name, lambda file, text=text: file.write_text(text, encoding="utf-8"))  # type: ignore[misc]
    write_json(folder / "summary.json", [record_of(cell) for cell in cells])
    write_json(folder / "claims.json", records(decisions))
    files, notes = save_figures(folder, figures)
    files += [*tables, "summary.json", "claims.json"]
    all_pools = [pool for of_run in pools.values() for pool in of_run]
    return Report(
        *(folder, files, title, cells, rows, decisions, all_pools, fits, closeness, uncertainty, best_epochs, notes)
    )


def arms_of(runs: Sequence[RunFolder]) -> list[tuple[str, Arm]]:
    """Return (run, arm) of all steps, finished or not: all figures agree by it."""
    arms = (
        (run.folder.name, step.label.get("arm") or (TICKET if step.kind == "fit" else None))
        for run in runs
        for step in run.steps()
    )
    return list(dict.fromkeys((run, arm) for run, arm in arms if arm))


def _remove_former(folder: Path, names: Sequence[str]) -> None:
    """Remove the files of an earlier report in this folder that this one does not write."""
    patterns = [f"{pattern}.{kind}" for pattern, kind in itertools.product(_FIGURES, ("png", "pdf"))]
    for file in (file for pattern in (*patterns, *_TABLES) for file in folder.glob(pattern)):
        if file.name not in names:
            file.unlink(missing_ok=True)


def _metric_figures(rows: Sequence[Row], cells: Sequence[Cell], title: str, styles: Styles) -> Figures:
    seeds = seeds_text(cells)
    spread = seeds if seeds == "1 seed" else f"mean and range of {seeds}"
    shown, one_run = without_controls(cells), len({row.run for row in rows}) == 1
    figures: Figures = {"accuracy": partial(metric_figure, shown, "accuracy", title, spread, styles)}
    if "mace" in cells[0].test:
        figures["calibration"] = partial(metric_figure, shown, "mace", title, spread, styles)
    if one_run and len(shown) < len(cells) and has_controls(cells):
        figures["controls"] = partial(controls_figure, cells, title, spread, styles)
    reliable = [row for row in without_controls(rows) if row.level in shown_levels(cells) and row.reliability]
    if reliable and one_run:
        bins = f"bins of the test rows of {seeds}"
        figures["reliability"] = partial(reliability_figure, reliable, title, bins, styles)
    return figures


def _step_figures(run: RunFolder, title: str, styles: Styles) -> Figures:
    figures: Figures = {}
    curves = shown_curves(curves_of(run))
    if any(curve.level for curve in curves) and max(len(curve.iterations) for curve in curves) > 1:
        figures["learning"] = partial(learning_figure, curves, title, styles)
    if histograms := survivor_histograms(run):
        figures["start-weights"] = partial(weights_figure, histograms, title, styles)
        if len({histogram.layer for histogram in histograms}) > 1:
            figures["connectivity"] = partial(connectivity_figure, histograms, title, styles)
    return figures


def _chain_figures(pools: Mapping[str, Sequence[Pool]], rows: Sequence[Row], styles: Styles) -> Figures:
    figures: Figures = {}
    for run, of_run in pools.items():
        for pool in of_run:
            arm, seed, level = (pool.label[name] for name in ("arm", "seed", "level"))
            others = [row for row in rows if (row.run, row.seed, row.level) == (run, seed, level)]
            others = [row for row in others if row.arm == TICKET or row.arm.method == "ensemble"]
            name = f"chains-{arm.key.replace(' ', '-')}-seed-{seed}-level-{level}"
            name = name if len(pools) == 1 else f"{name}-{run}"
            figures[name] = partial(chains_figure, pool, run, others, styles)
    return figures


def _csv_files(
    rows: Sequence[Row],
    uncertainty: Sequence[NetworkUncertainty],
    best_epochs: Sequence[RecordedTraining],
    lineages: Sequence[Lineage],
) -> dict[str, str]:
    tables = {"results.csv": rows_csv(rows)}
    if uncertainty:
        tables["uncertainty.csv"] = uncertainty_csv(uncertainty)
    if any(network.posterior for network in uncertainty):
        tables["posterior.csv"] = posterior_csv(uncertainty)
    if best_epochs:
        tables["moments.csv"] = best_epochs_csv(best_epochs)
    if lineages:
        tables["lineage.csv"] = lineage_csv(lineages)
    return tables


def title_of(runs: Sequence[RunFolder], rows: Sequence[Row]) -> str:
    """Return networks and data of the rows, a line each: 'lenet-5 on MNIST, 55,000 training rows'."""
    models = {run.folder.name: run.config["model"]["name"] for run in runs}
    return "\n".join(dict.fromkeys(f"{models[row.run]} on {row.data}" for row in rows))
