"""Metrics against weights remaining, of the run in focus and overlaid runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tfticket.arms import TICKET, Arm
from tfticket.reports.claims.reported import Reported, reported_for
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.metric_curves import Line
from tfticket.reports.grouping import metrics_of
from tfticket.reports.rows import Row, row_of
from tfticket.reports.tables.cells import Cell, seeds_text, summarise
from tfticket.reports.tables.csv_files import rows_csv
from tfticket.runs.run_folder import CONFIG, EVALUATIONS, MANIFEST, Step, read_run

from .followed import METRICS
from .reading import NO_RUN, READ_ERRORS, ChangingFiles, empty_folder_message
from .signal import PlotModel
from .workspace import run_colour

WAITING = "No evaluations yet. The first point appears when the dense network is trained."
STYLES = ("-", "--", ":", "-.")
_WIDTHS, _SIZES = (3.6, 1.2), (8.5, 4.5)
"""Widths of lines and sizes of markers, from the first run to the last, so that equal curves stay visible."""
Split = Literal["validation", "test"]
Spread = Literal["range", "interval"]


class _RunRows:
    """Rows of one run, read again when its folder changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.waiting = self.model = self.data = ""
        self._files = ChangingFiles(folder, (CONFIG, MANIFEST), self._read)
        self._evaluations: dict[Step, Step] = {}  # steps that have cached their results

    @property
    def problem(self) -> str:
        return self._files.problem

    def poll(self) -> bool:
        """Read new evaluations; return True if anything changed."""
        before = (self.rows, self.problem, self.waiting)
        self._files.poll()
        self.waiting = "" if self.rows else empty_folder_message(self.folder, WAITING)
        return before != (self.rows, self.problem, self.waiting)

    def _read(self) -> str:
        run = read_run(self.folder)
        rows, damaged = [], 0
        for step in run.steps(*EVALUATIONS):
            try:
                rows.append(row_of(run, self._evaluations.setdefault(step, step)))
            except READ_ERRORS:
                damaged += 1
        self.rows = rows
        self.model = str(run.config["model"]["name"])
        names = {row.data_set for row in rows}
        self.data = names.pop() if len(names) == 1 else ""
        return f"{damaged} of its evaluations cannot be read." if damaged else ""


class SparsityModel(PlotModel):
    """Summaries of the runs shown.

    Attributes:
        runs: Folders, the run in focus first.
        metric: Metric of the second plot, one of ``METRICS``.
        split, spread: See ``Split`` and ``Spread``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Path] = []
        self.metric, self.log, self.reported = "nll", True, True
        self.split: Split = "validation"
        self.spread: Spread = "range"
        self._colours: Mapping[Path, str] = {}
        self._read: dict[Path, _RunRows] = {}

    def show(self, runs: Sequence[Path], colours: Mapping[Path, str] | None = None) -> None:
        """Show other runs, the one in focus first, in these colours if there are several."""
        self.runs = list(runs)
        self._colours = colours or {}
        self._read = {run: self._read.get(run) or _RunRows(run) for run in self.runs}
        for read in self._read.values():
            read.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Read new evaluations; return True if there are any."""
        new = [read for read in self._read.values() if read.poll()]
        if new:
            self.changed.emit()
        return bool(new)

    @property
    def message(self) -> str:
        """Reason why no plot is shown; '' if one is."""
        if not self.runs:
            return NO_RUN
        if self.rows:
            return ""
        problems = [read.problem for read in self._read.values() if read.problem]
        return problems[0] if problems else self._read[self.runs[0]].waiting or WAITING

    @property
    def problem(self) -> str:
        """What cannot be read of the runs shown; ''."""
        return "; ".join(f"{run.name}: {read.problem}" for run, read in self._read.items() if read.problem)

    @property
    def rows(self) -> list[Row]:
        return [row for read in self._read.values() for row in read.rows]

    @property
    def shown_rows(self) -> list[Row]:
        """Evaluations without hidden arms."""
        return [row for row in self.rows if row.arm not in self.hidden]

    @property
    def arms(self) -> dict[Arm, str]:
        """Arm -> display name, the ticket first."""
        names = {row.arm: row.name for row in self.rows}
        return dict(sorted(names.items(), key=lambda item: item[0] != TICKET))

    @property
    def metrics(self) -> list[str]:
        """Metrics that all evaluations have."""
        common = metrics_of(self.rows)
        return [name for name in METRICS if name in common]

    @property
    def shown_metrics(self) -> list[str]:
        """Metrics of the plots: accuracy and the selected one."""
        second = self.metric if self.metric in self.metrics else next(iter(self.metrics[1:]), "accuracy")
        return list(dict.fromkeys(("accuracy", second)))

    @property
    def title(self) -> str:
        names = [f"{read.model} on {row.data}" for read in self._read.values() for row in read.rows]
        return "\n".join(dict.fromkeys(names))

    @property
    def spread_text(self) -> str:
        """Meaning of lines and bands: 'mean and range of 5 seeds'."""
        cells = self._cells()
        if not cells:
            return ""
        seeds = seeds_text(cells)
        band = "range" if self.spread == "range" else "95 % t interval"
        return seeds if seeds == "1 seed" else f"mean and {band} of {seeds}"

    @property
    def has_several_runs(self) -> bool:
        """True if several runs have rows; colours then distinguish runs, not arms."""
        return sum(bool(read.rows) for read in self._read.values()) > 1

    def lines(self, metric: str) -> dict[tuple[str, Arm], Line]:
        """Return the lines by (run, arm). Arms differ by colour for one run; for several, by line style."""
        groups: dict[tuple[str, Arm], list[Cell]] = {}
        order = [run.name for run in self.runs]
        for cell in sorted(self._cells(), key=lambda cell: order.index(cell.run)):
            groups.setdefault((cell.run, cell.arm), []).append(cell)
        looks = self._looks(list(groups)) if groups else {}
        return {
            key: Line(
                name=cells[0].name,
                densities=[cell.density for cell in cells],
                means=[cell.test[metric].mean for cell in cells],
                lows=[self._ends(cell, metric)[0] for cell in cells],
                highs=[self._ends(cell, metric)[1] for cell in cells],
                style=looks[key],
            )
            for key, cells in groups.items()
        }

    def dense(self, metric: str) -> float | None:
        """Return the metric of the dense network of the run in focus, mean over seeds."""
        return next((cell.test[metric].mean for cell in self._cells() if (cell.level, cell.arm) == (0, TICKET)), None)

    def references(self, metric: str) -> dict[str, list[Reported]]:
        """Return the papers' numbers for the networks and data of the runs shown: paper, table and rows -> numbers."""
        tables: dict[str, dict[Reported, None]] = {}
        for read in self._read.values() if self.reported else ():
            if read.rows:
                for number in reported_for(read.model, read.data, metric):
                    if number.arm not in self.hidden and number.table.startswith("table"):
                        tables.setdefault(f"{number.source} ({number.rows})", {})[number] = None
        return {source: list(numbers) for source, numbers in tables.items()}

    def csv(self) -> str:
        """Return all evaluations of the arms shown, on both splits, as CSV."""
        return rows_csv(self.shown_rows)

    def _cells(self) -> list[Cell]:
        rows = self.shown_rows
        if self.split == "validation":  # summaries read the test rows
            rows = [replace(row, test=row.validation) for row in rows]
        return summarise(rows)

    def _ends(self, cell: Cell, metric: str) -> tuple[float, float]:
        if self.spread == "range":
            return cell.test_range[metric]
        mean, low, high = (getattr(cell.test[metric], name) for name in ("mean", "low", "high"))
        return (mean, mean) if low is None else (low, high)

    def _looks(self, keys: list[tuple[str, Arm]]) -> dict[tuple[str, Arm], dict[str, Any]]:
        all_keys = list(dict.fromkeys([*((row.run, row.arm) for row in self.rows), *keys]))  # also hidden ones
        looks = arm_styles(all_keys)
        if not self.has_several_runs:
            return looks
        arms = list(dict.fromkeys(arm for _, arm in all_keys))
        markers = {arm: look["marker"] for (_, arm), look in arm_styles([("", arm) for arm in arms]).items()}
        colours = {run.name: self._colours.get(run, run_colour(number)) for number, run in enumerate(self.runs)}
        ranks = {run.name: number / max(1, len(self.runs) - 1) for number, run in enumerate(self.runs)}
        for run, arm in keys:
            number = arms.index(arm)
            colour, rank = colours[run], ranks[run]
            shape = {
                "marker": markers[arm],
                "ls": STYLES[number % len(STYLES)],
                "mfc": colour if arm == TICKET else "none",
                "lw": _WIDTHS[0] + rank * (_WIDTHS[1] - _WIDTHS[0]),
                "ms": _SIZES[0] + rank * (_SIZES[1] - _SIZES[0]),
                "zorder": 2.0 + rank,
            }
            looks[run, arm] = looks[run, arm] | shape | {"color": colour}
        return looks
