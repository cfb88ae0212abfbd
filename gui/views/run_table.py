"""The table of runs: Qt view for the workspace model."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QItemSelectionModel, QModelIndex, QRect, QSize, QSortFilterProxyModel, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ..models.workspace import STATE_SYMBOLS, WorkspaceModel, matches_filter
from .run_rows import FRACTION, OVERLAY, PROGRESS, RUN, SORT, STARTED, STATE, Index, RunTableModel, state_text
from .widgets import fill, filter_box


class RunFilter(QSortFilterProxyModel):
    """Filters rows by text and sorts them by value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSortRole(SORT)

    def set_text(self, text: str) -> None:
        self.beginFilterChange()
        self._text = text
        self.endFilterChange()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        source = self.sourceModel()
        assert isinstance(source, RunTableModel)
        return matches_filter(source.run(row), self._text)


class ProgressDelegate(QStyledItemDelegate):
    """Draws a bar behind the number of trainings."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        cell, style = QStyleOptionViewItem(option), option.widget.style()
        self.initStyleOption(cell, index)
        text, cell.text = cell.text, ""
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, cell, painter, option.widget)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        colours = QPalette.ColorRole
        if (fraction := index.data(FRACTION)) is not None:
            room = option.rect.adjusted(2, 3, -2, -3)
            colour = QColor(option.palette.color(colours.HighlightedText if selected else colours.Highlight))
            colour.setAlpha(70)
            painter.fillRect(QRect(room.x(), room.y(), round(room.width() * fraction), room.height()), colour)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        role = colours.HighlightedText if selected else colours.Text
        style.drawItemText(painter, option.rect.adjusted(4, 0, -4, 0), flags, option.palette, True, text, role)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return super().sizeHint(option, index).expandedTo(QSize(70, 0))


class OverlayDelegate(QStyledItemDelegate):
    """Draws a check box with an outline, which the style does not draw in dark themes."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        part = QStyle.SubElement.SE_ItemViewItemCheckIndicator
        box = option.widget.style().subElementRect(part, cell, option.widget)
        painter.setPen(option.palette.color(QPalette.ColorRole.PlaceholderText))
        painter.drawRect(box.adjusted(0, 0, -1, -1))


class RunsView(QTableView):
    """A table that gives spare width to the runs' names; Home and End move to the first and last row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fitting = False
        self._name_width = 0  # width set by the user; the column may be wider
        self.horizontalHeader().sectionResized.connect(self._resized)

    def save_columns(self) -> QByteArray:
        self._set_name_width(self._name_width)
        state = self.horizontalHeader().saveState()
        self.fit()
        return state

    def restore_columns(self, state: QByteArray) -> None:
        self.horizontalHeader().restoreState(state)
        self.horizontalHeader().setStretchLastSection(False)
        self._name_width = self.horizontalHeader().sectionSize(RUN)
        self.fit()

    def fit(self) -> None:
        head = self.horizontalHeader()
        self._set_name_width(max(self._name_width, self.viewport().width() - head.length() + head.sectionSize(RUN)))

    def _set_name_width(self, width: int) -> None:
        self._fitting = True
        self.horizontalHeader().resizeSection(RUN, width)
        self._fitting = False

    def _resized(self, column: int, _: int, width: int) -> None:
        if self._fitting:
            return
        if column == RUN:
            self._name_width = width
        else:
            self.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def moveCursor(self, action: QAbstractItemView.CursorAction, keys: Qt.KeyboardModifier) -> QModelIndex:
        ends = {QAbstractItemView.CursorAction.MoveHome: 0, QAbstractItemView.CursorAction.MoveEnd: -1}
        if action not in ends or not self.model().rowCount():
            return super().moveCursor(action, keys)
        return self.model().index(range(self.model().rowCount())[ends[action]], max(self.currentIndex().column(), RUN))


class RunTable(QWidget):
    """The runs, with a filter above."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._filtering = False
        self.filter = filter_box("filter: a word, or state=failed", "Filter of the runs")
        self.filter.setToolTip(
            "Words in a run's name, state or step; name=, state=, experiment= and level= select the field"
        )
        self.rows = RunTableModel(model, self)
        self.proxy = RunFilter(self)
        self.proxy.setSourceModel(self.rows)
        self.view = RunsView(self)
        self._set_up_view()
        fill(QVBoxLayout(self), self.filter, self.view, margins=(4, 4, 4, 4))
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
        view.setItemDelegateForColumn(OVERLAY, OverlayDelegate(view))
        view.setItemDelegateForColumn(PROGRESS, ProgressDelegate(view))
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + 8)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often start alike
        view.setTabKeyNavigation(False)
        view.setAlternatingRowColors(True)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)  # with the actions added by the window
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        width = view.fontMetrics().averageCharWidth()
        for column, letters in enumerate((3, 24, 10, 9, 8, 9, 7, 8, 7, 18)):
            header.resizeSection(column, letters * width + 8)
        widest = max(view.fontMetrics().horizontalAdvance(state_text(state)) for state in STATE_SYMBOLS)
        header.resizeSection(STATE, widest + 14)

    def disconnect_model(self) -> None:
        self._model.focus_changed.disconnect(self._select)
        self._model.runs_changed.disconnect(self._select)
        self.rows.disconnect_model()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.filter.text():
            self.filter.clear()
        else:
            super().keyPressEvent(event)

    def selected(self) -> list[Path]:
        rows = (self.proxy.mapToSource(index).row() for index in self.view.selectionModel().selectedRows())
        return [self.rows.run(row).folder for row in rows]

    def _filter(self, text: str) -> None:
        """Filter the rows; the run in focus stays, even if it is hidden."""
        self._filtering = True
        self.proxy.set_text(text)
        self._filtering = False
        self._select()

    def _focus(self) -> None:
        current = self.view.currentIndex()
        selected = current.isValid() and self.view.selectionModel().isRowSelected(current.row(), QModelIndex())
        if selected and not self._filtering:  # when the table gets the focus, Qt makes its first row current only
            self._model.focus(self.rows.run(self.proxy.mapToSource(current).row()).folder)

    def _select(self) -> None:
        focused = self._model.focused
        row = self.rows.row_of(focused.folder if focused else None)
        index = QModelIndex() if row is None else self.proxy.mapFromSource(self.rows.index(row, RUN))
        selection = self.view.selectionModel()
        if index.isValid() and not selection.isRowSelected(index.row(), QModelIndex()):
            rows = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            selection.setCurrentIndex(index, rows)
