import csv
import io
import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.models.followed import smoothed
from gui.models.live import NO_RUN, WAITING, LiveModel
from gui.models.masks import MasksModel
from gui.views.live import LiveTab
from gui.views.masks import MasksTab
from tfticket.arms import TICKET, Arm
from tfticket.runs.progress import Progress, read_progress, write_progress


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
    """Another evaluation of the ticket's last training, which goes on."""
    training = [one for one in model.trainings if one.label["arm"] == TICKET][-1]
    step = {"kind": "train", "folder": training.folder, "label": training.label}
    write_progress(model.run, replace(read_progress(model.run), step=step))
    path = model.run.parents[1] / "steps" / training.folder / "events.jsonl"
    point = {**training.points[-1], "iteration": iteration}
    with path.open("a") as file:
        file.write(json.dumps(point) + "\n")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model: {name: lenet-5, variational: {prior: 1.0}}\nprune: {score: snr}", "Bayesian, SNR"),
        ("model: {name: lenet-5}\nprune: {score: random}", "ticket by random score"),
        ("model: lenet-5", "IMP ticket"),
        ("- broken", "IMP ticket"),
        (None, "IMP ticket"),
    ],
)
def test_arms_are_called_as_the_runs_report_calls_them(text, name, run, qtbot):
    """Where the configuration does not say how, as those of iterative magnitude pruning are."""
    (run / "config.yaml").unlink() if text is None else (run / "config.yaml").write_text(text)
    live, masks = LiveModel(), MasksModel()
    live.show(run)
    masks.show(run)
    named = {TICKET: name, Arm(control="reinitialise"): "re-initialised"}
    assert live.arm_names == masks.arm_names == named
    assert [curve.name for curve in live.curves("loss")] == list(named.values())
    assert f", {name}, seed 0" in masks.title
    tabs = LiveTab(live), MasksTab(masks)
    for tab in tabs:
        qtbot.addWidget(tab)
        tab.show()
    assert [box.text() for box in tabs[0].arms.boxes.values()] == list(named.values())
    assert [tabs[1].arm.itemText(n) for n in range(2)] == list(named.values())


def test_curves_follow_one_another_level_by_level(model):
    assert model.message == ""
    assert model.seeds == [0, 1]
    assert (model.seed, model.follows_current) == (1, True)
    assert model.arms == [TICKET, Arm(control="reinitialise")]
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


def test_training_time_is_an_x_axis_where_the_diaries_tell_it(model, run):
    assert model.axes == ["iteration", "time"]
    model.set_options(axis="time")
    bands = model.bands
    assert all(before.end == after.begin for before, after in itertools.pairwise(bands))
    ticket = model.curves("loss")[0]
    seconds = [second for one in model.trainings if one.label["seed"] == 1 for second in one.seconds]
    assert np.nanmax(ticket.x) <= bands[-1].end <= sum(seconds)
    assert np.all(np.diff(ticket.x[np.isfinite(ticket.x)]) > 0)
    for diary in (run.parents[1] / "steps").glob("train-*/events.jsonl"):
        lines = diary.read_text().splitlines(keepends=True)
        diary.write_text("".join(line for line in lines if '"begin"' not in line))
    fresh = LiveModel()
    fresh.show(run)
    fresh.set_options(axis="time")
    assert fresh.axes == ["iteration"]
    assert fresh.shown_axis == "iteration"
    assert np.array_equal(fresh.curves("loss")[0].raw, ticket.raw, equal_nan=True)


def test_the_tickets_of_other_runs_are_laid_over(model, run):
    other = shutil.copytree(run, run.with_name("other-12345678"))
    gone = run.with_name("gone-12345678")
    model.choose_seed(0)
    model.show(run, [run, other, gone], {run: "#111111", other: "#222222"})
    assert model.seed == 0  # it is the same run
    assert model.overlaid == [other, gone]
    assert (model.colours[run], model.colours[other]) == ("#111111", "#222222")
    curves = {curve.key: curve for curve in model.curves("loss")}
    assert list(curves) == [("", TICKET, 0), ("", Arm(control="reinitialise"), 0), (other.name, TICKET, 0)]
    assert curves[other.name, TICKET, 0].name == "other-12345678, seed 1"
    model.set_hidden(TICKET, True)
    assert [curve.key[0] for curve in model.curves("loss")] == ["", other.name]
    model.set_hidden(TICKET, False)
    rows = list(csv.DictReader(io.StringIO(model.csv())))
    assert {(row["run"], row["arm"], row["seed"]) for row in rows} == {
        (run.name, "ticket", "0"),
        (run.name, "reinitialise", "0"),
        (other.name, "ticket", "1"),
    }
    assert all(float(row["seconds"]) > 0 and float(row["training_loss"]) > 0 for row in rows)
    model.show(run)
    assert model.overlaid == []
    assert len(model.curves("loss")) == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "boom"), ("stopped", "Resume"), ("running", "process ended"), ("done", "measured nothing")],
)
def test_a_run_that_ended_before_it_measured_anything_says_why(run, state, words):
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"state": state, "message": "boom"}))
    (run / "manifest.json").unlink()
    (run / "progress.json").unlink()
    fresh = LiveModel()
    fresh.show(run)
    assert words in fresh.message
    assert WAITING not in fresh.message


def test_a_hidden_arm_has_no_curve_and_its_band_stays(model):
    model.set_hidden(TICKET, True)
    assert [curve.key for curve in model.curves("loss")] == [("", Arm(control="reinitialise"), 0)]
    assert len(model.bands) == 3


def test_the_seed_follows_the_training_until_one_is_chosen(model, monkeypatch):
    step = {"kind": "train", "folder": "x", "label": {"arm": "ticket", "seed": 0, "level": 1, "density": 0.5}}
    progress = Progress(trainings=10, done=2, computed=2, step=step, iteration=3, iterations=6, began=0.0, updated=60.0)
    write_progress(model.run, progress)
    monkeypatch.setattr("gui.models.followed.state_of", lambda folder, state: "running")
    assert model.poll()
    assert model.seed == 0
    assert model.doing == "seed 0 · ticket · level 1 · iteration 3 of 6"
    model.set_seconds_left(progress.seconds_left)
    assert model.eta == "ETA 4:00"
    assert model.fraction == pytest.approx(0.2)
    model.choose_seed(1)
    assert (model.seed, model.follows_current) == (1, False)
    model.choose_seed(None)
    assert model.seed == 0


def test_chains_that_are_drawn_at_once_are_all_shown(model, monkeypatch):
    label = {"arm": "nuts", "seed": 0, "level": 1, "density": 0.5}
    first, second = ({"kind": "sample", "folder": f"sample-{n}", "label": label | {"chain": n}} for n in range(2))
    write_progress(
        model.run, Progress(trainings=10, step=first, concurrent_steps=[second], iteration=3, iterations=600)
    )
    monkeypatch.setattr("gui.models.followed.state_of", lambda folder, state: "running")
    assert model.poll()
    assert model.doing == "sample · seed 0 · nuts · level 1 · chain 0 · draw 3 of 600 · and 1 more"
    assert [one.label["chain"] for one in model.trainings if one.label["arm"] == Arm("nuts")] == [0, 1]
    (band,) = [band for band in model.bands if band.level == 1]
    assert band.end - band.begin == 600


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
    points = len(lines[0, ("", TICKET, 0)][1].get_xdata())
    measure_again(model, iteration=6)
    tab.refresh()
    assert tab.plots.lines == lines
    assert len(lines[0, ("", TICKET, 0)][1].get_xdata()) == points + 1


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
    raw, smooth = tab.plots.lines[0, ("", TICKET, 0)]
    assert len(raw.get_xdata()) == len(smooth.get_xdata()) > 0
    tab.log_loss.setChecked(False)
    assert tab.plots.axes[0].get_yscale() == "linear"
    tab.metric_box.setCurrentIndex(tab.metric_box.findData("nll"))
    tab.metric_box.activated.emit(0)
    assert "NLL" in tab.plots.axes[1].get_ylabel()
    tab.arms.boxes[Arm(control="reinitialise")].setChecked(False)
    assert (0, ("", Arm(control="reinitialise"), 0)) not in tab.plots.lines
    tab.seed_box.setCurrentIndex(tab.seed_box.findData(0))
    tab.seed_box.activated.emit(0)
    assert tab.plots.axes[0].get_xlabel() == "iterations of seed 0"


def test_the_x_axis_is_chosen_at_once(tab, model):
    assert tab.x_axis.buttons["iteration"].isChecked()
    tab.x_axis.buttons["time"].click()
    assert [button.isChecked() for button in tab.x_axis.buttons.values()] == [False, True]
    for axes in tab.plots.axes:
        assert axes.get_xlabel() == "training time of seed 1 (s)"
        assert axes.get_xlim()[1] == pytest.approx(1.02 * model.bands[-1].end)
    begins = [span.get_x() for span in tab.plots._spans]
    assert begins == pytest.approx([model.bands[1].begin] * 2)


def test_overlaid_runs_have_their_colours_and_thinner_lines(tab, model, run):
    other = shutil.copytree(run, run.with_name("other-12345678"))
    model.show(run, [other], {run: "#AA3377", other: "#228833"})
    mine, theirs = (tab.plots.lines[0, (name, TICKET, 0)][1] for name in ("", other.name))
    assert (mine.get_color().lower(), theirs.get_color().lower()) == ("#aa3377", "#228833")
    assert mine.get_linewidth() > theirs.get_linewidth()
    names = [text.get_text() for text in tab.canvas.figure.legends[0].get_texts()]
    assert names[1] == "re-initialised"
    assert run.name.endswith(names[0][-8:])
    assert names[2].endswith("seed 1")
    model.show(run)
    assert mine.get_linewidth() == 1.8
    assert mine.get_color() == tab.plots.colours[TICKET] != "#aa3377"
    assert [text.get_text() for text in tab.canvas.figure.legends[0].get_texts()] == ["IMP ticket", "re-initialised"]


def test_a_long_run_that_is_laid_over_leaves_the_scale_to_that_in_focus(tab, model, run):
    other = shutil.copytree(run, run.with_name("other-12345678"))
    end = model.bands[-1].end
    first = next(one for one in model.trainings if one.label["seed"] == 1)
    diary = run.parents[1] / "steps" / first.folder / "events.jsonl"
    long = run.parents[1] / "steps" / "train-long"
    shutil.copytree(diary.parent, long)
    (long / "events.jsonl").write_text(diary.read_text().replace('"iteration": 6', '"iteration": 6000'))
    manifest = (other / "manifest.json").read_text().replace(f'"{first.folder}"', '"train-long"')
    (other / "manifest.json").write_text(json.dumps({"steps": json.loads(manifest)["steps"]}))
    model.show(run, [other])
    assert np.nanmax(model.curves("loss")[-1].x) >= 6000
    assert tab.plots.axes[0].get_xlim()[1] == pytest.approx(1.02 * end)
    model.show(other, [run])
    tab.canvas.draw()
    for top in tab.plots.tops:  # its first level is nearly all
        boxes = [label.get_window_extent() for label in top.get_xticklabels()]
        assert len(boxes) < 3
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_the_x_axes_are_one(tab):
    tab.canvas.draw()
    first, second = tab.plots.axes
    MouseEvent("scroll_event", tab.canvas, *first.transAxes.transform((0.5, 0.5)), step=1)._process()
    assert first.get_xlim() == second.get_xlim()
    assert all(axis.xaxis.get_major_formatter()(5000.0) == "5,000" for axis in (first, second))


def test_chains_are_named_and_numbered(model, run):
    manifest = json.loads((run / "manifest.json").read_text())
    for step in manifest["steps"]:
        if step["kind"] == "train" and step["label"]["arm"] == Arm(control="reinitialise").to_label():
            chain = step["label"]["seed"]
            step["label"] |= {"arm": "nuts", "seed": 0, "chain": chain}
            step["kind"] = "sample"
    (run / "manifest.json").write_text(json.dumps({"steps": manifest["steps"]}))
    fresh = LiveModel()
    fresh.show(run)
    fresh.choose_seed(0)
    curves = fresh.curves("loss")[1:]
    assert [curve.name for curve in curves] == ["NUTS, chain 1", "NUTS, chain 2"]
    assert {curve.group_name for curve in curves} == {"NUTS, 2 chains"}
    assert fresh.has_chains
    rows = [row for row in csv.DictReader(io.StringIO(fresh.csv())) if row["arm"] == "nuts"]
    assert {(row["replicate"], row["chain"]) for row in rows} == {("", "0"), ("", "1")}
    assert all(float(row["validation_accuracy"]) >= 0 for row in rows)


@pytest.mark.parametrize("size", [(420, 330), (500, 420), (640, 480), (900, 600), (1400, 900)])
def test_the_legend_is_whole_or_not_there(tab, size, recwarn):
    tab.resize(*size)
    tab.canvas.draw()
    figure = tab.canvas.figure
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x1 <= figure.bbox.width + 1
        assert all(axes.get_tightbbox().y0 >= box.y1 - 1 for axes in tab.plots.axes)
    assert not recwarn.list


def test_a_saved_figure_says_which_run_it_is_of(tab, run, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(
        tab.canvas.figure, "savefig", lambda *_, **__: titles.append(tab.canvas.figure.get_suptitle()) or None
    )
    tab.canvas.copy()
    assert titles == [f"{run.name}, seed 1"]
    assert tab.canvas.figure.get_suptitle() == ""


def test_the_traceback_of_a_failed_run_is_a_click_away(tab, model, run, qtbot):
    assert not tab.traceback_button.isVisible()
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"state": "failed", "message": "boom"}))
    tab.refresh()
    assert tab.traceback_button.isVisible()
    assert tab.doing.text().endswith("trainings: boom")
    with qtbot.waitSignal(tab.action_requested) as told:
        tab.traceback_button.click()
    assert told.args == ["show_traceback"]


def test_numbers_are_written_and_asked_for(tab, model, tmp_path, qtbot):
    tab.export_csv(tmp_path / "live.csv")
    assert len((tmp_path / "live.csv").read_text().splitlines()) == 1 + sum(
        len(one.points) for one in model.trainings if one.label["seed"] == 1
    )
    asked = []
    tab.action_requested.connect(asked.append)
    for action in tab.export.menu().actions():
        action.trigger()
    assert asked == ["export_figure", "export_csv", "export_all"]
    model.show(None)
    assert not tab.export.isEnabled()


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
    assert tab.plots.lines[0, ("", TICKET, 0)][1].get_color() == tab.plots.colours[TICKET]


def test_a_model_that_was_shown_no_run_yet(qtbot):
    tab = LiveTab(LiveModel())
    qtbot.addWidget(tab)
    tab.show()
    assert tab.message.text() == NO_RUN


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
