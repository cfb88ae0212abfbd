"""The command palette: find an action by typing. Qt view for the table of actions."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..models.actions import MENUS, matching_actions
from ..models.workspace import WorkspaceModel
from .widgets import build, fill


class CommandPalette(QDialog):
    """Search for an action by words and choose it with Enter; ``chosen`` is then its id."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Command palette")
        self._model = model
        self.chosen: str | None = None
        self.text = build(QLineEdit, placeholderText="search for an action", accessibleName="Search for an action")
        self.text.installEventFilter(self)
        self.results = build(QTreeWidget, rootIsDecorated=False, uniformRowHeights=True, alternatingRowColors=True)
        self.results.setAccessibleName("Actions")
        self.results.setHeaderLabels(["action", "menu", "keys"])
        header = self.results.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(90)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        fill(QVBoxLayout(self), self.text, self.results)
        self.resize(560, 420)
        self.text.textChanged.connect(self.fill)
        self.text.returnPressed.connect(lambda: self._choose(self.results.currentItem()))
        self.results.itemActivated.connect(self._choose)
        self.results.itemClicked.connect(self._choose)
        self.fill("")

    def fill(self, text: str) -> None:
        self.results.clear()
        for action in matching_actions(text, self._model):
            if action.id == "show_palette":
                continue
            shortcuts = QKeySequence.listFromString(action.keys)
            keys = QKeySequence.listToString(shortcuts, QKeySequence.SequenceFormat.NativeText)
            item = QTreeWidgetItem(self.results, [action.name, MENUS[action.menu].replace("&", ""), keys])
            item.setSizeHint(0, QSize(0, self.fontMetrics().height() + 8))
            item.setData(0, Qt.ItemDataRole.UserRole, action.id)
            for column in range(self.results.columnCount()):
                item.setToolTip(column, action.about)
        if (first := self.results.topLevelItem(0)) is not None:
            self.results.setCurrentItem(first)

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen = item.data(0, Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let up and down move in the list while typing."""
        moves = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in moves:
            return QApplication.sendEvent(self.results, event)
        return super().eventFilter(watched, event)
