"""The window on workspaces, and with runs of its own. Needs TensorFlow (in the runs' processes)."""

import os
import signal
import sys

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox

from gui.models.actions import ACTIONS
from gui.models.launcher import LAUNCH_FOLDER
from gui.models.workspace import Problem
from gui.views.commands import Commands
from gui.views.dialogs import CommandPalette, DifferencesDialog
from gui.views.main_window import MainWindow
from gui.views.run_rows import OVERLAY
from gui.views.welcome import PresetDialog
from tests.made_runs import change_json
from tests.processes import started, wait_for

YES, NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def make(settings, qtbot, monkeypatch):
    """Opens windows, and ends whatever they started."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: YES)
    windows = []

    def make():
        windows.append(window := MainWindow(settings, Commands))
        qtbot.addWidget(window)
        window.show()
        return window

    yield make
    for window in windows:
        for launched in window.launcher._launched:
            if launched.process.poll() is None:
                os.killpg(launched.process.pid, signal.SIGKILL)
                launched.process.wait()
        window.close()


@pytest.fixture
def window(make):
    return make()


@pytest.fixture
def opened(window, run):
    """A window on the workspace of a finished run, which is in focus."""
    window.open_folder(run.parents[1])
    assert window.model.focused.folder == run
    return window


@pytest.fixture
def launched(window, monkeypatch):
    """The configurations of the runs that the window would start."""
    texts = []
    monkeypatch.setattr(window.launcher, "start", lambda workspace, text, *_: texts.append(text))
    return texts


def until(qtbot, window, state):
    qtbot.waitUntil(lambda: window.model.focused is not None and window.model.focused.state == state)


def answer_files(monkeypatch, path):
    """Let file dialogs be answered with a path."""
    accepted = QDialog.DialogCode.Accepted
    monkeypatch.setattr(QFileDialog, "exec", lambda dialog: dialog.selectFile(str(path)) or accepted)


WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from gui.views.commands import Commands
from gui.views.main_window import MainWindow
app = QApplication([])
window = MainWindow(QSettings(sys.argv[2], QSettings.Format.IniFormat), Commands)
window.open_folder(Path(sys.argv[1]))
window.draft.load_preset("quickstart-smoke")
for field, value in (("seeds", [0]), ("train.epochs", "20000ep"), ("execution.segment_seconds", 0.2)):
    window.draft.form.set(field, value)
window.do("start_run")
app.exec()
"""


def test_a_run_outlives_its_killed_window_and_another_watches_stops_resumes_and_kills_it(make, qtbot, tmp_path):
    workspace = tmp_path / "workspace"
    with started([sys.executable, "-c", WINDOW, workspace, tmp_path / "killed.ini"]):
        wait_for(lambda: list(workspace.glob("runs/*/lease.json")))
    window = make()
    window.open_folder(workspace)
    until(qtbot, window, "running")
    assert "seed 0" in window.model.focused.doing
    counts = []
    for _ in range(2):
        qtbot.waitUntil(lambda: sum(len(training.points) for training in window.live.focus.trainings) > sum(counts))
        counts.append(sum(len(training.points) for training in window.live.focus.trainings))
    assert not window.actions_by_id["resume_run"].isEnabled()
    window.do("stop_run")
    until(qtbot, window, "stopped")
    folder = window.model.focused.folder
    window.do("resume_run")
    until(qtbot, window, "running")
    assert window.model.focused.folder == folder
    window.do("resume_run")  # it is running already
    assert window.notification.isVisible()
    assert window.launcher.running_count == 1
    window.do("kill_run")
    until(qtbot, window, "killed")
    qtbot.waitUntil(lambda: window.launcher.running_count == 0)
    window.tick()
    assert len(list((workspace / LAUNCH_FOLDER).glob("*.yaml"))) == 1, "that of the killed window; it was asked for"


def test_closing_asks_while_a_run_of_this_window_goes_on(window, tmp_path, monkeypatch):
    (tmp_path / "sleeps").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "sleeps").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "sleeps"))
    window.open_folder(tmp_path / "new")
    assert window.pages.currentWidget() is window.welcome
    window.do("start_run")
    with monkeypatch.context() as patch:
        patch.setattr(QMessageBox, "question", lambda *_: NO)
        assert not window.close()


def test_a_failed_run_shows_its_traceback_in_one_click(opened, qtbot, run):
    change_json(run / "status.json", state="failed", message="boom", traceback="Traceback: here", updated=2e9)
    qtbot.waitUntil(opened.notification.isVisible)
    assert "boom" in opened.notification.text.text()
    qtbot.mouseClick(opened.notification.show_button, Qt.MouseButton.LeftButton)
    assert opened.problems_dock.isVisible()
    assert opened.problems.details.toPlainText() == "Traceback: here"


def test_a_configuration_with_an_error_is_not_started_but_reported_until_it_is_mended(window, tmp_path):
    window.open_folder(tmp_path)
    window.draft.form.set("prune.levels", "none")
    window.do("start_run")
    assert "prune.levels" in window.notification.text.text()
    assert not (tmp_path / LAUNCH_FOLDER).exists()
    window.draft.form.set("prune.levels", "3")
    assert not window.notification.isVisible()
    window.report_problem(Problem("something else", ""))
    window.draft.form.set("prune.levels", "4")
    assert window.notification.isVisible()


def test_a_configuration_that_is_done_is_shown_and_not_started(window, launched, runs):
    window.open_folder(runs[0].parents[1])
    window.model.focus(runs[0])
    window.do("duplicate_run")
    window.model.focus(runs[1])
    window.do("start_run")
    assert (launched, window.model.focused.folder) == ([], runs[0])
    assert runs[0].name in window.notification.text.text()
    window.draft.form.set("seeds", "5")
    assert not window.notification.isVisible()
    window.do("start_run")
    assert len(launched) == 1


def test_a_renamed_folder_is_reported_and_resumes_elsewhere_only_if_the_user_is_sure(
    opened, qtbot, run, launched, monkeypatch
):
    best = run.rename(run.with_name("best"))
    qtbot.waitUntil(opened.notification.isVisible)
    assert run.name in opened.notification.text.text()
    change_json(best / "status.json", state="stopped")
    opened.model.focus(best)
    until(qtbot, opened, "stopped")
    for answer in (NO, YES):
        monkeypatch.setattr(QMessageBox, "question", lambda *_, answer=answer: answer)
        opened.do("resume_run")
        assert launched == [(best / "config.yaml").read_text()] * (answer == YES)


def test_a_finished_run_is_shown_in_every_tab_exported_duplicated_and_compared(opened, run, tmp_path, monkeypatch):
    changes = []
    opened.model.runs_changed.connect(lambda: changes.append(1))
    for _ in range(opened.tabs.count()):
        opened.do("next_tab")
        opened.tick()
    opened.do("previous_tab")
    assert changes == []
    opened.tabs.setCurrentIndex(1)
    opened.tick()
    for action, name in (("export_csv", "n.csv"), ("export_all", "all"), ("save_yaml", "c")):
        answer_files(monkeypatch, tmp_path / name)
        opened.do(action)
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1 + len(opened.sparsity.rows)
    assert (tmp_path / "all.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "all.yaml").read_text() == (run / "config.yaml").read_text()
    assert (tmp_path / "all.csv").read_text() == (tmp_path / "n.csv").read_text()
    assert "experiment: imp" in (tmp_path / "c.yaml").read_text()
    answer_files(monkeypatch, tmp_path / "not" / "there.png")
    opened.do("export_figure")
    assert opened.notification.isVisible()
    opened.do("duplicate_run")
    assert run.name in opened.form.origin.text()
    opened.draft.form.set("seeds", [0])
    assert opened.draft.form.differing == ["seeds"]
    opened.do("undo")
    assert opened.draft.form.differing == []


def test_runs_are_overlaid_in_the_table_and_their_differences_copied(window, runs, monkeypatch):
    window.open_folder(runs[0].parents[1])
    window.model.focus(runs[0])
    index = window.runs.rows.index(window.runs.rows.row_of(runs[1]), OVERLAY)
    window.runs.rows.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    for index in range(window.tabs.count()):
        window.tabs.setCurrentIndex(index)
        window.tick()
    assert (window.live.overlaid, window.sparsity.runs) == (runs[1:], runs)
    monkeypatch.setattr(DifferencesDialog, "exec", lambda dialog: dialog.copy())
    window.do("show_differences")
    assert "name\tmade\tother" in QApplication.clipboard().text().splitlines()
    window.do("clear_overlay")
    assert window.model.shown == runs[:1]


def test_a_run_or_a_configuration_is_opened_and_a_fault_reported(window, run, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\n")
    window.open_path(run)
    assert (window.model.folder, window.model.focused.folder) == (run.parents[1], run)
    window.open_path(tmp_path / "mine.yaml")
    assert "mine.yaml" in window.form.origin.text()
    for action, name in (("undo", "quickstart"), ("redo", "mine")):
        window.do(action)
        assert window.draft.form.values["name"] == name
    window.open_path(tmp_path / "other.txt")
    assert "other.txt" in window.notification.text.text()
    try:
        raise ValueError("a fault")
    except ValueError as error:
        window._hook = lambda *_: None
        sys.excepthook(type(error), error, error.__traceback__)
    assert "ValueError: a fault" in window.notification.text.text()
    assert "Traceback" in window.problems.details.toPlainText()


def test_what_lasts_until_the_next_session(make, settings, qtbot, run):
    window = make()
    window.open_folder(run.parents[1])
    window.do("theme_dark")
    window.resize(780, 620)
    window.runs.filter.setText("quick")
    window.tabs.setCurrentIndex(2)
    window.draft.load_preset("quickstart-smoke")
    window.draft.form.set("seeds", "7")
    qtbot.waitUntil(lambda: "[7]" in str(settings.value("draft")))  # written while the window is open: it may be killed
    window.draft.form.set("replicates", "2")
    window.close()
    again = make()
    assert (again.width(), again.welcome.recent.item(0).text()) == (780, str(run.parents[1]))
    assert (again.runs.filter.text(), again.tabs.currentIndex()) == ("quick", 2)
    assert again.draft.form.differing == ["seeds", "replicates"]
    assert "quickstart-smoke" in again.form.origin.text()
    assert [name for name, action in again.actions_by_id.items() if action.isChecked()] == ["theme_dark"]


def test_a_preset_that_is_found_by_typing_fills_the_form(window, launched, qtbot, tmp_path, monkeypatch):
    window.open_folder(tmp_path)

    def choose(dialog):
        dialog.show()
        dialog.presets.filter.setText("lenet-5 mnist smoke")
        qtbot.keyClick(dialog.presets.filter, Qt.Key.Key_Return)
        return dialog.result()

    monkeypatch.setattr(PresetDialog, "exec", choose)
    window.do("new_run")
    assert window.draft.form.values["model"]["name"] == "lenet-5"
    assert launched == []


def test_every_action_has_a_method_and_runs_their_menu_and_the_palette_finds_them(window, qtbot):
    assert {action.id for action in ACTIONS} == set(window.actions_by_id)
    assert all(callable(getattr(window.commands, action.id)) for action in ACTIONS)
    shown = [action for action in window.runs.view.actions() if not action.isSeparator()]
    assert shown == [window.actions_by_id[action.id] for action in ACTIONS if action.for_run]
    palette = CommandPalette(window.model, window)
    palette.show()
    qtbot.keyClicks(palette.text, "theme")
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        qtbot.keyClick(palette.text, key)
    assert palette.chosen == "theme_dark"
