"""The lines of a form: a field with its label, mark, reset button and error; and sections that fold."""

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

from ..models.form import Field, FormModel, Group
from .form_editors import editor_of

INDENT = 14
"""Pixels that a section's lines stand to the right of its head."""

DARK = 128
"""A background of less lightness is a dark one."""


def error_colour(palette: QPalette) -> QColor:
    """A red that is read on the palette's background."""
    return QColor("#ff8f85" if palette.color(QPalette.ColorRole.Window).lightness() < DARK else "#b3261e")


def mark_colour(palette: QPalette) -> QColor:
    """A blue that is seen on the palette's background."""
    return QColor("#7fb8ff" if palette.color(QPalette.ColorRole.Window).lightness() < DARK else "#1f66c1")


def paint_text(label: QWidget, colour: QColor) -> None:
    """Write a label in this colour."""
    palette = label.palette()
    if palette.color(QPalette.ColorRole.WindowText) != colour:
        for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
            palette.setColor(role, colour)
        label.setPalette(palette)


class _Words(QLabel):
    """As high as its words need at the width that it has, and no higher."""

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


def words_label() -> QLabel:
    """A label for a sentence that may need several lines, hidden while it is empty."""
    label = _Words()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setVisible(False)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label


def show_words(label: QLabel, words: str) -> None:
    """Show a sentence, or nothing."""
    if label.text() != words:
        label.setText(words)
        label.setVisible(bool(words))


def sentence(words: str) -> str:
    """With a capital and a full stop."""
    return words[:1].upper() + words[1:] + "." * (not words.endswith((".", "?", "!"))) if words else ""


class Row(QWidget):
    """A field: its label and mark, its editor, a button that gives it the preset's value, and what is wrong with it."""

    reset = Signal(str)

    def __init__(self, field: Field, model: FormModel) -> None:
        super().__init__()
        self.field = field
        self.model = model
        self.editor = editor_of(field)
        self.editor.edited.connect(lambda value: self.model.set(self.field.path, value))
        self.editor.left.connect(lambda: self.model.finish())
        self._wide: bool | None = None
        self._make()
        self._name()

    def _make(self) -> None:
        self.label = QLabel(self.field.label)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setBuddy(self.editor.control)
        self.mark = QLabel()
        self.mark.setFixedWidth(self.fontMetrics().horizontalAdvance("●") + 2)
        self.button = QToolButton()
        self.button.setText("↺")
        self.button.setAutoRaise(True)
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(lambda: self.reset.emit(self.field.path))
        policy = self.button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.button.setSizePolicy(policy)
        self.error = words_label()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(1)

    def _name(self) -> None:
        """Say what everything is, to screen readers and under the mouse."""
        group = self.field.group.replace(".", " ").replace("_", " ")
        said = f"{group}: {self.field.label}" if group else self.field.label
        self.editor.control.setAccessibleName(said)
        if isinstance(self.editor.control, QComboBox) and (line := self.editor.control.lineEdit()):
            line.setAccessibleName(said)
        self.button.setAccessibleName(f"{said}: back to the {self._origin}")

    @property
    def _origin(self) -> str:
        return "preset's value" if self.model.has_preset else "default"

    @property
    def controls(self) -> list[QWidget]:
        """What takes the keyboard, in its order."""
        return [*self.editor.controls, self.button]

    @property
    def help(self) -> str:
        """What a person should know of the field."""
        field = self.field
        parts = [sentence(field.description), sentence(field.bounds)]
        if preset := self.model.preset_text(field.path):
            parts.append(f"{'Preset' if self.model.has_preset else 'Default'}: {preset}.")
        return " ".join(part for part in parts if part)

    def show_field(self, field: Field, model: FormModel) -> None:
        """Show this field of this model, of the same kind as the one before."""
        self.field, self.model = field, model
        self.editor.field = field
        self._name()

    def refresh(self) -> None:
        """Show the value, whether it differs, and what is wrong with it."""
        path, model = self.field.path, self.model
        self.editor.refresh(model)
        differs = model.differs(path)
        self.mark.setText("●" if differs else "")
        tip = f"Differs. {'Preset' if model.has_preset else 'Default'}: {model.preset_text(path)}" if differs else ""
        self.mark.setToolTip(tip)
        self.button.setToolTip(f"Back to the {self._origin}: {model.preset_text(path)}" if differs else "")
        self.button.setVisible(differs and not self.field.fixed)
        show_words(self.error, sentence(model.error(path)))
        said = self.help
        if self.label.toolTip() != said:
            for widget in (self.label, self.editor.control):
                widget.setToolTip(said)
                widget.setWhatsThis(said)
        self.editor.control.setAccessibleDescription(" ".join(filter(None, (self.error.text(), tip, said))))

    def recolour(self, palette: QPalette) -> None:
        """Follow the window's palette."""
        paint_text(self.mark, mark_colour(palette))
        paint_text(self.error, error_colour(palette))

    def set_width(self, label: int, wide: bool) -> None:
        """Stand the editor beside the label, or below it.

        Args:
            label: Width of the labels' column, in pixels.
            wide: Whether there is room beside it.
        """
        self.label.setMinimumWidth(label if wide else 0)
        if wide == self._wide:
            return
        self._wide = wide
        for widget in (self.mark, self.label, self.editor, self.button, self.error):
            self._grid.removeWidget(widget)
        beside = Qt.AlignmentFlag.AlignTop if wide and self.editor.tall else Qt.AlignmentFlag.AlignVCenter
        self._grid.addWidget(self.mark, 0, 0, beside)
        self._grid.addWidget(self.label, 0, 1, beside)
        self._grid.addWidget(self.button, 0, 3, beside)
        if wide:
            self._grid.addWidget(self.editor, 0, 2)
            self._grid.addWidget(self.error, 1, 2, 1, 2)
        else:
            self._grid.addWidget(self.editor, 1, 1, 1, 3)
            self._grid.addWidget(self.error, 2, 1, 1, 3)
        self._grid.setColumnStretch(2, 1)


class Section(QWidget):
    """A group: a head that folds it, what is wrong with how its fields go together, and its fields.

    It hides what is folded away, so that Tab skips it; its height follows its lines,
    and its head shows that it has the keyboard.
    """

    def __init__(self, group: Group, expanded: bool) -> None:
        super().__init__()
        self.group = group
        self.head = QToolButton()
        self.head.setText(group.label)
        self.head.setAutoRaise(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setToolTip(group.description)
        self.head.setWhatsThis(group.description)
        font = self.head.font()
        font.setBold(True)
        self.head.setFont(font)
        self.note = QLabel()
        self.error = words_label()
        self.body = QWidget()
        self.lines = QVBoxLayout(self.body)
        self.lines.setContentsMargins(INDENT, 0, 0, 4)
        self.lines.setSpacing(3)
        self._lay_out()
        self._expanded, self._shown_whole, self._wrong = expanded, False, False
        self.head.clicked.connect(lambda: self.expand(not self._expanded))
        self._fold()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.head)
        top.addWidget(self.note)
        top.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.error)
        layout.addWidget(self.body)
        self.error.setContentsMargins(INDENT, 0, 0, 0)

    @property
    def is_expanded(self) -> bool:
        """Whether its fields are shown."""
        return self._expanded

    def expand(self, on: bool = True) -> None:
        """Show its fields, or fold them away."""
        self._expanded = on
        self._fold()

    def show_whole(self, on: bool) -> None:
        """Show its fields though it be folded, while they are filtered."""
        self._shown_whole = on
        self._fold()

    def refresh(self, model: FormModel) -> None:
        """Say how many fields differ or are wrong, and what is wrong with how they go together."""
        paths = [field.path for field in self.group.fields]
        inside = {*paths, *(group.path for group in self.group.groups if group.path)}
        wrong = sum(path in inside for path in model.errors)
        differing = sum(model.differs(path) for path in paths)
        words = [f"{wrong} wrong"] * bool(wrong) + [f"{differing} changed"] * bool(differing)
        self.note.setText(", ".join(words))
        self._say()
        self.head.setAccessibleDescription(self.group.description)
        show_words(self.error, sentence(model.error(self.group.path)) if self.group.path else "")
        if bool(wrong) != self._wrong:
            self._wrong = bool(wrong)
            self.recolour(self.palette())

    def recolour(self, palette: QPalette) -> None:
        """Follow the window's palette."""
        paint_text(self.error, error_colour(palette))
        paint_text(self.note, (error_colour if self._wrong else mark_colour)(palette))

    def put(self, widgets: list[QWidget]) -> None:
        """Let these be its lines; those that were before keep the keyboard."""
        while self.lines.count():
            item = self.lines.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None and widget not in widgets:
                widget.hide()
                widget.deleteLater()
        for widget in widgets:
            self.lines.addWidget(widget)

    def _fold(self) -> None:
        shown = self._expanded or self._shown_whole
        self.head.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.body.setVisible(shown)
        self._say()

    def _say(self) -> None:
        """To screen readers, as the arrow and the note do."""
        folded = "folded" if self.body.isHidden() else ""
        self.head.setAccessibleName(", ".join(filter(None, (self.group.label, self.note.text(), folded))))
