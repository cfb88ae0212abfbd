"""Menus, the toolbar and the menu of a run, made from the table of actions. Qt view for the actions."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QWidget

from ..models.actions import ACTIONS, MENUS, Action
from .theme import icon

SIGNS = {
    "new_run": "+",
    "start_run": "▶",
    "stop_run": "■",
    "resume_run": "»",
    "duplicate_run": "❐",
    "show_differences": "≠",
}
"""On the toolbar."""


class Menus:
    """The actions of a window, each made once, wherever it is shown.

    Args:
        window: Whose menu bar and toolbar.
        do: Called with an action's id.

    Attributes:
        actions: By id.
        recent: The menu of workspaces that were open before.
    """

    def __init__(self, window: QMainWindow, do: Callable[[str], None]) -> None:
        self.actions: dict[str, QAction] = {}
        self._window, self._do = window, do
        self._groups: dict[str, QActionGroup] = {}
        self._menus = {key: window.menuBar().addMenu(title) for key, title in MENUS.items()}
        for menu in self._menus.values():
            menu.setToolTipsVisible(True)
        self.recent = QMenu("Open &recent", window)
        toolbar = QToolBar("Run", window)
        toolbar.setObjectName("Run")  # by which its place is restored
        toolbar.setToolButtonStyle(toolbar.toolButtonStyle().ToolButtonTextBesideIcon)
        toolbar.setMovable(False)
        window.addToolBar(toolbar)
        for action in ACTIONS:
            if action.apart:
                self._menus[action.menu].addSeparator()
            made = self._make(action)
            self._menus[action.menu].addAction(made)
            if action.toolbar:
                toolbar.addAction(made)
            if action.id == "open_yaml":
                self._menus["file"].addMenu(self.recent)
        self.draw_icons()

    def _make(self, action: Action) -> QAction:
        made = QAction(action.title, self._window)
        if action.keys:
            made.setShortcuts([QKeySequence(keys) for keys in (action.keys, *action.more_keys)])
        if action.short:
            made.setIconText(action.short)
        made.setToolTip(f"{action.about} ({action.keys})" if action.keys else action.about)
        made.triggered.connect(lambda: self._do(action.id))
        if action.one_of:
            made.setCheckable(True)
            if action.one_of not in self._groups:
                self._groups[action.one_of] = QActionGroup(self._window)
            self._groups[action.one_of].addAction(made)
        self.actions[action.id] = made
        return made

    def draw_icons(self) -> None:
        """In the colours that the window has now."""
        for name, sign in SIGNS.items():
            self.actions[name].setIcon(icon(sign))

    def add_to_view(self, actions: Sequence[QAction]) -> None:
        """Put actions at the end of the menu View."""
        self._menus["view"].addSeparator()
        self._menus["view"].addActions(list(actions))

    def add_to_run(self, widget: QWidget) -> None:
        """Give a widget the menu of a run."""
        menu = None
        for action in ACTIONS:
            if not action.of_run:
                continue
            if menu is not None and (action.apart or action.menu != menu):
                line = QAction(widget)
                line.setSeparator(True)
                widget.addAction(line)
            widget.addAction(self.actions[action.id])
            menu = action.menu

    def show_recent(self, folders: Sequence[str], open_folder: Callable[[Path], None]) -> None:
        """List workspaces."""
        self.recent.clear()
        for folder in folders:
            self.recent.addAction(folder.replace("&", "&&"), functools.partial(open_folder, Path(folder)))
        self.recent.setEnabled(bool(folders))
