"""The window: docks around tabs. Qt view for the workspace, the draft and the launcher."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QSettings, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QDockWidget,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QTabWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from gui.models.actions import ACTIONS, MENUS, Action
from gui.models.desk import Desk
from gui.models.launcher import Launched, Launcher
from gui.models.live import LiveModel
from gui.models.masks import MasksModel
from gui.models.sparsity import SparsityModel
from gui.models.workspace import Problem, WorkspaceModel
from gui.views.commands import Commands
from gui.views.form import ConfigForm
from gui.views.live import LiveTab
from gui.views.masks import MasksTab
from gui.views.problems import NotificationBar, ProblemsView, problem_of_exception
from gui.views.run_table import RunTable
from gui.views.sparsity import SparsityTab
from gui.views.theme import icon
from gui.views.welcome import WelcomePage
from tfticket.errors import InputError
from tfticket.runs.lease import holder_of

TICK = 500
"""Milliseconds between two looks at the tab that is shown."""
TICKS_A_LOOK = 2
"""So many ticks between two looks at the workspace."""
RECENT = 10
SIGNS = {"new_run": "+", "start_run": "▶", "stop_run": "■", "resume_run": "»", "duplicate_run": "❐"}
"""On the toolbar."""


class MainWindow(QMainWindow):
    """The desktop program's one window.

    Args:
        settings: Where geometry, theme and recent workspaces are kept.
    """

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.settings = settings
        self.model, self.desk, self.launcher = WorkspaceModel(), Desk(), Launcher()
        self.commands = Commands(self)
        self.live, self.sparsity, self.masks = LiveModel(), SparsityModel(), MasksModel()
        self._awaited: list[Launched] = []
        self._ticks = 0
        self._followed: dict[int, Any] = {}
        self.actions_by_id: dict[str, QAction] = {}
        self.setWindowTitle("tfticket")
        self.setAcceptDrops(True)
        self._make_centre()
        self._make_docks()
        self._make_actions()
        self._draw_icons()
        self._connect()
        self._restore()
        self._show_desk()
        self._show_focus()
        self.timer = QTimer(self, interval=TICK)
        self.timer.timeout.connect(self.tick)
        self.timer.start()
        self._hook, sys.excepthook = sys.excepthook, self._fault

    # Making

    def _make_centre(self) -> None:
        self.notification = NotificationBar(self)
        self.welcome = WelcomePage(self)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        for title, tab in (
            ("Live", LiveTab(self.live)),
            ("Sparsity", SparsityTab(self.sparsity)),
            ("Masks", MasksTab(self.masks)),
        ):
            self.tabs.addTab(tab, title)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.tabs)
        centre = QWidget(self)
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notification)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(centre)

    def _make_docks(self) -> None:
        self.runs = RunTable(self.model, self)
        self.form = ConfigForm(self.desk.form, parent=self)
        self.origin = QLabel(self)
        self.origin.setWordWrap(True)
        self.origin.setContentsMargins(8, 4, 8, 0)
        draft = QWidget(self)
        layout = QVBoxLayout(draft)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.origin)
        layout.addWidget(self.form, 1)
        self.problems = ProblemsView(self)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.runs_dock = self._dock("Runs", self.runs, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.config_dock = self._dock("Configuration", draft, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.problems_dock = self._dock("Problems", self.problems, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.problems_dock.hide()
        self.resizeDocks([self.runs_dock, self.config_dock], [330, 470], Qt.Orientation.Vertical)
        self.resizeDocks([self.runs_dock], [480], Qt.Orientation.Horizontal)
        self.status = QLabel(self)
        self.statusBar().addPermanentWidget(self.status)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(title)  # by which its place is restored
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _make_actions(self) -> None:
        menus = {key: self.menuBar().addMenu(title) for key, title in MENUS.items()}
        toolbar = QToolBar("Run", self)
        toolbar.setObjectName("Run")
        toolbar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        toolbar.setMovable(False)
        self.addToolBar(toolbar)
        for action in ACTIONS:
            if action.apart:
                menus[action.menu].addSeparator()
            made = self._action(action)
            menus[action.menu].addAction(made)
            if action.toolbar:
                toolbar.addAction(made)
            if action.id == "open_yaml":
                self.recent_menu = menus["file"].addMenu("Open &recent")
        menus["view"].addSeparator()
        for dock in (self.runs_dock, self.config_dock, self.problems_dock):
            menus["view"].addAction(dock.toggleViewAction())

    def _action(self, action: Action) -> QAction:
        made = QAction(action.title, self)
        if action.keys:
            made.setShortcut(QKeySequence(action.keys))
        made.setToolTip(f"{action.about} ({action.keys})" if action.keys else action.about)
        made.setStatusTip(action.about)
        made.triggered.connect(lambda: self.do(action.id))
        self.actions_by_id[action.id] = made
        return made

    def _draw_icons(self) -> None:
        for name, sign in SIGNS.items():
            self.actions_by_id[name].setIcon(icon(sign))

    def _connect(self) -> None:
        self.model.runs_changed.connect(self._show_runs)
        self.model.focus_changed.connect(self._show_focus)
        self.model.eyes_changed.connect(self._show_eyes)
        self.model.problem_found.connect(self.tell)
        self.launcher.ended.connect(self.tell)
        self.desk.replaced.connect(self._show_desk)
        self.notification.asked.connect(self.show_problem)
        self.tabs.currentChanged.connect(lambda: self._refresh_tab())
        self.welcome.open_asked.connect(lambda: self.do("open_workspace"))
        self.welcome.folder_chosen.connect(lambda folder: self.open_folder(Path(folder)))
        self.welcome.preset_chosen.connect(lambda name: self._guard(self.desk.take_preset, name))

    # What goes on

    def tick(self) -> None:
        """Look at what changed: the tab that is shown at every tick, the workspace at every other."""
        self._ticks += 1
        self.launcher.poll()
        if self._ticks % TICKS_A_LOOK == 0 or self.launcher.beginning > len(self.model.runs):
            self._look()
        self._refresh_tab()

    def _look(self) -> None:
        self.model.poll()
        self.status.setText(self.model.status())
        self._focus_what_began()
        if self.model.focused is None and self.model.runs:
            self.model.focus(self.model.runs[0].folder)

    def await_run(self, launched: Launched) -> None:
        """Bring a run that was just started into focus once its folder is there."""
        self._awaited.append(launched)

    def _focus_what_began(self) -> None:
        """A run that this window started comes into focus once its folder is there."""
        self._awaited = [one for one in self._awaited if one.process.poll() is None]
        by_process = {one.process.pid: one for one in self._awaited}
        for run in self.model.runs if by_process else ():
            holder = holder_of(run.folder) if run.state == "running" else None
            if holder and holder["pid"] in by_process:
                self._awaited.remove(by_process.pop(holder["pid"]))
                self.model.focus(run.folder)

    def _refresh_tab(self) -> None:
        if self.pages.currentWidget() is self.tabs and self.tabs.isVisible():
            self._follow()
            self.tab.refresh()

    @property
    def tab(self) -> Any:
        """The tab that is shown."""
        return self.tabs.currentWidget()

    def _show_runs(self) -> None:
        self.pages.setCurrentWidget(self.tabs if self.model.runs else self.welcome)
        self.welcome.set_workspace(self.model.folder)
        self._enable()

    def _show_focus(self) -> None:
        run = self.model.focused
        parts = [run.folder.name if run else "", str(self.model.folder or ""), "tfticket"]
        self.setWindowTitle(" - ".join(filter(None, parts)))
        self._show_eyes()

    def _show_eyes(self) -> None:
        self._enable()
        self._follow()
        self._refresh_tab()

    def _follow(self) -> None:
        """Let the tab that is shown, and no other, read the runs that are to be seen."""
        focused, shown = self.model.focused, self.model.shown
        folder, wanted = focused.folder if focused else None, (focused and focused.folder, tuple(shown))
        if self._followed.get(self.tabs.currentIndex()) == wanted:
            return
        self._followed[self.tabs.currentIndex()] = wanted
        model = self.tab.model
        if model is self.sparsity:
            self.sparsity.show(shown, {run: self.model.colour(run) for run in shown})
        else:
            model.show(folder)

    def _show_desk(self) -> None:
        if self.form.model is not self.desk.form:
            self.form.set_model(self.desk.form)
        self.origin.setText(f"New run, {self.desk.origin}")
        self.desk.form.changed.connect(self._enable)
        self._enable()

    def _enable(self) -> None:
        for action in ACTIONS:
            self.actions_by_id[action.id].setEnabled(action.can(self.model))
        self.actions_by_id["undo"].setEnabled(self.desk.form.can_undo)
        self.actions_by_id["redo"].setEnabled(self.desk.form.can_redo)

    def tell(self, problem: Problem) -> None:
        """Something went wrong: say it above the plots and keep it in the list."""
        self.problems.add(problem)
        self.notification.tell(problem)

    def show_problem(self, problem: Problem) -> None:
        """Show all that is known of it, and its run."""
        self.problems.add(problem)
        self.problems_dock.show()
        self.problems_dock.raise_()
        if problem.run is not None:
            self.model.focus(problem.run)

    def _fault(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        """An exception of the window itself: told, never a dead window."""
        self._hook(kind, error, where)
        if not issubclass(kind, KeyboardInterrupt):
            self.tell(problem_of_exception(kind, error, where))

    def _guard(self, do: Callable[..., object], *values: object) -> bool:
        """Do something; what the user did wrong is told. Whether it went well."""
        try:
            do(*values)
        except InputError as error:
            self.tell(Problem(str(error).splitlines()[0], str(error)))
            return False
        return True

    def do(self, name: str) -> None:
        """Do an action by its id."""
        self._guard(getattr(self.commands, name))

    def open_folder(self, folder: Path) -> None:
        """Open a workspace, or a run's folder: its workspace, with the run in focus."""
        run = folder.absolute() if (folder / "status.json").is_file() else None
        workspace = run.parents[1] if run else folder
        if not self._guard(self.model.open, workspace):
            return
        known = [str(workspace.absolute()), *self.recent()]
        self.settings.setValue("recent", list(dict.fromkeys(known))[:RECENT])
        self._show_recent()
        self._look()
        if run:
            self.model.focus(run)

    def recent(self) -> list[str]:
        """Workspaces that were open before, the last first."""
        found: Any = self.settings.value("recent", [])
        return [found] if isinstance(found, str) else list(found or [])

    def _show_recent(self) -> None:
        self.recent_menu.clear()
        for folder in self.recent():
            self.recent_menu.addAction(folder, functools.partial(self.open_folder, Path(folder)))
        self.recent_menu.setEnabled(bool(self.recent()))
        self.welcome.set_recent(self.recent())

    # The window itself

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.actions_by_id:
            self._draw_icons()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls()[:1]:
            self._guard(self.take, Path(url.toLocalFile()))

    def take(self, path: Path) -> None:
        """What was dropped on the window: a workspace, a run's folder, or a configuration.

        Raises:
            InputError: None of these.
        """
        if path.is_dir():
            self.open_folder(path)
        elif path.suffix in (".yaml", ".yml"):
            self.desk.take_file(path)
        else:
            raise InputError(f"{path.name} is neither a folder nor a YAML file.")

    def _restore(self) -> None:
        geometry, state = (self.settings.value(name) for name in ("geometry", "state"))
        self.resize(1280, 860)
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
            screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
            if not any(screen.intersects(self.frameGeometry()) for screen in screens):
                self.setGeometry(screens[0].adjusted(40, 40, -40, -40))
        if isinstance(state, QByteArray):
            self.restoreState(state)
        self._show_recent()
        self.welcome.set_workspace(None)

    def closeEvent(self, event: QCloseEvent) -> None:
        running = self.launcher.beginning
        if running and self.isVisible() and not self._sure_to_close(running):
            event.ignore()
            return
        self.timer.stop()
        self.settings.setValue("geometry", self.saveGeometry())
        self.settings.setValue("state", self.saveState())
        if sys.excepthook == self._fault:
            sys.excepthook = self._hook
        self.runs.close_model()
        self.model.close()
        event.accept()

    def _sure_to_close(self, running: int) -> bool:
        runs = "A run goes" if running == 1 else f"{running} runs go"
        question = f"{runs} on without the window, and will be here when it is opened again. Close it?"
        return QMessageBox.question(self, "Close the window?", question) == QMessageBox.StandardButton.Yes
