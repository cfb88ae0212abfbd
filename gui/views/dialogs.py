"""Dialogs: file to save, shortcuts, versions, differences of configurations, command palette."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QShortcut

from tfticket.errors import InputError
from tfticket.text import plain

from ..models.actions import ACTIONS, MENUS, matching_actions
from ..models.workspace import WorkspaceModel
from .theme import swatch
from .widgets import build, fill, filter_box, fixed_table, text_label, tip

PACKAGES = (
    *("tfticket", "tensorflow", "tf-keras", "tensorflow-model-optimization"),
    *("pyside6-essentials", "matplotlib", "numpy"),
)

_LAST_FOLDER = "last folder"
"""Property of the window: folder of the last saved file."""


def save_as(
    parent: QtWidgets.QWidget,
    title: str,
    name: str,
    write: Mapping[str, Callable[[Path], object]],
    further: Mapping[str, Callable[[Path], object]] | None = None,
) -> list[Path]:
    """Ask for a file and write it; the dialog asks before it replaces a file.

    Args:
        parent: Parent of the dialog.
        title: Title of the dialog.
        name: Default file name without suffix.
        write: Suffix, such as 'png' -> function that writes the file; the first is the default.
        further: Suffix -> function that writes another file of the same name with that suffix.

    Returns:
        The files written, the chosen one first; none if the user cancelled.

    Raises:
        InputError: A file cannot be written.
    """
    dialog = QtWidgets.QFileDialog(parent, title, parent.window().property(_LAST_FOLDER) or "")
    dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters([f"{ending.upper()} (*.{ending})" for ending in write])
    dialog.setDefaultSuffix(next(iter(write)))
    dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(chosen.partition("*.")[2].rstrip(")")))
    dialog.selectFile(f"{name}.{next(iter(write))}")
    accepted = dialog.exec() == QtWidgets.QDialog.DialogCode.Accepted
    path = Path(dialog.selectedFiles()[0]) if accepted else None
    dialog.deleteLater()
    if path is None:
        return []
    ending = path.suffix.removeprefix(".").lower()
    if ending not in write:
        raise InputError(f"{path.name}: the file is saved as {', '.join('.' + suffix for suffix in write)}.")
    files = {path: write[ending]} | {path.with_suffix(f".{other}"): more for other, more in (further or {}).items()}
    taken = ", ".join(file.name for file in files if file != path and file.exists())
    if taken and not confirmed(parent, "Replace?", f"Already there: {taken}. Replace?"):
        return []
    parent.window().setProperty(_LAST_FOLDER, str(path.parent))
    for file, write_file in files.items():
        try:
            write_file(file)
        except OSError as error:
            raise InputError(f"{file} cannot be written: {error.strerror or error}.") from None
    return list(files)


def confirmed(parent: QtWidgets.QWidget, title: str, question: str) -> bool:
    """Ask a yes-no question, with no as the default; return True for yes."""
    yes, no = QtWidgets.QMessageBox.StandardButton.Yes, QtWidgets.QMessageBox.StandardButton.No
    return QtWidgets.QMessageBox.question(parent, plain(title), tip(question), yes | no, no) == yes


def shortcuts_dialog(parent: QtWidgets.QWidget | None = None) -> QtWidgets.QDialog:
    """Return a table of all actions and their keys."""
    dialog = QtWidgets.QDialog(parent)
    dialog.setWindowTitle("Shortcuts")
    rows = [(MENUS[action.menu].replace("&", ""), action.name, action.keys, action.about) for action in ACTIONS]
    table = fixed_table("Shortcuts", rows, 4)
    table.setHorizontalHeaderLabels(["menu", "action", "keys", "description"])
    table.verticalHeader().hide()
    table.resizeColumnsToContents()
    table.horizontalHeader().setStretchLastSection(True)
    buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close, dialog)
    buttons.rejected.connect(dialog.reject)
    fill(QtWidgets.QVBoxLayout(dialog), table, buttons)
    dialog.resize(640, 420)
    return dialog


def about_text() -> str:
    """Return the versions of the packages that affect results."""
    lines = []
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed")
    return "\n".join(lines)


LETTERS = 28
"""Letters per line of a run's name."""
WIDEST = 260
"""Initial width of a column with long texts, in pixels."""


class DifferencesDialog(QtWidgets.QDialog):
    """A table with a row per field and a column per run; the names of the fields do not scroll.

    Args:
        runs: Folder name and colour of each run.
        rows: From ``differences``.
    """

    def __init__(
        self,
        runs: Sequence[tuple[str, str]],
        rows: Sequence[tuple[str, Sequence[str]]],
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Configuration differences")
        self._lines = [["field", *(name for name, _ in runs)], *([field, *values] for field, values in rows)]
        self.table = fixed_table("Fields that differ", [values for _, values in rows], len(runs))
        self.table.setVerticalHeaderLabels([field for field, _ in rows])
        for column, (name, colour) in enumerate(runs):
            stem, _, hashed = name.rpartition("-")
            head = QtWidgets.QTableWidgetItem(swatch(colour), "\n".join([*textwrap.wrap(stem, LETTERS), hashed]))
            head.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            head.setToolTip(tip(name))
            self.table.setHorizontalHeaderItem(column, head)
        text = "Select or overlay two or more runs." if len(runs) < 2 else "No differences."
        empty = text_label(text, alignment=Qt.AlignmentFlag.AlignCenter)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close, self)
        copy = buttons.addButton("&Copy all", QtWidgets.QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip("Tab-separated, for a spreadsheet; Ctrl+C copies the selected cells")
        copy.clicked.connect(self.copy)
        buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Close).setDefault(True)
        buttons.rejected.connect(self.reject)
        QShortcut(QKeySequence.StandardKey.Copy, self.table, self.copy_selected)
        fill(QtWidgets.QVBoxLayout(self), empty, self.table, buttons)
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


class CommandPalette(QtWidgets.QDialog):
    """Search for an action by words and choose it with Enter; ``chosen`` is then its id."""

    def __init__(self, model: WorkspaceModel, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Command palette")
        self._model = model
        self.chosen: str | None = None
        self.text = filter_box("search for an action", "Search for an action")
        self.text.installEventFilter(self)
        self.results = build(QtWidgets.QTreeWidget, rootIsDecorated=False, uniformRowHeights=True)
        self.results.setAlternatingRowColors(True)
        self.results.setAccessibleName("Actions")
        self.results.setHeaderLabels(["action", "menu", "keys"])
        header = self.results.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(90)
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        fill(QtWidgets.QVBoxLayout(self), self.text, self.results)
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
            item = QtWidgets.QTreeWidgetItem(self.results, [action.name, MENUS[action.menu].replace("&", ""), keys])
            item.setSizeHint(0, QSize(0, self.fontMetrics().height() + 8))
            item.setData(0, Qt.ItemDataRole.UserRole, action.id)
            for column in range(self.results.columnCount()):
                item.setToolTip(column, action.about)
        if (first := self.results.topLevelItem(0)) is not None:
            self.results.setCurrentItem(first)

    def _choose(self, item: QtWidgets.QTreeWidgetItem | None) -> None:
        if item is not None:
            self.chosen = item.data(0, Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let up and down move in the list while typing."""
        moves = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in moves:
            return QtWidgets.QApplication.sendEvent(self.results, event)
        return super().eventFilter(watched, event)
