"""What came out: metrics against weights remaining, of the run in focus and of those laid over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.reports.claims.reported import Reported, reported_for
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.metrics import Line
from tfticket.reports.grouping import metrics_of
from tfticket.reports.rows import Row, row_of
from tfticket.reports.tables.cells import Cell, seeds_text, summarise
from tfticket.reports.tables.csv_files import rows_csv
from tfticket.runs.run_folder import CONFIG, EVALUATIONS, MANIFEST, Step, read_run

from .colours import colour_of
from .ended import UNREADABLE, why_folder_is_empty
from .patience import Patience
from .signal import Signal

METRICS = ("accuracy", "nll", "mace", "ece", "brier")
NO_RUN = "Choose a run in the list, or start one."
WAITING = "Nothing has been evaluated yet: the first point comes when the dense network is trained."
STYLES = ("-", "--", ":", "-.")
_WIDTHS, _SIZES = (3.6, 1.2), (8.5, 4.5)
"""Of the lines and marks of several runs, that of the first and that of the last: equal ones do not hide each other."""
Split = Literal["validation", "test"]
Spread = Literal["range", "interval"]


@dataclass(frozen=True)
class Reference:
    """Reported numbers that are shown beside a run's.

    Attributes:
        numbers: Of one paper's table.
        source: Paper, table, and on which rows.
    """

    numbers: tuple[Reported, ...]
    source: str


class _Rows:
    """The rows of one run, read again where the folder says that something is new; what failed, also later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.problem = self.waiting = ""
        self.model = self.data = ""
        self._seen: tuple[Any, ...] = ()
        self._evaluations: dict[Step, Step] = {}  # each with its result, once it could be read
        self._patience = Patience()

    def poll(self) -> bool:
        """Whether anything is new."""
        before = (self.rows, self.problem, self.waiting)
        self._look()
        self.waiting = "" if self.rows else why_folder_is_empty(self.folder, WAITING)
        return before != (self.rows, self.problem, self.waiting)

    def _look(self) -> None:
        try:
            seen: tuple[Any, ...] = tuple(self._stamp(name) for name in (CONFIG, MANIFEST))
        except OSError:
            seen = ("gone" if not self.folder.is_dir() else "damaged",)
        if seen == self._seen and not self._patience.is_over:
            return
        self._seen = seen
        try:
            self.problem = "" if self.folder.is_dir() else "The run's folder is gone."
            if not self.problem:
                self._read()
        except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            self.problem = UNREADABLE.format(why=error)
        self._patience.tried(failed=bool(self.problem))

    def _stamp(self, name: str) -> tuple[int, int]:
        path = self.folder / name
        if not path.exists() and name == MANIFEST:
            return (0, 0)
        stat = path.stat()
        return (stat.st_mtime_ns, stat.st_size)

    def _read(self) -> None:
        run = read_run(self.folder)
        rows, damaged = [], 0
        for step in run.steps(*EVALUATIONS):
            try:
                rows.append(row_of(run, self._evaluations.setdefault(step, step)))
            except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
                damaged += 1
        self.rows = rows
        self.model = str(run.config["model"]["name"])
        names = {row.data_set for row in rows}
        self.data = names.pop() if len(names) == 1 else ""
        if damaged:
            self.problem = f"{damaged} of its evaluations cannot be read."


class SparsityModel:
    """Summaries of the runs shown. ``changed`` is emitted when anything shown is new.

    Attributes:
        runs: Folders, that in focus first.
        metric, split, spread, log, reported: What is drawn and how: see ``METRICS``, ``Split`` and ``Spread``.
        hidden: Arms that are not shown.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        self.runs: list[Path] = []
        self.metric, self.log, self.reported = "nll", True, True
        self.split: Split = "validation"
        self.spread: Spread = "range"
        self.hidden: set[Arm] = set()
        self._colours: Mapping[Path, str] = {}
        self._read: dict[Path, _Rows] = {}

    def show(self, runs: Sequence[Path], colours: Mapping[Path, str] | None = None) -> None:
        """Show other runs.

        Args:
            runs: Their folders, that in focus first.
            colours: A colour each, where several are shown.
        """
        self.runs = list(runs)
        self._colours = colours or {}
        self._read = {run: self._read.get(run) or _Rows(run) for run in self.runs}
        for read in self._read.values():
            read.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Look whether there are new evaluations; whether there are."""
        new = [read for read in self._read.values() if read.poll()]
        if new:
            self.changed.emit()
        return bool(new)

    def change(self, **options: Any) -> None:
        """Set metric, split, spread, log or reported."""
        for name, value in options.items():
            setattr(self, name, value)
        self.changed.emit()

    def set_hidden(self, arm: Arm, hidden: bool) -> None:
        """Hide an arm, or show it."""
        (self.hidden.add if hidden else self.hidden.discard)(arm)
        self.changed.emit()

    @property
    def message(self) -> str:
        """Why there is nothing to see; '' where there is."""
        if not self.runs:
            return NO_RUN
        if self.rows:
            return ""
        problems = [read.problem for read in self._read.values() if read.problem]
        return problems[0] if problems else self._read[self.runs[0]].waiting or WAITING

    @property
    def problem(self) -> str:
        """What could not be read of what is shown."""
        return "; ".join(f"{run.name}: {read.problem}" for run, read in self._read.items() if read.problem)

    @property
    def rows(self) -> list[Row]:
        """Every evaluation of the runs shown."""
        return [row for read in self._read.values() for row in read.rows]

    @property
    def shown_rows(self) -> list[Row]:
        """The same without hidden arms."""
        return [row for row in self.rows if row.arm not in self.hidden]

    @property
    def arms(self) -> dict[Arm, str]:
        """Arm -> what figures call it, the ticket first."""
        found = {row.arm: row.name for row in self.rows}
        return dict(sorted(found.items(), key=lambda item: item[0] != TICKET))

    @property
    def metrics(self) -> list[str]:
        """Metrics that all evaluations have."""
        found = metrics_of(self.rows)
        return [name for name in METRICS if name in found]

    @property
    def shown_metrics(self) -> list[str]:
        """Of the plots: accuracy, and the chosen one beside."""
        beside = self.metric if self.metric in self.metrics else next(iter(self.metrics[1:]), "accuracy")
        return list(dict.fromkeys(("accuracy", beside)))

    @property
    def title(self) -> str:
        """Networks and data of the runs, a line each."""
        names = [f"{read.model} on {row.data}" for read in self._read.values() for row in read.rows]
        return "\n".join(dict.fromkeys(names))

    @property
    def spread_text(self) -> str:
        """What the lines and bands are: 'mean and range of 5 seeds'."""
        cells = self._cells()
        if not cells:
            return ""
        seeds = seeds_text(cells)
        what = "range" if self.spread == "range" else "95 % t interval"
        return seeds if seeds == "1 seed" else f"mean and {what} of {seeds}"

    @property
    def several(self) -> bool:
        """Whether several runs have something to show: colours are the runs' then."""
        return sum(bool(read.rows) for read in self._read.values()) > 1

    def lines(self, metric: str) -> dict[tuple[str, Arm], Line]:
        """Lines to draw by (run, arm): of one run in its arms' looks; of several a colour each run, the line by arm."""
        found: dict[tuple[str, Arm], list[Cell]] = {}
        order = [run.name for run in self.runs]
        for cell in sorted(self._cells(), key=lambda cell: order.index(cell.run)):
            found.setdefault((cell.run, cell.arm), []).append(cell)
        looks = self._looks(list(found)) if found else {}
        return {
            key: Line(
                name=cells[0].name,
                densities=[cell.density for cell in cells],
                means=[cell.test[metric].mean for cell in cells],
                lows=[self._ends(cell, metric)[0] for cell in cells],
                highs=[self._ends(cell, metric)[1] for cell in cells],
                style=looks[key],
            )
            for key, cells in found.items()
        }

    def dense(self, metric: str) -> float | None:
        """The metric of the dense network of the run in focus, mean over seeds."""
        return next((cell.test[metric].mean for cell in self._cells() if (cell.level, cell.arm) == (0, TICKET)), None)

    def references(self, metric: str) -> list[Reference]:
        """The numbers of the papers' tables for the networks and data of the runs shown, a reference each table."""
        found: dict[str, dict[Reported, None]] = {}
        for read in self._read.values() if self.reported else ():
            if read.rows:
                for one in reported_for(read.model, read.data, metric):
                    if one.arm not in self.hidden and one.table.startswith("table"):
                        found.setdefault(f"{one.source} ({one.rows})", {})[one] = None
        return [Reference(tuple(numbers), source) for source, numbers in found.items()]

    def csv(self) -> str:
        """What is shown as CSV: every evaluation of the arms shown, both splits."""
        return rows_csv(self.shown_rows)

    def _cells(self) -> list[Cell]:
        rows = self.shown_rows
        if self.split == "validation":  # summaries are of the test rows
            rows = [replace(row, test=row.validation) for row in rows]
        return summarise(rows)

    def _ends(self, cell: Cell, metric: str) -> tuple[float, float]:
        estimate = cell.test[metric]
        if self.spread == "range" or estimate.low is None or estimate.high is None:
            return cell.test_range[metric] if self.spread == "range" else (estimate.mean, estimate.mean)
        return estimate.low, estimate.high

    def _looks(self, keys: list[tuple[str, Arm]]) -> dict[tuple[str, Arm], dict[str, Any]]:
        every = list(dict.fromkeys([*((row.run, row.arm) for row in self.rows), *keys]))  # also hidden ones
        looks = arm_styles(every)
        if not self.several:
            return looks
        arms = list(dict.fromkeys(arm for _, arm in every))
        alone = {arm: look["marker"] for (_, arm), look in arm_styles([("", arm) for arm in arms]).items()}
        colours = {run.name: self._colours.get(run, colour_of(number)) for number, run in enumerate(self.runs)}
        places = {run.name: number / max(1, len(self.runs) - 1) for number, run in enumerate(self.runs)}
        for run, arm in keys:
            number = arms.index(arm)
            colour, place = colours[run], places[run]
            shape = {
                "marker": alone[arm],
                "ls": STYLES[number % len(STYLES)],
                "mfc": colour if arm == TICKET else "none",
                "lw": _WIDTHS[0] + place * (_WIDTHS[1] - _WIDTHS[0]),
                "ms": _SIZES[0] + place * (_SIZES[1] - _SIZES[0]),
                "zorder": 2.0 + place,
            }
            looks[run, arm] = looks[run, arm] | shape | {"color": colour}
        return looks
