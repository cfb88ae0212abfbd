"""Rows of a form: label, mark, editor, reset button and error of a field; and sections that fold."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from tfticket.text import counted

from ..models.form import Field, FormModel, Group
from .form_editors import make_editor
from .widgets import build, fill, text_label

INDENT = 14
"""Indentation of a section's rows, in pixels."""

_STRONG = Qt.FocusPolicy.StrongFocus


ERROR, MARK = ("#b3261e", "#ff8f85"), ("#1f66c1", "#7fb8ff")
"""A red and a blue, each for a light and for a dark background."""


def set_text_colour(label: QWidget, colours: tuple[str, str], window: QPalette) -> None:
    """Set the text colour of a label, on the background of the window's palette."""
    palette, colour = label.palette(), QColor(colours[window.window().color().lightness() < 128])
    if palette.color(QPalette.ColorRole.WindowText) != colour:
        for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
            palette.setColor(role, colour)
        label.setPalette(palette)


class _WrappedLabel(QLabel):
    """A label whose height fits its text at its present width."""

    def hasHeightForWidth(self) -> bool:
        return False

    def sizeHint(self) -> QSize:
        return QSize(0, self.heightForWidth(max(self.width(), 1)))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()


def wrapped_label() -> QLabel:
    """Return a label that wraps its text and is hidden while empty."""
    label = build(_WrappedLabel, wordWrap=True, textFormat=Qt.TextFormat.PlainText, visible=False)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label


def show_text(label: QLabel, text: str) -> None:
    """Show a text, or hide the label."""
    if label.text() != text:
        label.setText(text)
        label.setVisible(bool(text))


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith((".", "?", "!"))) if text else ""


class Row(QWidget):
    """A field: label, mark, editor, reset button, and error."""

    reset = Signal(str)

    def __init__(self, field: Field, model: FormModel) -> None:
        super().__init__()
        self.field = field
        self.model = model
        self.editor = make_editor(field)
        self.editor.edited.connect(lambda value: self.model.set(self.field.path, value))
        self.editor.edit_ended.connect(lambda: self.model.end_edit())
        self._wide: bool | None = None
        self._add_widgets()
        self._set_names()

    def _add_widgets(self) -> None:
        self.label = text_label(self.field.label)
        self.label.setBuddy(self.editor.control)
        self.mark = QLabel()
        self.mark.setFixedWidth(self.fontMetrics().horizontalAdvance("●") + 2)
        self.button = build(QToolButton, text="↺", autoRaise=True, focusPolicy=Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(lambda: self.reset.emit(self.field.path))
        policy = self.button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.button.setSizePolicy(policy)
        self.error = wrapped_label()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(1)

    def _set_names(self) -> None:
        """Set the names for screen readers."""
        group = self.field.group.replace(".", " ").replace("_", " ")
        name = f"{group}: {self.field.label}" if group else self.field.label
        self.editor.control.setAccessibleName(name)
        if isinstance(self.editor.control, QComboBox) and (line := self.editor.control.lineEdit()):
            line.setAccessibleName(name)
        self.button.setAccessibleName(f"{name}: reset to the {self._origin}")

    @property
    def _origin(self) -> str:
        return "preset's value" if self.model.has_preset else "default"

    @property
    def controls(self) -> list[QWidget]:
        """Focusable widgets in Tab order."""
        return [*self.editor.controls, self.button]

    @property
    def help(self) -> str:
        field = self.field
        parts = [sentence(field.description), sentence(field.bounds)]
        if preset := self.model.preset_text(field.path):
            parts.append(f"{'Preset' if self.model.has_preset else 'Default'}: {preset}.")
        return " ".join(part for part in parts if part)

    def show_field(self, field: Field, model: FormModel) -> None:
        """Show another field of the same kind."""
        self.field, self.model = field, model
        self.editor.field = field
        self._set_names()

    def refresh(self) -> None:
        path, model = self.field.path, self.model
        self.editor.refresh(model)
        differs = model.differs(path)
        self.mark.setText("●" if differs else "")
        tip = f"Differs. {'Preset' if model.has_preset else 'Default'}: {model.preset_text(path)}" if differs else ""
        self.mark.setToolTip(tip)
        self.button.setToolTip(f"Reset to the {self._origin}: {model.preset_text(path)}" if differs else "")
        self.button.setVisible(differs and not self.field.read_only)
        show_text(self.error, sentence(model.error(path)))
        help_text = self.help
        if self.label.toolTip() != help_text:
            for widget in (self.label, self.editor.control):
                widget.setToolTip(help_text)
                widget.setWhatsThis(help_text)
        self.editor.control.setAccessibleDescription(" ".join(filter(None, (self.error.text(), tip, help_text))))

    def recolour(self, palette: QPalette) -> None:
        set_text_colour(self.mark, MARK, palette)
        set_text_colour(self.error, ERROR, palette)

    def set_width(self, label: int, wide: bool) -> None:
        """Place the editor beside the label if there is room (``wide``); ``label`` is the labels' width in pixels."""
        self.label.setMinimumWidth(label if wide else 0)
        if wide == self._wide:
            return
        self._wide = wide
        for widget in (self.mark, self.label, self.editor, self.button, self.error):
            self._grid.removeWidget(widget)
        alignment = Qt.AlignmentFlag.AlignTop if wide and self.editor.is_multiline else Qt.AlignmentFlag.AlignVCenter
        self._grid.addWidget(self.mark, 0, 0, alignment)
        self._grid.addWidget(self.label, 0, 1, alignment)
        self._grid.addWidget(self.button, 0, 3, alignment)
        if wide:
            self._grid.addWidget(self.editor, 0, 2)
            self._grid.addWidget(self.error, 1, 2, 1, 2)
        else:
            self._grid.addWidget(self.editor, 1, 1, 1, 3)
            self._grid.addWidget(self.error, 2, 1, 1, 3)
        self._grid.setColumnStretch(2, 1)


class Section(QWidget):
    """A group of fields: a header that folds it, errors of the group, and the rows.

    Folded rows are hidden, so that Tab skips them.
    """

    def __init__(self, group: Group, expanded: bool) -> None:
        super().__init__()
        self.group = group
        about = {"toolTip": group.description, "whatsThis": group.description}
        self.head = build(QToolButton, text=group.label, autoRaise=True, focusPolicy=_STRONG, **about)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        font = self.head.font()
        font.setBold(True)
        self.head.setFont(font)
        self.note = QLabel()
        self.error = wrapped_label()
        self.body = QWidget()
        self.lines = QVBoxLayout(self.body)
        fill(self.lines, margins=(INDENT, 0, 0, 4), spacing=3)
        top = QHBoxLayout()
        fill(top, self.head, self.note, None)
        fill(QVBoxLayout(self), top, self.error, self.body, margins=(0, 2, 0, 0), spacing=2)
        self.error.setContentsMargins(INDENT, 0, 0, 0)
        self._expanded, self._shown_whole, self._has_errors = expanded, False, False
        self.head.clicked.connect(lambda: self.expand(not self._expanded))
        self._fold()

    def expand(self, on: bool = True) -> None:
        self._expanded = on
        self._fold()

    def show_whole(self, on: bool) -> None:
        """Show the rows of a folded section, while a filter is active."""
        self._shown_whole = on
        self._fold()

    def refresh(self, model: FormModel) -> None:
        paths = [field.path for field in self.group.fields]
        inside = {*paths, *(group.path for group in self.group.groups if group.path)}
        errors = sum(path in inside for path in model.errors)
        differing = sum(model.differs(path) for path in paths)
        parts = [counted(errors, "error")] * bool(errors) + [f"{differing} changed"] * bool(differing)
        self.note.setText(", ".join(parts))
        self._update_name()
        self.head.setAccessibleDescription(self.group.description)
        show_text(self.error, sentence(model.error(self.group.path)) if self.group.path else "")
        if bool(errors) != self._has_errors:
            self._has_errors = bool(errors)
            self.recolour(self.palette())

    def recolour(self, palette: QPalette) -> None:
        set_text_colour(self.error, ERROR, palette)
        set_text_colour(self.note, ERROR if self._has_errors else MARK, palette)

    def put(self, widgets: list[QWidget]) -> None:
        """Replace the rows; those that stay keep the focus."""
        while self.lines.count():
            item = self.lines.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None and widget not in widgets:
                widget.hide()
                widget.deleteLater()
        fill(self.lines, *widgets)

    def _fold(self) -> None:
        shown = self._expanded or self._shown_whole
        self.head.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.body.setVisible(shown)
        self._update_name()

    def _update_name(self) -> None:
        """Set the name for screen readers, with the note and the folding state."""
        folded = "folded" if self.body.isHidden() else ""
        self.head.setAccessibleName(", ".join(filter(None, (self.group.label, self.note.text(), folded))))
