"""Controls beside plots: labelled boxes, a box for each arm in its colour."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QComboBox, QHBoxLayout, QLabel, QLayout, QToolButton, QWidget

from tfticket.arms import Arm
from tfticket.text import one_line

from .texts import tip

AnyWidget = TypeVar("AnyWidget", bound=QWidget)


def named(widget: AnyWidget, name: str, tip: str = "") -> AnyWidget:
    """Give a control its accessible name, and a hint."""
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    return widget


def labelled(text: str, widget: QWidget) -> QWidget:
    """A control with its name before it."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 8, 0)
    label = QLabel(text)
    label.setBuddy(widget)
    row.addWidget(label)
    row.addWidget(widget)
    level(holder)
    return holder


def level(widget: QWidget) -> None:
    """Give a control the height of a combo box, so that a row of different ones is level."""
    widget.setFixedHeight(QComboBox().sizeHint().height())


def fill(box: QComboBox, items: Sequence[tuple[str, Any]], current: Any) -> None:
    """Give a combo box its items (text, value), unless it has them, and choose one; nothing is emitted."""
    with QSignalBlocker(box):
        if [(box.itemText(number), box.itemData(number)) for number in range(box.count())] != list(items):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.clear()
            for text, value in items:
                box.addItem(text, value)
        values = [value for _, value in items]
        box.setCurrentIndex(values.index(current) if current in values else 0)
        box.setEnabled(len(items) > 1)


class Choice(QWidget):
    """A few things to choose from in one click: buttons side by side, of which one is pressed.

    Args:
        name: What is chosen, for those who do not see it.
        tip: Told where the mouse rests.
    """

    chosen = Signal(object)
    """The value that the user chose."""

    def __init__(self, name: str, tip: str = "") -> None:
        super().__init__()
        named(self, name, tip)
        self.buttons: dict[Any, QToolButton] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._group = QButtonGroup(self)

    def fill(self, items: Sequence[tuple[str, Any]], current: Any) -> None:
        """Give it its items (text, value), unless it has them, and press one; nothing is emitted."""
        if [(button.text(), value) for value, button in self.buttons.items()] != list(items):
            for button in self.buttons.values():
                self._row.removeWidget(button)
                button.deleteLater()
            self.buttons = {value: self._button(text, value) for text, value in items}
        for value, button in self.buttons.items():
            button.setChecked(value == current)
            button.setEnabled(len(items) > 1)

    def _button(self, text: str, value: Any) -> QToolButton:
        button = named(QToolButton(), f"{self.accessibleName()}: {text}", self.toolTip())
        button.setText(text)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: self.chosen.emit(value))
        level(button)
        self._group.addButton(button)
        self._row.addWidget(button)
        return button


def swatch(colour: str) -> QIcon:
    """A small piece of a colour, for a button or box."""
    pixmap = QPixmap(28, 28)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)


class ArmBoxes:
    """A check box for each arm, made when the arms are others.

    Args:
        layout: Where they stand.
        toggled: Called with (arm, hidden).
    """

    def __init__(self, layout: QLayout, toggled: Callable[[Arm, bool], None]) -> None:
        self.boxes: dict[Arm, QCheckBox] = {}
        self._layout = layout
        self._toggled = toggled

    def update(self, arms: Mapping[Arm, str], hidden: Collection[Arm]) -> bool:
        """Show these arms (arm -> name); whether they are others than before."""
        fresh = list(self.boxes) != list(arms)
        if fresh:
            for box in self.boxes.values():
                self._layout.removeWidget(box)
                box.deleteLater()
            self.boxes = {arm: self._box(arm, name) for arm, name in arms.items()}
        for arm, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setChecked(arm not in hidden)
        return fresh

    def colour(self, colours: Mapping[Arm, str]) -> None:
        """Give the boxes their arms' colours; an arm without one gets none."""
        for arm, box in self.boxes.items():
            box.setIcon(swatch(colours[arm]) if arm in colours else QIcon())

    def _box(self, arm: Arm, name: str) -> QCheckBox:
        name = one_line(name)
        box = QCheckBox(name.replace("&", "&&"))
        box.setToolTip(tip(f"Show {name}"))
        box.toggled.connect(lambda on: self._toggled(arm, not on))
        level(box)
        self._layout.addWidget(box)
        return box
