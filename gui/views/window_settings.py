"""Settings that last from one session to the next. They hold plain values; the window applies them."""

from typing import Any

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMainWindow

MAX_RECENT = 10
"""Number of recent workspaces kept."""


class WindowSettings:
    """Typed access to the settings of a window.

    Args:
        settings: Storage, which Qt writes as a whole, also while the window is open.
    """

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    def text(self, key: str, default: str = "") -> str:
        return str(self._settings.value(key, default))

    def data(self, key: str) -> QByteArray | None:
        """Return a setting that Qt encoded, such as the state of a table's columns."""
        value = self._settings.value(key)
        return value if isinstance(value, QByteArray) else None

    def set(self, key: str, value: object) -> None:
        self._settings.setValue(key, value)

    @property
    def recent(self) -> list[str]:
        """Recent workspaces, the last first."""
        folders: Any = self._settings.value("recent", [])
        return [folders] if isinstance(folders, str) else list(folders or [])

    def add_recent(self, folder: str) -> None:
        """Put a workspace at the top of the recent ones."""
        self.set("recent", list(dict.fromkeys([folder, *self.recent]))[:MAX_RECENT])

    def restore_geometry(self, window: QMainWindow) -> None:
        """Give a window its last size, place and arrangement of docks, on a screen that exists."""
        window.resize(1280, 860)
        if (geometry := self.data("geometry")) is not None:
            window.restoreGeometry(geometry)
            screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
            if not any(screen.intersects(window.frameGeometry()) for screen in screens):
                window.setGeometry(screens[0].adjusted(40, 40, -40, -40))
        if (state := self.data("state")) is not None:
            window.restoreState(state)

    def save_geometry(self, window: QMainWindow) -> None:
        """Store size, place and docks of a window."""
        self.set("geometry", window.saveGeometry())
        self.set("state", window.saveState())
