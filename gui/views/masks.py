"""Qt view for the masks model: a layer's mask, scrubbed through levels and layers."""

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from gui.models.mask_pictures import MEANINGS, MaskPicture
from gui.models.masks import CONTROL, MasksModel
from gui.views.figure_theme import mix, readable
from gui.views.plot_controls import fill, labelled, level, named
from gui.views.tab import Tab
from tfticket.reports.rows import arm_name

_KEPT, _LOST = "#0072B2", "#D55E00"
_STEPS = {
    Qt.Key.Key_Left: {"levels": -1},
    Qt.Key.Key_Right: {"levels": 1},
    Qt.Key.Key_Up: {"layers": -1},
    Qt.Key.Key_Down: {"layers": 1},
}


class MasksTab(Tab):
    """The mask of a layer of a ticket; left and right change the level, up and down the layer."""

    def __init__(self, model: MasksModel, parent: QWidget | None = None) -> None:
        super().__init__(model, "Mask of a layer", parent)
        self._shape: tuple[Any, ...] = ()
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.axes = self.canvas.figure.subplots()
        self.image = self.axes.imshow(np.zeros((1, 1, 3)), aspect="auto")
        self.arm, self.seed_box = named(QComboBox(), "Arm"), named(QComboBox(), "Seed")
        self.layer = named(QComboBox(), "Layer")
        self.slider = named(QSlider(Qt.Orientation.Horizontal), "Level")
        self.difference = named(QCheckBox("difference"), "difference", "What the last pruning took, in another colour")
        self.fields = named(
            QCheckBox("receptive fields"), "receptive fields", "What each unit of the first layer sees of the image"
        )
        self.problem = QLabel(wordWrap=True)
        self._numbers: dict[str, QLabel] = {}
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        controls = QFlowLayout()
        controls.setHorizontalSpacing(10)
        self.slider.setFixedWidth(150)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setToolTip("Left and right change the level, up and down the layer")
        named = (("Arm", self.arm), ("Seed", self.seed_box), ("Layer", self.layer), ("Level", self.slider))
        for text, widget in named:
            controls.addWidget(labelled(text, widget))
        for box in (self.difference, self.fields):
            level(box)
            controls.addWidget(box)
        self.table = QWidget()
        self._form = QFormLayout(self.table)
        self._form.setContentsMargins(4, 4, 4, 4)
        self.table.setFixedWidth(190)
        beside = QWidget()
        row = QHBoxLayout(beside)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.canvas, 1)
        row.addWidget(self.table)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.message)
        self.stack.addWidget(beside)
        layout = QVBoxLayout(self)
        layout.addLayout(controls)
        layout.addWidget(self.problem)
        layout.addWidget(self.stack, 1)

    def _connect(self) -> None:
        model = self.model
        self.arm.activated.connect(lambda: self._choose(self.arm.currentData()))
        self.seed_box.activated.connect(lambda: model.choose_group(self.seed_box.currentData()))
        self.layer.activated.connect(model.choose_layer)
        self.slider.valueChanged.connect(lambda place: model.choose_level(model.levels[place].level))
        self.difference.toggled.connect(lambda on: model.change(difference=on))
        self.fields.toggled.connect(lambda on: model.change(fields=on))
        self.canvas.themed.connect(self._paint)
        for watched in (self.canvas, self.slider):
            watched.installEventFilter(self)

    def _choose(self, arm: str) -> None:
        """Another arm, of the same seed where it has that."""
        groups = [group for group in self.model.groups if group[0] == arm]
        seed = (self.model.group or ("", 0, 0))[1]
        self.model.choose_group(next((group for group in groups if group[1] == seed), groups[0]))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() in _STEPS:
            self.model.step(**_STEPS[Qt.Key(event.key())])
            return True
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._changed()

    def _update(self) -> None:
        model, self._stale = self.model, False
        self.message.setText(model.message)
        self.stack.setCurrentIndex(0 if model.message else 1)
        self._fill_controls()
        if not model.message:
            self._paint()
            self._fill_numbers()
        self.problem.setText(model.problem)
        self.problem.setVisible(bool(model.problem and not model.message))

    def _fill_controls(self) -> None:
        model, group = self.model, self.model.group
        arms = list(dict.fromkeys(each[0] for each in model.groups))
        fill(self.arm, [(arm_name(arm), arm) for arm in arms], group and group[0])
        seeds = [each for each in model.groups if group is not None and each[0] == group[0]]
        fill(self.seed_box, [(f"{one[1]}" + (f", replicate {one[2]}" if one[2] else ""), one) for one in seeds], group)
        layers = model.layers
        fill(self.layer, [(path.removesuffix("/kernel"), path) for path in layers], model.layer)
        levels, ticket = model.levels, model.ticket
        with QSignalBlocker(self.slider), QSignalBlocker(self.difference), QSignalBlocker(self.fields):
            self.slider.setRange(0, max(0, len(levels) - 1))
            self.slider.setValue(levels.index(ticket) if ticket in levels else 0)
            self.slider.setEnabled(len(levels) > 1)
            self.difference.setChecked(model.difference)
            self.fields.setChecked(model.fields)
        self.difference.setEnabled(model.before is not None)
        control = group is not None and group[0] != "ticket"
        self.difference.setToolTip(CONTROL if control else "What the last pruning took, in another colour")
        self.fields.setEnabled(model.has_fields)

    def _fill_numbers(self) -> None:
        numbers = self.model.numbers()
        if list(self._numbers) != [name for name, _ in numbers]:
            while self._form.rowCount():
                self._form.removeRow(0)
            self._numbers = {
                name: QLabel(textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse) for name, _ in numbers
            }
            for name, label in self._numbers.items():
                label.setToolTip(MEANINGS.get(name, ""))
                self._form.addRow(name, label)
        for name, value in numbers:
            self._numbers[name].setText(value)

    def _paint(self) -> None:
        picture, ticket = self.model.picture(), self.model.ticket
        self.axes.set_visible(picture is not None)
        for legend in list(self.canvas.figure.legends):
            legend.remove()
        if picture is not None and ticket is not None:
            colours, most = self._colours(picture)
            rows, columns = picture.kept.shape
            self.image.set_data(colours)
            self.image.set_extent((0, columns, rows, 0))
            self.axes.set_aspect("equal" if picture.square else "auto")
            if self._shape != (picture.kept.shape, picture.square):
                self._shape = (picture.kept.shape, picture.square)
                self.canvas.forget_view()
            if not self.canvas.moved:
                self.axes.set(xlim=(0, columns), ylim=(rows, 0))
            self.axes.set(xticks=[], yticks=[], xlabel=picture.columns, ylabel=picture.rows)
            name = f"{(self.model.layer or '').removesuffix('/kernel')}, level {ticket.level}"
            self.axes.set_title(f"{name}, {100 * ticket.density:.3g} % of the network", loc="left")
            self._legend(picture, most)
        self.canvas.request(layout=True, at_once=True)

    def _colours(self, picture: MaskPicture) -> tuple[np.ndarray, float]:
        """The picture in colours [rows, columns, 3], and the share that has the full one."""
        theme = self.canvas.theme
        pruned = np.array(to_rgb(self._pruned))
        lost = np.zeros_like(picture.kept) if picture.lost is None else picture.lost
        most = float(np.nanmax(picture.kept + lost, initial=0.0)) or 1.0 if picture.binned else 1.0
        found: np.ndarray = pruned + sum(
            (share / most)[..., None] * (np.array(to_rgb(readable(colour, theme.background))) - pruned)
            for share, colour in ((picture.kept, _KEPT), (lost, _LOST))
        )
        found[np.isnan(picture.kept)] = to_rgb(theme.background)
        return np.clip(found, 0.0, 1.0), most

    @property
    def _pruned(self) -> str:
        return mix(self.canvas.theme.background, self.canvas.theme.text, 0.1)

    def _legend(self, picture: MaskPicture, most: float) -> None:
        background = self.canvas.theme.background
        narrow = self.canvas.width() < 420
        full = f" (full colour: {100 * most:.3g} % of a cell)" if picture.binned and not narrow else ""
        handles = [Patch(color=readable(_KEPT, background), label="survives" + full)]
        if picture.lost is not None and self.model.before is not None:
            name = f"pruned since level {self.model.before.level}"
            handles.append(Patch(color=readable(_LOST, background), label=name))
        handles.append(Patch(color=self._pruned, label="pruned"))
        columns = 2 if narrow else len(handles)
        self.canvas.figure.legend(handles=handles, loc="outside lower left", ncols=columns, frameon=False)
