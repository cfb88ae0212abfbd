"""Small windows: which fields differ, which keys there are, which versions."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.models.actions import ACTIONS, MENUS

PACKAGES = (
    "tfticket",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "pyside6-essentials",
    "matplotlib",
    "numpy",
)


class TableDialog(QDialog):
    """A table to look at."""

    def __init__(
        self,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        empty: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.table = QTableWidget(len(rows), len(header), self)
        self.table.setAccessibleName(title)
        self.table.setHorizontalHeaderLabels(list(header))
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setAlternatingRowColors(True)
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()
        self.table.horizontalHeader().setSectionResizeMode(len(header) - 1, QHeaderView.ResizeMode.Stretch)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        if not rows:
            layout.addWidget(QLabel(empty, self), alignment=Qt.AlignmentFlag.AlignCenter)
            self.table.hide()
        layout.addWidget(self.table)
        layout.addWidget(buttons)
        self.resize(640, 420 if rows else 120)


def shortcuts_dialog(parent: QWidget | None = None) -> TableDialog:
    """Every action and its keys."""
    rows = [[MENUS[one.menu].replace("&", ""), one.name, one.keys, one.about] for one in ACTIONS]
    return TableDialog("Shortcuts", ["menu", "action", "keys", "what it does"], rows, "", parent)


def about_text() -> str:
    """Versions of what decides results."""
    lines = []
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed")
    return "\n".join(lines)
