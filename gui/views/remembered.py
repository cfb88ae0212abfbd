"""What a window remembers from one session to the next: its place, its table, its draft, its workspaces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtGui import QGuiApplication

if TYPE_CHECKING:
    from .main_window import MainWindow

RECENT = 10
"""So many workspaces."""


class Remembered:
    """Reads and writes a window's settings.

    Args:
        settings: Where they are kept; Qt writes them as a whole, also while the window is open.
    """

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    def restore(self, window: "MainWindow") -> None:
        """Give a new window what the last had."""
        window.resize(1280, 860)
        if (geometry := self._bytes("geometry")) is not None:
            window.restoreGeometry(geometry)
            screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
            if not any(screen.intersects(window.frameGeometry()) for screen in screens):
                window.setGeometry(screens[0].adjusted(40, 40, -40, -40))
        if (state := self._bytes("state")) is not None:
            window.restoreState(state)
        width = str(self._settings.value("docks/width", ""))
        window.docks_width.wanted = int(width) if width.isdecimal() else 0
        if (columns := self._bytes("runs/columns")) is not None:
            window.runs.view.restore_columns(columns)
        window.runs.filter.setText(str(self._settings.value("runs/filter", "")))
        window.live.change(axis="time" if self._settings.value("live/axis") == "time" else "iteration")
        tab = str(self._settings.value("tab", ""))
        titles = [window.tabs.tabText(number) for number in range(window.tabs.count())]
        window.tabs.setCurrentIndex(titles.index(tab) if tab in titles else 0)

    def keep(self, window: "MainWindow") -> None:
        """Note how a window is left."""
        self._settings.setValue("geometry", window.saveGeometry())
        self._settings.setValue("state", window.saveState())
        self._settings.setValue("docks/width", window.docks_width.wanted)
        self._settings.setValue("runs/columns", window.runs.view.save_columns())
        self._settings.setValue("runs/filter", window.runs.filter.text())
        self._settings.setValue("live/axis", window.live.axis)
        self._settings.setValue("tab", window.tabs.tabText(window.tabs.currentIndex()))
        self.keep_draft(window.desk.save())

    @property
    def draft(self) -> str:
        """What the form held, as ``Desk.save`` says it; '' before the first time."""
        return str(self._settings.value("draft", ""))

    def keep_draft(self, draft: str) -> None:
        """Note what the form holds."""
        self._settings.setValue("draft", draft)

    def recent(self) -> list[str]:
        """Workspaces that were open before, the last first."""
        found: Any = self._settings.value("recent", [])
        return [found] if isinstance(found, str) else list(found or [])

    def keep_recent(self, folders: Sequence[str]) -> None:
        """Note workspaces; the first of those that are named twice counts."""
        self._settings.setValue("recent", list(dict.fromkeys(folders))[:RECENT])

    @property
    def theme(self) -> str:
        """'light', 'dark' or 'system'."""
        return str(self._settings.value("theme", "system"))

    def keep_theme(self, name: str) -> None:
        """Note the theme."""
        self._settings.setValue("theme", name)

    def _bytes(self, name: str) -> QByteArray | None:
        value = self._settings.value(name)
        return value if isinstance(value, QByteArray) else None
