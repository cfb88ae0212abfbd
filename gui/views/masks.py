"""Qt view for the masks model: the mask of a layer at a level."""

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from PySide6 import QtWidgets
from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent, QShowEvent

from tfticket.arms import TICKET, Arm
from tfticket.text import for_figure

from ..models.mask_pictures import MEANINGS, MaskPicture
from ..models.masks import CONTROL, MasksModel
from .figure_theme import mix
from .legends import legend_below
from .plot_controls import fill_box, labelled, named, set_row_height
from .tab import Tab
from .widgets import FlowLayout, build, fill, text_label

_KEPT, _LOST = ("#0072B2", "#5CB8FF"), ("#D55E00", "#FF9340")
"""Colours on a light and on a dark background."""
_STEPS = {
    Qt.Key.Key_Left: {"levels": -1},
    Qt.Key.Key_Right: {"levels": 1},
    Qt.Key.Key_Up: {"layers": -1},
    Qt.Key.Key_Down: {"layers": 1},
}


class MasksTab(Tab):
    """Mask of a ticket's layer; left and right change the level, up and down the layer."""

    def __init__(self, model: MasksModel) -> None:
        super().__init__(model, "Mask of a layer")
        self._drawn: tuple[Any, ...] = ()
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.axes = self.canvas.figure.subplots()
        self.image = self.axes.imshow(np.zeros((1, 1, 3)), aspect="auto", extent=(0, 1, 1, 0), interpolation="nearest")
        self._pixels = (0.0, 0.0)
        self.arm, self.seed_box = named(QtWidgets.QComboBox(), "Arm"), named(QtWidgets.QComboBox(), "Seed")
        self.layer = named(QtWidgets.QComboBox(), "Layer")
        ticks = QtWidgets.QSlider.TickPosition.TicksBelow
        self.slider = build(QtWidgets.QSlider, Qt.Orientation.Horizontal, pageStep=1, tickPosition=ticks)
        named(self.slider, "Level", "Left and right change the level, up and down the layer")
        self.difference = named(QtWidgets.QCheckBox("difference"), "difference")
        self.fields = QtWidgets.QCheckBox("receptive fields")
        named(self.fields, "receptive fields", "Show the receptive field of each unit of the first layer")
        self._numbers: dict[str, QtWidgets.QLabel] = {}
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        controls = FlowLayout()
        self.slider.setFixedWidth(150)
        boxes = {"Arm": self.arm, "Seed": self.seed_box, "Layer": self.layer, "Level": self.slider}
        for text, widget in boxes.items():
            controls.addWidget(labelled(text, widget))
        for box in (self.difference, self.fields):
            set_row_height(box)
            controls.addWidget(box)
        controls.addWidget(self.export)
        self.table = QtWidgets.QWidget()
        self._form = QtWidgets.QFormLayout(self.table)
        self._form.setContentsMargins(4, 4, 4, 4)
        self.table.setFixedWidth(225)
        content = QtWidgets.QWidget()
        fill(QtWidgets.QHBoxLayout(content), self.canvas, self.table, margins=(0, 0, 0, 0), stretch=self.canvas)
        self.stack.addWidget(content)
        fill(QtWidgets.QVBoxLayout(self), controls, self.problem, self.stack, stretch=self.stack)

    def _connect(self) -> None:
        model = self.model
        self.arm.activated.connect(lambda: self._choose_arm(self.arm.currentData()))
        self.seed_box.activated.connect(lambda: model.choose_group(self.seed_box.currentData()))
        self.layer.activated.connect(model.choose_layer)
        self.slider.valueChanged.connect(lambda index: model.choose_level(model.levels[index].level))
        self.difference.toggled.connect(lambda on: model.set_options(difference=on))
        self.fields.toggled.connect(lambda on: model.set_options(fields=on))
        self.canvas.theme_changed.connect(self._paint)
        self.canvas.view_reset.connect(self._paint)
        self.axes.callbacks.connect("ylim_changed", lambda axes: self._refine())
        for watched in (self.canvas, self.slider, self.difference, self.fields, self.arm, self.seed_box, self.layer):
            watched.installEventFilter(self)

    def _choose_arm(self, arm: Arm) -> None:
        """Show another arm, with the same seed if it has one."""
        groups = [group for group in self.model.groups if group[0] == arm]
        seed = (self.model.group or ("", 0, 0))[1]
        self.model.choose_group(next((group for group in groups if group[1] == seed), groups[0]))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() in _STEPS:
            up_or_down = event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down)
            if not (isinstance(watched, QtWidgets.QComboBox) and up_or_down):  # which changes the selection of a box
                self.model.step(**_STEPS[Qt.Key(event.key())])
                return True
        return super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not event.spontaneous() and not isinstance(QtWidgets.QApplication.focusWidget(), QtWidgets.QTabBar):
            self.canvas.setFocus()  # so that arrow keys work immediately

    def _update(self) -> None:
        self._stale = False
        self._show_message()
        self._fill_controls()
        if not self.model.message:
            self._paint()
            self._fill_numbers()
        self._show_message()  # a mask may prove unreadable

    def _fill_controls(self) -> None:
        model, group = self.model, self.model.group
        fill_box(self.arm, [(name, arm) for arm, name in model.arm_names.items()], group and group[0])
        groups = [other for other in model.groups if group is not None and other[0] == group[0]]
        seeds = [
            (f"{seed}" + (f", replicate {number}" if number else ""), (arm, seed, number))
            for arm, seed, number in groups
        ]
        fill_box(self.seed_box, seeds, group)
        layers = model.layers
        fill_box(self.layer, [(path.removesuffix("/kernel"), path) for path in layers], model.layer)
        levels, ticket = model.levels, model.ticket
        with QSignalBlocker(self.slider), QSignalBlocker(self.difference), QSignalBlocker(self.fields):
            self.slider.setRange(0, max(0, len(levels) - 1))
            self.slider.setValue(levels.index(ticket) if ticket in levels else 0)
            self.slider.setEnabled(len(levels) > 1)
            self.difference.setChecked(model.difference)
            self.fields.setChecked(model.fields)
        self.difference.setEnabled(model.before is not None)
        control = group is not None and group[0] != TICKET
        self.difference.setToolTip(CONTROL if control else "Highlight weights pruned at this level")
        self.fields.setEnabled(model.has_fields)

    def _fill_numbers(self) -> None:
        numbers = self.model.numbers()
        if list(self._numbers) != [name for name, _ in numbers]:
            while self._form.rowCount():
                self._form.removeRow(0)
            flags = Qt.TextInteractionFlag.TextSelectableByMouse
            self._numbers = {name: text_label(textInteractionFlags=flags) for name, _ in numbers}
            for name, label in self._numbers.items():
                label.setToolTip(MEANINGS.get(name, ""))
                self._form.addRow(name, label)
        for name, value in numbers:
            self._numbers[name].setText(value)

    def _paint(self) -> None:
        self._pixels = self._picture_size()
        picture, ticket = self.model.picture(self._pixels), self.model.ticket
        self.axes.set_visible(picture is not None)
        legend_below(self.canvas, [], [])
        if picture is not None and ticket is not None:
            drawn = (self.model.layer, self.model.fields)
            if self._drawn != drawn:
                self._drawn = drawn
                self.canvas.forget_view()
            self.image.set_data(self._colours(picture))
            if not self.canvas.has_user_view:
                rows, columns = picture.kept.shape
                self.axes.set_aspect(rows / columns if picture.square else "auto")
                self.axes.set_anchor("SW" if self.canvas.saving else "C")  # without a gap above the legend
                self.axes.set(xlim=(0, 1), ylim=(1, 0))
            self.axes.set(xticks=[], yticks=[], xlabel=picture.columns, ylabel=picture.rows)
            name = f"{(self.model.layer or '').removesuffix('/kernel')}, level {ticket.level}"
            title = for_figure(self.model.title) + "\n" if self.canvas.saving else ""
            self.axes.set_title(f"{title}{name}, {100 * ticket.density:.3g} % of the network", loc="left")
            self._legend(picture)
        self.canvas.request(layout=True, at_once=True)

    def _picture_size(self) -> tuple[float, float]:
        """Return height and width of the whole image in pixels at the present zoom."""
        text = 1.6 * 4 / 3 * self.canvas.points  # line height
        high, wide = self.canvas.height() - 6 * text, self.canvas.width() - 2 * text
        (left, right), (low, top) = self.axes.get_xlim(), self.axes.get_ylim()
        if not self.canvas.has_user_view:
            return high, wide
        return high / max(abs(top - low), 1e-3), wide / max(abs(right - left), 1e-3)

    def _refine(self) -> None:
        """Draw finer cells after the user zoomed in."""
        if self.canvas.has_user_view and not np.allclose(self._pixels, self._picture_size(), rtol=0.01):
            self._paint()

    def _colours(self, picture: MaskPicture) -> np.ndarray:
        kept, lost, pruned = (np.array(to_rgb(colour)) for colour in (*self._hues, self._pruned))
        shares = np.nan_to_num(picture.kept)
        lost_shares = np.zeros_like(shares) if picture.lost is None else np.nan_to_num(picture.lost)
        part = (lost_shares / np.maximum(shares + lost_shares, 1e-9))[..., None]
        strength = picture.strengths[..., None]
        colours: np.ndarray = np.clip(pruned + strength * (kept + part * (lost - kept) - pruned), 0.0, 1.0)
        colours[np.isnan(picture.kept)] = to_rgb(self.canvas.theme.background)
        return colours

    @property
    def _hues(self) -> tuple[str, str]:
        dark = self.canvas.theme.dark
        return _KEPT[dark], _LOST[dark]

    @property
    def _pruned(self) -> str:
        return mix(self.canvas.theme.background, self.canvas.theme.text, 0.1)

    def _legend(self, picture: MaskPicture) -> None:
        """Explain the colours, including that of a single weight if cells hold several."""
        kept, lost = self._hues
        entries = [("survives", kept)]
        if picture.weights_per_cell > 1:
            faint = mix(self._pruned, kept, picture.faintest)
            entries = [(f"1 of a cell's {picture.weights_per_cell} weights", faint), ("all survive", kept)]
        if picture.lost is not None and self.model.before is not None:
            entries.append((f"pruned since level {self.model.before.level}", lost))
        entries.append(("pruned", self._pruned))
        legend_below(self.canvas, [Patch(color=colour) for _, colour in entries], [name for name, _ in entries])
