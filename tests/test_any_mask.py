"""Any mask, any method: each kind of mask is trained and sampled, on real data. Needs TensorFlow."""

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

import tfticket as tt
from tests.processes import execute
from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of
from tfticket.reports.rows import rows_of
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets.controls import random_mask
from tfticket.tickets.weight_files import load_weights

pytestmark = pytest.mark.slow  # a minute: a training and a chain for each kind of mask

PRESET = "bayes-always-wins-lenet-300-100-mnist-smoke"
MASKS = {
    "ticket": "IMP",
    "random-mask 0.1": "random",
    "shuffle-layerwise": "shuffled",
    "own-mask mine": "own",
    "monte-carlo connectivity, 100 images": "Monte Carlo",
}
"""Arm -> what its mask is."""
METHODS = {"gradient": "", "NUTS": "nuts", "SVI": "svi"}
SHAPES = {"dense_1": (784, 300), "dense_2": (300, 100), "dense_3": (100, 10)}
OWN = {layer: np.random.default_rng(0).random(shape) < 0.1 for layer, shape in SHAPES.items()}


def tfticket(*arguments: object) -> CompletedProcess[str]:
    return execute([sys.executable, "-m", "tfticket", *arguments], check=False)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    np.savez(folder / "mine.npz", **OWN)
    own = {"name": "own-mask", "path": str(folder / "mine.npz")}
    options = {
        "controls": [{"name": "random-mask", "densities": 0.1}, "shuffle-layerwise", own],
        "monte_carlo": [{"connectivity": True, "images": 100}],
        "sampled_arms": list(MASKS),
        "data.train_rows": 200,
        "chains": 1,
        "sample.warmup": 20,
        "sample.draws": 4,
        "sample.max_tree_depth": 2,
        "svi": {"ways": ["default"], "train": {"epochs": "10it", "batch_size": 20, "objective": {"draws": 2}}},
    }
    given = [text for name, value in options.items() for text in ("-o", f"{name}={json.dumps(value)}")]
    done = tfticket("run", PRESET, "-w", folder, *given)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def rows(workspace):
    """Arm -> its row at the last level."""
    return {row.arm.key: row for row in rows_of(find_run(workspace, PRESET)) if row.level == 2}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mask", MASKS.values())
def test_a_mask_of_any_kind_is_trained_sampled_and_inferred(mask, method, rows):
    kind = next(arm for arm, what in MASKS.items() if what == mask)
    arm = f"{METHODS[method]} {'' if kind == 'ticket' and METHODS[method] else kind}".strip()
    row = rows[arm]
    assert np.isfinite([row.test["nll"], row.validation["nll"]]).all()
    assert 0 <= row.test["accuracy"] <= 1
    assert row.density == pytest.approx(0.1, abs=0.01)


def test_these_are_all_cells(rows):
    assert len(rows) == len(MASKS) * len(METHODS)


@pytest.fixture(scope="module")
def used(workspace):
    """Arm -> the ticket that its training or chain has, and the folder of that."""
    found = {}
    for step in find_run(workspace, PRESET).steps("train", "sample"):
        if step.label.get("level") == 2:
            folder = step.path
            (given,) = read_json(folder / "config.json")["inputs"].values()
            source = workspace / "steps" / given
            found[step.label["arm"].key] = tt.Ticket.load(source / TICKET), folder
    return found


def counts(ticket):
    return {layer_of(path): count for path, count in ticket.survivors.items()}


def test_the_masks_are_what_they_are_called(used):
    imp, random, shuffled, own, drawn = (used[arm][0] for arm in MASKS)
    assert counts(random) == {layer: kept.size // 10 for layer, kept in OWN.items()}
    assert counts(shuffled) == counts(imp)
    assert np.mean(shuffled.mask["dense_1/kernel"][imp.mask["dense_1/kernel"]]) < 0.2
    for layer, kept in OWN.items():
        np.testing.assert_array_equal(own.mask[f"{layer}/kernel"], kept)
    assert drawn.provenance["monte_carlo"]["connectivity"]
    for path, kept in drawn.mask.items():
        assert kept.mean() == pytest.approx(imp.mask[path].mean(), abs=5 * 0.5 / np.sqrt(kept.size))
    for ticket in (random, shuffled, own):
        np.testing.assert_array_equal(ticket.start["dense_1/kernel"], imp.start["dense_1/kernel"])
    assert not np.any(drawn.start["dense_1/kernel"] == imp.start["dense_1/kernel"])


@pytest.mark.parametrize("arm", MASKS)
def test_what_is_pruned_is_neither_trained_nor_sampled(arm, used):
    ticket, trained = used[arm]
    sampled_ticket, chain = used[f"nuts {'' if arm == 'ticket' else arm}".strip()]
    weights, _ = load_weights(trained / WEIGHTS)
    for path, kept in ticket.mask.items():
        np.testing.assert_array_equal(sampled_ticket.mask[path], kept)
        assert not weights[path][~kept].any()
    biases = 300 + 100 + 10
    assert read_json(chain / "result.json")["result"]["dimensions"] == sum(ticket.survivors.values()) + biases


def test_a_ticket_is_drawn_from_the_runs_sampler_for_another_start(workspace, call):
    out = workspace / "drawn.safetensors"
    options = ["--model", "lenet-300-100", "--train-rows", 100, "--out", out]
    code, _, err = call("mc-ticket", PRESET, "-w", workspace, *options)
    assert code == 0, err
    assert tt.Ticket.load(out).density == pytest.approx(0.1, abs=0.01)


def test_a_network_with_batch_statistics_is_trained_under_a_drawn_mask_and_refused_by_nuts():
    data = tt.load_data("cifar-10-small", train_rows=60, validation_rows=20)
    dense = tt.Ticket.dense(tt.build_model("resnet-20", data), 1, data=data)
    sampler = tt.fit_survival_model(random_mask(dense, 1, 0.2), data, images=20)
    ticket = tt.draw_mc_ticket(sampler, dense, data, 2, connectivity=False, images=20)
    assert ticket.density == pytest.approx(0.2, abs=0.01)
    trained = tt.train(ticket, data, train={"epochs": "2it", "batch_size": 20})
    assert np.isfinite(tt.evaluate(trained, data, "validation")["nll"])
    assert not any(trained.weights[path][~kept].any() for path, kept in ticket.mask.items())
    with pytest.raises(InputError, match=r"no row has a likelihood of its own.*freeze_batch_norm: true"):
        tt.sample(ticket, data)
