"""Rows of the table of runs: a Qt model of the workspace model."""

import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QWidget

from tfticket.runs.index import RunSummary
from tfticket.runs.progress import clock

from ..models.workspace import STATE_SYMBOLS, WorkspaceModel
from .theme import swatch
from .widgets import tip

Index = QModelIndex | QPersistentModelIndex

OVERLAY, RUN, STATE, PROGRESS, DENSITY, ACCURACY, NLL, LEFT, LEVEL, STARTED = range(10)
TITLES = ("", "run", "state", "progress", "weights", "accuracy", "NLL", "ETA", "level", "started")
TIPS = {
    OVERLAY: "Overlay the run on the one in focus, in the tabs Live and Sparsity",
    PROGRESS: "Finished trainings",
    LEVEL: "Pruning rounds of the ticket in column weights",
    DENSITY: "Weights remaining in the sparsest evaluated ticket, to which accuracy and NLL belong; "
    "before the first evaluation, in the network being trained",
    ACCURACY: "Validation accuracy of the sparsest evaluated ticket, mean over its seeds",
    NLL: "Validation NLL of the sparsest evaluated ticket, in nats, mean over its seeds",
}
SORT = Qt.ItemDataRole.UserRole
FRACTION = Qt.ItemDataRole.UserRole + 1


class RunTableModel(QAbstractTableModel):
    """Runs of a workspace model as rows, newest first."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._rows: list[RunSummary] = []
        model.runs_changed.connect(self.update)
        model.overlay_changed.connect(self._refresh_overlay)
        self.update()

    def disconnect_model(self) -> None:
        self._model.runs_changed.disconnect(self.update)
        self._model.overlay_changed.disconnect(self._refresh_overlay)

    def update(self) -> None:
        """Update the rows: remove vanished runs, insert new ones, change others in place."""
        new = self._model.runs
        folders = {run.folder: None for run in new}
        for row in reversed(range(len(self._rows))):
            if self._rows[row].folder not in folders:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._rows[row]
                self.endRemoveRows()
        known = {run.folder for run in self._rows}
        if [run.folder for run in self._rows] != [folder for folder in folders if folder in known]:
            self.beginResetModel()  # the order changed: a run was restarted
            self._rows = list(new)
            self.endResetModel()
            return
        for row, run in enumerate(new):
            if row >= len(self._rows) or self._rows[row].folder != run.folder:
                self.beginInsertRows(QModelIndex(), row, row)
                self._rows.insert(row, run)
                self.endInsertRows()
            elif self._rows[row] != run:
                self._rows[row] = run
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(TITLES) - 1))

    def _refresh_overlay(self) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, RUN)  # colours may change, too
            self.dataChanged.emit(self.index(0, OVERLAY), last)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 -- Qt's
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 -- Qt's
        return 0 if parent.isValid() else len(TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and 0 <= section < len(TITLES):
            if role == Qt.ItemDataRole.DisplayRole:
                return TITLES[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return TIPS.get(section)
            if role == Qt.ItemDataRole.AccessibleTextRole:
                return TITLES[section] or "overlay"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.isValid() and index.column() == OVERLAY else flags

    def data(self, index: Index, role: int = 0) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        run, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(run, column)
        if role == SORT:
            return sort_key(run, column)
        if role == FRACTION and column == PROGRESS:
            return progress_fraction(run)
        if role == Qt.ItemDataRole.CheckStateRole and column == OVERLAY:
            return Qt.CheckState.Checked if run.folder in self._model.overlaid else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and column == RUN:
            return swatch(self._model.colour(run.folder))
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip("\n".join(filter(None, [str(run.folder), run.doing, run.message])))
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= DENSITY:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{TITLES[column] or 'overlay'}: {self._text(run, column)}"
        return None

    def _text(self, run: RunSummary, column: int) -> str:
        return self._model.title(run) if column == RUN else cell_text(run, column)

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:
        if not index.isValid() or role != Qt.ItemDataRole.CheckStateRole or index.column() != OVERLAY:
            return False
        self._model.set_overlaid(self._rows[index.row()].folder, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def run(self, row: int) -> RunSummary:
        return self._rows[row]

    def row_of(self, folder: Path | None) -> int | None:
        return next((row for row, run in enumerate(self._rows) if run.folder == folder), None)


def state_text(state: str) -> str:
    """Return a state as a symbol and a word."""
    return f"{STATE_SYMBOLS.get(state, '?')} {state}"


def cell_text(run: RunSummary, column: int) -> str:
    """Return the text of a cell."""
    texts = {
        RUN: run.name,
        STATE: state_text(run.state),
        PROGRESS: "" if run.trainings is None else f"{run.completed:.1f}/{run.trainings}".replace(".0/", "/"),
        LEFT: clock(run.seconds_left) if run.state == "running" and run.seconds_left is not None else "",
        LEVEL: "" if run.level is None else str(run.level),
        DENSITY: "" if run.density is None else f"{100 * run.density:.3g} %",
        ACCURACY: "" if run.accuracy is None else f"{100 * run.accuracy:.2f} %",
        NLL: "" if run.nll is None else f"{run.nll:.3f}",
        STARTED: datetime.datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M"),
    }
    return texts.get(column, "")


def sort_key(run: RunSummary, column: int) -> Any:
    """Return the sort key of a cell; empty cells come first."""
    keys: dict[int, Any] = {
        RUN: run.name.casefold(),
        STATE: run.state,
        PROGRESS: progress_fraction(run),
        LEFT: run.seconds_left,
        LEVEL: run.level,
        DENSITY: run.density,
        ACCURACY: run.accuracy,
        NLL: run.nll,
        STARTED: run.started,
    }
    value = keys.get(column)
    return -1.0 if value is None else value


def progress_fraction(run: RunSummary) -> float | None:
    """Return the finished fraction of a run, 0 to 1; None if unknown."""
    return min(1.0, run.completed / run.trainings) if run.trainings else None
