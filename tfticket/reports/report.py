"""Write a report: a figure (PNG and PDF), a table, a CSV, from run folders alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tfticket.errors import InputError
from tfticket.reports.figures import accuracy_figure
from tfticket.reports.rows import Row, Run, rows_of
from tfticket.reports.tables import Cell, rows_csv, seeds_text, summarise
from tfticket.runs.files import atomic_write, check_writable, write_json


@dataclass(frozen=True)
class Report:
    """A written report: its folder, what it is of, its summary, its rows."""

    folder: Path
    title: str
    cells: list[Cell]
    rows: list[Row]


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
    cells = summarise(rows)
    title = title_of(runs, rows)
    seeds = seeds_text(cells)
    figure = accuracy_figure(cells, title, seeds if seeds == "1 seed" else f"mean and range of {seeds}")
    for kind in ("png", "pdf"):
        atomic_write(
            folder / f"accuracy.{kind}",
            lambda file, kind=kind: figure.savefig(file, format=kind, dpi=200),  # type: ignore[misc]
        )
    atomic_write(folder / "results.csv", lambda file: file.write_text(rows_csv(rows), encoding="utf-8"))
    write_json(folder / "summary.json", [asdict(cell) for cell in cells])
    return Report(folder, title, cells, rows)


def title_of(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """Which networks and data rows are of, a line each: 'lenet-5 on MNIST, 55,000 training rows'."""
    models = {run.folder.name: run.config["model"]["name"] for run in runs}
    return "\n".join(dict.fromkeys(f"{models[row.run]} on {row.data}" for row in rows))
