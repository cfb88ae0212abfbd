"""The masks tab and its model: pictures and counts of a run's masks."""

import csv
import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from gui.models.mask_pictures import draw_mask
from gui.models.masks import WAITING, MasksModel
from gui.views.masks import MasksTab
from tests.made_runs import LAYERS
from tfticket.arms import TICKET, Arm
from tfticket.inspection.pictures import LARGEST
from tfticket.runs.artefacts import load_tensors
from tfticket.runs.run_folder import read_steps, write_manifest

REINITIALISED = Arm(control="reinitialise")
COUNTS = ("just pruned", "units without inputs", "unused inputs")


def model_of(run):
    model = MasksModel()
    model.show(run)
    return model


def rows_of(model):
    return list(csv.DictReader(io.StringIO(model.csv())))


@pytest.fixture
def model(run):
    return model_of(run)


@pytest.fixture
def tab(model, show):
    return show(MasksTab(model))


def mask_of(ticket, layer):
    return load_tensors(ticket.folder / "ticket.safetensors", "ticket")[0][f"mask/{layer}"]


def drawn(shape, density):
    return np.random.default_rng(0).random(shape) < density


def test_networks_of_monte_carlo_tickets_are_no_tickets_of_the_run(run):
    """Where tickets are rewound later, these have a level as the run's own tickets have."""
    steps, own = read_steps(run), model_of(run).groups
    prune = next(step for step in steps if step.kind == "prune")
    label = {"seed": 0, "arm": Arm.parse("monte-carlo dense"), "replicate": 0}
    write_manifest(run, [*steps, replace(prune, label=label)])
    assert model_of(run).groups == own


def test_tickets_are_chosen_by_arm_seed_level_and_layer(model):
    assert model.groups == [(arm, seed, 0) for arm in (TICKET, REINITIALISED) for seed in (0, 1)]
    assert [ticket.level for ticket in model.levels] == [0, 1, 2]
    assert model.layers == [f"{layer}/kernel" for layer in LAYERS]
    for levels, layers, shown in ((5, 0, (2, 0)), (-1, -3, (1, 0)), (-7, 9, (0, 3))):  # it stops at the ends
        model.step(levels, layers)
        assert (model.ticket.level, model.layers.index(model.layer)) == shown
    model.choose_group((REINITIALISED, 1, 0))
    assert (model.ticket.arm, model.ticket.level, model.before) == (REINITIALISED, 1, None)


def test_numbers_and_pictures_are_those_of_the_whole_ticket(model):
    model.set_options(difference=True)
    rows = rows_of(model)
    assert [row["level"] for row in rows] == [str(level) for level in range(3) for _ in LAYERS]
    assert {row["just pruned"] for row in rows[: len(LAYERS)]} == {""}
    for row in rows[-len(LAYERS) :]:
        kept, before = mask_of(model.ticket, model.layer), mask_of(model.before, model.layer)
        numbers, picture, just_pruned = dict(model.numbers()), model.picture(), (before & ~kept).sum()
        assert (np.nansum(picture.kept), np.nansum(picture.lost)) == pytest.approx((kept.sum(), just_pruned))
        pairs = kept.reshape(-1, *kept.shape[-2:]).any(axis=0)
        unfed, unused = (~pairs.any(axis=0)).sum(), (~pairs.any(axis=1)).sum()
        assert numbers["shape"] == row["shape"] == " x ".join(map(str, kept.shape))
        assert (numbers["survivors"], numbers["just pruned"]) == (f"{kept.sum():,}", f"{just_pruned:,}")
        assert numbers["units without inputs"] == f"{unfed:,} of {kept.shape[-1]:,}"
        assert (row["layer"], int(row["survivors"]), float(row["density"])) == (model.layer, kept.sum(), kept.mean())
        assert [int(row[name]) for name in COUNTS] == [just_pruned, unfed, unused]
        model.step(layers=1)
    model.choose_level(0)
    assert model.picture().lost is None


def test_only_the_layer_shown_is_read_and_the_first_as_receptive_fields(model, monkeypatch):
    names = []
    monkeypatch.setattr(
        "gui.models.masks.load_tensors",
        lambda path, kind, wanted=None: names.append(wanted) or load_tensors(path, kind, wanted),
    )
    model.choose_level(1)
    for _ in range(2):
        model.picture()
    assert names == [(), (f"mask/{model.layer}",)]
    model.set_options(fields=True)
    assert (model.has_fields, model.picture().square) == (True, True)
    assert np.nansum(model.picture().kept) == mask_of(model.ticket, model.layer).sum()
    model.step(layers=1)
    assert not model.has_fields


@given(st.tuples(*[st.integers(1, 5)] * 2, *[st.integers(1, 60)] * 2), st.floats(0, 1))
@example((3, 3, 512, 512), 0.3)
@example((3072, 300), 0.3)
def test_any_mask_has_a_picture_of_its_density(shape, density):
    kept = drawn(shape, density)
    picture = draw_mask(kept, kept, None)
    assert max(picture.kept.shape) <= LARGEST
    assert (picture.weights_per_cell > 1) >= (max(shape) > LARGEST)
    assert np.nanmean(picture.kept) == pytest.approx(kept.mean(), abs=1e-9 if max(shape) <= 60 else 0.02)
    np.testing.assert_array_equal(picture.kept, picture.lost)


def test_a_sparse_mask_can_be_seen_and_a_denser_cell_is_no_fainter():
    kept = np.zeros((784, 300), bool)
    kept[2, 3] = True
    picture = draw_mask(kept, None, None, (10, 10))
    assert picture.strengths[picture.strengths > 0].min() >= picture.faintest
    picture = draw_mask(drawn((784, 300), 0.3), None, None, (300, 400))
    assert np.all(np.diff(picture.strengths.ravel()[np.argsort(picture.kept, axis=None)]) >= 0)


@pytest.mark.parametrize("shape", [(5, 5, 1, 20), (3, 3, 3, 64), (5, 5, 20, 1), (7, 7, 1, 1)])
def test_kernels_are_square_tiles_in_a_grid(shape):
    kept = drawn(shape, 0.5)
    picture = draw_mask(kept, kept, None, (500, 600))
    assert (picture.square, picture.weights_per_cell) == (True, 1)
    assert max(picture.kept.shape) <= 4 * min(picture.kept.shape)
    assert np.isfinite(picture.kept).sum() == kept.size
    assert np.array_equal(picture.kept[: shape[0], : shape[1]], kept[:, :, 0, 0])


@pytest.mark.parametrize("pixels", [(250, 250), (700, 900), None])
def test_dense_units_that_see_an_image_are_tiles_of_blocks(pixels):
    kept = drawn((784, 100), 0.2)
    picture = draw_mask(kept, None, (28, 28, 1), pixels)
    between = np.isnan(picture.kept)
    rows, columns = (np.flatnonzero(between.all(axis=axis)) for axis in (1, 0))
    side = rows[0]
    assert {*np.diff(rows), *np.diff(columns)} == {side + 1}
    first, block = kept[:, 0].reshape(28, 28), -(-28 // side)
    assert picture.weights_per_cell == block**2
    assert picture.kept[0, 0] == pytest.approx(first[:block, :block].mean())
    assert picture.kept[0, side - 1] == pytest.approx(first[:block, block * (side - 1) :].mean())


def test_a_ticket_just_pruned_is_shown_before_its_training_and_a_run_without_waits(model, run, monkeypatch):
    steps = read_steps(run)
    first = next(number for number, step in enumerate(steps) if step.kind == "prune")
    write_manifest(run, steps[: first + 1])
    assert model.poll()
    assert [ticket.level for ticket in model.levels] == [0, 1]
    assert not model.poll()
    (run / "manifest.json").unlink()
    monkeypatch.setattr("gui.models.reading.state_of", lambda folder, state: "running")
    assert model.poll()
    assert model.message == WAITING


def test_what_could_not_be_read_is_a_problem_and_tried_again_later(run, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("gui.models.reading.time.monotonic", lambda: now[0])
    start = next((run.parents[1] / "steps").glob("start-*")) / "result.json"
    whole = start.read_text()
    start.write_text("{")
    model = model_of(run)
    for moment in (1.9, 2.1, 6.0, 6.2):  # twice as long each time
        assert model.problem.startswith("1 ")
        now[0] = moment
        start.write_text(whole if moment > 3 else "{")
        model.poll()
    assert model.problem == ""
    file = model.ticket.folder / "ticket.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    model = model_of(run)
    assert (model.picture(), model.numbers()) == (None, [])
    assert "cannot be read" in model.problem
    model.choose_level(1)
    assert model.picture() is not None
    assert model.problem == ""
    shutil.rmtree(run.parents[1])
    assert model.poll()
    assert "gone" in model.problem


def test_the_keys_the_slider_and_boxes_choose(tab, model, qtbot):
    for control in (tab.canvas, tab.fields, tab.layer):
        for key, level in ((Qt.Key.Key_Left, 1), (Qt.Key.Key_Right, 2)):
            qtbot.keyClick(control, key)
            assert model.ticket.level == tab.slider.value() == level
    for key, layer in ((Qt.Key.Key_Down, 1), (Qt.Key.Key_Up, 0)):
        qtbot.keyClick(tab.canvas, key)
        assert (model.layer, tab.layer.currentIndex()) == (model.layers[layer], layer)
    tab.slider.setValue(0)
    assert (model.ticket.level, tab.difference.isEnabled()) == (0, False)
    tab.slider.setValue(2)
    tab.difference.setChecked(True)
    tab.fields.setChecked(True)
    assert (model.difference, model.fields) == (True, True)
    for box, place in ((tab.layer, 3), (tab.arm, 1), (tab.seed_box, 1)):
        box.setCurrentIndex(place)
        box.activated.emit(place)
    assert (model.layer, model.group) == (model.layers[3], (REINITIALISED, 1, 0))
    assert not tab.fields.isEnabled()
    model.choose_group((TICKET, 0, 0))
    (model.levels[0].folder / "ticket.safetensors").write_bytes(b"nothing")
    for level in (0, 2):
        tab.slider.setValue(level)
        assert tab.problem.isVisible() == (level == 0)
