"""What the tabs have in common: a model that they follow while they are shown, and a figure."""

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from tfticket.runs.files import atomic_write

from .canvas import FigureCanvas
from .plot_controls import level, named
from .texts import text_label

EXPORTS = (
    ("&Figure…", "export_figure", "As PNG, PDF or SVG, in the light theme"),
    ("&CSV…", "export_csv", "The numbers of what is shown"),
    ("&All…", "export_all", "Figure, CSV and the configuration of the run in focus, side by side under one name"),
)
"""Of the button: what it says, the action's id, what it does."""


class Tab(QWidget):
    """A figure of a model: drawn anew when the model changes, but only while it is shown.

    Args:
        model: With ``changed``, ``poll``, ``message`` and ``csv``.
        name: What the figure is called for those who do not see it.
    """

    asked = Signal(str)
    """The user wants an action of the window's, by its id."""

    def __init__(self, model: Any, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.canvas = FigureCanvas(name)
        self.canvas.asked.connect(self.asked)
        self.message = text_label(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.export = self._export_button()
        self._stale = True
        model.changed.connect(self._changed)
        self.destroyed.connect(lambda: model.changed.disconnect(self._changed))

    def _export_button(self) -> QToolButton:
        button = named(QToolButton(), "Export", "Write what is shown")
        button.setText("Export")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        for text, action, tip in EXPORTS:
            menu.addAction(text, partial(self.asked.emit, action)).setToolTip(tip)
        button.setMenu(menu)
        level(button)
        return button

    def refresh(self) -> None:
        """Read what is new; called by the window's timer while the tab is shown."""
        self.model.poll()

    def export_figure(self, path: Path) -> None:
        """Write the figure, in the light theme.

        Raises:
            InputError: Another ending than .png, .pdf or .svg.
        """
        if self._stale:
            self._update()
        self.canvas.save(path)

    def export_csv(self, path: Path) -> None:
        """Write the numbers of what is shown."""
        text = self.model.csv()
        atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._update()

    def _changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._update()

    def _update(self) -> None:
        """Show the model as it is, and note that nothing is stale."""
        raise NotImplementedError
