"""Editors of a form's fields: one kind of widget for each kind of field."""

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

NARROWEST = 6
"""Characters that a drop-down shows however little room there is."""

TALLEST = 8
"""Lines that a text of several lines shows before it scrolls."""


class Editor(QWidget):
    """Shows a field's value, and says what a person makes of it.

    Args:
        field: Whose.
        control: What takes the keyboard.
        broad: Whether it wants a line of its own in a narrow form.
    """

    edited = Signal(object)
    left = Signal()  # what follows is another edit
    tall = False
    """Whether it has several lines."""

    def __init__(self, field: Field, control: QWidget, broad: bool = False) -> None:
        super().__init__()
        self.field = field
        self.control = control
        self.broad = broad
        self.setFocusProxy(control)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(control)

    @property
    def controls(self) -> list[QWidget]:
        """What takes the keyboard, in its order."""
        return [self.control]

    def refresh(self, model: FormModel) -> None:
        """Show the field's value."""
        raise NotImplementedError


class _Line(QLineEdit):
    """One line; the arrow keys change a whole number by one."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field
        self.setPlaceholderText(f"{field.null} (empty)" if field.optional else _EMPTY.get(field.kind, ""))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if step and self._field.kind == "integer" and _is_whole(self.text()):
            number = int(self.text()) + step
            self.setText(str(number if self._field.lowest is None else max(self._field.lowest, number)))
            self.textEdited.emit(self.text())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        _show_beginning(self)


def _show_beginning(line: QLineEdit) -> None:
    """Of a text that is longer than its field; not while one is at it."""
    if not line.hasFocus() and not line.hasSelectedText():
        line.setCursorPosition(0)


_EMPTY = {"list": "none", "table": "none, e.g. dense_1: 0.2"}


def _is_whole(text: str) -> bool:
    return text.strip().removeprefix("-").isdecimal()


class LineEditor(Editor):
    """A text, a number, a list or a table in one line."""

    def __init__(self, field: Field) -> None:
        self._line = _Line(field)
        super().__init__(field, self._line, broad=field.kind in ("list", "table", "yaml", "path"))
        self._line.textEdited.connect(self.edited.emit)

    def refresh(self, model: FormModel) -> None:
        text = model.text(self.field.path)
        if self._line.text() != text:
            self._line.setText(text)
            _show_beginning(self._line)


class PathEditor(LineEditor):
    """A path, and a button that looks for a file or a folder."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self._browse = QPushButton("Browse")
        self._browse.setToolTip("Look for a file or a folder")
        self._browse.setAccessibleName(f"{field.label}: look for a file or a folder")
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
    """On or off."""

    def __init__(self, field: Field) -> None:
        self._box = CheckBox()
        super().__init__(field, self._box)
        self._layout.addStretch()
        self._box.clicked.connect(self.edited.emit)

    def refresh(self, model: FormModel) -> None:
        self._box.setChecked(model.get(self.field.path) is True)


class _Quiet(QComboBox):
    """A drop-down that the wheel scrolls past, unless it has the keyboard."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChoiceEditor(Editor):
    """One of some values; where the field takes others too, they can be typed."""

    def __init__(self, field: Field) -> None:
        self._combo = _Quiet()
        super().__init__(field, self._combo, broad=field.others)
        self._combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._combo.setEditable(field.others)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(NARROWEST)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._offer(field)
        self._combo.activated.connect(lambda index: self.edited.emit(self._combo.itemData(index)))
        if (line := self._combo.lineEdit()) is not None:
            line.textEdited.connect(self.edited.emit)
            line.editingFinished.connect(lambda: _show_beginning(line))

    def refresh(self, model: FormModel) -> None:
        self.field = model.field(self.field.path)
        value = model.get(self.field.path)
        known = next((place for place, each in enumerate(self.field.choices) if each.value == value), -1)
        before = self._combo.currentText()
        with QSignalBlocker(self._combo):
            while self._combo.count() > len(self.field.choices):
                self._combo.removeItem(self._combo.count() - 1)
            if known < 0 and not self.field.others:  # a wrong value is shown, and can be left
                self._combo.addItem(model.text(self.field.path), value)
                known = self._combo.count() - 1
            self._combo.setCurrentIndex(known)
            if self.field.others and self._combo.currentText() != model.text(self.field.path):
                self._combo.setEditText(model.text(self.field.path))
            if (line := self._combo.lineEdit()) is not None and line.text() != before:
                _show_beginning(line)

    def _offer(self, field: Field) -> None:
        for place, choice in enumerate(field.choices):
            shown = f"({field.null})" if choice.value is None else str(choice.value)
            self._combo.addItem(shown, choice.value)
            self._combo.setItemData(place, choice.about or None, Qt.ItemDataRole.ToolTipRole)


class ItemsEditor(Editor):
    """Names with options, one a line, and buttons that add and remove one."""

    tall = True

    def __init__(self, field: Field) -> None:
        self._text = QPlainTextEdit()
        super().__init__(field, self._text, broad=True)
        self._text.setTabChangesFocus(True)
        self._text.setUndoRedoEnabled(False)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setPlaceholderText("none; one a line: a name, or {name: ..., option: ...}")
        self._text.textChanged.connect(self._typed)
        self._add = self._button("Add", f"{field.label}: add one by name")
        self._remove = self._button("Remove", f"{field.label}: remove one")
        self._remove.menu().aboutToShow.connect(self._offer_lines)
        self._offer_names()
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
        """What is listed."""
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

    def _offer_names(self) -> None:
        self._add.menu().setToolTipsVisible(True)
        for choice in self.field.choices:
            action = QAction(str(choice.value), self._add)
            action.setToolTip(choice.about)
            action.triggered.connect(lambda _=False, name=choice.value: self._put([*self.lines, str(name)]))
            self._add.menu().addAction(action)
        self._add.setVisible(bool(self.field.choices))

    def _offer_lines(self) -> None:
        self._remove.menu().clear()
        for place, line in enumerate(lines := self.lines):
            rest = lines[:place] + lines[place + 1 :]
            self._remove.menu().addAction(line.replace("&", "&&"), functools.partial(self._put, rest))

    def _put(self, lines: list[str]) -> None:
        """One edit of its own, though it changes the text."""
        self.left.emit()
        self._text.setPlainText("\n".join(lines))

    def _typed(self) -> None:
        self._fit()
        self.edited.emit(self._text.toPlainText())

    def _fit(self) -> None:
        """As high as its lines."""
        lines = min(max(self._text.document().blockCount(), 2), TALLEST) + 1
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
"""Kind of field -> its editor."""


def editor_of(field: Field) -> Editor:
    """An editor for a field."""
    editor = EDITORS[field.kind](field)
    editor.control.setEnabled(not field.fixed)
    return editor
