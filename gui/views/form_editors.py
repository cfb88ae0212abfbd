"""Editors of a form's fields, one per kind of field."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ..models.form import Field, FormModel
from .theme import CheckBox
from .widgets import build, code_box, fill

MIN_CHARACTERS = 6
"""Characters that a combo box shows at least."""

MAX_LINES = 8
"""Lines of a multi-line editor before it scrolls."""


class Editor(QWidget):
    """Shows a field's value and emits the user's edits.

    Args:
        control: Widget that takes the keyboard focus.
        prefers_own_line: Whether a narrow form puts it below its label.
    """

    edited = Signal(object)
    edit_ended = Signal()  # further input is a new step for undo
    is_multiline = False
    """Whether the editor has several lines."""

    def __init__(self, field: Field, control: QWidget, prefers_own_line: bool = False) -> None:
        super().__init__()
        self.field = field
        self.control = control
        self.prefers_own_line = prefers_own_line
        self.setFocusProxy(control)
        self._layout = QHBoxLayout(self)
        fill(self._layout, control, margins=(0, 0, 0, 0), spacing=2)

    @property
    def controls(self) -> list[QWidget]:
        """Focusable widgets in Tab order."""
        return [self.control]

    def refresh(self, model: FormModel) -> None:
        raise NotImplementedError


class _Line(QLineEdit):
    """A line edit; the arrow keys change whole numbers by one."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field
        self.setPlaceholderText(f"{field.null_meaning} (empty)" if field.optional else _EMPTY.get(field.kind, ""))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if step and self._field.kind == "integer" and self.text().strip().removeprefix("-").isdecimal():
            number = int(self.text()) + step
            self.setText(str(number if self._field.minimum is None else max(self._field.minimum, number)))
            self.textEdited.emit(self.text())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        _show_start(self)


def _show_start(line: QLineEdit) -> None:
    """Show the start of a long text, unless it is being edited."""
    if not line.hasFocus() and not line.hasSelectedText():
        line.setCursorPosition(0)


_EMPTY = {"list": "none", "table": "none, e.g. dense_1: 0.2"}


class LineEditor(Editor):
    """Editor for a text, a number, a list or a table."""

    def __init__(self, field: Field) -> None:
        self._line = _Line(field)
        super().__init__(field, self._line, prefers_own_line=field.kind in ("list", "table", "yaml", "path"))
        self._line.textEdited.connect(self.edited.emit)

    def refresh(self, model: FormModel) -> None:
        text = model.text(self.field.path)
        if self._line.text() != text:
            self._line.setText(text)
            _show_start(self._line)


class PathEditor(LineEditor):
    """Editor for a path, with a button to browse."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self._browse = build(QPushButton, "Browse", toolTip="Choose a file or folder")
        self._browse.setAccessibleName(f"{field.label}: choose a file or folder")
        menu = QMenu(self)
        menu.addAction("File…", lambda: self._choose(QFileDialog.getOpenFileName(self)[0]))
        menu.addAction("Folder…", lambda: self._choose(QFileDialog.getExistingDirectory(self)))
        self._browse.setMenu(menu)
        self._layout.addWidget(self._browse)

    @property
    def controls(self) -> list[QWidget]:
        return [self.control, self._browse]

    def _choose(self, path: str) -> None:
        if path:
            self.edited.emit(path)


class SwitchEditor(Editor):
    """Editor for a truth value."""

    def __init__(self, field: Field) -> None:
        self._box = CheckBox()
        super().__init__(field, self._box)
        self._layout.addStretch()
        self._box.clicked.connect(self.edited.emit)

    def refresh(self, model: FormModel) -> None:
        self._box.setChecked(model.get(self.field.path) is True)


class _ComboBox(QComboBox):
    """A combo box that ignores the wheel unless it has the focus."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChoiceEditor(Editor):
    """Editor for one of several values; editable if the field allows other values."""

    def __init__(self, field: Field) -> None:
        self._combo = build(
            _ComboBox,
            focusPolicy=Qt.FocusPolicy.StrongFocus,
            editable=field.allows_other,
            insertPolicy=QComboBox.InsertPolicy.NoInsert,
            sizeAdjustPolicy=QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon,
            minimumContentsLength=MIN_CHARACTERS,
        )
        super().__init__(field, self._combo, prefers_own_line=field.allows_other)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for index, choice in enumerate(field.choices):
            text = f"({field.null_meaning})" if choice.value is None else str(choice.value)
            self._combo.addItem(text, choice.value)
            self._combo.setItemData(index, choice.about or None, Qt.ItemDataRole.ToolTipRole)
        self._combo.activated.connect(lambda index: self.edited.emit(self._combo.itemData(index)))
        if (line := self._combo.lineEdit()) is not None:
            line.textEdited.connect(self.edited.emit)
            line.editingFinished.connect(lambda: _show_start(line))

    def refresh(self, model: FormModel) -> None:
        self.field = model.field(self.field.path)
        value = model.get(self.field.path)
        index = next((i for i, choice in enumerate(self.field.choices) if choice.value == value), -1)
        before = self._combo.currentText()
        with QSignalBlocker(self._combo):
            while self._combo.count() > len(self.field.choices):
                self._combo.removeItem(self._combo.count() - 1)
            if index < 0 and not self.field.allows_other:  # an invalid value is shown until it is replaced
                self._combo.addItem(model.text(self.field.path), value)
                index = self._combo.count() - 1
            self._combo.setCurrentIndex(index)
            if self.field.allows_other and self._combo.currentText() != model.text(self.field.path):
                self._combo.setEditText(model.text(self.field.path))
            if (line := self._combo.lineEdit()) is not None and line.text() != before:
                _show_start(line)


class ItemsEditor(Editor):
    """Editor for names with options, one per line, with buttons to add and remove lines."""

    is_multiline = True

    def __init__(self, field: Field) -> None:
        self._text = code_box(tabChangesFocus=True, undoRedoEnabled=False)
        self._text.setPlaceholderText("none; one per line: a name, or {name: ..., option: ...}")
        super().__init__(field, self._text, prefers_own_line=True)
        self._text.textChanged.connect(self._typed)
        self._add = build(QPushButton, "Add", accessibleName=f"{field.label}: add")
        self._remove = build(QPushButton, "Remove", accessibleName=f"{field.label}: remove")
        for button in (self._add, self._remove):
            button.setMenu(QMenu(button))
        self._remove.menu().aboutToShow.connect(self._list_lines)
        self._add.menu().setToolTipsVisible(True)
        for choice in field.choices:
            add = partial(self._add_line, str(choice.value))
            self._add.menu().addAction(str(choice.value), add).setToolTip(choice.about)
        self._add.setVisible(bool(field.choices))
        self._layout.setDirection(QBoxLayout.Direction.TopToBottom)
        buttons = QHBoxLayout()
        fill(buttons, self._add, self._remove, None)
        fill(self._layout, buttons)

    @property
    def controls(self) -> list[QWidget]:
        return [self.control, self._add, self._remove]

    @property
    def lines(self) -> list[str]:
        return [line for line in self._text.toPlainText().splitlines() if line.strip()]

    def refresh(self, model: FormModel) -> None:
        text = model.text(self.field.path)
        if self._text.toPlainText() != text:
            with QSignalBlocker(self._text):
                self._text.setPlainText(text)
        self._fit()

    def _add_line(self, line: str) -> None:
        self._set_lines([*self.lines, line])

    def _list_lines(self) -> None:
        self._remove.menu().clear()
        for index, line in enumerate(lines := self.lines):
            rest = lines[:index] + lines[index + 1 :]
            self._remove.menu().addAction(line.replace("&", "&&"), partial(self._set_lines, rest))

    def _set_lines(self, lines: list[str]) -> None:
        """Replace the lines, as an edit separate from typing."""
        self.edit_ended.emit()
        self._text.setPlainText("\n".join(lines))

    def _typed(self) -> None:
        self._fit()
        self.edited.emit(self._text.toPlainText())

    def _fit(self) -> None:
        lines = min(max(self._text.document().blockCount(), 2), MAX_LINES) + 1
        frame = 2 * (self._text.frameWidth() + round(self._text.document().documentMargin()))
        self._text.setFixedHeight(lines * self._text.fontMetrics().lineSpacing() + frame)


EDITORS: dict[str, Callable[[Field], Editor]] = {
    **dict.fromkeys(("text", "integer", "number", "list", "table", "yaml"), LineEditor),
    **{"path": PathEditor, "switch": SwitchEditor, "choice": ChoiceEditor, "configs": ItemsEditor},
}


def make_editor(field: Field) -> Editor:
    """Return an editor for a field."""
    editor = EDITORS[field.kind](field)
    editor.control.setEnabled(not field.read_only)
    return editor
