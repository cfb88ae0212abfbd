"""Commands of the window: one method per id in the table of actions."""

import shutil
from collections.abc import Callable, Mapping
from functools import partialmethod
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMessageBox

from tfticket.config import ExperimentConfig
from tfticket.errors import InputError
from tfticket.runs.run_folder import read_configuration

from ..models.configurations import differences, done_run
from ..models.draft import needs_trust
from ..models.launcher import kill, request_stop, resume_folder_name
from ..models.workspace import Problem, run_problem
from .canvas import FORMATS
from .dialogs import CommandPalette, DifferencesDialog, about_text, confirmed, save_as, shortcuts_dialog
from .main_window import STARTING, MainWindow
from .theme import set_theme
from .welcome import PresetDialog


class Commands:
    """The actions of a window; ``Action.about`` says what each one does."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    def open_workspace(self) -> None:
        current = str(self.window.model.folder or Path.cwd())
        if folder := QFileDialog.getExistingDirectory(self.window, "Open workspace", current):
            self.window.open_folder(Path(folder))

    def open_yaml(self) -> None:
        if path := QFileDialog.getOpenFileName(self.window, "Open configuration", "", "YAML (*.yaml *.yml)")[0]:
            self.window.draft.load_file(Path(path))

    def save_yaml(self) -> None:
        if problem := self.window.draft.form.yaml_problem:
            raise InputError(f"The YAML is invalid and was not saved: {problem}")
        text = self.window.draft.form.yaml()
        self._save("Save configuration", "config", {"yaml": lambda path: path.write_text(text, "utf-8")})

    def export_figure(self) -> None:
        self._save("Export figure", self._export_name(), dict.fromkeys(FORMATS, self.window.tab.export_figure))

    def export_csv(self) -> None:
        self._save("Export CSV", self._export_name(), {"csv": self.window.tab.export_csv})

    def export_all(self) -> None:
        name, run, tab = self._export_name(), self.window.model.focused, self.window.tab
        further = {"csv": tab.export_csv}
        if run is not None:
            further["yaml"] = lambda path: shutil.copyfile(run.folder / "config.yaml", path)
        title = "Export figure, CSV and configuration"
        self._save(title, name, dict.fromkeys(FORMATS, tab.export_figure), further)

    def _export_name(self) -> str:
        """Return the default file name for an export of the tab; refuse a tab without a plot."""
        tabs, run = self.window.tabs, self.window.model.focused
        if self.window.tab.model.message:
            raise InputError(f"There is nothing to export. {self.window.tab.model.message}")
        return "-".join([*([run.folder.name] if run else []), tabs.tabText(tabs.currentIndex()).lower()])

    def _save(self, title: str, name: str, *files: Mapping[str, Callable[[Path], object]]) -> None:
        if written := save_as(self.window, title, name, *files):
            names = ", ".join(path.name for path in written)
            self.window.statusBar().showMessage(f"Saved {names} in {written[0].parent}", 8000)

    def close(self) -> None:
        self.window.close()

    def copy_figure(self) -> None:
        self.window.tab.canvas.copy()
        self.window.statusBar().showMessage("Figure copied to the clipboard", 3000)

    def undo(self) -> None:
        self.window.form.undo()

    def redo(self) -> None:
        self.window.form.redo()

    def find_run(self) -> None:
        self.window.runs_dock.show()
        self.window.runs.filter.setFocus()
        self.window.runs.filter.selectAll()

    def new_run(self) -> None:
        dialog = PresetDialog(can_run=self.window.model.folder is not None, parent=self.window)
        if dialog.exec() and dialog.presets.current:
            if dialog.run_now:
                self.run_preset(dialog.presets.current)
            else:
                self.window.draft.load_preset(dialog.presets.current)

    def run_preset(self, name: str) -> None:
        self.window.draft.load_preset(name)
        self.start_run()

    def start_run(self) -> None:
        model, form = self.window.model, self.window.draft.form
        if not form.is_valid:
            path, message = next(iter(form.errors.items()))
            self.window.form.go_to(path)
            text = f"The configuration has an error. {path}: {message}".replace(" : ", " ")
            self.window.report_problem(Problem(text.splitlines()[0], text), lambda: form.is_valid)
            return
        config = form.config()
        if isinstance(config, ExperimentConfig) and (done := done_run(config, model.runs)):
            model.focus(done.folder)
            self.window.notification.show_message(
                f"Already done: {done.folder.name}. Change a field or the name to run again."
            )
            return
        self._launch(form.yaml(), needs_trust(form.values))

    def _launch(self, text: str, needs_trust: bool, resumes: Path | None = None) -> None:
        assert self.window.model.folder is not None
        if needs_trust:
            question = "The network is a .keras file, which can run code when it is loaded. Load it?"
            if not confirmed(self.window, "Load the network?", question):
                return
        if self.window.launcher.is_running(text):
            raise InputError("Already running. Change a field or the name to start another run.")
        self.window.notification.hide()
        options = ["--trust"] * needs_trust
        self.window.launcher.start(self.window.model.folder, text, options, resumes)
        self.window.statusBar().showMessage(STARTING)

    def stop_run(self) -> None:
        if run := self.window.model.focused:
            request_stop(run.folder)
            self.window.statusBar().showMessage(f"{self.window.model.title(run)} stops at its next checkpoint", 5000)

    def resume_run(self) -> None:
        """Resume the run in focus; ask first if its folder was renamed or copied."""
        run = self.window.model.focused
        if run is None:
            return
        name = resume_folder_name(run)
        question = (
            f"This folder was renamed or copied: {run.folder.name}. A run continues in the folder of its name and "
            f"hash, {name}, and uses the finished steps of the workspace. Continue there?"
        )
        if name != run.folder.name and not confirmed(self.window, "Resume elsewhere?", question):
            return
        text = (run.folder / "config.yaml").read_text(encoding="utf-8")
        self._launch(text, needs_trust(read_configuration(run.folder)), run.folder)

    def duplicate_run(self) -> None:
        """Fill the form from the run in focus and move to the field filter."""
        if run := self.window.model.focused:
            self.window.draft.load_run(run.folder)
            self.window.config_dock.show()
            self.window.form.find_field()

    def kill_run(self) -> None:
        run = self.window.model.focused
        question = "End its process immediately? Work since its last checkpoint is lost."
        if run and confirmed(self.window, f"Kill {self.window.model.title(run)}?", question):
            kill(run.folder)

    def show_folder(self) -> None:
        if run := self.window.model.focused:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.folder)))

    def show_traceback(self) -> None:
        if run := self.window.model.focused:
            self.window.show_problem(run_problem(run, self.window.model.title(run)))

    def show_palette(self) -> None:
        palette = CommandPalette(self.window.model, self.window)
        if palette.exec() and palette.chosen:
            self.window.do(palette.chosen)

    def _turn_tabs(self, step: int) -> None:
        self.window.tabs.setCurrentIndex((self.window.tabs.currentIndex() + step) % self.window.tabs.count())

    next_tab, previous_tab = partialmethod(_turn_tabs, 1), partialmethod(_turn_tabs, -1)

    def _set_theme(self, name: str) -> None:
        self.window.settings.set("theme", name)
        self.window.actions_by_id[f"theme_{name}"].setChecked(True)
        set_theme(name)

    theme_light = partialmethod(_set_theme, "light")
    theme_dark = partialmethod(_set_theme, "dark")
    theme_system = partialmethod(_set_theme, "system")

    def toggle_overlay(self) -> None:
        """Overlay the selected runs, or remove them if all are overlaid."""
        model = self.window.model
        selected = self.window.runs.selected() or ([model.focused.folder] if model.focused else [])
        shown = not all(folder in model.overlaid for folder in selected)
        for folder in selected:
            model.set_overlaid(folder, shown)

    def clear_overlay(self) -> None:
        self.window.model.clear_overlay()

    def show_differences(self) -> None:
        """List the fields in which the selected runs, or the plotted ones, differ."""
        selected = self.window.runs.selected()
        folders = selected if len(selected) > 1 else self.window.model.shown
        rows = differences({folder.name: read_configuration(folder) for folder in folders})
        runs = [(folder.name, self.window.model.colour(folder)) for folder in folders]
        DifferencesDialog(runs, rows, self.window).exec()

    def show_shortcuts(self) -> None:
        shortcuts_dialog(self.window).exec()

    def show_about(self) -> None:
        QMessageBox.about(self.window, "About tfticket", about_text())
