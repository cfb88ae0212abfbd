"""The window against real runs at the smoke budget. Needs TensorFlow (in the runs' processes)."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QScrollBar,
    QToolButton,
    QWidget,
)

from gui.models.actions import ACTIONS
from gui.models.launcher import LAUNCH_FOLDER
from gui.models.preset_list import matching_presets
from gui.models.workspace import Problem
from gui.views.commands import Commands
from gui.views.dialogs import shortcuts_dialog
from gui.views.differences import DifferencesDialog
from gui.views.dock import SYMBOLS
from gui.views.main_window import STARTING, MainWindow
from gui.views.palette import CommandPalette
from gui.views.run_rows import ACCURACY, OVERLAY, RUN
from gui.views.welcome import RUN as PRESET_RUN
from gui.views.welcome import PresetDialog, PresetTree
from tests.processes import DEADLINE, started, wait_for
from tests.real_run import make_run, tfticket
from tfticket.presets import presets
from tfticket.runs.files import read_json, write_json
from tfticket.runs.progress import Progress, write_progress


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def make(settings, qtbot, monkeypatch):
    """Opens windows, and ends whatever they started."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    windows = []

    def make():
        window = MainWindow(settings, Commands)
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
    make_run(workspace, "seeds=[0]", "train.epochs=5it", "train.evaluate_every=1it")
    return workspace


@pytest.fixture
def workspace(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "workspace"))


def endless(window):
    """Fill the form with a run that goes on until it is stopped."""
    window.draft.load_preset("quickstart-smoke")
    for field, value in (("seeds", [0]), ("train.epochs", "20000ep"), ("execution.segment_seconds", 0.2)):
        window.draft.form.set(field, value)


def until(qtbot, window, what):
    """Let the window go on until something is so."""
    qtbot.waitUntil(lambda: bool(what()))


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


@pytest.mark.slow
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
    launched.process.wait(DEADLINE)


def test_a_window_that_is_killed_takes_no_run_with_it_and_another_finds_it(make, qtbot, tmp_path):
    code = (
        "import sys; from PySide6.QtWidgets import QApplication; from PySide6.QtCore import QSettings, QTimer\n"
        "from gui.views.commands import Commands; from gui.views.main_window import MainWindow\n"
        "from pathlib import Path\n"
        "app = QApplication([]); window = MainWindow(QSettings(sys.argv[2], QSettings.Format.IniFormat), Commands)\n"
        "window.open_folder(Path(sys.argv[1])); window.draft.load_preset('quickstart-smoke')\n"
        "window.draft.form.set('train.epochs', '20000ep'); window.do('start_run')\n"
        "app.exec()\n"
    )
    with started([sys.executable, "-c", code, tmp_path / "ws", tmp_path / "settings.ini"]):
        wait_for(lambda: list(tmp_path.glob("ws/runs/*/lease.json")))
    again = make()
    again.open_folder(tmp_path / "ws")
    until(qtbot, again, lambda: state_of(again) == "running")
    again.actions_by_id["stop_run"].trigger()
    until(qtbot, again, lambda: state_of(again) == "stopped")


def test_a_failing_run_shows_its_traceback_in_one_click(window, qtbot, tmp_path):
    window.open_folder(tmp_path)
    window.draft.load_preset("quickstart-smoke")
    window.draft.form.set("train.optimiser.learning_rate", 1e25)
    window.draft.form.set("train.optimiser.name", "sgd")
    window.draft.form.set("train.optimiser.learning_rate", 1e25)
    window.actions_by_id["start_run"].trigger()
    until(qtbot, window, lambda: window.notification.isVisible())
    assert state_of(window) == "failed"
    qtbot.mouseClick(window.notification.show_button, Qt.MouseButton.LeftButton)
    assert window.problems_dock.isVisible()
    assert "Traceback" in window.problems.details.toPlainText()
    assert "at iteration" in window.notification.text.text()


def test_a_configuration_with_an_error_is_not_started_and_the_field_shown(window, tmp_path):
    window.open_folder(tmp_path)
    window.draft.form.set("prune.levels", "none")
    window.actions_by_id["start_run"].trigger()
    assert window.notification.isVisible()
    assert "prune.levels" in window.notification.text.text()
    assert not (tmp_path / LAUNCH_FOLDER).exists()


def test_what_is_told_of_an_error_in_the_form_goes_when_it_is_mended(window, tmp_path):
    window.open_folder(tmp_path)
    window.draft.form.set("prune.levels", "none")
    window.actions_by_id["start_run"].trigger()
    window.draft.form.set("seeds", "7")
    assert window.notification.isVisible()
    window.draft.form.set("prune.levels", "3")
    assert not window.notification.isVisible()
    window.report_problem(Problem("something else", ""))
    window.draft.form.set("prune.levels", "4")
    assert window.notification.isVisible()


def test_a_configuration_that_is_done_is_shown_and_not_started(window, qtbot, workspace, monkeypatch):
    (run,) = (workspace / "runs").iterdir()
    other = shutil.copytree(run, run.with_name("other-12345678"))
    (other / "config.yaml").write_text((run / "config.yaml").read_text().replace("name: quickstart-smoke", "name: o"))
    window.open_folder(workspace)
    until(qtbot, window, lambda: len(window.model.runs) == 2)
    started = []
    monkeypatch.setattr(window.launcher, "start", lambda *words: started.append(words))
    window.model.focus(run)
    window.actions_by_id["duplicate_run"].trigger()
    window.model.focus(other)
    window.actions_by_id["start_run"].trigger()
    assert started == []
    assert window.model.focused.folder == run
    assert window.notification.text.text().startswith(f"Already done: {run.name}.")
    assert not window.notification.show_button.isVisible()
    window.draft.form.set("seeds", "5")
    assert not window.notification.isVisible()
    window.actions_by_id["start_run"].trigger()
    assert len(started) == 1


def test_where_the_folder_in_focus_is_renamed_it_is_told_and_no_other_run_is_shown(window, qtbot, workspace):
    (run,) = (workspace / "runs").iterdir()
    shutil.copytree(run, run.with_name("other-12345678"))
    window.open_folder(workspace)
    until(qtbot, window, lambda: len(window.model.runs) == 2)
    window.model.focus(run)
    run.rename(run.with_name("best"))
    until(qtbot, window, lambda: window.notification.isVisible())
    assert f"The run's folder is gone: {run.name}" in window.notification.text.text()
    for _ in range(4):
        window.tick()
    assert window.model.focused is None
    assert window.pages.currentWidget() is window.tabs
    window.runs.view.selectRow(0)
    assert window.model.focused is not None


def test_the_docks_are_as_wide_again_as_before_the_window_was_narrow(window, qtbot):
    window.resize(1400, 800)
    qtbot.waitUntil(lambda: window.width() == 1400)
    before = window.runs_dock.width()
    window.resize(window.minimumSizeHint().width(), 800)
    qtbot.waitUntil(lambda: window.width() < 1400)
    assert window.runs_dock.width() < before
    window.resize(1400, 800)
    qtbot.waitUntil(lambda: window.width() == 1400)
    qtbot.waitUntil(lambda: window.runs_dock.width() == before)


def test_that_a_run_starts_is_said_until_it_is_seen_or_ended(window, tmp_path, monkeypatch):
    window.open_folder(tmp_path)
    waits = [True]
    monkeypatch.setattr(type(window.launcher), "is_starting", property(lambda _: waits[0]))
    monkeypatch.setattr(window.launcher, "start", lambda *_: None)
    window.actions_by_id["start_run"].trigger()
    for _ in range(4):
        window.tick()
    assert window.statusBar().currentMessage() == STARTING
    waits[0] = False
    for _ in range(2):
        window.tick()
    assert window.statusBar().currentMessage() == ""


def test_the_tab_and_the_status_bar_show_the_same_remaining_time(window, workspace, monkeypatch):
    (run,) = (workspace / "runs").iterdir()
    for module in ("gui.models.followed", "tfticket.runs.index"):
        monkeypatch.setattr(f"{module}.state_of", lambda folder, state: "running")
    window.timer.stop()
    for done in (1, 2, 4):
        write_progress(run, Progress(trainings=10, done=done, computed=done, began=0.0, updated=60.0))
        window.open_folder(workspace) if done == 1 else window.tick()
        assert f"{window.tab.eta.text()}  |  " in window.status.text()
    window.tick()
    assert window.tab.eta.text() == "ETA 1:30"


def test_no_action_writes_into_the_status_bar_and_redo_has_both_keys(window):
    assert {action.statusTip() for action in window.actions_by_id.values()} == {""}
    keys = [key.toString() for key in window.actions_by_id["redo"].shortcuts()]
    assert keys == ["Ctrl+Shift+Z", "Ctrl+Y"]
    assert window.actions_by_id["show_differences"].iconText() == "Differences"


def test_a_traceback_is_shown_from_its_end(window, qtbot):
    window.show_problem(Problem("it failed", "\n".join(f"line {number}" for number in range(300))))
    bar = window.problems.details.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    assert window.problems.details.horizontalScrollBar().value() == 0


def test_a_preset_takes_the_filter_of_the_form_away(window):
    window.form.filter.setText("seeds")
    window.form.only.setChecked(True)
    window.welcome.presets.chosen.emit("quickstart-smoke")
    assert window.form.filter.text() == ""
    assert not window.form.only.isChecked()


def test_the_keyboard_passes_over_the_groups_of_presets(window, qtbot):
    dialog = PresetDialog(True, window)
    dialog.show()
    tree = dialog.presets.tree
    tree.setFocus()
    first = dialog.presets.current
    qtbot.keyClick(tree, Qt.Key.Key_Up)
    assert dialog.presets.current == first
    seen = [first]
    for _ in range(300):
        qtbot.keyClick(tree, Qt.Key.Key_Down)
        if dialog.presets.current == seen[-1]:
            break
        seen.append(dialog.presets.current)
    assert seen == [offer.name for offer in matching_presets("")] or set(seen) == set(presets())
    for key in (Qt.Key.Key_Home, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp, Qt.Key.Key_Left, Qt.Key.Key_End):
        qtbot.keyClick(tree, key)
        assert dialog.presets.current is not None
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert dialog.result() == QDialog.DialogCode.Accepted


@pytest.mark.parametrize("width", [300, 620, 900])
def test_no_presets_name_is_cut(qtbot, width):
    tree = PresetTree(can_run=True)
    qtbot.addWidget(tree)
    tree.resize(width, 400)
    tree.show()
    qtbot.waitExposed(tree)
    inner = tree.tree
    rows = [inner.topLevelItem(place) for place in range(inner.topLevelItemCount())]
    for row in [group.child(place) for group in rows for place in range(group.childCount())]:
        index = inner.indexFromItem(row, 0)
        assert inner.fontMetrics().horizontalAdvance(row.text(0)) < inner.visualRect(index).width()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_buttons_of_a_dock_are_seen(window, theme):
    window.do(f"theme_{theme}")
    background = window.palette().window().color().lightness()
    for name in SYMBOLS:
        button = window.runs_dock.findChild(QAbstractButton, name)
        picture = button.icon().pixmap(64).toImage()
        shown = [picture.pixelColor(x, y) for x in range(0, 64, 2) for y in range(0, 64, 2)]
        assert max(abs(one.lightness() - background) for one in shown if one.alpha() > 200) > 100
    window.do("theme_system")


def test_a_finished_run_is_shown_in_every_tab_duplicated_and_compared(window, qtbot, workspace, monkeypatch):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    for _ in range(window.tabs.count()):
        window.actions_by_id["next_tab"].trigger()
        window.tick()
    window.actions_by_id["previous_tab"].trigger()
    window.actions_by_id["duplicate_run"].trigger()
    assert window.draft.form.values["seeds"] == [0]
    assert "quickstart-smoke-" in window.form.origin.text()
    window.draft.form.set("seeds", [0, 1])
    assert window.draft.form.differing == ["seeds"]
    window.actions_by_id["undo"].trigger()
    assert window.draft.form.differing == []
    shown = []
    monkeypatch.setattr(DifferencesDialog, "exec", lambda dialog: shown.append(dialog.table.rowCount()))
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
    window.runs.rows.setData(
        window.runs.rows.index(row, OVERLAY), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole
    )
    assert window.model.shown == [run, other]
    window.tabs.setCurrentIndex(1)
    window.tick()
    assert window.model.colour(run) != window.model.colour(other)
    window.actions_by_id["clear_overlay"].trigger()
    assert window.model.shown == [run]


def test_figures_numbers_and_configurations_are_written(window, qtbot, workspace, tmp_path, monkeypatch):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    window.tabs.setCurrentIndex(1)
    window.tick()
    accepted = QDialog.DialogCode.Accepted
    actions = (("export_figure", "f.png"), ("export_csv", "n.csv"), ("export_all", "all"), ("save_yaml", "c"))
    for action, name in actions:
        monkeypatch.setattr(
            QFileDialog, "exec", lambda dialog, name=name: dialog.selectFile(str(tmp_path / name)) or accepted
        )
        window.actions_by_id[action].trigger()
    for ending in ("png", "csv", "yaml"):
        assert (tmp_path / f"all.{ending}").stat().st_size > 100
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1 + len(window.sparsity.rows)
    assert "experiment: imp" in (tmp_path / "c.yaml").read_text()
    monkeypatch.setattr(
        QFileDialog, "exec", lambda dialog: dialog.selectFile(str(tmp_path / "not" / "there.png")) or accepted
    )
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
    assert "Error in the window" not in window.notification.text.text()


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
    assert "Error in the window" not in window.notification.text.text()


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
    assert window.draft.form.values["name"] == "mine"
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
    assert again.settings.recent == [str(workspace)]
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
    assert asked == ["A run continues without the window and will be listed when it is opened again. Close it?"]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)


def test_the_preset_dialog_fills_the_form_or_runs_at_once(window, tmp_path, monkeypatch):
    window.open_folder(tmp_path)
    started = []
    monkeypatch.setattr(window.launcher, "start", lambda *words: started.append(words))

    def choose(dialog):
        dialog.presets.filter.setText("lenet-5 mnist smoke")
        (dialog._run if now else dialog._accept)()
        return QDialog.DialogCode.Accepted

    monkeypatch.setattr(PresetDialog, "exec", choose)
    for now in (False, True):
        window.actions_by_id["new_run"].trigger()
        assert window.draft.form.values["model"]["name"] == "lenet-5"
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


def test_the_draft_is_there_again_after_the_window_closed_or_was_killed(make, settings, qtbot):
    window = make()
    window.draft.load_preset("quickstart-smoke")
    window.draft.form.set("seeds", "7")
    until(qtbot, window, lambda: "[7]" in str(settings.value("draft")))  # written while the window is open
    window.draft.form.set("replicates", "2")
    window.close()
    again = make()
    assert again.draft.form.values["seeds"] == [7]
    assert again.draft.form.differing == ["seeds", "replicates"]
    assert again.form.origin.text() == "New run, from the preset quickstart-smoke"


def test_what_fills_the_form_is_taken_back_by_undo(window, tmp_path):
    window.draft.form.set("seeds", "7")
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\n")
    window.open_path(tmp_path / "mine.yaml")
    assert window.form.origin.text() == "New run, from mine.yaml"
    window.actions_by_id["undo"].trigger()
    assert window.draft.form.differing == ["seeds"]
    assert window.form.origin.text() == "New run, from the preset quickstart"
    window.actions_by_id["redo"].trigger()
    assert window.draft.form.values["name"] == "mine"


def test_a_duplicate_with_one_other_field_runs_in_three_clicks(window, qtbot, workspace, monkeypatch):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    window.activateWindow()
    started = []
    monkeypatch.setattr(window.launcher, "start", lambda *words: started.append(words[1]))
    buttons = {button.text(): button for button in window.findChildren(QToolButton)}
    qtbot.mouseClick(buttons["Duplicate"], Qt.MouseButton.LeftButton)
    qtbot.keyClicks(window.focusWidget(), "seeds")
    line = window.form.rows["seeds"].editor.control
    assert line.isVisible()
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
    qtbot.keyClick(line, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(line, "5")
    qtbot.mouseClick(buttons["Run"], Qt.MouseButton.LeftButton)
    (text,) = started
    assert "seeds: [5]" in text


def test_any_preset_runs_in_two_clicks(window, qtbot, tmp_path, monkeypatch):
    window.open_folder(tmp_path)
    started = []
    monkeypatch.setattr(window.launcher, "start", lambda *words: started.append(words[1]))
    name = list(presets())[-1]

    def click(dialog):
        dialog.show()
        (row,) = dialog.presets.tree.findItems(name, Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive, 0)
        dialog.presets.tree.scrollToItem(row)
        place = dialog.presets.tree.visualRect(dialog.presets.tree.indexFromItem(row, PRESET_RUN)).center()
        qtbot.mouseClick(dialog.presets.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
        return dialog.result()

    monkeypatch.setattr(PresetDialog, "exec", click)
    window.actions_by_id["new_run"].trigger()
    assert len(started) == 1
    assert f"name: {name}\n" in started[0]


@pytest.mark.slow
def test_a_run_in_a_renamed_folder_goes_on_elsewhere_only_if_one_is_sure(window, qtbot, workspace, monkeypatch):
    (run,) = (workspace / "runs").iterdir()
    run.rename(run.with_name("best"))
    status = read_json(run.with_name("best") / "status.json")
    write_json(run.with_name("best") / "status.json", status | {"state": "stopped"})
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "stopped")
    asked = []

    def answer(parent, title, question, buttons, default):
        asked.append((question, default))
        return default

    monkeypatch.setattr(QMessageBox, "question", answer)
    window.actions_by_id["resume_run"].trigger()
    ((question, default),) = asked
    assert "renamed or copied: best" in question
    assert "quickstart-smoke-…" in question
    assert default == QMessageBox.StandardButton.No
    assert window.launcher.running_count == 0
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    window.actions_by_id["resume_run"].trigger()
    until(qtbot, window, lambda: window.model.run_at(run))  # by its name and hash, beside the renamed one
    until(qtbot, window, lambda: window.model.run_at(run).state == "done")


@pytest.mark.slow
def test_a_branch_resumes_in_its_own_folder(window, qtbot, workspace):
    (run,) = (workspace / "runs").iterdir()
    tfticket("branch", run.name, "-w", workspace, "-c", "keep-signs", "--levels", "0")
    (branch,) = set((workspace / "runs").iterdir()) - {run}
    write_json(branch / "status.json", read_json(branch / "status.json") | {"state": "stopped"})
    window.open_folder(branch)
    assert state_of(window) == "stopped"
    window.actions_by_id["resume_run"].trigger()
    until(qtbot, window, lambda: state_of(window) == "done")
    assert set((workspace / "runs").iterdir()) == {run, branch}


def test_the_table_the_filter_and_the_tab_are_remembered(make, workspace):
    window = make()
    window.open_folder(workspace)
    window.runs.view.sortByColumn(ACCURACY, Qt.SortOrder.AscendingOrder)
    window.runs.view.horizontalHeader().resizeSection(RUN, 321)
    window.runs.filter.setText("quick")
    window.tabs.setCurrentIndex(2)
    window.close()
    again = make()
    head = again.runs.view.horizontalHeader()
    assert (head.sortIndicatorSection(), head.sortIndicatorOrder()) == (ACCURACY, Qt.SortOrder.AscendingOrder)
    assert head.sectionSize(RUN) == 321
    assert again.runs.filter.text() == "quick"
    assert again.tabs.currentIndex() == 2


def test_the_theme_is_marked_in_its_menu(make, qtbot):
    window = make()
    window.do("theme_dark")  # as from the palette
    marked = [name for name, action in window.actions_by_id.items() if action.isChecked()]
    assert marked == ["theme_dark"]
    window.actions_by_id["theme_light"].trigger()
    assert [name for name, action in window.actions_by_id.items() if action.isChecked()] == ["theme_light"]
    window.do("theme_system")


def test_a_run_has_a_menu_of_the_same_actions(window):
    shown = [action for action in window.runs.view.actions() if not action.isSeparator()]
    assert shown == [window.actions_by_id[action.id] for action in ACTIONS if action.for_run]
    assert {"stop_run", "resume_run", "duplicate_run", "toggle_overlay"} <= {one.id for one in ACTIONS if one.for_run}


def test_the_palette_shows_menus_and_keys_and_is_moved_through_while_one_types(window, qtbot):
    palette = CommandPalette(window.model, window)
    palette.show()
    qtbot.keyClicks(palette.text, "theme")
    rows = [palette.results.topLevelItem(row) for row in range(palette.results.topLevelItemCount())]
    assert [row.text(0) for row in rows] == ["Light theme", "Dark theme", "System's theme"]
    assert {row.text(1) for row in rows} == {"View"}
    qtbot.keyClick(palette.text, Qt.Key.Key_Down)
    qtbot.keyClick(palette.text, Qt.Key.Key_Return)
    assert palette.chosen == "theme_dark"
    palette.text.setText("open configuration")
    assert palette.results.topLevelItem(0).text(2) == "Ctrl+Shift+O"


def test_differences_are_shown_by_run_and_copied(qtbot):
    rows = [("seeds", ["[0]", "[1]"]), ("name", ["a", "b"])]
    dialog = DifferencesDialog([("a-long-name-of-a-run-that-wraps-11111111", "#112233"), ("b", "#445566")], rows)
    qtbot.addWidget(dialog)
    dialog.show()
    head = dialog.table.horizontalHeaderItem(0)
    assert head.text() == "a-long-name-of-a-run-that-\nwraps\n11111111"
    assert head.icon().pixmap(8).toImage().pixelColor(4, 4).name() == "#112233"
    dialog.copy()
    copied = QApplication.clipboard().text()
    assert copied.splitlines()[1:] == ["seeds\t[0]\t[1]", "name\ta\tb"]
    dialog.table.selectColumn(1)
    dialog.copy_selected()
    assert QApplication.clipboard().text() == "[1]\nb"


def test_every_control_of_the_window_and_its_dialogs_has_a_name(window, qtbot, workspace):
    window.open_folder(workspace)
    until(qtbot, window, lambda: state_of(window) == "done")
    window.problems_dock.show()
    dialogs = [CommandPalette(window.model, window), PresetDialog(True, window), shortcuts_dialog(window)]
    dialogs.append(DifferencesDialog([("a-1", "#112233")], [], window))
    for number in range(window.tabs.count()):
        window.tabs.setCurrentIndex(number)
        window.tick()
    parts = [part for top in (window, *dialogs) for part in top.findChildren(QWidget)]
    assert [(part, part.parent()) for part in parts if not _has_name(part)] == []


def _has_name(part):
    """Whether a screen reader can say what it is; parts of Qt's own, and what takes no keyboard, need not."""
    texts, chosen = (QLineEdit, QPlainTextEdit, QAbstractButton), (QComboBox, QAbstractSlider, QAbstractSpinBox)
    parts_of_others = (QComboBox, QAbstractSpinBox, QAbstractItemView)
    above = part.parent()
    while above is not None and not isinstance(above, parts_of_others):
        above = above.parent()
    if not isinstance(part, (*texts, *chosen, QAbstractItemView)) or isinstance(part, QScrollBar) or above is not None:
        return True
    if part.focusPolicy() == Qt.FocusPolicy.NoFocus or part.objectName().startswith("qt_"):
        return True
    return bool(part.accessibleName() or (isinstance(part, QAbstractButton) and part.text()))
