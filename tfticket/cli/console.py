"""Output of the command line: text, tables, reports."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from tfticket.text import plain

if TYPE_CHECKING:
    from rich.console import Console

    from tfticket.reports.chain_pools import Pool
    from tfticket.reports.claims.decision import Decision
    from tfticket.reports.network_uncertainty import NetworkUncertainty
    from tfticket.reports.report import Report
    from tfticket.reports.tables.best_epochs import RecordedTraining
    from tfticket.reports.tables.cells import Cell
    from tfticket.reports.tables.survival_models import Closeness, Fit


def say(text: object = "", err: bool = False) -> None:
    """Print text from any source: no control character reaches the terminal."""
    stream = sys.stderr if err else sys.stdout  # not click's, which writes UTF-8 where a terminal says ASCII
    stream.write(f"{plain(text)}\n")
    stream.flush()


def echo(text: str) -> None:
    """Print text, wrapped to the width of tables."""
    import textwrap

    width = terminal().width
    for line in plain(text).splitlines() or [""]:
        say(textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False))


def terminal() -> "Console":
    """Return the terminal, no narrower than tables are laid out for."""
    from rich.console import Console

    from tfticket.columns import LEAST_WIDTH

    console = Console()
    console.width = max(console.width, LEAST_WIDTH)
    return console


def bound_columns() -> None:
    """Unset COLUMNS if it is not a width (0, negative, text), and raise it if it is too narrow for tables."""
    from tfticket.columns import LEAST_WIDTH

    columns = os.environ.pop("COLUMNS", "")
    if re.fullmatch("0*[1-9][0-9]{0,4}", columns):
        os.environ["COLUMNS"] = str(max(LEAST_WIDTH, int(columns)))


def when(seconds: float) -> str:
    """Return a time as text, in the local time zone."""
    import datetime

    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def show_table(header: list[str], rows: list[list[Any]], as_json: bool = False, empty: str = "") -> None:
    """Print a table, or as JSON an object a row; without rows, the text ``empty``."""
    if as_json:
        typer.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows]))
        return
    if not rows:
        say(empty)
        return
    from tfticket.columns import layout

    console = terminal()
    console.print(layout(header, rows, console.width))


def show_report(report: "Report", as_json: bool, quiet: bool) -> None:
    """Print a report's tables and the place of its files; notes on figures that failed go to stderr in any case."""
    for note in report.notes:
        typer.echo(note, err=True)
    if as_json:
        from dataclasses import asdict

        from tfticket.reports.claims.papers import records
        from tfticket.reports.tables.cells import record_of

        record = {
            "title": report.title,
            "files": [str(report.folder / name) for name in report.files],
            "results": [record_of(cell) for cell in report.cells],
            "claims": records(report.decisions),
            "fits": [asdict(fit) for fit in report.fits],
            "closeness": [record_of(closeness) for closeness in report.closeness],
            "uncertainty": [record_of(network) for network in report.uncertainty],
            "moments": [record_of(training) for training in report.best_epochs],
            "notes": report.notes,
            "chains": [{**pool.label, "arm": pool.label["arm"].key, **pool.diagnostics} for pool in report.pools],
        }
        typer.echo(json.dumps(record))
    elif not quiet:
        echo(report.title)
        parts = report.cells, report.uncertainty, report.best_epochs, report.decisions, report.fits, report.closeness
        show_results(*parts, report.pools)
        echo(f"Figures, CSV, summary and claims in {report.folder}: {', '.join(report.files)}")


def show_results(
    cells: "Sequence[Cell]",
    uncertainty: "Sequence[NetworkUncertainty]",
    trainings: "Sequence[RecordedTraining]",
    decisions: "Mapping[str, Sequence[Decision]]",
    fits: "Sequence[Fit]",
    closeness: "Sequence[Closeness]",
    pools: "Sequence[Pool]",
) -> None:
    """Print all tables of a run or of several."""
    from tfticket.reports.tables.best_epochs import NOTE, best_epochs_table
    from tfticket.reports.tables.cells import shown_levels
    from tfticket.reports.tables.entropies import uncertainty_tables
    from tfticket.reports.tables.survival_models import fits_table
    from tfticket.text import counted

    show_cells(cells)
    for header, rows, note in uncertainty_tables(uncertainty, shown_levels(cells)):
        _show_arms(header, rows)
        echo(note)
    if trainings:
        _show_arms(*best_epochs_table(trainings, shown_levels(cells)))
        echo(NOTE)
    show_claims(decisions)
    if fits:
        show_table(*fits_table(fits))
        seeds = counted(fits[0].seeds, "seed")
        echo(f"Logistic models of which weights survive, means over {seeds}; as printed: no intercept.")
    show_closeness(closeness)
    show_chains(pools)


def show_cells(cells: "Sequence[Cell]") -> None:
    """Print a report's table, and the meaning of its intervals."""
    from tfticket.reports.tables.arms_table import metrics_table, references_text
    from tfticket.reports.tables.cells import seeds_text

    runs, references = list(dict.fromkeys(cell.run for cell in cells)), ""
    for run in runs:
        if len(runs) > 1:
            echo(f"\n{run}")
        of_run = [cell for cell in cells if cell.run == run]
        _show_arms(*metrics_table(of_run))
        references = references or references_text(of_run)
    for cell in cells:
        for layer, seeds in cell.emptied.items():
            listed = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
            echo(f"{cell.name} at {cell.density:.1%}: no weight is left in {layer} ({listed}).")
    single = all(cell.test["accuracy"].count == 1 for cell in cells)
    interval = "one seed gives no interval" if single else "± is the unadjusted 95 % interval, paired by seed"
    echo(f"Means over {seeds_text(cells)}; {interval}.")
    if references:
        echo(references)


def _show_arms(header: list[str], rows: list[list[Any]]) -> None:
    show_table(header, rows)
    if "n" in header:
        echo("n: number of seeds in the mean; means over different seeds are not comparable.")


def show_chains(pools: "Sequence[Pool]") -> None:
    """Print diagnostics, verdict and cost of chains; nothing without chains."""
    from tfticket.reports.tables.chain_diagnostics import chains_table, cost_text, efficiency_table, verdict_text

    if not pools:
        return
    show_table(*chains_table(pools))
    show_table(*efficiency_table(pools))
    for pool in pools:
        echo(verdict_text(pool.name, pool.diagnostics))
        echo(cost_text(pool))


def show_closeness(closeness: "Sequence[Closeness]") -> None:
    """Print the distances of Monte Carlo tickets to the tickets that their model was fitted to, layer by layer."""
    from tfticket.reports.tables.survival_models import closeness_table

    if closeness:
        show_table(*closeness_table(closeness))
        echo("KS: Kolmogorov-Smirnov distances of survivors to those of the tickets that the model was fitted to.")


def show_claims(decisions: "Mapping[str, Sequence[Decision]]") -> None:
    """Print the verdicts on the papers' claims and the rule behind them; nothing where no claim is tested."""
    from tfticket.reports.claims.reported import CITATIONS
    from tfticket.reports.tables.claims_table import claims_notes, claims_table

    if not decisions:
        return
    for run, of_run in decisions.items():
        if len(decisions) > 1:
            echo(f"\n{run}")
        show_table(*claims_table(of_run))
        for note in claims_notes(of_run):
            echo(note)
    claims = list(dict.fromkeys(decision.comparison.claim for of_run in decisions.values() for decision in of_run))
    for claim in claims:
        echo(claim)
    tables = "these tables" if len(decisions) > 1 else "this table"
    echo(
        f"Claims: 5 %, Holm-adjusted over the tested claims of {tables}; seeds are the unit; intervals are unadjusted."
    )
    echo("p: t-tests, adjusted; p signs: sign-flip tests, unadjusted; a verdict needs both to be at most 0.05.")
    for letter in sorted({claim[0] for claim in claims}):
        echo(f"{letter}: {CITATIONS[letter]}")
