"""The main window: follows the workspace, the draft and the launched processes."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QEvent, QSettings, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMessageBox

from tfticket.errors import InputError
from tfticket.runs.run_folder import is_run_folder
from tfticket.text import one_line

from ..models.actions import ACTIONS
from ..models.launcher import Launcher
from ..models.workspace import Problem
from .menus import Menus
from .problems import exception_problem
from .theme import theme
from .window_layout import WindowLayout

TICK = 500
"""Milliseconds between two updates of the visible tab."""
TICKS_PER_POLL = 2
"""Ticks between two updates of the workspace."""
STARTING = "Starting TensorFlow..."
"""Message in the status bar until the run appears."""


class MainWindow(WindowLayout):
    """The program's only window; ``commands`` creates the object with a method for each action's id, ``Commands``."""

    def __init__(self, settings: QSettings, commands: Callable[["MainWindow"], object]) -> None:
        super().__init__(settings)
        self.launcher = Launcher()
        self.commands: Any = commands(self)
        self._ticks = 0
        self._followed: dict[int, Any] = {}
        self._asks_before_closing, self._draft_is_saved = True, True
        self._add_menus()
        self._connect()
        self.restore()
        self._show_recent()
        self.welcome.set_workspace(None)
        self._show_focus()
        self.timer = QTimer(self, interval=TICK)
        self.timer.timeout.connect(self.tick)
        self.timer.start()
        self._hook, sys.excepthook = sys.excepthook, self._handle_exception

    def _add_menus(self) -> None:
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
        self.model.overlay_changed.connect(self._show_overlay)
        self.model.problem_found.connect(self.report_problem)
        self.launcher.failed.connect(self.report_problem)
        self.draft.form.changed.connect(self._draft_changed)
        self.draft.replaced.connect(self.form.show_all)
        self.notification.details_requested.connect(self.show_problem)
        for number in range(self.tabs.count()):
            tab: Any = self.tabs.widget(number)
            tab.action_requested.connect(self.do)
        self.tabs.currentChanged.connect(lambda: self._refresh_tab())
        self.welcome.open_requested.connect(lambda: self.do("open_workspace"))
        self.welcome.folder_chosen.connect(lambda folder: self.open_folder(Path(folder)))
        self.welcome.presets.chosen.connect(lambda name: self._run_guarded(self.draft.load_preset, name))
        self.welcome.presets.run_requested.connect(lambda name: self._run_guarded(self.commands.run_preset, name))

    def tick(self) -> None:
        """Update the visible tab, and at every other call the workspace."""
        self._ticks += 1
        self.launcher.poll()
        if self._ticks % TICKS_PER_POLL == 0:
            self._poll_workspace()
        if not self._draft_is_saved:
            self._draft_is_saved = True
            self.settings.set("draft", self.draft.save())
        self._refresh_tab()

    def _poll_workspace(self) -> None:
        self.model.poll()
        self.status.setText(self.model.status_line())
        for launched, run in self.launcher.newly_started(self.model.runs):
            self.model.focus(run.folder)
            if launched.resumes not in (None, run.folder):
                self.statusBar().showMessage(f"The run continues in {run.folder.name}")
        if self.statusBar().currentMessage() == STARTING and not self.launcher.is_starting:
            self.statusBar().clearMessage()
        if self.model.focused is None and self.model.runs and not self.model.focus_is_lost:
            self.model.focus(self.model.runs[0].folder)

    def _refresh_tab(self) -> None:
        if self.pages.currentWidget() is self.tabs and self.tabs.isVisible():
            self._follow()
            self.tab.refresh()

    def _show_runs(self) -> None:
        self.pages.setCurrentWidget(self.tabs if self.model.runs else self.welcome)
        self.welcome.set_workspace(self.model.folder)
        self._update_actions()

    def _show_focus(self) -> None:
        run = self.model.focused
        parts = [run.folder.name if run else "", str(self.model.folder or ""), "tfticket"]
        self.setWindowTitle(one_line(" - ".join(filter(None, parts))))
        self._show_overlay()

    def _show_overlay(self) -> None:
        self._update_actions()
        self._follow()
        self._refresh_tab()

    def _follow(self) -> None:
        """Let the visible tab, and no other, read the runs in focus and overlaid."""
        focused, shown = self.model.focused, self.model.shown
        self.live.set_seconds_left(focused.seconds_left if focused else None)
        folder = focused.folder if focused else None
        if self._followed.get(self.tabs.currentIndex()) == (folder, shown):
            return
        self._followed[self.tabs.currentIndex()] = (folder, shown)
        colours = {run: self.model.colour(run) for run in shown}
        if self.tab.model is self.live:
            self.live.show(folder, shown[1:], colours)
        elif self.tab.model is self.sparsity:
            self.sparsity.show(shown, colours)
        else:
            self.masks.show(folder)

    def _draft_changed(self) -> None:
        self._draft_is_saved = False
        self.notification.hide_if_over()
        self._update_actions()

    def _update_actions(self) -> None:
        for action in ACTIONS:
            self.actions_by_id[action.id].setEnabled(action.is_enabled(self.model))
        self.actions_by_id["undo"].setEnabled(self.draft.form.can_undo)
        self.actions_by_id["redo"].setEnabled(self.draft.form.can_redo)

    def report_problem(self, problem: Problem, is_over: Callable[[], bool] | None = None) -> None:
        """Show a problem above the plots until it is over, and add it to the list."""
        self.problems.add(problem)
        self.notification.show_problem(problem, is_over)

    def show_problem(self, problem: Problem) -> None:
        """Show the details of a problem, and its run."""
        self.problems.add(problem)
        self.problems_dock.show()
        self.problems_dock.raise_()
        if problem.run is not None:
            self.model.focus(problem.run)

    def _handle_exception(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        """Report an exception of the window itself instead of freezing."""
        self._hook(kind, error, where)
        if not issubclass(kind, KeyboardInterrupt):
            self.report_problem(exception_problem(kind, error, where))

    def _run_guarded(self, function: Callable[..., object], *values: object) -> bool:
        """Call a function and report an ``InputError``; return True if there was none."""
        try:
            function(*values)
        except InputError as error:
            self.report_problem(Problem(str(error).splitlines()[0], str(error)))
            return False
        return True

    def do(self, action: str) -> None:
        self._run_guarded(getattr(self.commands, action))

    def open_folder(self, folder: Path) -> None:
        """Open a workspace, or the workspace of a run's folder with the run in focus."""
        run = folder.absolute() if is_run_folder(folder) else None
        workspace = run.parents[1] if run else folder
        if not self._run_guarded(self.model.open, workspace):
            return
        self.settings.add_recent(str(workspace.absolute()))
        self._show_recent()
        self._poll_workspace()
        if run:
            self.model.focus(run)

    def _show_recent(self) -> None:
        recent = self.settings.recent
        self.menus.show_recent(recent, self.open_folder)
        self.welcome.set_recent(recent)

    def open_path(self, path: Path) -> None:
        """Open a workspace, a run's folder or a configuration, as dropped on the window or named at its start."""
        self._run_guarded(self._open, path)

    def _open(self, path: Path) -> None:
        if path.is_dir():
            self.open_folder(path)
        elif path.suffix in (".yaml", ".yml"):
            self.draft.load_file(path)
        else:
            raise InputError(f"{path.name} is neither a folder nor a YAML file.")

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

    def close_without_asking(self) -> None:
        """Close the window without a question, as at the end of the desktop session; runs continue."""
        self._asks_before_closing = False
        QApplication.closeAllWindows()  # an open question first

    def closeEvent(self, event: QCloseEvent) -> None:
        running = self.launcher.running_count
        if running and self._asks_before_closing and self.isVisible():
            runs = "A run continues" if running == 1 else f"{running} runs continue"
            question = f"{runs} without the window and will be listed when it is opened again. Close it?"
            if QMessageBox.question(self, "Close the window?", question) != QMessageBox.StandardButton.Yes:
                event.ignore()
                return
        self.timer.stop()
        self.save()
        if sys.excepthook == self._handle_exception:
            sys.excepthook = self._hook
        self.runs.disconnect_model()
        self.model.close()
        event.accept()
