"""What the command line prints: tables, reports, times."""

import json
import os
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tfticket.reports.report import Report
    from tfticket.reports.tables import Cell


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
        typer.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        paths = any(os.sep in str(row[number]) for row in rows)
        numeric = all(str(row[number])[:1] in "+-0123456789" for row in rows if row[number] != "")
        table.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold" if paths else "ellipsis",
            no_wrap=number == 0 and not paths,
        )
    for row in rows:
        table.add_row(*(f"{value:,}" if type(value) is int else str(value) for value in row))
    Console().print(table)


def show_report(report: "Report", as_json: bool, quiet: bool) -> None:
    """Print a report's table, and where its files are."""
    names = ("accuracy.png", "accuracy.pdf", "results.csv", "summary.json")
    if as_json:
        from dataclasses import asdict

        files = [str(report.folder / name) for name in names]
        typer.echo(json.dumps({"title": report.title, "files": files, "results": [asdict(c) for c in report.cells]}))
    elif not quiet:
        typer.echo(report.title)
        show_cells(report.cells)
        typer.echo(f"Figure, CSV and summary in {report.folder}: {', '.join(names)}")


def show_cells(cells: "list[Cell]") -> None:
    """Print a report's table, and what its intervals are."""
    from tfticket.reports.tables import seeds_text, table_rows

    runs = list(dict.fromkeys(cell.run for cell in cells))
    for run in runs:
        if len(runs) > 1:
            typer.echo(f"\n{run}")
        show_table(*table_rows([cell for cell in cells if cell.run == run]))
    single = all(cell.test["accuracy"].count == 1 for cell in cells)
    interval = "one seed gives no interval" if single else "± is the unadjusted 95 % interval, paired by seed"
    typer.echo(f"Means over {seeds_text(cells)}; {interval}.")
