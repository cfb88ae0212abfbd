"""What the window does when an action is chosen: a method for each id in the table of actions."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMessageBox

from tfticket.config import ExperimentConfig
from tfticket.errors import InputError
from tfticket.runs.run_folder import read_configuration
from tfticket.text import plain

from ..models.desk import needs_trust
from ..models.differences import differences
from ..models.done import done_run
from ..models.launcher import ask_to_stop, kill, where_it_goes_on
from ..models.workspace import Problem, problem_of
from .canvas import FORMATS
from .dialogs import about_text, save_as, shortcuts_dialog
from .differences import DifferencesDialog
from .palette import CommandPalette
from .texts import tip
from .theme import set_theme
from .welcome import PresetDialog

if TYPE_CHECKING:
    from .main_window import MainWindow

STARTING = "Starting: TensorFlow takes some seconds"
"""In the status bar, until the run is seen."""


class Commands:
    """The actions of a window."""

    def __init__(self, window: "MainWindow") -> None:
        self.window = window

    def open_workspace(self) -> None:
        """Ask for a folder and open it."""
        there = str(self.window.model.folder or Path.cwd())
        if folder := QFileDialog.getExistingDirectory(self.window, "Open workspace", there):
            self.window.open_folder(Path(folder))

    def open_yaml(self) -> None:
        """Ask for a YAML file and fill the form from it."""
        if path := QFileDialog.getOpenFileName(self.window, "Open configuration", "", "YAML (*.yaml *.yml)")[0]:
            self.window.desk.take_file(Path(path))

    def save_yaml(self) -> None:
        """Ask for a file and write the form to it."""
        if problem := self.window.desk.form.yaml_problem:
            raise InputError(f"The YAML is not understood, so it is not saved: {problem}")
        text = self.window.desk.form.yaml()
        self._save("Save configuration", "config", {"yaml": lambda path: path.write_text(text, "utf-8")})

    def export_figure(self) -> None:
        """Ask for a file and write the tab's figure to it."""
        self._save("Export figure", self._name(), dict.fromkeys(FORMATS, self.window.tab.export_figure))

    def export_csv(self) -> None:
        """Ask for a file and write the tab's numbers to it."""
        self._save("Export CSV", self._name(), {"csv": self.window.tab.export_csv})

    def export_all(self) -> None:
        """Ask for a name and write the tab's figure, its numbers and the configuration of the run in focus."""
        name, run, tab = self._name(), self.window.model.focused, self.window.tab
        beside = {"csv": tab.export_csv}
        if run is not None:
            beside["yaml"] = lambda path: shutil.copyfile(run.folder / "config.yaml", path)
        title = "Export figure, CSV and configuration"
        self._save(title, name, dict.fromkeys(FORMATS, tab.export_figure), beside)

    def _name(self) -> str:
        """What an export of the tab is called; of a tab that shows nothing there is none."""
        tabs, run = self.window.tabs, self.window.model.focused
        if self.window.tab.model.message:
            raise InputError(f"There is nothing to export. {self.window.tab.model.message}")
        return "-".join([*([run.folder.name] if run else []), tabs.tabText(tabs.currentIndex()).lower()])

    def _save(self, title: str, name: str, *files: Mapping[str, Callable[[Path], object]]) -> None:
        if written := save_as(self.window, title, name, *files):
            names = ", ".join(path.name for path in written)
            self.window.statusBar().showMessage(f"Written: {names} in {written[0].parent}", 8000)

    def close(self) -> None:
        """Close the window."""
        self.window.close()

    def copy_figure(self) -> None:
        """Copy the tab's figure as a picture."""
        self.window.tab.canvas.copy()
        self.window.statusBar().showMessage("The figure is in the clipboard", 3000)

    def undo(self) -> None:
        """Take back the last change in the form."""
        self.window.form.undo()

    def redo(self) -> None:
        """Make it again."""
        self.window.form.redo()

    def find_run(self) -> None:
        """Go to the filter of the runs."""
        self.window.runs_dock.show()
        self.window.runs.filter.setFocus()
        self.window.runs.filter.selectAll()

    def new_run(self) -> None:
        """Choose a preset: to fill the form, or to run as it is."""
        dialog = PresetDialog(can_run=self.window.model.folder is not None, parent=self.window)
        if dialog.exec() and dialog.presets.current:
            if dialog.run_now:
                self.run_preset(dialog.presets.current)
            else:
                self.window.desk.take_preset(dialog.presets.current)

    def run_preset(self, name: str) -> None:
        """Fill the form from a preset and start it."""
        self.window.desk.take_preset(name)
        self.start_run()

    def start_run(self) -> None:
        """Start what the form says."""
        model, form = self.window.model, self.window.desk.form
        if not form.is_valid:
            path, message = next(iter(form.errors.items()))
            self.window.form.go_to(path)
            words = f"The configuration has an error. {path}: {message}".replace(" : ", " ")
            self.window.tell(Problem(words.splitlines()[0], words), lambda: form.is_valid)
            return
        config = form.config()
        if isinstance(config, ExperimentConfig) and (done := done_run(config, model.runs)):
            model.focus(done.folder)
            self.window.notification.say(
                f"Already done: {done.folder.name}. Change a field, or its name, to run again."
            )
            return
        self._launch(form.yaml(), self.window.desk.needs_trust)

    def _launch(self, text: str, trusting: bool, resumes: Path | None = None) -> None:
        assert self.window.model.folder is not None
        if trusting:
            question = "The network is a .keras file, which can run code when it is loaded. Load it?"
            if not self._is_sure("Load the network?", question):
                return
        if self.window.launcher.is_running(text):
            raise InputError("This configuration runs already. Change a field, or its name, to run it beside.")
        self.window.notification.hide()
        options = ["--trust"] * trusting
        self.window.launcher.start(self.window.model.folder, text, options, resumes)
        self.window.statusBar().showMessage(STARTING)

    def stop_run(self) -> None:
        """Ask the run in focus to checkpoint and stop."""
        if run := self.window.model.focused:
            ask_to_stop(run.folder)
            self.window.statusBar().showMessage(f"{self.window.model.title(run)} stops at its next checkpoint", 5000)

    def resume_run(self) -> None:
        """Go on with the run in focus; where its folder was renamed or copied, if the user is sure."""
        run = self.window.model.focused
        if run is None:
            return
        there = where_it_goes_on(run)
        question = (
            f"This folder was renamed or copied: {run.folder.name}. A run goes on in the folder of its name and hash, "
            f"{there}; what the workspace has of it is taken over. Go on there?"
        )
        if there != run.folder.name and not self._is_sure("Resume elsewhere?", question):
            return
        trusting = needs_trust(read_configuration(run.folder))
        self._launch((run.folder / "config.yaml").read_text(encoding="utf-8"), trusting, run.folder)

    def duplicate_run(self) -> None:
        """Fill the form as the run in focus; what is typed then finds the field to change."""
        if run := self.window.model.focused:
            self.window.desk.take_run(run.folder)
            self.window.config_dock.show()
            self.window.form.find_field()

    def kill_run(self) -> None:
        """End the process of the run in focus at once, if the user is sure."""
        run = self.window.model.focused
        question = "End its process at once? What it did since its last checkpoint is lost."
        if run and self._is_sure(f"Kill {self.window.model.title(run)}?", question):
            kill(run.folder)

    def _is_sure(self, title: str, question: str) -> bool:
        """Whether the user says yes; Enter alone says no."""
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        return QMessageBox.question(self.window, plain(title), tip(question), yes | no, no) == yes

    def show_folder(self) -> None:
        """Open the folder of the run in focus in the file manager."""
        if run := self.window.model.focused:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.folder)))

    def show_traceback(self) -> None:
        """Show why the run in focus failed."""
        if run := self.window.model.focused:
            self.window.show_problem(problem_of(run, self.window.model.title(run)))

    def show_palette(self) -> None:
        """Find an action by typing."""
        palette = CommandPalette(self.window.model, self.window)
        if palette.exec() and palette.chosen:
            self.window.do(palette.chosen)

    def next_tab(self) -> None:
        """Show the tab to the right."""
        self.window.tabs.setCurrentIndex((self.window.tabs.currentIndex() + 1) % self.window.tabs.count())

    def previous_tab(self) -> None:
        """Show the tab to the left."""
        self.window.tabs.setCurrentIndex((self.window.tabs.currentIndex() - 1) % self.window.tabs.count())

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
        self.window.remembered.keep_theme(name)
        self.window.actions_by_id[f"theme_{name}"].setChecked(True)
        set_theme(name)

    def toggle_eye(self) -> None:
        """Lay the selected runs over the others, or no more if all are."""
        model = self.window.model
        chosen = self.window.runs.selected() or ([model.focused.folder] if model.focused else [])
        shown = not all(folder in model.eyes for folder in chosen)
        for folder in chosen:
            model.set_eye(folder, shown)

    def clear_eyes(self) -> None:
        """Show one run alone."""
        self.window.model.clear_eyes()

    def show_differences(self) -> None:
        """Show the fields that differ between the selected runs, or those that are overlaid."""
        selected = self.window.runs.selected()
        folders = selected if len(selected) > 1 else self.window.model.shown
        found = differences({folder.name: read_configuration(folder) for folder in folders})
        runs = [(folder.name, self.window.model.colour(folder)) for folder in folders]
        DifferencesDialog(runs, found, self.window).exec()

    def show_shortcuts(self) -> None:
        """Every action and its keys."""
        shortcuts_dialog(self.window).exec()

    def show_about(self) -> None:
        """Versions."""
        QMessageBox.about(self.window, "About tfticket", about_text())
