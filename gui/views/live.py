"""Qt view for the live model: loss and accuracy of the run in focus, what happens now, the log."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QFontDatabase, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSlider,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from tfticket.arms import TICKET
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.metrics import axis_of
from tfticket.text import for_figure, one_line, plain

from ..models.live import LiveModel
from .figure_theme import readable
from .flow import ElidedLabel, FlowLayout
from .live_plots import AXES, LivePlots
from .plot_controls import ArmBoxes, Choice, fill, labelled, level, named
from .tab import Tab
from .texts import text_label, tip

_LOG_FROM = 400
"""Pixels of height of the tab below which the log makes room for the curves."""


class LiveTab(Tab):
    """Curves of one seed of the run in focus, level by level, as they grow."""

    def __init__(self, model: LiveModel, parent: QWidget | None = None) -> None:
        super().__init__(model, "Live curves", parent)
        self._run: Path | None = None
        self._log: list[str] = []
        self.plots = LivePlots(self.canvas)
        self.doing, self.ending, self.bar = ElidedLabel(), text_label(), QProgressBar()
        self.seed_box, self.beside = (
            named(QComboBox(), "Seed"),
            named(QComboBox(), "Metric of the second plot"),
        )
        self.x_axis = Choice("X axis", "Iterations, or training time, of the run of one seed")
        self.smoothing = named(QSlider(Qt.Orientation.Horizontal), "Smoothing")
        self.log_loss = QCheckBox("log loss")
        self.why = named(QPushButton("Show &traceback"), "Show traceback", "Why the run failed")
        self.log = LogView()
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        status = QHBoxLayout()
        self.bar.setMaximumWidth(220)
        self.bar.setAccessibleName("Progress of the run")
        self.doing.setAccessibleName("What runs now")
        status.addWidget(self.doing, 1)
        status.addWidget(self.why)
        status.addWidget(self.bar)
        status.addWidget(self.ending)
        self._controls = FlowLayout()
        self.smoothing.setRange(0, 99)
        self.smoothing.setFixedWidth(110)
        self.log_loss.setToolTip("A logarithmic axis for the loss")
        self.smoothing.setToolTip("Exponential smoothing within each training; what was measured stays behind, faint")
        boxes = (("Seed", self.seed_box), ("Beside", self.beside), ("x", self.x_axis), ("Smoothing", self.smoothing))
        for text, widget in boxes:
            self._controls.addWidget(labelled(text, widget))
        level(self.log_loss)
        for control in (self.log_loss, self.export):
            self._controls.addWidget(control)
        self.arms = ArmBoxes(self._controls, self.model.set_hidden)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.message)
        self.stack.addWidget(self.canvas)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self.stack)
        splitter.addWidget(self.log)
        splitter.setStretchFactor(0, 5)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([500, 100])
        layout = QVBoxLayout(self)
        layout.addLayout(status)
        layout.addLayout(self._controls)
        layout.addWidget(splitter, 1)

    def _connect(self) -> None:
        self.seed_box.activated.connect(lambda: self.model.choose_seed(self.seed_box.currentData()))
        self.beside.activated.connect(lambda: self.model.change(metric=self.beside.currentData()))
        self.x_axis.chosen.connect(lambda axis: self.model.change(axis=axis))
        self.why.clicked.connect(lambda: self.asked.emit("show_traceback"))
        self.smoothing.valueChanged.connect(lambda value: self.model.change(smoothing=value / 100))
        self.log_loss.toggled.connect(lambda on: self.model.change(log_loss=on))
        self.canvas.themed.connect(self._colour)
        self.canvas.resized.connect(self.plots.arrange)
        self.canvas.view_reset.connect(self._changed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.log.setVisible(self.height() >= _LOG_FROM)
        self._changed()

    def _update(self) -> None:
        model, self._stale = self.model, False
        if model.run != self._run:
            self._run, self._log = model.run, []
            self.log.clear()
            self.plots.clear()
        self._fill_controls()
        self.doing.setText(one_line(model.doing))
        self.doing.setToolTip(tip(model.doing))
        self.why.setVisible(model.state == "failed")
        self.ending.setText(model.left)
        fraction = model.fraction
        self.bar.setVisible(fraction is not None)
        self.bar.setValue(round(100 * (fraction or 0)))
        self._append_log(model.log)
        self.message.setText(plain(model.message))
        self.stack.setCurrentIndex(0 if model.message else 1)
        self.export.setEnabled(not model.message)
        if not model.message:
            self.plots.update(model)

    def _fill_controls(self) -> None:
        model = self.model
        now = "the one that trains" if model.state == "running" else "the last"
        seeds = [(f"{now} ({model.seed})", None), *((str(seed), seed) for seed in model.seeds)]
        fill(self.seed_box, seeds if model.seeds else [], None if model.follows else model.seed)
        names = [(axis_of(metric)[1].removeprefix("test ").partition(" (")[0], metric) for metric in model.metrics]
        fill(self.beside, names, model.metric)
        self.x_axis.fill([(AXES[axis], axis) for axis in model.axes], model.shown_axis)
        with QSignalBlocker(self.smoothing), QSignalBlocker(self.log_loss):
            self.smoothing.setValue(round(100 * model.smoothing))
            self.log_loss.setChecked(model.log_loss)
        fresh = self.arms.update(model.arm_names, model.hidden)
        if fresh or self._run_colours() != self.plots.run_colours:
            self._colour()

    def _colour(self) -> None:
        """The arms' colours on their boxes and lines; where runs are laid over, a colour each run's ticket."""
        looks = {arm: look for (_, arm), look in arm_styles([("", arm) for arm in self.arms.boxes]).items()}
        background = self.canvas.theme.background
        self.plots.looks = looks
        self.plots.run_colours = self._run_colours()
        self.plots.colours = {arm: readable(look["color"], background) for arm, look in looks.items()}
        if "" in self.plots.run_colours:
            self.plots.colours[TICKET] = self.plots.run_colours[""]
        self.arms.colour(self.plots.colours)
        self.canvas.figure.suptitle(for_figure(self.model.title) if self.canvas.saving else "", x=0.01, ha="left")
        self.plots.colour()

    def _run_colours(self) -> dict[str, str]:
        """Run -> its colour, where runs are laid over; '' is that in focus."""
        model, background = self.model, self.canvas.theme.background
        found = {run.name: readable(model.colours[run], background) for run in model.overlaid}
        return found | ({"": readable(model.colours[model.run], background)} if found else {})

    def _append_log(self, lines: Sequence[str]) -> None:
        old, new = self._log, list(lines)
        kept = next((skip for skip in range(len(old)) if old[skip:] == new[: len(old) - skip]), len(old))
        added = new[len(old) - kept :]
        if added:
            self.log.appendPlainText("\n".join(added))  # stays at the end where it is there
        self._log = new


class LogView(QPlainTextEdit):
    """The last lines of a log; shows the end unless the user scrolled up."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setAccessibleName("Log of the run")
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setMaximumBlockCount(2000)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)

    def resizeEvent(self, event: QResizeEvent) -> None:
        bar = self.verticalScrollBar()
        at_end = bar.value() == bar.maximum()
        super().resizeEvent(event)
        if at_end:
            bar.setValue(bar.maximum())
