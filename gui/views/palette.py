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

from ..models.actions import MENUS, matching
from ..models.workspace import WorkspaceModel


class CommandPalette(QDialog):
    """Type words, choose with the arrow keys, do it with Enter; ``chosen`` is then the action's id."""

    def __init__(self, model: WorkspaceModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Command palette")
        self._model = model
        self.chosen: str | None = None
        self.text = QLineEdit(self, placeholderText="what to do")
        self.text.setAccessibleName("What to do")
        self.text.installEventFilter(self)
        self.found = QTreeWidget(self)
        self.found.setAccessibleName("Actions")
        self.found.setHeaderLabels(["action", "menu", "keys"])
        self.found.setRootIsDecorated(False)
        self.found.setUniformRowHeights(True)
        self.found.setAlternatingRowColors(True)
        self.found.header().setStretchLastSection(False)
        self.found.header().setMinimumSectionSize(90)
        self.found.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.found.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.found)
        self.resize(560, 420)
        self.text.textChanged.connect(self.fill)
        self.text.returnPressed.connect(lambda: self._choose(self.found.currentItem()))
        self.found.itemActivated.connect(self._choose)
        self.found.itemClicked.connect(self._choose)
        self.fill("")

    def fill(self, text: str) -> None:
        """Show the actions that fit a text."""
        self.found.clear()
        for action in matching(text, self._model):
            if action.id == "show_palette":
                continue
            keys = QKeySequence(action.keys).toString(QKeySequence.SequenceFormat.NativeText)
            item = QTreeWidgetItem(self.found, [action.name, MENUS[action.menu].replace("&", ""), keys])
            item.setSizeHint(0, QSize(0, self.fontMetrics().height() + 8))
            item.setData(0, Qt.ItemDataRole.UserRole, action.id)
            for column in range(self.found.columnCount()):
                item.setToolTip(column, action.about)
        if (first := self.found.topLevelItem(0)) is not None:
            self.found.setCurrentItem(first)

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen = item.data(0, Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down move in the list while one types."""
        moves = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in moves:
            return QApplication.sendEvent(self.found, event)
        return super().eventFilter(watched, event)
