"""Controls of the plots: labelled boxes, and coloured boxes of the arms."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QLayout, QWidget

from tfticket.arms import Arm
from tfticket.reports.figures.metric_curves import axis_of
from tfticket.text import one_line

from .theme import swatch
from .widgets import AnyWidget, fill, tip


def named(widget: AnyWidget, name: str, tip: str = "") -> AnyWidget:
    """Set the accessible name and tooltip of a control; return the control."""
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    return widget


def labelled(text: str, widget: QWidget) -> QWidget:
    """Return a control with a label before it."""
    holder, label = QWidget(), QLabel(text)
    label.setBuddy(widget)
    fill(QHBoxLayout(holder), label, widget, margins=(0, 0, 8, 0))
    set_row_height(holder)
    return holder


def set_row_height(widget: QWidget) -> None:
    """Give a control the height of a combo box, so that a row of different controls is level."""
    widget.setFixedHeight(QComboBox().sizeHint().height())


def metric_items(metrics: Sequence[str]) -> list[tuple[str, str]]:
    """Return the items (text, metric) of a combo box of metrics."""
    return [(axis_of(metric)[1].removeprefix("test ").partition(" (")[0], metric) for metric in metrics]


def fill_box(box: QComboBox, items: Sequence[tuple[str, Any]], current: Any) -> None:
    """Set the items (text, value) of a combo box and select one, without emitting signals."""
    with QSignalBlocker(box):
        if [(box.itemText(number), box.itemData(number)) for number in range(box.count())] != list(items):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.clear()
            for text, value in items:
                box.addItem(text, value)
        values = [value for _, value in items]
        box.setCurrentIndex(values.index(current) if current in values else 0)
        box.setEnabled(len(items) > 1)


class ArmBoxes:
    """A check box per arm; ``toggled`` is called with (arm, hidden)."""

    def __init__(self, layout: QLayout, toggled: Callable[[Arm, bool], None]) -> None:
        self.boxes: dict[Arm, QCheckBox] = {}
        self._layout = layout
        self._toggled = toggled

    def update(self, arms: Mapping[Arm, str], hidden: Collection[Arm]) -> bool:
        """Show these arms (arm -> name); return True if they changed."""
        changed = list(self.boxes) != list(arms)
        if changed:
            for box in self.boxes.values():
                self._layout.removeWidget(box)
                box.deleteLater()
            self.boxes = {arm: self._box(arm, name) for arm, name in arms.items()}
        for arm, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setChecked(arm not in hidden)
        return changed

    def colour(self, colours: Mapping[Arm, str]) -> None:
        """Colour the boxes; arms without a colour get none."""
        for arm, box in self.boxes.items():
            box.setIcon(swatch(colours[arm], 28) if arm in colours else QIcon())

    def _box(self, arm: Arm, name: str) -> QCheckBox:
        name = one_line(name)
        box = QCheckBox(name.replace("&", "&&"))
        box.setToolTip(tip(f"Show {name}"))
        box.toggled.connect(lambda on: self._toggled(arm, not on))
        set_row_height(box)
        self._layout.addWidget(box)
        return box
