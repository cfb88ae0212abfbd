import csv
import io
import json
import shutil
from dataclasses import replace

import pytest
from matplotlib.backend_bases import MouseEvent
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.models.live import LiveModel
from gui.models.sparsity import NO_RUN, WAITING, SparsityModel
from gui.views.figure_theme import readable
from gui.views.sparsity import SparsityTab
from tests.real_run import make_run
from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.reports.rows import rows_of
from tfticket.reports.tables.cells import summarise
from tfticket.runs.run_folder import read_run
from tfticket.runs.step_files import read_result, write_result

REINITIALISED = Arm(control="reinitialise")


@pytest.fixture(scope="module")
def workspace(made, tmp_path_factory):
    """Two runs in one workspace: that with seeds 0 and 1, and one with another batch size."""
    folder = shutil.copytree(made.parents[1], tmp_path_factory.mktemp("sparsity") / "workspace")
    return folder, made, make_run(folder, "train.batch_size=10", "seeds=[0]", "name=other")


@pytest.fixture
def runs(workspace, tmp_path):
    """A copy of them, to be changed."""
    folder, *made = workspace
    shutil.copytree(folder, tmp_path / "workspace")
    return [tmp_path / "workspace" / "runs" / run.name for run in made]


@pytest.fixture
def model(runs):
    found = SparsityModel()
    found.show(runs[:1])
    return found


@pytest.fixture
def tab(model, qtbot):
    made = SparsityTab(model)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_lines_are_the_reports_numbers(model, runs):
    cells = [cell for cell in summarise(rows_of(read_run(runs[0]))) if cell.arm.key == "ticket"]
    model.set_options(split="test")
    line = model.lines("accuracy")[runs[0].name, TICKET]
    assert line.name == "IMP ticket"
    assert line.means == [cell.test["accuracy"].mean for cell in cells]
    assert line.densities == [cell.density for cell in cells]
    assert list(zip(line.lows, line.highs, strict=True)) == [cell.test_range["accuracy"] for cell in cells]
    model.set_options(spread="interval")
    line = model.lines("accuracy")[runs[0].name, TICKET]
    assert line.lows == [cell.test["accuracy"].low for cell in cells]
    assert model.spread_text == "mean and 95 % t interval of 2 seeds"


def test_validation_is_the_default(model, runs):
    rows = [row for row in rows_of(read_run(runs[0])) if (row.arm.key, row.level) == ("ticket", 0)]
    mean = sum(row.validation["accuracy"] for row in rows) / len(rows)
    assert model.lines("accuracy")[runs[0].name, TICKET].means[0] == pytest.approx(mean)
    assert model.dense("accuracy") == pytest.approx(mean)


def test_the_papers_numbers_are_beside_where_network_and_data_match(model):
    (table,) = model.references("accuracy")
    assert table.source == "Bayes always wins the lottery, table 1 (test rows)"
    assert {one.arm.key for one in table.numbers} == {"hmc", "ticket", "svi", "reinitialise"}
    model.set_hidden(REINITIALISED, True)
    assert "reinitialise" not in {one.arm.key for one in model.references("accuracy")[0].numbers}
    assert model.references("mace") == []
    model.set_options(reported=False)
    assert model.references("accuracy") == []


def test_only_what_is_new_is_read(model, runs, monkeypatch):
    assert not model.poll()
    manifest = json.loads((runs[0] / "manifest.json").read_text())
    read = []
    monkeypatch.setattr("tfticket.runs.run_folder.read_result", lambda step: read.append(step) or read_result(step))
    last = next(step for step in reversed(manifest["steps"]) if step["kind"] == "evaluate")
    fewer = [step for step in manifest["steps"] if step is not last]
    (runs[0] / "manifest.json").write_text(json.dumps({"steps": fewer}))
    assert model.poll()
    (runs[0] / "manifest.json").write_text(json.dumps(manifest))
    assert model.poll()
    assert read == []
    assert len(model.rows) == len(rows_of(read_run(runs[0])))


def test_several_runs_have_a_colour_each_and_lines_by_arm(model, runs):
    model.show(runs, {runs[0]: "#112233", runs[1]: "#445566"})
    looks = {key: line.style for key, line in model.lines("accuracy").items()}
    assert model.has_several_runs
    assert {run: look["color"] for (run, _), look in looks.items()} == {
        runs[0].name: "#112233",
        runs[1].name: "#445566",
    }
    for arm in (TICKET, REINITIALISED):
        first, second = (looks[run.name, arm] for run in runs)
        assert (first["ls"], first["marker"]) == (second["ls"], second["marker"])
        assert first["lw"] > second["lw"]  # equal lines do not hide each other
        assert first["zorder"] < second["zorder"]
    assert looks[runs[0].name, TICKET]["ls"] != looks[runs[0].name, REINITIALISED]["ls"]


def test_damaged_and_vanished_folders_are_told_and_the_rest_is_shown(model, runs):
    model.show(runs)
    steps = runs[1].parents[1] / "steps"
    manifest = json.loads((runs[1] / "manifest.json").read_text())
    broken = next(step["folder"] for step in manifest["steps"] if step["kind"] == "evaluate")
    (steps / broken / "result.json").write_text("{")
    fresh = SparsityModel()
    fresh.show(runs)
    assert "1 of its evaluations cannot be read" in fresh.problem
    shutil.rmtree(runs[1])
    assert fresh.poll()
    assert "gone" in fresh.problem
    assert fresh.message == ""
    (runs[0] / "manifest.json").write_text("[]")
    assert fresh.poll()
    assert "cannot be read" in fresh.problem
    fresh.show([])
    assert (fresh.message, fresh.lines("accuracy"), fresh.spread_text) == (NO_RUN, {}, "")


def test_what_could_not_be_read_is_tried_again_later(model, runs, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("gui.models.backoff.time.monotonic", lambda: now[0])
    steps = runs[0].parents[1] / "steps"
    manifest = json.loads((runs[0] / "manifest.json").read_text())
    broken = next(step["folder"] for step in manifest["steps"] if step["kind"] == "evaluate")
    whole = (steps / broken / "result.json").read_text()
    (steps / broken / "result.json").write_text("{")
    fresh = SparsityModel()
    fresh.show(runs[:1])
    (steps / broken / "result.json").write_text(whole)
    assert not fresh.poll()
    now[0] = 2.5
    assert fresh.poll()
    assert fresh.problem == ""
    assert len(fresh.rows) == len(model.rows)


def test_a_run_without_evaluations_says_why(model, runs, monkeypatch):
    (runs[0] / "manifest.json").write_text('{"steps": []}')
    fresh = SparsityModel()
    fresh.show(runs[:1])
    assert "measured nothing" in fresh.message
    monkeypatch.setattr("gui.models.empty_state.state_of", lambda folder, state: "running")
    assert fresh.poll()
    assert fresh.message == WAITING
    monkeypatch.undo()
    status = json.loads((runs[0] / "status.json").read_text())
    (runs[0] / "status.json").write_text(json.dumps(status | {"state": "failed", "message": "boom"}))
    assert fresh.poll()
    live = LiveModel()
    live.show(runs[0])
    assert fresh.message == live.message == "This run failed before it measured anything: boom"


def test_options_of_one_control_are_told_apart_and_keep_their_looks_when_others_are_hidden(model):
    rows = model._read[model.runs[0]].rows
    options = [
        replace(row, arm=Arm(control="random-mask", options=f"0.{n}"))
        for row in rows
        if row.arm.key == "reinitialise"
        for n in range(1, 7)
    ]
    rows += options
    looks = {arm: line.style for (_, arm), line in model.lines("nll").items() if arm.control == "random-mask"}
    for part in ("color", "marker"):
        assert len({look[part] for look in looks.values()}) == 6
    model.set_hidden(Arm(control="random-mask", options="0.1"), True)
    assert {arm: line.style for (_, arm), line in model.lines("nll").items() if arm in looks} == {
        arm: look for arm, look in looks.items() if arm.options != "0.1"
    }
    for background in ("#ffffff", "#202020"):
        assert len({readable(look["color"], background) for look in looks.values()}) == 6


def test_the_plots_show_lines_bands_and_stars(tab, model):
    accuracy, nll = tab.plots.axes
    assert accuracy.get_ylabel().startswith("validation accuracy")
    assert "NLL" in nll.get_ylabel()
    stars = [line for line in accuracy.get_lines() if line.get_marker() == "*"]
    assert [round(line.get_xdata()[0], 6) for line in stars] == [1.0] * 4
    assert all(line.get_markerfacecolor() == "none" for line in stars)
    (legend,) = tab.canvas.figure.legends
    assert "☆ reported: Bayes always wins the lottery, table 1 (test rows)" in legend.get_title().get_text()
    assert [text.get_text() for text in legend.get_texts()] == ["IMP ticket", "re-initialised"]
    assert accuracy.get_xscale() == "log"
    tab.log_axis.setChecked(False)
    assert accuracy.get_xscale() == "linear"
    assert accuracy.get_xlim()[0] > 100 > 0 >= accuracy.get_xlim()[1]


def test_controls_change_what_is_drawn(tab, model):
    tab.split.setCurrentIndex(tab.split.findData("test"))
    tab.split.activated.emit(1)
    assert tab.plots.axes[0].get_ylabel().startswith("test accuracy")
    tab.metric_box.setCurrentIndex(tab.metric_box.findData("mace"))
    tab.metric_box.activated.emit(1)
    assert "MACE" in tab.plots.axes[1].get_ylabel()
    tab.spread.setCurrentIndex(tab.spread.findData("interval"))
    tab.spread.activated.emit(1)
    assert "interval" in tab.canvas.figure.legends[0].get_title().get_text()
    tab.arms.boxes[REINITIALISED].setChecked(False)
    assert list(tab.plots.colours) == [TICKET]
    tab.arms.boxes[TICKET].setChecked(False)
    assert tab.plots.axes[0].get_lines() == []


def test_the_users_view_stays_until_another_run_or_metric_is_shown(tab, model, runs):
    axes = tab.plots.axes[0]
    tab.canvas.draw()

    def zoom():
        MouseEvent("scroll_event", tab.canvas, *axes.transAxes.transform((0.5, 0.5)), step=1)._process()
        return axes.get_xlim(), axes.get_ylim()

    whole = axes.get_xlim(), axes.get_ylim()
    zoomed = zoom()
    assert zoomed != whole
    model.changed.emit()
    tab.resize(800, 500)
    model.set_options(spread="interval")
    model.show(runs)
    assert (axes.get_xlim(), axes.get_ylim()) == zoomed
    model.show(runs[:1])
    tab.canvas.reset_view()
    assert axes.get_xlim() == pytest.approx(whole[0])
    zoom()
    model.show(runs[1:])
    assert not tab.canvas.has_user_view
    zoom()
    model.set_options(metric="mace")
    assert not tab.canvas.has_user_view


def test_names_of_stars_move_and_vanish_with_them(tab):
    axes = tab.plots.axes[0]
    tab.canvas.draw()
    names = [text for text in axes.texts if text.arrow_patch is not None]
    assert len(names) == 4
    before = [text.get_window_extent() for text in names]
    left, right = axes.get_xlim()
    axes.set_xlim(0.7 * left, 0.7 * right)
    after = [text.get_window_extent() for text in names]
    assert all(new.x0 < old.x0 - 10 for old, new in zip(before, after, strict=True))
    assert all(text._check_xy(tab.canvas.get_renderer()) for text in names)
    axes.set_xlim(left, 20 * right)
    assert not any(text._check_xy(tab.canvas.get_renderer()) for text in names)


def test_overlaid_runs_share_a_plot(tab, model, runs):
    model.show(runs)
    legend = [text.get_text() for text in tab.canvas.figure.legends[0].get_texts()]
    assert legend[2:] == ["IMP ticket", "re-initialised"]
    assert [name[:5] for name in legend[:2]] == ["quick", "other"]
    assert all(name.endswith(run.name[-8:]) for name, run in zip(legend, runs, strict=False))
    assert tab.plots.colours == {}
    assert sum(line.get_marker() == "o" for line in tab.plots.axes[0].get_lines()) == 2


def test_a_hidden_tab_draws_when_it_is_shown_again(model, qtbot, monkeypatch):
    tab, tabs = SparsityTab(model), QStackedWidget()
    qtbot.addWidget(tabs)
    tabs.addWidget(QWidget())
    tabs.addWidget(tab)
    tabs.show()
    updates = []
    monkeypatch.setattr(tab.plots, "update", lambda model: updates.append(model))
    model.set_options(metric="mace")
    assert updates == []
    tabs.setCurrentIndex(1)
    assert updates


def test_exports_hold_what_is_shown(tab, model, tmp_path):
    model.set_hidden(REINITIALISED, True)
    tab.export_csv(tmp_path / "shown.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "shown.csv").read_text())))
    assert {row["arm"] for row in rows} == {"ticket"}
    assert len(rows) == 6
    for kind in ("png", "pdf", "svg"):
        tab.export_figure(tmp_path / f"shown.{kind}")
        assert (tmp_path / f"shown.{kind}").stat().st_size > 3000
    with pytest.raises(InputError):
        tab.export_figure(tmp_path / "shown.gif")


def test_dark_lines_can_be_seen_and_no_run_is_a_friendly_text(tab, model, qtbot):
    dark = QPalette(QColor("#303030"))
    dark.setColor(QPalette.ColorRole.Base, QColor("#101010"))
    tab.setPalette(dark)
    assert tab.canvas.theme.dark
    assert tab.plots.axes[0].get_lines()
    model.show([])
    assert tab.stack.currentIndex() == 0
    assert tab.message.text() == NO_RUN
    assert not tab.export.isEnabled()


@pytest.mark.parametrize("size", [(500, 360), (700, 500), (1200, 800)])
def test_no_label_is_cut_off(tab, size):
    tab.resize(*size)
    tab.canvas.draw()
    width, height = tab.canvas.figure.bbox.size
    for axes in tab.plots.axes:
        box = axes.get_tightbbox(tab.canvas.get_renderer())
        assert min(box.x0, box.y0) >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


@pytest.mark.parametrize("size", [(500, 360), (1200, 800)])
def test_the_axis_of_a_single_round_of_pruning_says_both_ends(runs, size, qtbot):
    for path in runs[0].parents[1].glob("steps/evaluate-*/result.json"):
        record = json.loads(path.read_text())
        record["result"]["density"] = 0.631 if record["result"]["level"] else 1.0
        write_result(path.parent, {key: record[key] for key in record if key != "checksum"}, record["files"])
    model = SparsityModel()
    model.set_options(reported=False)
    model.show(runs[:1])
    tab = SparsityTab(model)
    qtbot.addWidget(tab)
    tab.resize(*size)
    tab.show()
    tab.canvas.draw()
    for axes in tab.plots.axes:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["100", "63.1"]
