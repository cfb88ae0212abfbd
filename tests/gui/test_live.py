import itertools
import json
import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.models.live import NO_RUN, LiveModel, smoothed
from gui.views.live import LiveTab
from tests.gui.real_run import make_run
from tfticket.runs.progress import Progress, write_progress


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("live"))


@pytest.fixture
def model(run):
    found = LiveModel()
    found.show(run)
    return found


@pytest.fixture
def tab(model, qtbot):
    made = LiveTab(model)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def measure_again(model, iteration=8):
    """Another evaluation of the training that was begun last."""
    training = [one for one in model.trainings if one.label["arm"] == "ticket"][-1]
    path = model.run.parents[1] / "steps" / training.folder / "events.jsonl"
    point = {**training.points[-1], "iteration": iteration}
    with path.open("a") as file:
        file.write(json.dumps(point) + "\n")


def test_curves_follow_one_another_level_by_level(model):
    assert model.message == ""
    assert model.seeds == [0, 1]
    assert (model.seed, model.follows) == (1, True)
    assert model.arms == ["ticket", "reinitialise"]
    assert model.metrics[:2] == ["accuracy", "nll"]
    bands = model.bands
    assert [band.level for band in bands] == [0, 1, 2]
    assert all(before.end == after.begin for before, after in itertools.pairwise(bands))
    ticket, control = model.curves("loss")
    assert ticket.name == "IMP ticket"
    assert np.isnan(ticket.raw).sum() == 2
    assert np.all(np.diff(ticket.x[np.isfinite(ticket.x)]) > 0)
    assert np.nanmin(control.x) > bands[0].end
    assert np.nanmax(control.x) <= bands[-1].end


def test_a_hidden_arm_has_no_curve_and_its_band_stays(model):
    model.set_hidden("ticket", True)
    assert [curve.key for curve in model.curves("loss")] == [("reinitialise", 0)]
    assert len(model.bands) == 3


def test_the_seed_follows_the_training_until_one_is_chosen(model, monkeypatch):
    step = {"kind": "train", "folder": "x", "label": {"arm": "ticket", "seed": 0, "level": 1, "density": 0.5}}
    progress = Progress(trainings=10, done=2, computed=2, step=step, iteration=3, iterations=6, began=0.0, updated=60.0)
    write_progress(model.run, progress)
    monkeypatch.setattr("gui.models.live.state_of", lambda folder, state: "running")
    assert model.poll()
    assert model.seed == 0
    assert model.doing == "seed 0 · ticket · level 1 · iteration 3 of 6"
    assert model.left == "ETA 4:00"
    assert model.fraction == pytest.approx(0.2)
    model.choose_seed(1)
    assert (model.seed, model.follows) == (1, False)
    model.choose_seed(None)
    assert model.seed == 0


def test_smoothing_begins_without_bias_and_leaves_what_is_not_finite():
    values = np.array([4.0, np.nan, 4.0, 8.0])
    found = smoothed(values, 0.5)
    assert found[0] == found[2] == 4.0
    assert np.isnan(found[1])
    assert 4.0 < found[3] < 8.0
    assert smoothed(values, 0.0) is values


def test_new_points_are_told_and_nothing_new_is_not(model):
    told = []
    model.changed.connect(lambda: told.append(1))
    assert not model.poll()
    assert told == []
    before = len(model.curves("loss")[0].x)
    measure_again(model)
    assert model.poll()
    assert told
    assert len(model.curves("loss")[0].x) == before + 1


def test_damaged_and_vanished_folders_become_a_message(model, run):
    (run / "status.json").write_text("{")
    model.poll()
    assert "cannot be read" in model.doing
    shutil.rmtree(run)
    assert model.poll()
    assert "gone" in model.doing
    model.show(run.parent / "never-there-12345678")
    assert "gone" in model.message
    model.show(None)
    assert model.message == NO_RUN


def test_streaming_adds_points_and_keeps_the_artists(tab, model, qtbot):
    lines = dict(tab.plots.lines)
    points = len(lines[0, ("ticket", 0)][1].get_xdata())
    measure_again(model, iteration=6)
    tab.refresh()
    assert tab.plots.lines == lines
    assert len(lines[0, ("ticket", 0)][1].get_xdata()) == points + 1


def test_a_hidden_tab_draws_when_it_is_shown_again(model, qtbot, monkeypatch):
    tab, tabs = LiveTab(model), QStackedWidget()
    qtbot.addWidget(tabs)
    tabs.addWidget(QWidget())
    tabs.addWidget(tab)
    tabs.show()
    updates = []
    monkeypatch.setattr(tab.plots, "update", lambda model: updates.append(model))
    measure_again(model)
    model.poll()
    assert updates == []
    tabs.setCurrentIndex(1)
    assert updates == [model]


def test_controls_change_what_is_shown(tab, model, qtbot):
    tab.smoothing.setValue(60)
    assert model.smoothing == 0.6
    raw, smooth = tab.plots.lines[0, ("ticket", 0)]
    assert len(raw.get_xdata()) == len(smooth.get_xdata()) > 0
    tab.log_loss.setChecked(False)
    assert tab.plots.axes[0].get_yscale() == "linear"
    tab.beside.setCurrentIndex(tab.beside.findData("nll"))
    tab.beside.activated.emit(0)
    assert "NLL" in tab.plots.axes[1].get_ylabel()
    tab.arms.boxes["reinitialise"].setChecked(False)
    assert (0, ("reinitialise", 0)) not in tab.plots.lines
    tab.seed_box.setCurrentIndex(tab.seed_box.findData(0))
    tab.seed_box.activated.emit(0)
    assert tab.plots.axes[0].get_xlabel() == "iterations of seed 0"


def test_the_log_follows_its_end_unless_scrolled_up(tab, model, run):
    tab.log.resize(300, 60)
    assert tab.log.toPlainText().splitlines() == list(model.log)
    bar = tab.log.verticalScrollBar()
    assert bar.value() == bar.maximum()
    bar.setValue(0)
    measure_again(model)
    tab.refresh()
    assert tab.log.toPlainText().splitlines() == list(model.log)
    assert bar.value() == 0


def test_colours_follow_the_theme_and_files_are_written(tab, model, qtbot, tmp_path):
    dark = QPalette(QColor("#303030"))
    dark.setColor(QPalette.ColorRole.Base, QColor("#101010"))
    tab.setPalette(dark)
    assert tab.canvas.theme.dark
    tab.export_figure(tmp_path / "live.png")
    assert (tmp_path / "live.png").stat().st_size > 5000
    assert tab.canvas.theme.dark
    assert tab.plots.lines[0, ("ticket", 0)][1].get_color() == tab.plots.colours["ticket"]


def test_no_run_and_another_run(tab, model, run, qtbot):
    model.show(None)
    assert tab.stack.currentIndex() == 0
    assert tab.message.text() == NO_RUN
    assert tab.log.toPlainText() == ""
    model.show(run)
    assert tab.stack.currentIndex() == 1
    assert tab.plots.lines
    assert tab.bar.value() == 100
    assert tab.doing.text().startswith("done")
    assert tab.log.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse
