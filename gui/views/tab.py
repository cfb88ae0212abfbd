"""Base class of the tabs: a model that is polled while visible, and a figure."""

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QToolButton, QWidget

from tfticket.runs.files import atomic_write
from tfticket.text import plain

from .canvas import FigureCanvas
from .plot_controls import named, set_row_height
from .widgets import build, text_label

EXPORTS = (
    ("&Figure…", "export_figure", "As PNG, PDF or SVG, in the light theme"),
    ("&CSV…", "export_csv", "The numbers shown"),
    ("&All…", "export_all", "Figure, CSV and the configuration of the run in focus, under one name"),
)
"""Menu of the export button: text, action's id, tooltip."""


class Tab(QWidget):
    """Figure of a model, redrawn on changes while it is visible.

    Args:
        model: Has ``changed``, ``poll``, ``message`` and ``csv``.
        name: Accessible name of the figure.
    """

    action_requested = Signal(str)
    """The user asked for an action of the window, by its id."""

    def __init__(self, model: Any, name: str) -> None:
        super().__init__()
        self.model = model
        self.canvas = FigureCanvas(name)
        self.canvas.action_requested.connect(self.action_requested)
        self.message = text_label(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.problem = text_label(wordWrap=True)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.message)
        self.export = named(build(QToolButton, text="Export"), "Export", "Save figure or numbers")
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        menu.setToolTipsVisible(True)
        for text, action, tip in EXPORTS:
            menu.addAction(text, partial(self.action_requested.emit, action)).setToolTip(tip)
        self.export.setMenu(menu)
        set_row_height(self.export)
        self._stale = True
        model.changed.connect(self._changed)
        self.destroyed.connect(lambda: model.changed.disconnect(self._changed))

    def refresh(self) -> None:
        """Poll the model; called by the window's timer while the tab is visible."""
        self.model.poll()

    def export_figure(self, path: Path) -> None:
        """Save the figure: see ``FigureCanvas.save``."""
        if self._stale:
            self._update()
        self.canvas.save(path)

    def export_csv(self, path: Path) -> None:
        text = self.model.csv()
        atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._changed()

    def _changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._update()

    def _show_message(self) -> None:
        """Show the model's message, if it has one, in place of the plot, or else its problem above the plot."""
        message, problem = self.model.message, getattr(self.model, "problem", "")
        self.problem.setText(plain(problem))
        self.problem.setVisible(bool(problem and not message))
        self.message.setText(plain(message))
        self.stack.setCurrentIndex(0 if message else 1)
        self.export.setEnabled(not message)

    def _update(self) -> None:
        """Show the present model and clear ``_stale``."""
        raise NotImplementedError
