"""The window against real runs at the smoke budget. Needs TensorFlow (in the runs' processes)."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox

from gui.models.actions import ACTIONS
from gui.models.launcher import PLACE
from gui.views.dialogs import TableDialog
from gui.views.main_window import MainWindow
from gui.views.run_table import EYE, RUN
from gui.views.welcome import PresetDialog
from tests.gui.test_launcher import wait_for
from tfticket.runs.files import read_json, write_json

MINUTE = 60_000


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def make(settings, qtbot, monkeypatch):
    """Opens windows, and ends whatever they started."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    windows = []

    def make():
        window = MainWindow(settings)
        qtbot.addWidget(window)
        windows.append(window)
        window.show()
        return window

    yield make
    for window in windows:
        for launched in window.launcher._launched:
            if launched.process.poll() is None:
                os.killpg(launched.process.pid, signal.SIGKILL)
                launched.process.wait()
        window.close()
        assert not window.timer.isActive()


@pytest.fixture
def window(make):
    return make()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with a finished run, made by the program; tests copy it."""
    workspace = tmp_path_factory.mktemp("finished") / "workspace"
    options = ["-o", "seeds=[0]", "-o", "train.epochs=5it", "-o", "train.evaluate_every=1it"]
    command = [sys.executable, "-m", "tfticket", "-q", "run", "quickstart-smoke", "-w", str(workspace), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return workspace


@pytest.fixture
def workspace(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "workspace"))


def endless(window):
    """Fill the form with a run that goes on until it is stopped."""
    window.desk.take_preset("quickstart-smoke")
    for field, value in (("seeds", [0]), ("train.epochs", "2000ep"), ("execution.segment_seconds", 0.2)):
        window.desk.form.set(field, value)


def until(qtbot, window, what, timeout=MINUTE):
    """Let the window go on until something is so."""
    qtbot.waitUntil(lambda: bool(what()), timeout=timeout)


def state_of(window):
    return window.model.focused.state if window.model.focused else None


def test_a_preset_is_started_watched_stopped_and_resumed_without_a_terminal(window, qtbot, tmp_path):
    window.open_folder(tmp_path / "new")
    assert window.pages.currentWidget() is window.welcome
    endless(window)
    window.actions_by_id["start_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "running")
    assert window.pages.currentWidget() is window.tabs
    until(qtbot, window, lambda: any(training.points for training in window.live.trainings))
    first = sum(len(training.points) for training in window.live.trainings)
    until(qtbot, window, lambda: sum(len(training.points) for training in window.live.trainings) > first)
    assert not window.actions_by_id["resume_run"].isEnabled()
    window.actions_by_id["stop_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "stopped")
    folder = window.model.focused.folder
    assert window.actions_by_id["resume_run"].isEnabled()
    window.actions_by_id["resume_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "running")
    assert window.model.focused.folder == folder
    window.actions_by_id["kill_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "killed")


def test_a_run_outlives_the_window_and_is_found_again(make, qtbot, tmp_path):
    window = make()
    window.open_folder(tmp_path)
    endless(window)
    window.actions_by_id["start_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "running")
    (launched,) = window.launcher._launched
    window.close()
    assert launched.process.poll() is None
    again = make()
    again.open_folder(tmp_path)
    until(qtbot, again, lambda: state_of(again) == "running")
    again.actions_by_id["stop_run"].trigger()
    until(qtbot, again, lambda: state_of(again) == "stopped")
    launched.process.wait(60)


def test_a_window_that_is_killed_takes_no_run_with_it_and_another_finds_it(make, qtbot, tmp_path):
    code = (
        "import sys; from PySide6.QtWidgets import QApplication; from PySide6.QtCore import QSettings, QTimer\n"
        "from pathlib import Path; from gui.views.main_window import MainWindow\n"
        "app = QApplication([]); window = MainWindow(QSettings(sys.argv[2], QSettings.Format.IniFormat))\n"
        "window.open_folder(Path(sys.argv[1])); window.desk.take_preset('quickstart-smoke')\n"
        "window.desk.form.set('train.epochs', '2000ep'); window.do('start_run')\n"
        "print(window.launcher._launched[0].process.pid, flush=True); app.exec()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "ws"), str(tmp_path / "settings.ini")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as window:
        pid = int(window.stdout.readline())
        wait_for(lambda: list(tmp_path.glob("ws/runs/*/lease.json")))
        window.kill()
    try:
        again = make()
        again.open_folder(tmp_path / "ws")
        until(qtbot, again, lambda: state_of(again) == "running")
        again.actions_by_id["stop_run"].trigger()
        until(qtbot, again, lambda: state_of(again) == "stopped")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def test_a_failing_run_shows_its_traceback_in_one_click(window, qtbot, tmp_path):
    window.open_folder(tmp_path)
    window.desk.take_preset("quickstart-smoke")
    window.desk.form.set("train.optimiser.learning_rate", 1e25)
    window.desk.form.set("train.optimiser.name", "sgd")
    window.desk.form.set("train.optimiser.learning_rate", 1e25)
    window.actions_by_id["start_run"].trigger()
    until(qtbot, window, lambda: window.notification.isVisible())
    assert state_of(window) == "failed"
    qtbot.mouseClick(window.notification.show_button, Qt.MouseButton.LeftButton)
    assert window.problems_dock.isVisible()
    assert "Traceback" in window.problems.details.toPlainText()
    assert "at iteration" in window.notification.text.text()


def test_a_configuration_with_an_error_is_not_started_and_the_field_shown(window, tmp_path):
    window.open_folder(tmp_path)
    window.desk.form.set("prune.levels", "none")
    window.actions_by_id["start_run"].trigger()
    assert window.notification.isVisible()
    assert "prune.levels" in window.notification.text.text()
    assert not (tmp_path / PLACE).exists()


def test_a_finished_run_is_shown_in_every_tab_duplicated_and_compared(window, qtbot, workspace, monkeypatch):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    for _ in range(window.tabs.count()):
        window.actions_by_id["next_tab"].trigger()
        window.tick()
    window.actions_by_id["previous_tab"].trigger()
    window.actions_by_id["duplicate_run"].trigger()
    assert window.desk.form.values["seeds"] == [0]
    assert "quickstart-smoke-" in window.origin.text()
    window.desk.form.set("seeds", [0, 1])
    assert window.desk.form.differing == ["seeds"]
    window.actions_by_id["undo"].trigger()
    assert window.desk.form.differing == []
    shown = []
    monkeypatch.setattr(TableDialog, "exec", lambda dialog: shown.append(dialog.table.rowCount()))
    window.actions_by_id["show_differences"].trigger()
    assert shown == [0]


def test_two_runs_are_overlaid_by_their_eyes(window, qtbot, workspace):
    (run,) = (workspace / "runs").iterdir()
    other = shutil.copytree(run, run.with_name("other-12345678"))
    (other / "config.yaml").write_text((run / "config.yaml").read_text().replace("seeds:", "seeds:", 1))
    window.open_folder(workspace)
    until(qtbot, window, lambda: len(window.model.runs) == 2)
    window.model.focus(run)
    row = window.runs.rows.row_of(other)
    window.runs.rows.setData(window.runs.rows.index(row, EYE), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert window.model.shown == [run, other]
    window.tabs.setCurrentIndex(1)
    window.tick()
    assert window.model.colour(run) != window.model.colour(other)
    window.actions_by_id["clear_eyes"].trigger()
    assert window.model.shown == [run]


def test_figures_numbers_and_configurations_are_written(window, qtbot, workspace, tmp_path, monkeypatch):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    window.tabs.setCurrentIndex(1)
    window.tick()
    for action, name in (("export_figure", "f.png"), ("export_csv", "n.csv"), ("save_yaml", "c")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        window.actions_by_id[action].trigger()
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1 + len(window.sparsity.rows)
    assert "experiment: imp" in (tmp_path / "c.yaml").read_text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "not" / "there.png"), ""))
    window.actions_by_id["export_figure"].trigger()
    assert window.notification.isVisible()


@pytest.mark.parametrize("damage", ["status.json", "config.yaml", "manifest.json"])
def test_a_damaged_run_is_a_row_and_no_dead_window(damage, window, qtbot, workspace):
    (run,) = (workspace / "runs").iterdir()
    (run / damage).write_text("{")
    window.open_folder(workspace)
    until(qtbot, window, lambda: len(window.model.runs) == 1)
    assert window.model.runs[0].state == "damaged"
    for index in range(window.tabs.count()):
        window.tabs.setCurrentIndex(index)
        window.tick()
    assert "A fault of the window" not in window.notification.text.text()


def test_a_run_or_step_that_vanishes_while_it_is_shown_is_no_fault(window, qtbot, workspace):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    shutil.rmtree(workspace / "steps")
    for index in range(window.tabs.count()):
        window.tabs.setCurrentIndex(index)
        window.tick()
    shutil.rmtree(workspace / "runs")
    until(qtbot, window, lambda: not window.model.runs)
    assert window.pages.currentWidget() is window.welcome
    assert "A fault of the window" not in window.notification.text.text()


def test_a_folder_a_run_or_a_configuration_is_dropped(window, workspace, tmp_path):
    (run,) = (workspace / "runs").iterdir()
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\n")
    (tmp_path / "other.txt").touch()

    def drop(path):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        window.dropEvent(
            QDropEvent(
                QPointF(1, 1),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )

    drop(run)
    assert window.model.folder == workspace
    assert window.model.focused.folder == run
    drop(tmp_path / "mine.yaml")
    assert window.desk.form.values["name"] == "mine"
    drop(tmp_path / "other.txt")
    assert "neither a folder nor a YAML file" in window.notification.text.text()
    drop(tmp_path / "empty")


def test_a_fault_of_the_window_is_told(window):
    try:
        raise ValueError("a fault")
    except ValueError as error:
        window._hook = lambda *_: None
        sys.excepthook(type(error), error, error.__traceback__)
    assert "ValueError: a fault" in window.notification.text.text()
    assert "Traceback" in window.problems.details.toPlainText()


def test_geometry_theme_and_workspaces_are_remembered(make, settings, workspace):
    window = make()
    window.open_folder(workspace)
    window.actions_by_id["theme_dark"].trigger()
    window.resize(780, 620)
    window.close()
    again = make()
    assert settings.value("theme") == "dark"
    assert (again.width(), again.height()) == (780, 620)
    assert again.recent() == [str(workspace)]
    assert [again.welcome.recent.item(row).text() for row in range(again.welcome.recent.count())] == [str(workspace)]
    again.actions_by_id["theme_light"].trigger()


def test_closing_asks_while_a_run_of_this_window_goes_on(make, qtbot, tmp_path, monkeypatch):
    window = make()
    window.open_folder(tmp_path)
    endless(window)
    window.actions_by_id["start_run"].trigger()
    asked = []
    monkeypatch.setattr(
        QMessageBox, "question", lambda *words: (asked.append(words[-1]), QMessageBox.StandardButton.No)[1]
    )
    assert not window.close()
    assert asked == ["A run goes on without the window, and will be here when it is opened again. Close it?"]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)


def test_the_preset_dialog_fills_the_form_or_runs_at_once(window, tmp_path, monkeypatch):
    window.open_folder(tmp_path)
    started = []
    monkeypatch.setattr(window.launcher, "start", lambda *words: started.append(words))
    monkeypatch.setattr(window, "await_run", lambda launched: None)

    def choose(dialog):
        dialog.presets.filter.setText("lenet-5 mnist smoke")
        (dialog._run if now else dialog._accept)()
        return QDialog.DialogCode.Accepted

    monkeypatch.setattr(PresetDialog, "exec", choose)
    for now in (False, True):
        window.actions_by_id["new_run"].trigger()
        assert window.desk.form.values["model"]["name"] == "lenet-5"
        assert len(started) == now
    dialog = PresetDialog(can_run=False)
    assert not dialog.run_button.isEnabled()


def test_every_action_has_a_method_and_a_place_in_a_menu(window):
    assert {action.id for action in ACTIONS} == set(window.actions_by_id)
    for action in ACTIONS:
        assert callable(getattr(window.commands, action.id)), action.id
    assert window.actions_by_id["start_run"].shortcut().toString() == "Ctrl+R"


def test_the_keyboard_reaches_the_table_the_form_and_the_plots(window, qtbot, workspace):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    window.activateWindow()
    window.actions_by_id["find_run"].trigger()
    assert QApplication.focusWidget() is window.runs.filter or window.focusWidget() is window.runs.filter
    seen = set()
    for _ in range(200):
        window.focusNextChild()
        widget = window.focusWidget()
        seen.add(widget)
        for name in ("runs_dock", "config_dock"):
            if getattr(window, name).isAncestorOf(widget):
                seen.add(name)
        if window.tabs.isAncestorOf(widget):
            seen.add("tabs")
    assert {"runs_dock", "config_dock", "tabs"} <= seen


def test_a_run_that_restarts_elsewhere_is_followed(window, qtbot, workspace):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    (run,) = (workspace / "runs").iterdir()
    status = read_json(run / "status.json")
    write_json(run / "status.json", status | {"state": "running"})
    until(qtbot, window, lambda: state_of(window) == "killed")
    assert window.runs.proxy.index(0, RUN + 1).data() == "⚡ killed"
    assert json.loads((run / "status.json").read_text())["state"] == "running"


def test_where_nothing_changes_nothing_is_told(window, qtbot, workspace):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    told = []
    window.model.runs_changed.connect(lambda: told.append(1))
    for _ in range(6):
        window.tick()
    assert told == []
