"""The live tab and its model: curves that follow a run, and why there are none."""

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from gui.models.followed import smoothed
from gui.models.live import NO_RUN, WAITING, LiveModel
from gui.models.masks import MasksModel
from gui.views.live import LiveTab
from tests.made_runs import ITERATIONS, change_json, step_label
from tfticket.arms import TICKET, Arm
from tfticket.runs.progress import Progress, read_progress, write_progress
from tfticket.runs.run_folder import read_steps, write_manifest

REINITIALISED = Arm(control="reinitialise")
MINE = ("", TICKET, 0)


def model_of(run):
    model = LiveModel()
    model.show(run)
    return model


def rows_of(model):
    return list(csv.DictReader(io.StringIO(model.csv())))


@pytest.fixture
def model(run):
    return model_of(run)


@pytest.fixture
def tab(model, show):
    return show(LiveTab(model))


def test_arms_are_called_as_the_runs_report_calls_them(run):
    text = "model: {name: lenet-5, variational: {prior: 1.0}}\nprune: {score: snr}"
    for config, name in ((text, "Bayesian, SNR"), ("- broken", "IMP ticket")):
        (run / "config.yaml").write_text(config)
        live, masks = model_of(run), MasksModel()
        masks.show(run)
        assert live.arm_names == masks.arm_names == {TICKET: name, REINITIALISED: "re-initialised"}
        assert [curve.name for curve in live.curves("loss")] == [name, "re-initialised"]


def test_curves_follow_one_another_level_by_level_over_iterations_or_time(model, run):
    assert (model.message, model.focus.seeds, model.seed, model.follows_current) == ("", [0, 1], 1, True)
    assert (model.focus.arms, model.metrics) == ([TICKET, REINITIALISED], ["accuracy", "nll", "mace"])
    assert model.focus.axes == ["iteration", "time"]
    for axis in model.focus.axes:  # an iteration a second
        model.set_options(axis=axis)
        bands = [(band.level, band.density, band.begin, band.end) for band in model.bands]
        assert bands == [(0, 1.0, 0, 6), (1, 0.5, 6, 12), (2, 0.25, 12, 18)]
        ticket, control = model.curves("loss")
        expected = [level * 6 + iteration for level in range(3) for iteration in ITERATIONS]
        assert ticket.x[np.isfinite(ticket.x)].tolist() == expected
        assert control.x[np.isfinite(control.x)].tolist() == expected[3:]
        assert np.flatnonzero(np.isnan(ticket.raw)).tolist() == [3, 7]
    points = [point["loss"] for step in model.focus.trainings if step.label["arm"] == TICKET for point in step.points]
    assert ticket.raw[np.isfinite(ticket.raw)].tolist() == points[9:]
    for events in (run.parents[1] / "steps").glob("train-*/events.jsonl"):
        lines = events.read_text().splitlines(keepends=True)
        events.write_text("".join(line for line in lines if '"begin"' not in line))
    without_times = model_of(run)
    without_times.set_options(axis="time")
    assert (without_times.focus.axes, without_times.shown_axis) == (["iteration"], "iteration")


def test_tickets_of_other_runs_are_overlaid_in_their_colours_and_arms_hidden(tab, model, run):
    other, gone = shutil.copytree(run, run.with_name("other-12345678")), run.with_name("gone-12345678")
    steps = read_steps(other)
    first = next(step for step in steps if step.kind == "train" and step.label["seed"] == 1)
    long = shutil.copytree(first.path, first.path.with_name("train-long"))
    events = (long / "events.jsonl").read_text()
    (long / "events.jsonl").write_text(events.replace('"iteration": 6', '"iteration": 6000'))
    write_manifest(other, [replace(step, path=long) if step is first else step for step in steps])
    model.choose_seed(0)
    model.show(run, [run, other, gone], {run: "#AA3377", other: "#228833"})
    assert (model.seed, model.overlaid) == (0, [other, gone])
    theirs = (other.name, TICKET, 0)
    curves = {curve.key: curve for curve in model.curves("loss")}
    assert list(curves) == [MINE, ("", REINITIALISED, 0), theirs]
    assert curves[theirs].name == "other-12345678, seed 1"
    assert np.nanmax(curves[theirs].x) >= 6000
    assert tab.plots.axes[0].get_xlim()[1] < 20, "the scale is that of the run in focus"
    assert {(row["run"], row["arm"], row["seed"]) for row in rows_of(model)} == {
        *((run.name, arm, "0") for arm in ("ticket", "reinitialise")),
        (other.name, "ticket", "1"),
    }
    model.set_hidden(TICKET, True)
    assert [curve.key for curve in model.curves("loss")] == [("", REINITIALISED, 0), theirs]
    assert len(model.bands) == 3
    model.show(run)
    assert {float(row["seconds"]) for row in rows_of(model)} == {*ITERATIONS}


def test_a_run_that_ended_before_it_measured_anything_has_the_reason(run):
    for name in ("manifest.json", "progress.json"):
        (run / name).unlink()
    reasons = {"failed": "boom", "stopped": "Resume", "running": "process ended", "done": "measured nothing"}
    for state, words in reasons.items():
        change_json(run / "status.json", state=state, message="boom")
        assert words in model_of(run).message != WAITING


def test_the_seed_and_all_steps_that_are_computed_are_followed_until_a_seed_is_chosen(model, monkeypatch):
    monkeypatch.setattr("gui.models.followed.state_of", lambda folder, state: "running")
    step = {"kind": "train", "folder": "x", "label": step_label(1)}
    progress = Progress(10, 2, 2, step=step, iteration=3, iterations=6, began=0.0, updated=60.0)
    write_progress(model.run, progress)
    assert model.poll()
    assert (model.seed, model.doing) == (0, "seed 0 · ticket · level 1 · iteration 3 of 6")
    model.set_seconds_left(progress.seconds_left)
    assert (model.eta, model.fraction) == ("ETA 4:00", pytest.approx(0.2))
    model.choose_seed(1)
    assert (model.seed, model.follows_current) == (1, False)
    model.choose_seed(None)
    chains = [{"kind": "sample", "folder": f"x-{n}", "label": step_label(1, "nuts", chain=n)} for n in range(2)]
    write_progress(model.run, Progress(10, step=chains[0], concurrent_steps=chains[1:], iteration=3, iterations=600))
    assert model.poll()
    assert model.doing == "sample · seed 0 · nuts · level 1 · chain 0 · draw 3 of 600 · and 1 more"
    assert [step.label["chain"] for step in model.focus.trainings if step.label["arm"] == Arm("nuts")] == [0, 1]
    assert [band.end - band.begin for band in model.bands if band.level == 1] == [600]


def test_chains_are_named_and_numbered(run):
    steps = read_steps(run)
    controls = [step for step in steps if step.label.get("arm") == REINITIALISED]
    chains = [
        replace(step, kind="sample", label=step_label(step.label["level"], "nuts", chain=step.label["seed"]))
        for step in controls
        if step.kind == "train"
    ]
    write_manifest(run, [step for step in steps if step not in controls] + chains)
    model = model_of(run)
    model.choose_seed(0)
    curves = model.curves("loss")[1:]
    assert [curve.name for curve in curves] == ["NUTS, chain 1", "NUTS, chain 2"]
    assert {curve.group_name for curve in curves} == {"NUTS, 2 chains"}
    numbers = {(row["replicate"], row["chain"]) for row in rows_of(model) if row["arm"] == "nuts"}
    assert numbers == {("", "0"), ("", "1")}


def test_smoothing_begins_without_bias_and_leaves_what_is_not_finite():
    values = np.array([4.0, np.nan, 4.0, 8.0])
    average = (0.125 * 4 + 0.25 * 4 + 0.5 * 8) / 0.875
    np.testing.assert_allclose(smoothed(values, 0.5), [4.0, np.nan, 4.0, average])
    assert smoothed(values, 0.0) is values


def test_damaged_and_vanished_folders_become_a_message(model, run):
    (run / "status.json").write_text("{")
    assert model.poll()
    assert "cannot be read" in model.doing
    shutil.rmtree(run)
    assert model.poll()
    assert "gone" in model.doing
    model.show(run.parent / "never-there-12345678")
    assert "gone" in model.message
    model.show(None)
    assert model.message == NO_RUN


def test_new_points_stream_into_the_same_artists_and_the_log(tab, model):
    changes = []
    model.changed.connect(lambda: changes.append(1))
    lines, log = dict(tab.plots.lines), tab.log.toPlainText().splitlines()
    points = len(lines[0, MINE][1].get_xdata())
    assert log == list(model.focus.log)
    tab.refresh()
    assert changes == []
    training = [training for training in model.focus.trainings if training.label["arm"] == TICKET][-1]
    step = {"kind": "train", "folder": training.folder, "label": training.label}
    write_progress(model.run, replace(read_progress(model.run), step=step))
    with (model.run.parents[1] / "steps" / training.folder / "events.jsonl").open("a") as events:
        events.write(json.dumps({**training.points[-1], "iteration": 8}) + "\n")
    tab.refresh()
    assert changes
    assert tab.plots.lines == lines
    assert len(lines[0, MINE][1].get_xdata()) == points + 1
    assert tab.log.toPlainText().splitlines() == list(model.focus.log) != log


def test_controls_change_what_is_shown(tab, model, tmp_path, qtbot):
    tab.smoothing.setValue(60)
    tab.log_loss.setChecked(False)
    tab.arms.boxes[REINITIALISED].setChecked(False)
    tab.x_axis.setCurrentIndex(tab.x_axis.findData("time"))
    tab.x_axis.activated.emit(tab.x_axis.currentIndex())
    for box, data in ((tab.metric_box, "nll"), (tab.seed_box, 0)):
        box.setCurrentIndex(box.findData(data))
        box.activated.emit(0)
    assert (model.smoothing, model.metric, model.seed, model.shown_axis) == (0.6, "nll", 0, "time")
    assert tab.plots.axes[0].get_yscale() == "linear"
    assert {key for _, key in tab.plots.lines} == {MINE}
    tab.export_csv(tmp_path / "live.csv")
    assert len((tmp_path / "live.csv").read_text().splitlines()) == 1 + 3 * len(ITERATIONS)
    change_json(model.run / "status.json", state="failed", message="boom")
    tab.refresh()
    assert "boom" in tab.doing.text()
    with qtbot.waitSignal(tab.action_requested) as requested:
        tab.traceback_button.click()
    assert requested.args == ["show_traceback"]
