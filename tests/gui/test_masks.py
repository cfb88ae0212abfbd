import csv
import io
import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backend_bases import MouseEvent
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.models.mask_pictures import draw_mask
from gui.models.masks import NO_RUN, WAITING, MasksModel
from gui.models.ticket_list import read_tickets
from gui.views.masks import MasksTab
from tests.real_run import make_run
from tfticket.arms import TICKET, Arm
from tfticket.inspection.pictures import LARGEST
from tfticket.runs.artefacts import load_tensors


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("masks"), "model.name=lenet-5", "train.epochs=2it")


@pytest.fixture
def model(run):
    found = MasksModel()
    found.show(run)
    return found


@pytest.fixture
def tab(model, qtbot):
    made = MasksTab(model)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_networks_of_monte_carlo_tickets_are_no_tickets_of_the_run(tmp_path):
    """Where tickets are rewound later, these have a level as the run's own tickets have."""
    steps = []
    for whose in ({"seed": 0}, {"seed": 0, "arm": "monte-carlo dense", "replicate": 0}):
        for level, kind in enumerate(("start", "prune")):
            folder = tmp_path / "steps" / f"{kind}-{len(steps)}"
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(json.dumps({"result": {"level": level, "density": 1.0}}))
            steps.append({"kind": kind, "folder": folder.name, "fingerprint": folder.name, "label": whose})
    run = tmp_path / "runs" / "a-1"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"steps": steps}))
    found, damaged = read_tickets(run, {})
    assert [(one.group, one.level) for one in found.values()] == [((TICKET, 0, 0), 0), ((TICKET, 0, 0), 1)]
    assert damaged == 0


def mask_of(ticket, layer):
    tensors, _ = load_tensors(ticket.folder / "ticket.safetensors", "ticket")
    return tensors[f"mask/{layer}"]


def test_tickets_are_told_by_arm_seed_and_level(model):
    assert model.message == model.problem == ""
    assert model.groups == [(arm, seed, 0) for arm in (TICKET, Arm(control="reinitialise")) for seed in (0, 1)]
    assert [one.level for one in model.levels] == [0, 1, 2]
    assert model.ticket.level == 2
    assert [layer.split("/")[0][:4] for layer in model.layers] == ["conv", "conv", "dens", "dens"]


def test_numbers_are_those_of_the_whole_ticket(model):
    for _ in model.layers:
        kept, numbers = mask_of(model.ticket, model.layer), dict(model.numbers())
        before = mask_of(model.before, model.layer)
        assert numbers["survivors"] == f"{kept.sum():,}"
        assert numbers["shape"] == " x ".join(map(str, kept.shape))
        assert numbers["just pruned"] == f"{(before & ~kept).sum():,}"
        unfed = int((~kept.reshape(-1, kept.shape[-1]).any(axis=0)).sum())
        assert numbers["units without inputs"] == f"{unfed:,} of {kept.shape[-1]:,}"
        model.step(layers=1)


def test_pictures_and_differences_count_every_weight(model):
    model.set_options(difference=True)
    picture = model.picture()
    kept, before = mask_of(model.ticket, model.layer), mask_of(model.before, model.layer)
    assert np.nansum(picture.kept) == kept.sum()
    assert np.nansum(picture.lost) == (before & ~kept).sum()
    model.choose_level(0)
    assert model.before is None
    assert model.picture().lost is None
    assert np.nansum(model.picture().kept) == kept.size


def test_steps_stop_at_the_ends_and_a_control_has_no_level_before(model):
    model.step(levels=5)
    assert model.ticket.level == 2
    model.step(levels=-1, layers=-3)
    assert (model.ticket.level, model.layer) == (1, model.layers[0])
    model.step(levels=-7, layers=9)
    assert (model.ticket.level, model.layer) == (0, model.layers[-1])
    model.choose_group((Arm(control="reinitialise"), 1, 0))
    assert model.ticket.arm.key == "reinitialise"
    assert model.before is None


def test_only_one_layer_is_read(model, monkeypatch):
    names = []

    def read(path, kind, wanted=None):
        names.append(wanted)
        return load_tensors(path, kind, wanted)

    monkeypatch.setattr("gui.models.masks.load_tensors", read)
    model.choose_level(1)
    model.picture()
    assert names == [(), (f"mask/{model.layer}",)]
    model.picture()
    assert len(names) == 2


def test_the_first_layer_is_shown_as_receptive_fields(model):
    assert model.has_fields
    model.set_options(fields=True)
    picture = model.picture()
    kept = mask_of(model.ticket, model.layer)
    assert picture.square
    assert np.nansum(picture.kept) == kept.sum()
    model.step(layers=1)
    assert not model.has_fields
    assert model.picture() is not None


@given(st.tuples(*[st.integers(1, 5)] * 2, *[st.integers(1, 60)] * 2), st.floats(0, 1))
def test_any_convolution_has_a_picture_of_its_density(shape, density):
    kept = np.random.default_rng(0).random(shape) < density
    picture = draw_mask(kept, kept, None)
    assert max(picture.kept.shape) <= LARGEST
    assert np.nanmean(picture.kept) == pytest.approx(kept.mean(), abs=1e-9)
    assert picture.kept.shape == picture.lost.shape


@pytest.mark.parametrize("shape", [(3, 3, 512, 512), (1, 1, 600, 500), (3072, 300), (5, 7)])
def test_large_masks_are_local_densities(shape):
    kept = np.random.default_rng(0).random(shape) < 0.3
    picture = draw_mask(kept, None, (8, 8, 3))
    assert max(picture.kept.shape) <= LARGEST
    assert (picture.weights_per_cell > 1) == (max(shape) > LARGEST)
    assert picture.kept.mean() == pytest.approx(kept.mean(), abs=0.02)


@pytest.mark.parametrize("shape", [(784, 300), (3, 3, 512, 256), (300, 10)])
@pytest.mark.parametrize("pixels", [(300, 400), (90, 2000), (10, 10)])
def test_a_single_survivor_can_be_seen_however_small_the_picture_is(shape, pixels):
    kept = np.zeros(shape, bool)
    kept[..., 2, 3] = True
    kept[..., -1, :] = True
    picture = draw_mask(kept, None, None, pixels)
    rows, columns = picture.kept.shape
    assert (rows, columns) <= (pixels[0] / 3, pixels[1] / 3) or picture.weights_per_cell == 1
    found = picture.strengths[picture.strengths > 0]
    assert len(found) > columns - 1
    assert found.min() >= (picture.faintest if shape[:2] != (3, 3) else 0.08)
    assert found.max() <= 1.0


@pytest.mark.parametrize("pixels", [(100, 120), (300, 400), (600, 800)])
@pytest.mark.parametrize("density", [0.0996, 0.3, 0.8])
def test_a_mask_looks_about_as_dense_as_it_is(pixels, density):
    kept = np.random.default_rng(0).random((784, 300)) < density
    picture = draw_mask(kept, None, None, pixels)
    assert picture.weights_per_cell > 1
    assert density <= picture.strengths.mean() <= density + 0.1
    order = np.argsort(picture.kept, axis=None)
    assert np.all(np.diff(picture.strengths.ravel()[order]) >= 0)


@pytest.mark.parametrize("shape", [(5, 5, 1, 20), (3, 3, 3, 64), (5, 5, 20, 1), (3, 3, 2, 7), (7, 7, 1, 1)])
def test_kernels_are_square_tiles_in_a_grid(shape):
    kept = np.random.default_rng(0).random(shape) < 0.5
    picture = draw_mask(kept, kept, None, (500, 600))
    rows, columns = picture.kept.shape
    assert picture.square
    assert picture.weights_per_cell == 1
    assert max(rows, columns) <= 4 * min(rows, columns)
    assert np.nansum(picture.kept) == np.nansum(picture.lost) == kept.sum()
    assert np.isfinite(picture.kept).sum() == kept.size
    assert np.array_equal(picture.kept[: shape[0], : shape[1]], kept[:, :, 0, 0])
    if shape[2:] == (1, 20):
        assert picture.kept.shape in [(23, 29), (29, 23)]
        assert "per row" in picture.columns


@pytest.mark.parametrize("pixels", [(250, 250), (400, 330), (700, 900)])
def test_no_point_lies_between_the_tiles_of_receptive_fields(pixels):
    kept = np.random.default_rng(0).random((784, 100)) < 0.2
    picture = draw_mask(kept, None, (28, 28, 1), pixels)
    between = np.isnan(picture.kept)
    rows, columns = (np.flatnonzero(between.all(axis=axis)) for axis in (1, 0))
    side = rows[0]
    assert np.all(np.diff(rows) == side + 1)
    assert np.all(np.diff(columns) == side + 1)
    first, block = kept[:, 0].reshape(28, 28), -(-28 // side)
    assert picture.kept[0, 0] == pytest.approx(first[:block, :block].mean())
    assert picture.kept[0, side - 1] == pytest.approx(first[:block, block * (side - 1) :].mean())


def test_tiles_of_many_units_are_coarser_in_fewer_pixels():
    kept = np.zeros((784, 300), bool)
    kept[400, ::2] = True
    whole, small = (draw_mask(kept, kept, (28, 28, 1), pixels) for pixels in ((1500, 1500), (400, 400)))
    assert (whole.weights_per_cell, whole.kept.shape) == (1, (18 * 29 - 1 - 29, 18 * 29 - 1))
    assert small.weights_per_cell > 1
    assert max(small.kept.shape) <= 200
    for picture in (whole, small):
        assert np.count_nonzero(np.nan_to_num(picture.strengths)) == 150


def test_dense_units_that_see_an_image_are_tiles():
    kept = np.random.default_rng(0).random((28 * 28, 10)) < 0.1
    picture = draw_mask(kept, None, (28, 28, 1))
    assert np.nansum(picture.kept) == kept.sum()
    assert np.array_equal(picture.kept[:28, :28], kept[:, 0].reshape(28, 28))


def test_a_ticket_just_pruned_is_there_before_its_training(model, run, monkeypatch):
    manifest = json.loads((run / "manifest.json").read_text())
    upto = next(number for number, step in enumerate(manifest["steps"]) if step["kind"] == "prune")
    (run / "manifest.json").write_text(json.dumps({"steps": manifest["steps"][: upto + 1]}))
    assert model.poll()
    assert [one.level for one in model.levels] == [0, 1]
    assert not model.poll()
    (run / "manifest.json").unlink()
    monkeypatch.setattr("gui.models.empty_state.state_of", lambda folder, state: "running")
    assert model.poll()
    assert model.message == WAITING


def test_a_step_that_could_not_be_read_is_tried_again_later(model, run, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("gui.models.backoff.time.monotonic", lambda: now[0])
    (start, *_) = (run.parents[1] / "steps").glob("start-*/result.json")
    whole = start.read_text()
    start.write_text("{")
    fresh = MasksModel()
    fresh.show(run)
    assert fresh.problem == "1 of its steps cannot be read."
    start.write_text(whole)
    assert not fresh.poll()
    now[0] = 2.5
    assert fresh.poll()
    assert fresh.problem == ""


def test_a_failed_run_without_tickets_says_why(run):
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(status | {"state": "failed", "message": "boom"}))
    (run / "manifest.json").unlink()
    fresh = MasksModel()
    fresh.show(run)
    assert fresh.message == "This run failed before it measured anything: boom"
    (run / "status.json").write_text("{")
    assert fresh.poll()
    assert "cannot be read" in fresh.message


def test_the_numbers_of_every_layer_and_level_are_written(model):
    rows = list(csv.DictReader(io.StringIO(model.csv())))
    assert len(rows) == 3 * len(model.layers)
    for row in rows[-len(model.layers) :]:
        kept = mask_of(model.ticket, row["layer"])
        assert int(row["survivors"]) == kept.sum()
        assert float(row["density"]) == kept.mean()
        assert int(row["just pruned"]) == (mask_of(model.before, row["layer"]) & ~kept).sum()
    assert {row["just pruned"] for row in rows[: len(model.layers)]} == {""}
    assert [row["level"] for row in rows[:: len(model.layers)]] == ["0", "1", "2"]
    model.choose_group((Arm(control="reinitialise"), 1, 0))
    assert {row["just pruned"] for row in csv.DictReader(io.StringIO(model.csv()))} == {""}


def test_damaged_and_vanished_folders_are_told(model, run):
    file = model.ticket.folder / "ticket.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    fresh = MasksModel()
    fresh.show(run)
    assert fresh.picture() is None
    assert "cannot be read" in fresh.problem
    assert fresh.numbers() == []
    fresh.choose_level(1)
    assert fresh.picture() is not None
    assert fresh.problem == ""
    shutil.rmtree(run.parents[1])
    assert fresh.poll()
    assert "gone" in fresh.problem
    fresh.choose_level(0)
    fresh.picture()
    fresh.show(None)
    assert fresh.message == NO_RUN


def test_arrow_keys_scrub_through_levels_and_layers(tab, model, qtbot):
    assert tab.slider.value() == 2
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Down):
        qtbot.keyClick(tab.canvas, key)
    assert (model.ticket.level, model.layer) == (1, model.layers[1])
    assert (tab.slider.value(), tab.layer.currentIndex()) == (1, 1)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
        qtbot.keyClick(tab.slider, key)
    assert (model.ticket.level, model.layer) == (2, model.layers[0])
    assert "level 2" in tab.axes.get_title(loc="left")


def test_arrow_keys_work_at_once_and_from_every_control(tab, model, qtbot):
    assert tab.focusWidget() is tab.canvas
    for control in (tab.fields, tab.difference, tab.layer, tab.arm):
        qtbot.keyClick(control, Qt.Key.Key_Left)
        assert model.ticket.level == 1
        qtbot.keyClick(control, Qt.Key.Key_Right)
        assert model.ticket.level == 2
    qtbot.keyClick(tab.fields, Qt.Key.Key_Down)
    assert model.layer == model.layers[1]
    qtbot.keyClick(tab.layer, Qt.Key.Key_Down)
    assert (model.layer, model.ticket.level) == (model.layers[2], 2)


def test_who_comes_nearer_sees_single_weights(tab, model):
    tab.resize(500, 400)
    model.step(layers=2)
    coarse = tab.image.get_array().shape
    x, y = tab.axes.transAxes.transform((0.5, 0.5))
    for _ in range(16):
        MouseEvent("scroll_event", tab.canvas, x, y, step=1)._process()
    near = tab.axes.get_ylim()
    assert tab.image.get_array().shape[:2] == mask_of(model.ticket, model.layer).shape != coarse[:2]
    model.step(levels=-1)
    assert tab.axes.get_ylim() == near
    tab.canvas.reset_view()
    assert tab.image.get_array().shape == coarse
    assert tab.axes.get_ylim() == (1, 0)


def test_the_slider_and_boxes_choose(tab, model):
    image, shape = tab.image, tab.image.get_array().shape
    tab.slider.setValue(0)
    assert model.ticket.level == 0
    assert not tab.difference.isEnabled()
    assert tab.image is image
    assert image.get_array().shape == shape
    tab.slider.setValue(2)
    tab.difference.setChecked(True)
    names = [text.get_text() for text in tab.canvas.figure.legends[0].get_texts()]
    assert names == ["survives", "pruned since level 1", "pruned"]
    tab.layer.setCurrentIndex(2)
    tab.layer.activated.emit(2)
    for width in (420, 640, 900):
        tab.resize(width, 650)
        tab.canvas.draw()
        (legend,) = tab.canvas.figure.legends
        assert "pruned since level 1" in [text.get_text() for text in legend.get_texts()]
        assert legend.get_window_extent().x1 <= tab.canvas.figure.bbox.width
    tab.layer.setCurrentIndex(0)
    tab.layer.activated.emit(0)
    tab.fields.setChecked(True)
    assert "image" in tab.axes.get_xlabel()
    tab.arm.setCurrentIndex(1)
    tab.arm.activated.emit(1)
    assert model.group == (Arm(control="reinitialise"), 0, 0)
    assert not tab.difference.isEnabled()
    tab.seed_box.setCurrentIndex(1)
    tab.seed_box.activated.emit(1)
    assert model.group == (Arm(control="reinitialise"), 1, 0)
    tab.layer.setCurrentIndex(3)
    tab.layer.activated.emit(3)
    assert model.layer == model.layers[3]
    assert not tab.fields.isEnabled()


def test_a_hidden_tab_draws_when_it_is_shown_again(model, qtbot, monkeypatch):
    tab, tabs = MasksTab(model), QStackedWidget()
    qtbot.addWidget(tabs)
    tabs.addWidget(QWidget())
    tabs.addWidget(tab)
    tabs.show()
    painted = []
    monkeypatch.setattr(tab, "_paint", lambda: painted.append(1))
    model.choose_level(0)
    assert painted == []
    tabs.setCurrentIndex(1)
    assert painted


def test_themes_files_and_no_run(tab, model, tmp_path, monkeypatch):
    before = np.array(tab.image.get_array())
    dark = QPalette(QColor("#303030"))
    dark.setColor(QPalette.ColorRole.Base, QColor("#101010"))
    tab.setPalette(dark)
    assert not np.array_equal(before, np.array(tab.image.get_array()))
    titles = []
    write = tab.canvas._write
    monkeypatch.setattr(tab.canvas, "_write", lambda *to: titles.append(tab.axes.get_title(loc="left")) or write(*to))
    tab.export_figure(tmp_path / "mask.png")
    assert titles[0].startswith(f"{model.run.name}, IMP ticket, seed 0\n")
    assert "\n" not in tab.axes.get_title(loc="left")
    assert (tmp_path / "mask.png").stat().st_size > 3000
    assert tab.canvas.theme.dark
    model.show(None)
    assert tab.stack.currentIndex() == 0
    assert tab.message.text() == NO_RUN


def test_a_damaged_ticket_is_told_beside_the_controls(tab, model):
    file = model.levels[0].folder / "ticket.safetensors"
    file.write_bytes(b"nothing")
    tab.slider.setValue(0)
    assert tab.problem.isVisible()
    assert "cannot be read" in tab.problem.text()
    tab.slider.setValue(2)
    assert not tab.problem.isVisible()
