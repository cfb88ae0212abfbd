"""What the command line prints: tables, reports, times."""

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

    from tfticket.reports.chains import Pool
    from tfticket.reports.claims import Decision
    from tfticket.reports.moments import RecordedTraining
    from tfticket.reports.portraits import Closeness, Fit
    from tfticket.reports.report import Report
    from tfticket.reports.tables import Cell
    from tfticket.reports.uncertainty import Evaluated


def say(text: object = "", err: bool = False) -> None:
    """Print text, whatever a file or a user has put in it: no control character reaches the terminal."""
    stream = sys.stderr if err else sys.stdout  # not click's, which writes UTF-8 where a terminal says ASCII
    stream.write(f"{plain(text)}\n")
    stream.flush()


def echo(text: str) -> None:
    """Print text, its lines wrapped to the width that tables have."""
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
    """Unset COLUMNS where it is no width (0, negative, text), and raise it where it is too narrow for tables."""
    from tfticket.columns import LEAST_WIDTH

    columns = os.environ.pop("COLUMNS", "")
    if re.fullmatch("0*[1-9][0-9]{0,4}", columns):
        os.environ["COLUMNS"] = str(max(LEAST_WIDTH, int(columns)))


def when(seconds: float) -> str:
    """A moment, in local time."""
    import datetime

    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def show_table(header: list[str], rows: list[list[Any]], as_json: bool = False, empty: str = "") -> None:
    """Print a table, or as JSON an object a row; ``empty``: there is no row."""
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
    """Print a report's tables, and where its files are; what could not be drawn stands on stderr, in any case."""
    for note in report.notes:
        typer.echo(note, err=True)
    if as_json:
        from dataclasses import asdict

        from tfticket.reports.papers import records
        from tfticket.reports.tables import record_of

        record: dict[str, Any] = {"title": report.title, "files": [str(report.folder / name) for name in report.files]}
        record |= {"results": [record_of(cell) for cell in report.cells], "claims": records(report.decisions)}
        record["fits"] = [asdict(fit) for fit in report.fits]
        record["closeness"] = [record_of(item) for item in report.closeness]
        record["uncertainty"] = [record_of(item) for item in report.uncertainty]
        record["moments"] = [record_of(item) for item in report.moments]
        record["notes"] = report.notes
        record["chains"] = [{**pool.label, "arm": pool.label["arm"].key, **pool.diagnostics} for pool in report.pools]
        typer.echo(json.dumps(record))
    elif not quiet:
        echo(report.title)
        show_cells(report.cells)
        show_uncertainty(report.uncertainty, report.cells)
        show_moments(report.moments, report.cells)
        show_claims(report.decisions)
        show_fits(report.fits)
        show_closeness(report.closeness)
        show_chains(report.pools)
        echo(f"Figures, CSV, summary and claims in {report.folder}: {', '.join(report.files)}")


def show_cells(cells: "Sequence[Cell]") -> None:
    """Print a report's table, and what its intervals are."""
    from tfticket.reports.tables import references_text, seeds_text, table_rows

    runs, references = list(dict.fromkeys(cell.run for cell in cells)), ""
    for run in runs:
        if len(runs) > 1:
            echo(f"\n{run}")
        own = [cell for cell in cells if cell.run == run]
        _show_arms(*table_rows(own))
        references = references or references_text(own)
    for cell in cells:
        for layer, seeds in cell.emptied.items():
            of = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
            echo(f"{cell.name} at {cell.density:.1%}: no weight is left in {layer} ({of}).")
    single = all(cell.test["accuracy"].count == 1 for cell in cells)
    interval = "one seed gives no interval" if single else "± is the unadjusted 95 % interval, paired by seed"
    echo(f"Means over {seeds_text(cells)}; {interval}.")
    if references:
        echo(references)


def _show_arms(header: list[str], rows: list[list[Any]]) -> None:
    show_table(header, rows)
    if "n" in header:
        echo("n: how many seeds a row is the mean of; means over different seeds do not compare.")


def show_chains(pools: "Sequence[Pool]") -> None:
    """Print what chains cost and whether they may be believed."""
    from tfticket.reports.chains import CHAIN_HEADER, beside_of, chain_row, verdict_of

    if not pools:
        return
    show_table(CHAIN_HEADER, [chain_row(pool) for pool in pools])
    for pool in pools:
        echo(verdict_of(pool.name, pool.diagnostics))
        echo(beside_of(pool))


def show_fits(fits: "Sequence[Fit]") -> None:
    """Print the models of survival that Monte Carlo tickets were drawn from."""
    from tfticket.reports.portraits import FIT_HEADER, fit_row

    if fits:
        show_table(FIT_HEADER, list(map(fit_row, fits)))
        seeds = f"{fits[0].seeds} seed{'s' * (fits[0].seeds > 1)}"
        echo(f"Logistic models of which weights survive, means over {seeds}; as printed: no intercept.")


def show_uncertainty(evaluated: "Sequence[Evaluated]", cells: "Sequence[Cell]") -> None:
    """Print how unsure variational networks are; nothing where there are none."""
    from tfticket.reports.tables import shown_levels
    from tfticket.reports.uncertainty import uncertainty_tables

    for header, rows, note in uncertainty_tables(evaluated, shown_levels(cells)):
        _show_arms(header, rows)
        echo(note)


def show_moments(moments: "Sequence[RecordedTraining]", cells: "Sequence[Cell]") -> None:
    """Print test metrics at the last and the best evaluations; nothing where they were not recorded."""
    from tfticket.reports.moments import WHAT, moments_table
    from tfticket.reports.tables import shown_levels

    if moments:
        _show_arms(*moments_table(moments, shown_levels(cells)))
        echo(WHAT)


def show_closeness(closeness: "Sequence[Closeness]") -> None:
    """Print how close Monte Carlo tickets are to the tickets that were learnt from, layer by layer."""
    from tfticket.reports.portraits import CLOSENESS_HEADER, closeness_row

    if closeness:
        show_table(CLOSENESS_HEADER, list(map(closeness_row, closeness)))
        echo("KS: Kolmogorov-Smirnov distances of survivors to those of the tickets that were learnt from.")


def show_claims(decisions: "Mapping[str, Sequence[Decision]]") -> None:
    """Print what is decided of the papers' claims, and by which rule; nothing where no claim is tested.

    Args:
        decisions: Run -> its decisions, from ``decisions_of``.
    """
    from tfticket.reports.reported import CITATIONS
    from tfticket.reports.tables import claims_notes, claims_rows

    if not decisions:
        return
    for run, decided in decisions.items():
        if len(decisions) > 1:
            echo(f"\n{run}")
        show_table(*claims_rows(decided))
        for note in claims_notes(decided):
            echo(note)
    claims = list(dict.fromkeys(decision.comparison.claim for decided in decisions.values() for decision in decided))
    for claim in claims:
        echo(claim)
    tables = "these tables" if len(decisions) > 1 else "this table"
    echo(
        f"Claims: 5 %, Holm-adjusted over the tested claims of {tables}; seeds are the unit; intervals are unadjusted."
    )
    echo("p: t-tests, adjusted; p signs: sign-flip tests of the same, unadjusted; a verdict needs both at most 0.05.")
    for letter in sorted({claim[0] for claim in claims}):
        echo(f"{letter}: {CITATIONS[letter]}")
