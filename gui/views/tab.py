"""What the tabs have in common: a model that they follow while they are shown, and a figure."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QWidget

from gui.views.canvas import FigureCanvas


class Tab(QWidget):
    """A figure of a model: drawn anew when the model changes, but only while it is shown.

    Args:
        model: With ``changed`` and ``poll``.
        name: What the figure is called for those who do not see it.
    """

    def __init__(self, model: Any, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.canvas = FigureCanvas(name)
        self.message = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self._stale = True
        model.changed.connect(self._changed)
        self.destroyed.connect(lambda: model.changed.disconnect(self._changed))

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
