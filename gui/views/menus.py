"""Menus, toolbar and context menu of a run. Qt view for the table of actions."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QWidget

from ..models.actions import ACTIONS, MENUS, Action
from .theme import icon


class Menus:
    """The actions of a window, each created once and shared by all menus; ``do`` is called with an action's id."""

    def __init__(self, window: QMainWindow, do: Callable[[str], None]) -> None:
        self.actions: dict[str, QAction] = {}
        self._window, self._do = window, do
        self._themes = QActionGroup(window)
        self._menus = {key: window.menuBar().addMenu(title) for key, title in MENUS.items()}
        for menu in self._menus.values():
            menu.setToolTipsVisible(True)
        self.recent = QMenu("Open &recent", window)
        toolbar = QToolBar("Run", window)
        toolbar.setObjectName("Run")  # key of its saved place
        toolbar.setToolButtonStyle(toolbar.toolButtonStyle().ToolButtonTextBesideIcon)
        toolbar.setMovable(False)
        window.addToolBar(toolbar)
        for action in ACTIONS:
            if action.separator:
                self._menus[action.menu].addSeparator()
            qt_action = self._create(action)
            self._menus[action.menu].addAction(qt_action)
            if action.symbol:
                toolbar.addAction(qt_action)
            if action.id == "open_yaml":
                self._menus["file"].addMenu(self.recent)
        self.draw_icons()

    def _create(self, action: Action) -> QAction:
        qt_action = QAction(action.title, self._window)
        qt_action.setShortcuts(QKeySequence.listFromString(action.keys))
        if action.short:
            qt_action.setIconText(action.short)
        qt_action.setToolTip(f"{action.about} ({action.keys})" if action.keys else action.about)
        qt_action.triggered.connect(lambda: self._do(action.id))
        if action.is_theme:
            qt_action.setCheckable(True)
            self._themes.addAction(qt_action)
        self.actions[action.id] = qt_action
        return qt_action

    def draw_icons(self) -> None:
        for action in ACTIONS:
            if action.symbol:
                self.actions[action.id].setIcon(icon(action.symbol))

    def add_to_view(self, actions: Sequence[QAction]) -> None:
        self._menus["view"].addSeparator()
        self._menus["view"].addActions(list(actions))

    def add_to_run(self, widget: QWidget) -> None:
        """Add a run's context menu to a widget."""
        menu = None
        for action in (action for action in ACTIONS if action.for_run):
            if menu is not None and (action.separator or action.menu != menu):
                line = QAction(widget)
                line.setSeparator(True)
                widget.addAction(line)
            widget.addAction(self.actions[action.id])
            menu = action.menu

    def show_recent(self, folders: Sequence[str], open_folder: Callable[[Path], None]) -> None:
        self.recent.clear()
        for folder in folders:
            self.recent.addAction(folder.replace("&", "&&"), functools.partial(open_folder, Path(folder)))
        self.recent.setEnabled(bool(folders))
