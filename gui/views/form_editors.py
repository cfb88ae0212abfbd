"""Editors of a form's fields, one per kind of field."""

import functools
from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QFocusEvent, QFontDatabase, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ..models.form import Field, FormModel
from .theme import CheckBox

MIN_CHARACTERS = 6
"""Characters that a combo box shows at least."""

MAX_LINES = 8
"""Lines of a multi-line editor before it scrolls."""


class Editor(QWidget):
    """Shows a field's value and emits the user's edits.

    Args:
        field: The field.
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
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(control)

    @property
    def controls(self) -> list[QWidget]:
        """Focusable widgets in Tab order."""
        return [self.control]

    def refresh(self, model: FormModel) -> None:
        """Show the field's value."""
        raise NotImplementedError


class _Line(QLineEdit):
    """A line edit; the arrow keys change whole numbers by one."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field
        self.setPlaceholderText(f"{field.null_meaning} (empty)" if field.optional else _EMPTY.get(field.kind, ""))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if step and self._field.kind == "integer" and _is_whole(self.text()):
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


def _is_whole(text: str) -> bool:
    return text.strip().removeprefix("-").isdecimal()


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
        self._browse = QPushButton("Browse")
        self._browse.setToolTip("Choose a file or folder")
        self._browse.setAccessibleName(f"{field.label}: choose a file or folder")
        self._menu = QMenu(self)
        self._menu.addAction("File…", lambda: self._choose(lambda: QFileDialog.getOpenFileName(self)[0]))
        self._menu.addAction("Folder…", lambda: self._choose(lambda: QFileDialog.getExistingDirectory(self)))
        self._browse.setMenu(self._menu)
        self._layout.addWidget(self._browse)

    @property
    def controls(self) -> list[QWidget]:
        return [self.control, self._browse]

    def _choose(self, ask: Callable[[], str]) -> None:
        if path := ask():
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
        self._combo = _ComboBox()
        super().__init__(field, self._combo, prefers_own_line=field.allows_other)
        self._combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._combo.setEditable(field.allows_other)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(MIN_CHARACTERS)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._add_choices(field)
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

    def _add_choices(self, field: Field) -> None:
        for index, choice in enumerate(field.choices):
            text = f"({field.null_meaning})" if choice.value is None else str(choice.value)
            self._combo.addItem(text, choice.value)
            self._combo.setItemData(index, choice.about or None, Qt.ItemDataRole.ToolTipRole)


class ItemsEditor(Editor):
    """Editor for names with options, one per line, with buttons to add and remove lines."""

    is_multiline = True

    def __init__(self, field: Field) -> None:
        self._text = QPlainTextEdit()
        super().__init__(field, self._text, prefers_own_line=True)
        self._text.setTabChangesFocus(True)
        self._text.setUndoRedoEnabled(False)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setPlaceholderText("none; one per line: a name, or {name: ..., option: ...}")
        self._text.textChanged.connect(self._typed)
        self._add = self._button("Add", f"{field.label}: add")
        self._remove = self._button("Remove", f"{field.label}: remove")
        self._remove.menu().aboutToShow.connect(self._list_lines)
        self._list_names()
        self._layout.setDirection(QBoxLayout.Direction.TopToBottom)
        buttons = QHBoxLayout()
        buttons.addWidget(self._add)
        buttons.addWidget(self._remove)
        buttons.addStretch()
        self._layout.addLayout(buttons)

    @property
    def controls(self) -> list[QWidget]:
        return [self.control, self._add, self._remove]

    @property
    def lines(self) -> list[str]:
        """Lines that are not empty."""
        return [line for line in self._text.toPlainText().splitlines() if line.strip()]

    def refresh(self, model: FormModel) -> None:
        text = model.text(self.field.path)
        if self._text.toPlainText() != text:
            with QSignalBlocker(self._text):
                self._text.setPlainText(text)
        self._fit()

    def _button(self, text: str, name: str) -> QPushButton:
        button = QPushButton(text)
        button.setAccessibleName(name)
        button.setMenu(QMenu(button))
        return button

    def _list_names(self) -> None:
        self._add.menu().setToolTipsVisible(True)
        for choice in self.field.choices:
            action = QAction(str(choice.value), self._add)
            action.setToolTip(choice.about)
            action.triggered.connect(lambda _=False, name=choice.value: self._set_lines([*self.lines, str(name)]))
            self._add.menu().addAction(action)
        self._add.setVisible(bool(self.field.choices))

    def _list_lines(self) -> None:
        self._remove.menu().clear()
        for index, line in enumerate(lines := self.lines):
            rest = lines[:index] + lines[index + 1 :]
            self._remove.menu().addAction(line.replace("&", "&&"), functools.partial(self._set_lines, rest))

    def _set_lines(self, lines: list[str]) -> None:
        """Replace the lines, as an edit separate from typing."""
        self.edit_ended.emit()
        self._text.setPlainText("\n".join(lines))

    def _typed(self) -> None:
        self._fit()
        self.edited.emit(self._text.toPlainText())

    def _fit(self) -> None:
        """Fit the height to the lines."""
        lines = min(max(self._text.document().blockCount(), 2), MAX_LINES) + 1
        frame = 2 * (self._text.frameWidth() + round(self._text.document().documentMargin()))
        self._text.setFixedHeight(lines * self._text.fontMetrics().lineSpacing() + frame)


EDITORS: dict[str, Callable[[Field], Editor]] = {
    "text": LineEditor,
    "integer": LineEditor,
    "number": LineEditor,
    "list": LineEditor,
    "table": LineEditor,
    "yaml": LineEditor,
    "path": PathEditor,
    "switch": SwitchEditor,
    "choice": ChoiceEditor,
    "configs": ItemsEditor,
}
"""Kind of field -> editor."""


def make_editor(field: Field) -> Editor:
    """Return an editor for a field."""
    editor = EDITORS[field.kind](field)
    editor.control.setEnabled(not field.read_only)
    return editor
