"""Widgets of the main window: docks around tabs. Their behaviour is in ``main_window``."""

from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QDockWidget,
    QMainWindow,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..models.draft import DraftModel
from ..models.live import LiveModel
from ..models.masks import MasksModel
from ..models.sparsity import SparsityModel
from ..models.workspace import WorkspaceModel
from .form import ConfigForm
from .live import LiveTab
from .masks import MasksTab
from .problems import NotificationBar, ProblemsView
from .run_table import RunTable
from .sparsity import SparsityTab
from .theme import icon
from .welcome import WelcomePage
from .widgets import fill, text_label

MAX_RECENT = 10


class WindowSettings:
    """Typed access to the settings of a window, which Qt writes as a whole, also while the window is open."""

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


class WindowLayout(QMainWindow):
    """The models of the window and the widgets that show them."""

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.settings = WindowSettings(settings)
        self.model, self.draft = WorkspaceModel(), DraftModel(self.settings.text("draft"))
        self.live, self.sparsity, self.masks = LiveModel(), SparsityModel(), MasksModel()
        self.setWindowTitle("tfticket")
        self.setAcceptDrops(True)
        self._add_centre()
        self._add_docks()

    def _add_centre(self) -> None:
        self.notification = NotificationBar(self)
        self.welcome = WelcomePage(self)
        self.tabs = QTabWidget(self, documentMode=True)
        self.tabs.addTab(LiveTab(self.live), "Live")
        self.tabs.addTab(SparsityTab(self.sparsity), "Sparsity")
        self.tabs.addTab(MasksTab(self.masks), "Masks")
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.tabs)
        centre = QWidget(self)
        parts = (self.notification, self.pages)
        fill(QVBoxLayout(centre), *parts, margins=(0, 0, 0, 0), spacing=0, stretch=self.pages)
        self.setCentralWidget(centre)

    def _add_docks(self) -> None:
        self.runs = RunTable(self.model, self)
        self.form = ConfigForm(self.draft.form, parent=self)
        self.problems = ProblemsView(self)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.runs_dock, self.config_dock = Dock("Runs", self.runs, self), Dock("Configuration", self.form, self)
        self.problems_dock = Dock("Problems", self.problems, self)
        for dock in (self.runs_dock, self.config_dock):
            self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.problems_dock)
        self.problems_dock.hide()
        self.resizeDocks([self.runs_dock, self.config_dock], [330, 470], Qt.Orientation.Vertical)
        self.resizeDocks([self.runs_dock], [480], Qt.Orientation.Horizontal)
        self.docks_width = WidthKeeper(self, self.runs_dock)
        self.status = text_label(self)
        self.statusBar().addPermanentWidget(self.status)

    @property
    def tab(self) -> Any:
        return self.tabs.currentWidget()

    def restore(self) -> None:
        settings = self.settings
        self.resize(1280, 860)
        if (geometry := settings.data("geometry")) is not None:
            self.restoreGeometry(geometry)
            screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
            if not any(screen.intersects(self.frameGeometry()) for screen in screens):  # one that is gone
                self.setGeometry(screens[0].adjusted(40, 40, -40, -40))
        if (state := settings.data("state")) is not None:
            self.restoreState(state)
        width = settings.text("docks/width")
        self.docks_width.width = int(width) if width.isdecimal() else 0
        if (columns := settings.data("runs/columns")) is not None:
            self.runs.view.restore_columns(columns)
        self.runs.filter.setText(settings.text("runs/filter"))
        self.live.set_options(axis="time" if settings.text("live/axis") == "time" else "iteration")
        titles = [self.tabs.tabText(number) for number in range(self.tabs.count())]
        tab = settings.text("tab")
        self.tabs.setCurrentIndex(titles.index(tab) if tab in titles else 0)

    def save(self) -> None:
        self.settings.set("geometry", self.saveGeometry())
        self.settings.set("state", self.saveState())
        self.settings.set("docks/width", self.docks_width.width)
        self.settings.set("runs/columns", self.runs.view.save_columns())
        self.settings.set("runs/filter", self.runs.filter.text())
        self.settings.set("live/axis", self.live.axis)
        self.settings.set("tab", self.tabs.tabText(self.tabs.currentIndex()))
        self.settings.set("draft", self.draft.save())


SYMBOLS = {"qt_dockwidget_closebutton": "✕", "qt_dockwidget_floatbutton": "❐"}
"""Qt's name of a button -> symbol; the style's own icons are for light themes only."""


class Dock(QDockWidget):
    """A dock, whose place is restored by its title."""

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
    """Restores the width of a side dock, and of those above and below it, that a narrow window had squeezed."""

    def __init__(self, window: QMainWindow, dock: QDockWidget) -> None:
        super().__init__(window)
        self.width = 0  # in pixels; that when the window is first shown
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
