"""The command palette: find an action by typing. Qt view for the table of actions."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from gui.models.actions import matching
from gui.models.workspace import WorkspaceModel


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
        self.found = QListWidget(self)
        self.found.setAccessibleName("Actions")
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.found)
        self.resize(460, 360)
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
            keys = f"   ({action.keys})" if action.keys else ""
            item = QListWidgetItem(f"{action.name}{keys}", self.found)
            item.setToolTip(action.about)
            item.setData(Qt.ItemDataRole.UserRole, action.id)
        self.found.setCurrentRow(0)

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen = item.data(Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down move in the list while one types."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step:
                row = self.found.currentRow() + step
                self.found.setCurrentRow(max(0, min(self.found.count() - 1, row)))
                return True
        return super().eventFilter(watched, event)
