"""Qt view for the live model: loss and accuracy of the run in focus, its present step, and its log."""

from collections.abc import Sequence
from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent

from tfticket.arms import TICKET
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.text import for_figure, one_line

from ..models.live import LiveModel
from .figure_theme import readable
from .live_plots import AXES, LivePlots
from .plot_controls import ArmBoxes, fill_box, labelled, metric_items, named, set_row_height
from .tab import Tab
from .widgets import ElidedLabel, FlowLayout, build, code_box, fill, text_label, tip

_MIN_HEIGHT_WITH_LOG = 400
"""Height of the tab in pixels below which the log is hidden."""


class LiveTab(Tab):
    """Curves of one seed of the run in focus, by level, as they grow."""

    def __init__(self, model: LiveModel) -> None:
        super().__init__(model, "Live curves")
        self._run: Path | None = None
        self._log: list[str] = []
        self.plots = LivePlots(self.canvas)
        self.doing, self.eta = named(ElidedLabel(), "Present step"), text_label()
        self.bar = build(QtWidgets.QProgressBar, maximumWidth=220, accessibleName="Progress of the run")
        self.seed_box = named(QtWidgets.QComboBox(), "Seed")
        self.metric_box = named(QtWidgets.QComboBox(), "Metric of the second plot")
        self.x_axis = named(QtWidgets.QComboBox(), "X axis", "Iterations or training time of one seed")
        about = "Exponential smoothing within each training; measured values stay visible, faint"
        self.smoothing = named(build(QtWidgets.QSlider, Qt.Orientation.Horizontal, maximum=99), "Smoothing", about)
        self.log_loss = build(QtWidgets.QCheckBox, "log loss", toolTip="Logarithmic axis for the loss")
        traceback = QtWidgets.QPushButton("Show &traceback")
        self.traceback_button = named(traceback, "Show traceback", "Show why the run failed")
        self.log = code_box(LogView, readOnly=True, accessibleName="Log of the run", maximumBlockCount=2000)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        status = QtWidgets.QHBoxLayout()
        fill(status, self.doing, self.traceback_button, self.bar, self.eta, stretch=self.doing)
        controls = FlowLayout()
        self.smoothing.setFixedWidth(110)
        boxes = {"Seed": self.seed_box, "Metric": self.metric_box, "x": self.x_axis, "Smoothing": self.smoothing}
        for text, widget in boxes.items():
            controls.addWidget(labelled(text, widget))
        set_row_height(self.log_loss)
        for control in (self.log_loss, self.export):
            controls.addWidget(control)
        self.arms = ArmBoxes(controls, self.model.set_hidden)
        self.stack.addWidget(self.canvas)
        splitter = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self.stack)
        splitter.addWidget(self.log)
        splitter.setStretchFactor(0, 5)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([500, 100])
        fill(QtWidgets.QVBoxLayout(self), status, controls, splitter, stretch=splitter)

    def _connect(self) -> None:
        self.seed_box.activated.connect(lambda: self.model.choose_seed(self.seed_box.currentData()))
        self.metric_box.activated.connect(lambda: self.model.set_options(metric=self.metric_box.currentData()))
        self.x_axis.activated.connect(lambda: self.model.set_options(axis=self.x_axis.currentData()))
        self.traceback_button.clicked.connect(lambda: self.action_requested.emit("show_traceback"))
        self.smoothing.valueChanged.connect(lambda value: self.model.set_options(smoothing=value / 100))
        self.log_loss.toggled.connect(lambda on: self.model.set_options(log_loss=on))
        self.canvas.theme_changed.connect(self._colour)
        self.canvas.resized.connect(self.plots.arrange)
        self.canvas.view_reset.connect(self._changed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.log.setVisible(self.height() >= _MIN_HEIGHT_WITH_LOG)
        super().resizeEvent(event)

    def _update(self) -> None:
        model, self._stale = self.model, False
        if model.run != self._run:
            self._run, self._log = model.run, []
            self.log.clear()
            self.plots.clear()
        self._fill_controls()
        self.doing.setText(one_line(model.doing))
        self.doing.setToolTip(tip(model.doing))
        self.traceback_button.setVisible(model.focus.state == "failed")
        self.eta.setText(model.eta)
        fraction = model.fraction
        self.bar.setVisible(fraction is not None)
        self.bar.setValue(round(100 * (fraction or 0)))
        self._append_log(model.focus.log)
        self._show_message()
        if not model.message:
            self.plots.update(model)

    def _fill_controls(self) -> None:
        model = self.model
        latest = "Current seed" if model.focus.state == "running" else "Latest seed"
        seeds = [(f"{latest} ({model.seed})", None), *((str(seed), seed) for seed in model.focus.seeds)]
        fill_box(self.seed_box, seeds if model.focus.seeds else [], None if model.follows_current else model.seed)
        fill_box(self.metric_box, metric_items(model.metrics), model.metric)
        fill_box(self.x_axis, [(AXES[axis], axis) for axis in model.focus.axes], model.shown_axis)
        with QSignalBlocker(self.smoothing), QSignalBlocker(self.log_loss):
            self.smoothing.setValue(round(100 * model.smoothing))
            self.log_loss.setChecked(model.log_loss)
        changed = self.arms.update(model.arm_names, model.hidden)
        if changed or self._run_colours() != self.plots.run_colours:
            self._colour()

    def _colour(self) -> None:
        """Colour boxes and lines by arm; with overlaid runs, the tickets by run."""
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
        """Return run -> colour if runs are overlaid; '' is the run in focus."""
        model, background = self.model, self.canvas.theme.background
        colours = {run.name: readable(model.colours[run], background) for run in model.overlaid}
        return colours | ({"": readable(model.colours[model.run], background)} if colours else {})

    def _append_log(self, lines: Sequence[str]) -> None:
        old, new = self._log, list(lines)
        kept = next((skip for skip in range(len(old)) if old[skip:] == new[: len(old) - skip]), len(old))
        added = new[len(old) - kept :]
        if added:
            self.log.appendPlainText("\n".join(added))  # keeps the end in view
        self._log = new


class LogView(QtWidgets.QPlainTextEdit):
    """The last lines of a log; shows the end unless the user scrolled up."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        bar = self.verticalScrollBar()
        at_end = bar.value() == bar.maximum()
        super().resizeEvent(event)
        if at_end:
            bar.setValue(bar.maximum())
