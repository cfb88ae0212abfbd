"""Welcome page: open a workspace or start from a preset. Qt view for recent folders and presets."""

from collections.abc import Sequence
from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QModelIndex, QSize, Qt
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent

from tfticket.text import plain

from ..models.draft import PresetEntry, matching_presets
from .widgets import build, fill, filter_box, text_label, tip

RECENT = 4
"""Visible lines of the list of recent workspaces."""

RUN = 3
"""Column of the tree in which a click runs a preset."""


class _Tree(QtWidgets.QTreeWidget):
    """A tree whose keyboard navigation skips the group headers, and which shows names in full."""

    def fit(self) -> None:
        """Fit the first column to the widest name and the available width."""
        header = self.header()
        others = sum(header.sectionSize(column) for column in range(1, header.count()))
        items = self.findItems("", Qt.MatchFlag.MatchContains | Qt.MatchFlag.MatchRecursive)
        names = (item.text(0) for item in items if item.parent() is not None)
        widest = max(map(self.fontMetrics().horizontalAdvance, names), default=0)
        header.resizeSection(0, max(widest + 2 * self.indentation() + 10, self.viewport().width() - others))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def moveCursor(self, action: QtWidgets.QAbstractItemView.CursorAction, keys: Qt.KeyboardModifier) -> QModelIndex:
        moves, before = QtWidgets.QAbstractItemView.CursorAction, self.currentIndex()
        if action == moves.MoveLeft:  # would fold a group
            return before
        index = super().moveCursor(action, keys)
        step = self.indexAbove if action in (moves.MoveUp, moves.MovePrevious, moves.MovePageUp) else self.indexBelow
        while index.isValid() and not index.parent().isValid():
            index = step(index)
        return index if index.isValid() else before


class PresetTree(QtWidgets.QWidget):
    """The presets by experiment, with a filter. Enter or a double click chooses one, a click on Run starts it."""

    chosen = QtSignal(str)
    run_requested = QtSignal(str)

    def __init__(self, can_run: bool, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._can_run = can_run
        self.filter = filter_box("filter presets: lenet mnist desk", "Filter of the presets")
        self.tree = build(_Tree, indentation=12, accessibleName="Presets")
        self.tree.setHeaderLabels(["preset", "trainings", "time on 2 cores", ""])
        self.tree.header().setStretchLastSection(False)
        fill(QtWidgets.QVBoxLayout(self), self.filter, self.tree, margins=(0, 0, 0, 0))
        self.filter.textChanged.connect(self.fill)
        self.filter.returnPressed.connect(lambda: self._choose(self.tree.currentItem()))
        self.tree.itemActivated.connect(self._choose)
        self.tree.itemClicked.connect(self._run)
        self._filled = False  # reading the presets is the slowest part of opening a window

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._filled:
            self.fill(self.filter.text())

    def fill(self, text: str) -> None:
        self._filled = True
        self.tree.clear()
        groups: dict[str, QtWidgets.QTreeWidgetItem] = {}
        for preset in matching_presets(text):
            if preset.about not in groups:
                groups[preset.about] = QtWidgets.QTreeWidgetItem(self.tree, [preset.about])
                groups[preset.about].setFirstColumnSpanned(True)
                groups[preset.about].setFlags(Qt.ItemFlag.ItemIsEnabled)
            self._row(groups[preset.about], preset)
        self.tree.expandAll()
        first = next(iter(groups.values()), None)
        if first is not None and (best := first.child(0)) is not None:
            self.tree.setCurrentItem(best)
        for column in (1, 2, RUN):
            self.tree.resizeColumnToContents(column)
        self.tree.fit()

    def set_can_run(self, on: bool) -> None:
        if on != self._can_run:
            self._can_run = on
            self.fill(self.filter.text())

    def _row(self, group: QtWidgets.QTreeWidgetItem, preset: PresetEntry) -> None:
        run = "▶ Run" if self._can_run else ""
        row = QtWidgets.QTreeWidgetItem(group, [preset.name, preset.work, preset.time, run])
        row.setToolTip(RUN, "Run the preset unchanged" if run else "")
        row.setData(RUN, Qt.ItemDataRole.AccessibleTextRole, f"Run {preset.name}" if run else "")
        row.setForeground(RUN, self.palette().link())
        row.setData(0, Qt.ItemDataRole.UserRole, preset.name)
        row.setSizeHint(0, QSize(0, self.fontMetrics().height() + 6))
        row.setToolTip(0, tip(f"{preset.name}: {preset.about}"))
        row.setToolTip(2, "Upper bound: chains are counted with trees of maximal depth" if preset.chains else "")
        for column in (1, 2):
            row.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    @property
    def current(self) -> str | None:
        item = self.tree.currentItem()
        return item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None

    def _choose(self, item: QtWidgets.QTreeWidgetItem | None) -> None:
        if item is not None and (name := item.data(0, Qt.ItemDataRole.UserRole)):
            self.chosen.emit(name)

    def _run(self, item: QtWidgets.QTreeWidgetItem, column: int) -> None:
        if column == RUN and self._can_run and (name := item.data(0, Qt.ItemDataRole.UserRole)):
            self.run_requested.emit(name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and self.filter.hasFocus():
            self.tree.setFocus()
        else:
            super().keyPressEvent(event)


class PresetDialog(QtWidgets.QDialog):
    """Choose a preset, to fill the form or to run it unchanged."""

    def __init__(self, can_run: bool, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New from preset")
        self.presets = PresetTree(can_run, self)
        self.run_now = False
        buttons = QtWidgets.QDialogButtonBox(self)
        fill_form = buttons.addButton("&Fill the form", QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        self.run_button = buttons.addButton("&Run now", QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        self.run_button.setEnabled(can_run)
        buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        fill_form.setDefault(True)
        fill(QtWidgets.QVBoxLayout(self), self.presets, buttons)
        self.resize(680, 480)
        fill_form.clicked.connect(self._accept)
        buttons.rejected.connect(self.reject)
        self.run_button.clicked.connect(self._run)
        self.presets.chosen.connect(self._accept)
        self.presets.run_requested.connect(self._run)
        self.presets.filter.setFocus()

    def _accept(self) -> None:
        if self.presets.current:
            self.accept()

    def _run(self) -> None:
        self.run_now = True
        self._accept()


class WelcomePage(QtWidgets.QWidget):
    """Shown while there are no runs: open a workspace, or start from a preset."""

    open_requested = QtSignal()
    folder_chosen = QtSignal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        title = QtWidgets.QLabel("tfticket", self)
        font = title.font()
        font.setPointSizeF(1.9 * font.pointSizeF())
        font.setBold(True)
        title.setFont(font)
        self.where = text_label(self, wordWrap=True)
        open_button = QtWidgets.QPushButton("&Open workspace...", self)
        open_button.clicked.connect(self.open_requested)
        self.recent = build(QtWidgets.QListWidget, self, accessibleName="Recent workspaces")
        self.recent.itemActivated.connect(lambda item: self.folder_chosen.emit(item.text()))
        self.recent.itemClicked.connect(lambda item: self.folder_chosen.emit(item.text()))
        self.presets = PresetTree(can_run=False, parent=self)
        self.recent.setMaximumHeight(RECENT * (self.fontMetrics().height() + 3))
        top, heading = QtWidgets.QHBoxLayout(), QtWidgets.QLabel("Recent workspaces", self)
        fill(top, heading, open_button, margins=(0, 8, 0, 0), stretch=heading)
        start = QtWidgets.QLabel("Start from a preset: a double click fills the form", self)
        start.setContentsMargins(0, 8, 0, 0)
        parts = (title, self.where, top, self.recent, start, self.presets)
        fill(QtWidgets.QVBoxLayout(self), *parts, margins=(24, 18, 24, 18), stretch=self.presets)

    def set_recent(self, folders: Sequence[str]) -> None:
        self.recent.clear()
        for folder in folders:
            item = QtWidgets.QListWidgetItem(folder, self.recent)
            item.setToolTip(tip(folder if Path(folder).is_dir() else f"{folder} no longer exists"))

    def set_workspace(self, folder: Path | None) -> None:
        self.presets.set_can_run(folder is not None)
        if folder is None:
            self.where.setText("Open a workspace, or drop its folder here. A YAML file fills the form.")
        else:
            self.where.setText(f"{plain(folder)} has no runs yet. Start from a preset, or fill the form and press Run.")
