"""Dialogs: file to save, shortcuts, versions."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QMessageBox, QVBoxLayout, QWidget

from tfticket.errors import InputError
from tfticket.text import plain

from ..models.actions import ACTIONS, MENUS
from .widgets import fill, fixed_table, tip

PACKAGES = (
    *("tfticket", "tensorflow", "tf-keras", "tensorflow-model-optimization"),
    *("pyside6-essentials", "matplotlib", "numpy"),
)

_LAST_FOLDER = "last folder"
"""Property of the window: folder of the last saved file."""


def save_as(
    parent: QWidget,
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
    dialog = QFileDialog(
        parent, title, parent.window().property(_LAST_FOLDER) or "", acceptMode=QFileDialog.AcceptMode.AcceptSave
    )
    dialog.setNameFilters([f"{ending.upper()} (*.{ending})" for ending in write])
    dialog.setDefaultSuffix(next(iter(write)))
    dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(chosen.partition("*.")[2].rstrip(")")))
    dialog.selectFile(f"{name}.{next(iter(write))}")
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
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


def confirmed(parent: QWidget, title: str, question: str) -> bool:
    """Ask a yes-no question, with no as the default; return True for yes."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    return QMessageBox.question(parent, plain(title), tip(question), yes | no, no) == yes


def shortcuts_dialog(parent: QWidget | None = None) -> QDialog:
    """Return a table of all actions and their keys."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Shortcuts")
    rows = [(MENUS[action.menu].replace("&", ""), action.name, action.keys, action.about) for action in ACTIONS]
    table = fixed_table("Shortcuts", rows, 4)
    table.setHorizontalHeaderLabels(["menu", "action", "keys", "description"])
    table.verticalHeader().hide()
    table.resizeColumnsToContents()
    table.horizontalHeader().setStretchLastSection(True)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, dialog)
    buttons.rejected.connect(dialog.reject)
    fill(QVBoxLayout(dialog), table, buttons)
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
