"""Any mask, any method: each kind of mask is trained, inferred and sampled, on real data. Slow: a minute."""

import json

import numpy as np
import pytest

import tfticket as tt
from tests.plans import OPTIONS_OF_DIGITS
from tests.real_run import tfticket
from tfticket.reports.rows import rows_of
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets.controls import random_mask
from tfticket.tickets.weight_files import load_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_xla")]
PRESET = "bayes-always-wins-lenet-300-100-mnist-smoke"
MASKS = ["ticket", "random-mask 0.1", "shuffle-layerwise", "own-mask mine", "monte-carlo connectivity, 100 images"]
SHAPES = {"dense_1": (64, 300), "dense_2": (300, 100), "dense_3": (100, 10)}


def with_method(method, mask):
    return f"{method} {'' if mask == 'ticket' and method else mask}".strip()


def test_a_mask_of_any_kind_is_trained_sampled_and_inferred(tmp_path):
    own = {layer: np.random.default_rng(0).random(shape) < 0.1 for layer, shape in SHAPES.items()}
    np.savez(tmp_path / "mine.npz", **own)
    controls = [{"name": "random-mask", "densities": 0.1}, "shuffle-layerwise"]
    options = {
        "controls": [*controls, {"name": "own-mask", "path": str(tmp_path / "mine.npz")}],
        "monte_carlo": [{"connectivity": True, "images": 100}],
        "sampled_arms": MASKS,
        "chains": 1,
        "sample": {"warmup": 20, "draws": 4, "max_tree_depth": 2},
        "svi": {"ways": ["default"], "train": {"epochs": "10it", "batch_size": 20, "objective": {"draws": 2}}},
    }
    given = [*OPTIONS_OF_DIGITS, *(f"{name}={json.dumps(value)}" for name, value in options.items())]
    tfticket("run", PRESET, "-w", tmp_path, *(text for option in given for text in ("-o", option)))
    run, used = find_run(tmp_path, PRESET), {}
    rows = {row.arm.key: row for row in rows_of(run) if row.level == 2}
    assert set(rows) == {with_method(method, mask) for method in ("", "nuts", "svi") for mask in MASKS}
    for row in rows.values():
        assert np.isfinite([row.test["nll"], row.validation["nll"]]).all()
        assert row.density == pytest.approx(0.1, abs=0.01)
    for step in run.steps("train", "sample"):
        if step.label.get("level") == 2:
            (source,) = read_json(step.path / "config.json")["inputs"].values()
            used[step.label["arm"].key] = tt.Ticket.load(tmp_path / "steps" / source / TICKET), step.path
    for layer, kept in own.items():
        np.testing.assert_array_equal(used["own-mask mine"][0].mask[f"{layer}/kernel"], kept)
    for mask in MASKS:  # what is pruned is neither trained nor sampled
        (ticket, trained), (sampled, chain) = used[mask], used[with_method("nuts", mask)]
        weights, _ = load_weights(trained / WEIGHTS)
        for path, kept in ticket.mask.items():
            np.testing.assert_array_equal(sampled.mask[path], kept)
            assert not weights[path][~kept].any()
        dimensions = sum(ticket.survivors.values()) + 300 + 100 + 10
        assert read_json(chain / "result.json")["result"]["dimensions"] == dimensions


def test_a_network_with_batch_statistics_is_trained_under_a_drawn_mask_and_refused_by_nuts():
    data = tt.load_data("cifar-10-small", train_rows=60, validation_rows=20)
    dense = tt.Ticket.dense(tt.build_model("resnet-20", data), 1, data=data)
    sampler = tt.fit_survival_model(random_mask(dense, 1, 0.2), data, images=20)
    ticket = tt.draw_mc_ticket(sampler, dense, data, 2, connectivity=False, images=20)
    assert ticket.density == pytest.approx(0.2, abs=0.01)
    trained = tt.train(ticket, data, train={"epochs": "2it", "batch_size": 20})
    assert np.isfinite(tt.evaluate(trained, data, "validation")["nll"])
    assert not any(trained.weights[path][~kept].any() for path, kept in ticket.mask.items())
    with pytest.raises(tt.InputError, match="freeze_batch_norm: true"):
        tt.sample(ticket, data)
