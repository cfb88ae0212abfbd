"""Fields in which several configurations differ. Qt view for ``differences``."""

import textwrap
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTableWidgetItem, QVBoxLayout, QWidget

from .theme import swatch
from .widgets import fill, fixed_table, text_label, tip

LETTERS = 28
"""Letters per line of a run's name."""
WIDEST = 260
"""Initial width of a column with long texts, in pixels."""


class DifferencesDialog(QDialog):
    """A table with a row per field and a column per run; the names of the fields do not scroll.

    Args:
        runs: Folder name and colour of each run.
        rows: From ``differences``: a field and its value in each run.
    """

    def __init__(
        self,
        runs: Sequence[tuple[str, str]],
        rows: Sequence[tuple[str, Sequence[str]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Configuration differences")
        self._lines = [["field", *(name for name, _ in runs)], *([field, *values] for field, values in rows)]
        self.table = fixed_table("Fields that differ", [values for _, values in rows], len(runs))
        self.table.setVerticalHeaderLabels([field for field, _ in rows])
        for column, (name, colour) in enumerate(runs):
            stem, _, hashed = name.rpartition("-")
            head = QTableWidgetItem(swatch(colour), "\n".join([*textwrap.wrap(stem, LETTERS), hashed]))
            head.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            head.setToolTip(tip(name))
            self.table.setHorizontalHeaderItem(column, head)
        text = "Select or overlay two or more runs." if len(runs) < 2 else "No differences."
        empty = text_label(text, alignment=Qt.AlignmentFlag.AlignCenter)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        copy = buttons.addButton("&Copy all", QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip("Tab-separated, for a spreadsheet; Ctrl+C copies the selected cells")
        copy.clicked.connect(self.copy)
        buttons.button(QDialogButtonBox.StandardButton.Close).setDefault(True)
        buttons.rejected.connect(self.reject)
        QShortcut(QKeySequence.StandardKey.Copy, self.table, self.copy_selected)
        fill(QVBoxLayout(self), empty, self.table, buttons)
        empty.setVisible(not rows)
        self.table.setVisible(bool(rows))
        copy.setVisible(bool(rows))
        if rows:
            self._fit()
        else:
            self.resize(360, 110)

    def _fit(self) -> None:
        """Fit the dialog to its table, within the screen."""
        self.table.resizeColumnsToContents()
        for column in range(self.table.columnCount()):
            self.table.setColumnWidth(column, min(WIDEST, self.table.columnWidth(column) + 12))
        self.table.resizeRowsToContents()
        across, down = self.table.horizontalHeader(), self.table.verticalHeader()
        room = QGuiApplication.primaryScreen().availableSize() * 0.8
        width = down.sizeHint().width() + across.length() + 60
        height = across.sizeHint().height() + down.length() + 90
        self.resize(min(max(width, 420), room.width()), min(max(height, 160), room.height()))

    def copy(self) -> None:
        self._put(self._lines)

    def copy_selected(self) -> None:
        lines: dict[int, list[str]] = {}
        for index in sorted(self.table.selectedIndexes(), key=lambda index: (index.row(), index.column())):
            lines.setdefault(index.row(), []).append(str(index.data()))
        self._put(list(lines.values()))

    def _put(self, lines: Sequence[Sequence[str]]) -> None:
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))
