"""Qt view for the sparsity model: metrics against weights remaining, with the papers' numbers."""

from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from tfticket.reports.claims.reported import CITATIONS

from ..models.sparsity import SparsityModel
from .flow import FlowLayout
from .plot_controls import ArmBoxes, fill_box, labelled, metric_items, named, set_row_height
from .sparsity_plots import SparsityPlots
from .tab import Tab
from .widgets import fill


class SparsityTab(Tab):
    """Accuracy and another metric against weights remaining, of the run in focus and overlaid runs."""

    def __init__(self, model: SparsityModel, parent: QWidget | None = None) -> None:
        super().__init__(model, "Metrics against weights remaining", parent)
        self.plots = SparsityPlots(self.canvas)
        self.metric_box = named(QComboBox(), "Metric of the second plot")
        self.split = named(QComboBox(), "Rows evaluated")
        self.spread = named(QComboBox(), "Meaning of the band")
        self.log_axis = named(QCheckBox("log axis"), "log axis", "Logarithmic axis for the weights remaining")
        papers = "\n".join(f"{letter}: {text}" for letter, text in CITATIONS.items())
        tip = f"The papers' numbers for this network and data, as stars\n{papers}"
        self.reported = named(QCheckBox("reported"), "reported", tip)
        self._drawn: tuple[Any, ...] = ()
        controls = FlowLayout()
        for text, widget in (("Metric", self.metric_box), ("Rows", self.split), ("Band", self.spread)):
            controls.addWidget(labelled(text, widget))
        for control in (self.log_axis, self.reported, self.export):
            set_row_height(control)
            controls.addWidget(control)
        self.arms = ArmBoxes(controls, self.model.set_hidden)
        self.stack.addWidget(self.canvas)
        fill(QVBoxLayout(self), controls, self.problem, self.stack, stretch=self.stack)
        self.metric_box.activated.connect(lambda: self.model.set_options(metric=self.metric_box.currentData()))
        self.split.activated.connect(lambda: self.model.set_options(split=self.split.currentData()))
        self.spread.activated.connect(lambda: self.model.set_options(spread=self.spread.currentData()))
        self.log_axis.toggled.connect(lambda on: self.model.set_options(log=on))
        self.reported.toggled.connect(lambda on: self.model.set_options(reported=on))
        self.canvas.theme_changed.connect(self._draw)

    def _update(self) -> None:
        model, self._stale = self.model, False
        items = metric_items([metric for metric in model.metrics if metric != "accuracy"])
        fill_box(self.metric_box, items, model.metric)
        fill_box(self.split, [("validation", "validation"), ("test", "test")], model.split)
        fill_box(self.spread, [("range of seeds", "range"), ("95 % t interval", "interval")], model.spread)
        for box, on in ((self.log_axis, model.log), (self.reported, model.reported)):
            with QSignalBlocker(box):
                box.setChecked(on)
        self.arms.update(model.arms, model.hidden)
        self._show_message()
        drawn = (model.runs[:1], model.shown_metrics, model.log)
        if drawn != self._drawn:
            self._drawn = drawn
            self.canvas.forget_view()
        self._draw()

    def _draw(self) -> None:
        if not self.model.message:
            with self.canvas.keeping_view():
                self.plots.update(self.model)
            self.arms.colour(self.plots.colours)
