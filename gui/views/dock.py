"""Docks whose buttons are visible on every background, and which keep their width."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QMainWindow, QWidget

from .theme import icon

SYMBOLS = {"qt_dockwidget_closebutton": "✕", "qt_dockwidget_floatbutton": "❐"}
"""Qt's name of a button -> symbol; the style's own icons are for light themes only."""


class Dock(QDockWidget):
    """A dock.

    Args:
        title: Title, by which its place is restored.
        widget: Content.
    """

    def __init__(self, title: str, widget: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.setObjectName(title)
        self.setWidget(widget)
        self.topLevelChanged.connect(lambda: self._draw())
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def _draw(self) -> None:
        for name, symbol in SYMBOLS.items():
            if (button := self.findChild(QAbstractButton, name)) is not None:
                button.setIcon(icon(symbol))


class WidthKeeper(QObject):
    """Restores the width of a side dock that a narrow window had squeezed.

    Args:
        window: Window of the dock.
        dock: The dock; those above and below have the same width.
        width: Width in pixels; 0 for the width when the window is first shown.
    """

    def __init__(self, window: QMainWindow, dock: QDockWidget, width: int = 0) -> None:
        super().__init__(window)
        self.width = width
        self._window, self._dock = window, dock
        self._last_width = window.width()
        for watched in (window, dock):
            watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note when the user resizes the dock; restore it when the window changes."""
        if watched is self._dock and event.type() == QEvent.Type.Resize:
            is_dragged = QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton
            if is_dragged and self._window.width() == self._last_width and not self._dock.isFloating():
                self.width = self._dock.width()
        elif watched is self._window and event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._last_width = self._window.width()
            if self._window.isVisible():
                self.width = self.width or self._dock.width()
                self._restore()
        return False

    def _restore(self) -> None:
        sides = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)
        at_side = not self._dock.isFloating() and self._window.dockWidgetArea(self._dock) in sides
        if at_side and self._dock.width() < self.width:
            self._window.resizeDocks([self._dock], [self.width], Qt.Orientation.Horizontal)
