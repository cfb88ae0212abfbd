"""The table of runs: Qt view for the workspace model."""

import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui.models.workspace import SIGNS, WorkspaceModel, matches
from tfticket.runs.index import RunSummary
from tfticket.runs.progress import clock

Index = QModelIndex | QPersistentModelIndex

EYE, RUN, STATE, PROGRESS, DENSITY, ACCURACY, NLL, LEFT, LEVEL, STARTED = range(10)
TITLES = ("", "run", "state", "progress", "weights", "accuracy", "NLL", "ETA", "level", "began")
TIPS = {
    EYE: "Lay the run over the one in focus, in the tab Sparsity",
    PROGRESS: "Trainings done",
    LEVEL: "Rounds of pruning of what is trained now, or of the sparsest ticket",
    DENSITY: "Weights remaining of what is trained now, or of the sparsest ticket",
    ACCURACY: "Of the sparsest ticket on validation rows, mean over seeds",
    NLL: "Of the sparsest ticket on validation rows, nats, mean over seeds",
}
SORT = Qt.ItemDataRole.UserRole
FRACTION = Qt.ItemDataRole.UserRole + 1


class RunTableModel(QAbstractTableModel):
    """The runs of a workspace model as rows, the newest first."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._rows: list[RunSummary] = []
        model.runs_changed.connect(self.update)
        model.eyes_changed.connect(self._eyes)
        self.update()

    def disconnect_model(self) -> None:
        """Hear the model no more."""
        self._model.runs_changed.disconnect(self.update)
        self._model.eyes_changed.disconnect(self._eyes)

    def update(self) -> None:
        """Take the model's runs: rows that vanished go, new ones come, others change where they are."""
        new = self._model.runs
        folders = {run.folder: None for run in new}
        for row in reversed(range(len(self._rows))):
            if self._rows[row].folder not in folders:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._rows[row]
                self.endRemoveRows()
        known = {run.folder for run in self._rows}
        if [run.folder for run in self._rows] != [folder for folder in folders if folder in known]:
            self.beginResetModel()  # another order: a run began again
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

    def _eyes(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, EYE), self.index(len(self._rows) - 1, EYE))

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
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.isValid() and index.column() == EYE else flags

    def data(self, index: Index, role: int = 0) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        run, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return text_of(run, column)
        if role == SORT:
            return sort_key(run, column)
        if role == FRACTION and column == PROGRESS:
            return fraction_of(run)
        if role == Qt.ItemDataRole.CheckStateRole and column == EYE:
            return Qt.CheckState.Checked if run.folder in self._model.eyes else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and column == RUN:
            return _swatch(self._model.colour(run.folder))
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, [str(run.folder), run.doing, run.message]))
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= DENSITY:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{TITLES[column] or 'overlay'}: {text_of(run, column)}"
        return None

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:
        if not index.isValid() or role != Qt.ItemDataRole.CheckStateRole or index.column() != EYE:
            return False
        self._model.set_eye(self._rows[index.row()].folder, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def run(self, row: int) -> RunSummary:
        """The run in a row."""
        return self._rows[row]

    def row_of(self, folder: Path | None) -> int | None:
        """The row of a run."""
        return next((row for row, run in enumerate(self._rows) if run.folder == folder), None)


def text_of(run: RunSummary, column: int) -> str:
    """What a cell says."""
    texts = {
        RUN: run.name,
        STATE: f"{SIGNS.get(run.state, '?')} {run.state}",
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
    """What a cell is sorted by; nothing comes before everything."""
    keys: dict[int, Any] = {
        RUN: run.name.casefold(),
        STATE: run.state,
        PROGRESS: fraction_of(run),
        LEFT: run.seconds_left,
        LEVEL: run.level,
        DENSITY: run.density,
        ACCURACY: run.accuracy,
        NLL: run.nll,
        STARTED: run.started,
    }
    value = keys.get(column)
    return -1.0 if value is None else value


def fraction_of(run: RunSummary) -> float | None:
    """How much of a run is done, 0 to 1."""
    return min(1.0, run.completed / run.trainings) if run.trainings else None


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)


class RunFilter(QSortFilterProxyModel):
    """Rows that fit a text, sorted by what the cells mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSortRole(SORT)

    def set_text(self, text: str) -> None:
        """Show the rows that fit."""
        self.beginFilterChange()
        self._text = text
        self.endFilterChange()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        source = self.sourceModel()
        assert isinstance(source, RunTableModel)
        return matches(source.run(row), self._text)


class ProgressDelegate(QStyledItemDelegate):
    """A bar behind the count of trainings."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        fraction = index.data(FRACTION)
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        if fraction is not None:
            room = option.rect.adjusted(2, 3, -2, -3)
            colour = QColor(option.palette.highlight().color())
            colour.setAlpha(70)
            painter.fillRect(QRect(room.x(), room.y(), round(room.width() * fraction), room.height()), colour)
        super().paint(painter, option, index)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return super().sizeHint(option, index).expandedTo(QSize(70, 0))


class RunTable(QWidget):
    """The runs, with a filter above them."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._filtering = False
        self.filter = QLineEdit(placeholderText="filter: a word, or state=failed", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter of the runs")
        self.filter.setToolTip(
            "Words that a run's name, state or work has; name=, state=, experiment=, level= say where"
        )
        self.rows = RunTableModel(model, self)
        self.proxy = RunFilter(self)
        self.proxy.setSourceModel(self.rows)
        self.view = QTableView(self)
        self._set_up_view()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.filter)
        layout.addWidget(self.view)
        QWidget.setTabOrder(self.filter, self.view)
        self.filter.textChanged.connect(self._filter)
        self.view.selectionModel().selectionChanged.connect(self._focus)
        model.focus_changed.connect(self._select)
        model.runs_changed.connect(self._select)

    def _set_up_view(self) -> None:
        view = self.view
        view.setModel(self.proxy)
        view.setAccessibleName("Runs")
        view.setSortingEnabled(True)
        view.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setItemDelegateForColumn(PROGRESS, ProgressDelegate(view))
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + 8)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often begin alike
        view.setTabKeyNavigation(False)
        view.setAlternatingRowColors(True)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        width = view.fontMetrics().averageCharWidth()
        for column, letters in enumerate((4, 20, 10, 9, 8, 9, 7, 8, 7, 16)):
            header.resizeSection(column, letters * width + 8)

    def close_model(self) -> None:
        """Hear the model no more."""
        self._model.focus_changed.disconnect(self._select)
        self._model.runs_changed.disconnect(self._select)
        self.rows.disconnect_model()

    def selected(self) -> list[Path]:
        """Folders of the selected runs."""
        rows = (self.proxy.mapToSource(index).row() for index in self.view.selectionModel().selectedRows())
        return [self.rows.run(row).folder for row in rows]

    def _filter(self, text: str) -> None:
        """Rows come and go; the run in focus stays, also where it is hidden."""
        self._filtering = True
        self.proxy.set_text(text)
        self._filtering = False
        self._select()

    def _focus(self) -> None:
        current = self.view.currentIndex()
        selected = current.isValid() and self.view.selectionModel().isRowSelected(current.row(), QModelIndex())
        if selected and not self._filtering:  # Qt marks a first row, without selecting it, when the table is entered
            self._model.focus(self.rows.run(self.proxy.mapToSource(current).row()).folder)

    def _select(self) -> None:
        """Show the model's focus."""
        focused = self._model.focused
        row = self.rows.row_of(focused.folder if focused else None)
        index = QModelIndex() if row is None else self.proxy.mapFromSource(self.rows.index(row, RUN))
        selection = self.view.selectionModel()
        if index.isValid() and not selection.isRowSelected(index.row(), QModelIndex()):
            rows = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            selection.setCurrentIndex(index, rows)
