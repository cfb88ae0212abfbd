"""The window: docks around tabs. Qt view for the workspace, the draft and the launcher."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QSettings, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
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
from gui.models.desk import Desk, configuration_of
from gui.models.differences import differences
from gui.models.launcher import Launched, Launcher, ask_to_stop, kill
from gui.models.live import LiveModel
from gui.models.masks import MasksModel
from gui.models.sparsity import SparsityModel
from gui.models.workspace import Problem, WorkspaceModel, problem_of
from gui.views.dialogs import TableDialog, about_text, shortcuts_dialog
from gui.views.form import ConfigForm
from gui.views.live import LiveTab
from gui.views.masks import MasksTab
from gui.views.palette import CommandPalette
from gui.views.problems import NotificationBar, ProblemsView, problem_of_exception
from gui.views.run_table import RunTable
from gui.views.sparsity import SparsityTab
from gui.views.theme import icon, set_theme
from gui.views.welcome import PresetDialog, WelcomePage
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
        self.live, self.sparsity, self.masks = LiveModel(), SparsityModel(), MasksModel()
        self._awaited: list[Launched] = []
        self._ticks = 0
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
        self.notification.asked.connect(self._show_problem)
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
            self._tab.refresh()

    @property
    def _tab(self) -> Any:
        return self.tabs.currentWidget()

    def _show_runs(self) -> None:
        self.pages.setCurrentWidget(self.tabs if self.model.runs else self.welcome)
        self.welcome.set_workspace(self.model.folder)
        self._enable()

    def _show_focus(self) -> None:
        run = self.model.focused
        folder = run.folder if run else None
        self.live.show(folder)
        self.masks.show(folder)
        self.setWindowTitle(
            " - ".join(filter(None, [run and run.folder.name, str(self.model.folder or ""), "tfticket"]))
        )
        self._show_eyes()

    def _show_eyes(self) -> None:
        shown = self.model.shown
        self.sparsity.show(shown, {folder: self.model.colour(folder) for folder in shown})
        self._enable()
        self._refresh_tab()

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

    def _show_problem(self, problem: Problem) -> None:
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

    # Actions: a method for each id

    def do(self, name: str) -> None:
        """Do an action by its id."""
        self._guard(getattr(self, name))

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
        found = self.settings.value("recent", [])
        return [found] if isinstance(found, str) else list(found or [])

    def _show_recent(self) -> None:
        self.recent_menu.clear()
        for folder in self.recent():
            self.recent_menu.addAction(folder, lambda folder=folder: self.open_folder(Path(folder)))
        self.recent_menu.setEnabled(bool(self.recent()))
        self.welcome.set_recent(self.recent())

    def open_workspace(self) -> None:
        """Ask for a folder and open it."""
        if folder := QFileDialog.getExistingDirectory(self, "Open workspace", str(self.model.folder or Path.cwd())):
            self.open_folder(Path(folder))

    def open_yaml(self) -> None:
        """Ask for a YAML file and fill the form from it."""
        if path := QFileDialog.getOpenFileName(self, "Open configuration", "", "YAML (*.yaml *.yml)")[0]:
            self.desk.take_file(Path(path))

    def save_yaml(self) -> None:
        """Ask for a file and write the form to it."""
        self._save("Save configuration", "YAML (*.yaml)", lambda path: path.write_text(self.desk.form.yaml(), "utf-8"))

    def export_figure(self) -> None:
        """Ask for a file and write the tab's figure to it."""
        self._save("Export figure", "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)", self._tab.export_figure)

    def export_csv(self) -> None:
        """Ask for a file and write the tab's numbers to it."""
        if not hasattr(self._tab, "export_csv"):
            raise InputError("This tab has no numbers to export; the tab Sparsity has.")
        self._save("Export CSV", "CSV (*.csv)", self._tab.export_csv)

    def _save(self, title: str, kinds: str, write: Callable[[Path], object]) -> None:
        name = QFileDialog.getSaveFileName(self, title, "", kinds)[0]
        if not name:
            return
        path = Path(name)
        if not path.suffix:
            path = path.with_suffix(kinds[kinds.index("*") + 1 : kinds.index(")")])
        try:
            write(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.") from None
        self.statusBar().showMessage(f"Written: {path}", 5000)

    def copy_figure(self) -> None:
        """Copy the tab's figure as a picture."""
        self._tab.canvas.copy()
        self.statusBar().showMessage("The figure is in the clipboard", 3000)

    def undo(self) -> None:
        """Take back the last change in the form."""
        self.form.undo()

    def redo(self) -> None:
        """Make it again."""
        self.form.redo()

    def find_run(self) -> None:
        """Go to the filter of the runs."""
        self.runs_dock.show()
        self.runs.filter.setFocus()
        self.runs.filter.selectAll()

    def new_run(self) -> None:
        """Choose a preset: to fill the form, or to run as it is."""
        dialog = PresetDialog(can_run=self.model.folder is not None, parent=self)
        if dialog.exec() and dialog.presets.current:
            self.desk.take_preset(dialog.presets.current)
            if dialog.run_now:
                self.start_run()

    def start_run(self) -> None:
        """Start what the form says."""
        assert self.model.folder is not None
        if not self.desk.form.is_valid:
            path, message = next(iter(self.desk.form.errors.items()))
            self.form.go_to(path)
            raise InputError(f"The configuration has an error. {path}: {message}".replace(" : ", " "))
        self._launch(self.desk.form.yaml(), self.desk.needs_trust)

    def _launch(self, text: str, needs_trust: bool) -> None:
        assert self.model.folder is not None
        if needs_trust:
            question = "The network is a .keras file, which can run code when it is loaded. Load it?"
            if QMessageBox.question(self, "Load the network?", question) != QMessageBox.StandardButton.Yes:
                return
        self._awaited.append(self.launcher.start(self.model.folder, text, ["--trust"] * needs_trust))
        self.statusBar().showMessage("Starting: TensorFlow takes some seconds", 10000)

    def stop_run(self) -> None:
        """Ask the run in focus to checkpoint and stop."""
        if run := self.model.focused:
            ask_to_stop(run.folder)
            self.statusBar().showMessage(f"{run.name} stops at its next checkpoint", 5000)

    def resume_run(self) -> None:
        """Go on with the run in focus."""
        if run := self.model.focused:
            values = configuration_of(run.folder)
            needs_trust = str(values.get("model", {}).get("name", "")).endswith(".keras")
            self._launch((run.folder / "config.yaml").read_text(encoding="utf-8"), needs_trust)

    def duplicate_run(self) -> None:
        """Fill the form as the run in focus."""
        if run := self.model.focused:
            self.desk.take_run(run.folder)
            self.config_dock.show()

    def kill_run(self) -> None:
        """End the process of the run in focus at once, if the user is sure."""
        run = self.model.focused
        question = "End its process at once? What it did since its last checkpoint is lost."
        if run and QMessageBox.question(self, f"Kill {run.name}?", question) == QMessageBox.StandardButton.Yes:
            kill(run.folder)

    def show_folder(self) -> None:
        """Open the folder of the run in focus in the file manager."""
        if run := self.model.focused:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.folder)))

    def show_traceback(self) -> None:
        """Show why the run in focus failed."""
        if run := self.model.focused:
            problem = problem_of(run)
            self.problems.add(problem)
            self._show_problem(problem)

    def show_palette(self) -> None:
        """Find an action by typing."""
        palette = CommandPalette(self.model, self)
        if palette.exec() and palette.chosen:
            self.do(palette.chosen)

    def next_tab(self) -> None:
        """Show the tab to the right."""
        self.tabs.setCurrentIndex((self.tabs.currentIndex() + 1) % self.tabs.count())

    def previous_tab(self) -> None:
        """Show the tab to the left."""
        self.tabs.setCurrentIndex((self.tabs.currentIndex() - 1) % self.tabs.count())

    def theme_light(self) -> None:
        """Dark on white."""
        self._set_theme("light")

    def theme_dark(self) -> None:
        """Light on dark."""
        self._set_theme("dark")

    def theme_system(self) -> None:
        """As the desktop has it."""
        self._set_theme("system")

    def _set_theme(self, name: str) -> None:
        self.settings.setValue("theme", name)
        set_theme(name)

    def toggle_eye(self) -> None:
        """Lay the selected runs over the others, or no more if all are."""
        chosen = self.runs.selected() or ([self.model.focused.folder] if self.model.focused else [])
        shown = not all(folder in self.model.eyes for folder in chosen)
        for folder in chosen:
            self.model.set_eye(folder, shown)

    def clear_eyes(self) -> None:
        """Show one run alone."""
        self.model.clear_eyes()

    def show_differences(self) -> None:
        """Show the fields that differ between the selected runs, or those that are overlaid."""
        selected = self.runs.selected()
        folders = selected if len(selected) > 1 else self.model.shown
        found = differences({folder.name: configuration_of(folder) for folder in folders})
        rows = [[field, *said] for field, said in found]
        empty = "Select or overlay two runs or more." if len(folders) < 2 else "No field differs."
        TableDialog("Configuration differences", ["field", *(f.name for f in folders)], rows, empty, self).exec()

    def show_shortcuts(self) -> None:
        """Every action and its keys."""
        shortcuts_dialog(self).exec()

    def show_about(self) -> None:
        """Versions."""
        QMessageBox.about(self, "About tfticket", about_text())

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
