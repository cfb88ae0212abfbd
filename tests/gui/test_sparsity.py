"""The sparsity tab and its model: metrics against weights remaining, as in reports."""

import csv
import io
import shutil

import pytest
from matplotlib.backend_bases import MouseEvent

from gui.models.sparsity import NO_RUN, SparsityModel
from gui.views.sparsity import SparsityTab
from tfticket.arms import TICKET, Arm
from tfticket.reports.rows import rows_of
from tfticket.reports.tables.cells import summarise
from tfticket.runs.run_folder import read_run, read_steps, write_manifest
from tfticket.runs.step_files import read_result

REINITIALISED = Arm(control="reinitialise")


def model_of(*runs):
    model = SparsityModel()
    model.show(runs)
    return model


@pytest.fixture
def model(runs):
    return model_of(runs[0])


@pytest.fixture
def tab(model, show):
    return show(SparsityTab(model))


def test_lines_are_the_reports_numbers_and_the_papers_are_beside(model, runs):
    rows = rows_of(read_run(runs[0]))
    dense = [row.validation["accuracy"] for row in rows if (row.arm, row.level) == (TICKET, 0)]
    assert model.lines("accuracy")[runs[0].name, TICKET].means[0] == pytest.approx(sum(dense) / 2)
    assert model.dense("accuracy") == pytest.approx(sum(dense) / 2)
    cells = [cell for cell in summarise(rows) if cell.arm == TICKET]
    model.set_options(split="test")
    line = model.lines("accuracy")[runs[0].name, TICKET]
    assert line.name == "IMP ticket"
    assert line.means == [cell.test["accuracy"].mean for cell in cells]
    assert line.densities == [cell.density for cell in cells]
    assert list(zip(line.lows, line.highs, strict=True)) == [cell.test_range["accuracy"] for cell in cells]
    model.set_options(spread="interval")
    line = model.lines("accuracy")[runs[0].name, TICKET]
    assert line.lows == [cell.test["accuracy"].low for cell in cells]
    assert line.highs == [cell.test["accuracy"].high for cell in cells]
    ((source, numbers),) = model.references("accuracy").items()
    assert {number.arm.key for number in numbers} == {"hmc", "ticket", "svi", "reinitialise"}
    model.set_hidden(REINITIALISED, True)
    assert "reinitialise" not in {number.arm.key for number in model.references("accuracy")[source]}
    assert model.references("mace") == {}
    model.set_options(reported=False)
    assert model.references("accuracy") == {}


def test_only_what_is_new_is_read(model, runs, monkeypatch):
    assert not model.poll()
    steps, read = read_steps(runs[0]), []
    monkeypatch.setattr("tfticket.runs.run_folder.read_result", lambda step: read.append(step) or read_result(step))
    for listed in (steps[:-1], steps):
        write_manifest(runs[0], listed)
        assert model.poll()
    assert read == []
    assert len(model.rows) == len(rows_of(read_run(runs[0])))


def test_several_runs_have_a_colour_each_and_lines_by_arm(tab, model, runs):
    model.show(runs, colours := {runs[0]: "#112233", runs[1]: "#445566"})
    styles = {key: line.style for key, line in model.lines("accuracy").items()}
    assert {(run, style["color"]) for (run, _), style in styles.items()} == {(r.name, c) for r, c in colours.items()}
    for arm in (TICKET, REINITIALISED):
        first, second = (styles[run.name, arm] for run in runs)
        assert (first["ls"], first["marker"]) == (second["ls"], second["marker"])
        assert first["lw"] > second["lw"]  # equal lines do not hide each other
    assert styles[runs[0].name, TICKET]["ls"] != styles[runs[0].name, REINITIALISED]["ls"]
    legend = [text.get_text() for text in tab.canvas.figure.legends[0].get_texts()]
    assert legend[2:] == ["IMP ticket", "re-initialised"]
    assert all(name.endswith(run.name[-8:]) for name, run in zip(legend, runs, strict=False))


def test_damage_is_a_problem_the_rest_is_shown_and_tried_again_later(model, runs, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("gui.models.reading.time.monotonic", lambda: now[0])
    result = read_run(runs[1]).steps("evaluate")[0].path / "result.json"
    whole = result.read_text()
    result.write_text("{")
    fresh = model_of(*runs)
    assert "1 of its evaluations" in fresh.problem
    result.write_text(whole)
    assert not fresh.poll()
    now[0] = 2.5
    assert fresh.poll()
    assert fresh.problem == ""
    assert len(fresh.rows) == 2 * len(model.rows)
    shutil.rmtree(runs[1])
    assert fresh.poll()
    assert ("gone" in fresh.problem, fresh.message) == (True, "")
    write_manifest(runs[0], [])
    assert "measured nothing" in model_of(runs[0]).message
    (runs[0] / "manifest.json").write_text("[]")
    assert fresh.poll()
    assert "cannot be read" in fresh.problem
    fresh.show([])
    assert (fresh.message, fresh.lines("accuracy"), fresh.spread_text) == (NO_RUN, {}, "")


def test_the_plots_show_lines_and_the_papers_numbers_as_controls_have_it(tab, model, tmp_path):
    accuracy, nll = tab.plots.axes
    stars = [line for line in accuracy.get_lines() if line.get_marker() == "*"]
    assert [round(line.get_xdata()[0], 6) for line in stars] == [1.0] * 4
    assert accuracy.get_xscale() == "log"
    tab.log_axis.setChecked(False)
    assert accuracy.get_xscale() == "linear"
    assert accuracy.get_xlim()[0] > 100 > 0 >= accuracy.get_xlim()[1]
    for box, data in ((tab.split, "test"), (tab.metric_box, "mace"), (tab.spread, "interval")):
        box.setCurrentIndex(box.findData(data))
        box.activated.emit(1)
    assert accuracy.get_ylabel().startswith("test accuracy")
    assert ("MACE" in nll.get_ylabel(), model.spread) == (True, "interval")
    tab.arms.boxes[REINITIALISED].setChecked(False)
    tab.export_csv(tmp_path / "shown.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "shown.csv").read_text())))
    assert [row["arm"] for row in rows] == ["ticket"] * 6
    tab.arms.boxes[TICKET].setChecked(False)
    assert accuracy.get_lines() == []


def test_the_users_view_stays_until_another_run_or_metric_is_shown(tab, model, runs):
    axes = tab.plots.axes[0]
    tab.canvas.draw()
    for change, stays in (
        (lambda: model.set_options(spread="interval"), True),
        (lambda: model.show(runs[1:]), False),
        (lambda: model.set_options(metric="mace"), False),
    ):
        MouseEvent("scroll_event", tab.canvas, *axes.transAxes.transform((0.5, 0.5)), step=1)._process()
        zoomed = axes.get_xlim(), axes.get_ylim()
        change()
        assert tab.canvas.has_user_view == stays == ((axes.get_xlim(), axes.get_ylim()) == zoomed)
