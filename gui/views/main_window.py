"""The window: docks around tabs. Qt view for the workspace, the draft and the launcher."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QEvent, QSettings, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from tfticket.errors import InputError
from tfticket.text import one_line

from ..models.actions import ACTIONS
from ..models.desk import Desk
from ..models.launcher import Launcher
from ..models.live import LiveModel
from ..models.masks import MasksModel
from ..models.sparsity import SparsityModel
from ..models.workspace import Problem, WorkspaceModel
from .commands import STARTING, Commands
from .dock import Dock, KeptWidth
from .form import ConfigForm
from .live import LiveTab
from .masks import MasksTab
from .menus import Menus
from .problems import NotificationBar, ProblemsView, problem_of_exception
from .remembered import Remembered
from .run_table import RunTable
from .sparsity import SparsityTab
from .texts import text_label
from .theme import theme
from .welcome import WelcomePage

TICK = 500
"""Milliseconds between two looks at the tab that is shown."""
TICKS_A_LOOK = 2
"""So many ticks between two looks at the workspace."""


class MainWindow(QMainWindow):
    """The desktop program's one window.

    Args:
        settings: Where is kept what the next session goes on with.
    """

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.remembered = Remembered(settings)
        self.model, self.desk, self.launcher = WorkspaceModel(), Desk(self.remembered.draft), Launcher()
        self.commands = Commands(self)
        self.live, self.sparsity, self.masks = LiveModel(), SparsityModel(), MasksModel()
        self._ticks = 0
        self._followed: dict[int, Any] = {}
        self._asks, self._draft_is_kept = True, True
        self.setWindowTitle("tfticket")
        self.setAcceptDrops(True)
        self._make_centre()
        self._make_docks()
        self._make_menus()
        self._connect()
        self.remembered.restore(self)
        self._show_recent()
        self.welcome.set_workspace(None)
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
            tab.asked.connect(self.do)
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
        self.problems = ProblemsView(self)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.runs_dock = self._dock("Runs", self.runs, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.config_dock = self._dock("Configuration", self.form, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.problems_dock = self._dock("Problems", self.problems, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.problems_dock.hide()
        self.resizeDocks([self.runs_dock, self.config_dock], [330, 470], Qt.Orientation.Vertical)
        self.resizeDocks([self.runs_dock], [480], Qt.Orientation.Horizontal)
        self.docks_width = KeptWidth(self, self.runs_dock)
        self.status = text_label(self)
        self.statusBar().addPermanentWidget(self.status)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = Dock(title, widget, self)
        self.addDockWidget(area, dock)
        return dock

    def _make_menus(self) -> None:
        self.menus = Menus(self, self.do)
        self.actions_by_id = self.menus.actions
        self.menus.add_to_view(
            [dock.toggleViewAction() for dock in (self.runs_dock, self.config_dock, self.problems_dock)]
        )
        self.menus.add_to_run(self.runs.view)
        self.actions_by_id[f"theme_{theme()}"].setChecked(True)

    def _connect(self) -> None:
        self.model.runs_changed.connect(self._show_runs)
        self.model.focus_changed.connect(self._show_focus)
        self.model.eyes_changed.connect(self._show_eyes)
        self.model.problem_found.connect(self.tell)
        self.launcher.ended.connect(self.tell)
        self.desk.form.changed.connect(self._draft_changed)
        self.desk.taken.connect(self.form.show_all)
        self.notification.asked.connect(self.show_problem)
        self.tabs.currentChanged.connect(lambda: self._refresh_tab())
        self.welcome.open_asked.connect(lambda: self.do("open_workspace"))
        self.welcome.folder_chosen.connect(lambda folder: self.open_folder(Path(folder)))
        self.welcome.presets.chosen.connect(lambda name: self._guard(self.desk.take_preset, name))
        self.welcome.presets.run_asked.connect(lambda name: self._guard(self.commands.run_preset, name))

    # What goes on

    def tick(self) -> None:
        """Look at what changed: the tab that is shown at every tick, the workspace at every other."""
        self._ticks += 1
        self.launcher.poll()
        if self._ticks % TICKS_A_LOOK == 0:
            self._look()
        if not self._draft_is_kept:
            self._draft_is_kept = True
            self.remembered.keep_draft(self.desk.save())
        self._refresh_tab()

    def _look(self) -> None:
        self.model.poll()
        self.status.setText(self.model.status())
        for launched, run in self.launcher.begun(self.model.runs):
            self.model.focus(run.folder)
            if launched.resumes not in (None, run.folder):
                self.statusBar().showMessage(f"Resume goes on in {run.folder.name}")
        if self.statusBar().currentMessage() == STARTING and not self.launcher.is_awaiting:
            self.statusBar().clearMessage()
        if self.model.focused is None and self.model.runs and not self.model.has_lost:
            self.model.focus(self.model.runs[0].folder)

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
        self.setWindowTitle(one_line(" - ".join(filter(None, parts))))
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
        colours = {run: self.model.colour(run) for run in shown}
        if self.tab.model is self.live:
            self.live.show(folder, shown[1:], colours)
        elif self.tab.model is self.sparsity:
            self.sparsity.show(shown, colours)
        else:
            self.masks.show(folder)

    def _draft_changed(self) -> None:
        self._draft_is_kept = False
        self.notification.look()
        self._enable()

    def _enable(self) -> None:
        for action in ACTIONS:
            self.actions_by_id[action.id].setEnabled(action.can(self.model))
        self.actions_by_id["undo"].setEnabled(self.desk.form.can_undo)
        self.actions_by_id["redo"].setEnabled(self.desk.form.can_redo)

    def tell(self, problem: Problem, is_over: Callable[[], bool] | None = None) -> None:
        """Something went wrong: say it above the plots, until it is over, and keep it in the list."""
        self.problems.add(problem)
        self.notification.tell(problem, is_over)

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
        self.remembered.keep_recent([str(workspace.absolute()), *self.remembered.recent()])
        self._show_recent()
        self._look()
        if run:
            self.model.focus(run)

    def _show_recent(self) -> None:
        recent = self.remembered.recent()
        self.menus.show_recent(recent, self.open_folder)
        self.welcome.set_recent(recent)

    # The window itself

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "menus"):
            self.menus.draw_icons()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls()[:1]:
            self.open_path(Path(url.toLocalFile()))

    def open_path(self, path: Path) -> None:
        """Open what was dropped on the window or named at its start: a workspace, a run's folder, a configuration."""
        self._guard(self._take, path)

    def _take(self, path: Path) -> None:
        if path.is_dir():
            self.open_folder(path)
        elif path.suffix in (".yaml", ".yml"):
            self.desk.take_file(path)
        else:
            raise InputError(f"{path.name} is neither a folder nor a YAML file.")

    def leave(self) -> None:
        """Close the window without a question, as when the session ends; runs go on."""
        self._asks = False
        QApplication.closeAllWindows()  # a question that is open goes first

    def closeEvent(self, event: QCloseEvent) -> None:
        running = self.launcher.beginning
        if running and self._asks and self.isVisible() and not self._sure_to_close(running):
            event.ignore()
            return
        self.timer.stop()
        self.remembered.keep(self)
        if sys.excepthook == self._fault:
            sys.excepthook = self._hook
        self.runs.close_model()
        self.model.close()
        event.accept()

    def _sure_to_close(self, running: int) -> bool:
        runs = "A run goes" if running == 1 else f"{running} runs go"
        question = f"{runs} on without the window, and will be here when it is opened again. Close it?"
        return QMessageBox.question(self, "Close the window?", question) == QMessageBox.StandardButton.Yes
