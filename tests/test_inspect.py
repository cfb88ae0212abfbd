"""`tfticket inspect`. Needs TensorFlow."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tfticket as tt
from tests.real_run import make_run
from tfticket.cli.inside import _shortened
from tfticket.inspection.files import read_inspection

RUN = "quickstart-smoke"
ARMS = "controls=[shuffle-even]"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("inspect")
    make_run(workspace, "train.epochs=5it", "seeds=[0,4]", ARMS)
    return workspace


def folder_of(text):
    """The folder that the last line names."""
    return Path(text.strip().splitlines()[-1].removeprefix("Figures and data in "))


def test_a_run_shows_the_inside_of_its_sparsest_ticket_and_writes_figures_and_data(finished, call):
    code, out, err = call("inspect", RUN, "-w", finished)
    assert code == 0, err
    assert "ticket, seed 0, level 2\n" in out
    assert "parameters: " in out
    assert "dead inputs: " in out
    folder = folder_of(out)
    assert folder.name == "inside-ticket-seed-0-level-2"
    figures = {
        f"{name}.{kind}" for name in ("layers", "weights", "masks", "receptive-fields") for kind in ("png", "pdf")
    }
    assert {path.name for path in folder.iterdir()} == figures | {"inspection.json", "inspection.safetensors"}
    found = read_inspection(folder)
    assert (found.network, found.level) == ("lenet-300-100", 2)
    assert "before" in found.kernels[0].histograms
    assert f"{found.surviving_parameters:,} of 266,610" in out


def test_a_tickets_file_is_looked_into_without_a_run_and_writes_nothing_unasked(tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3), seed=0)
    random = np.random.default_rng(0)
    replace(dense, mask={path: random.random(kept.shape) < 0.1 for path, kept in dense.mask.items()}).save(
        "a.safetensors"
    )
    code, out, _ = call("inspect", "a.safetensors")
    assert code == 0
    assert "--out FOLDER writes figures and data." in out
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    code, out, _ = call("inspect", "a.safetensors", "--out", "inside", "--json")
    record = json.loads(out)
    assert [kernel["path"] for kernel in record["kernels"]] == list(dense.mask)
    assert record["provenance"]["seed"] == 0
    assert (tmp_path / "inside" / "inspection.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "names", "shared"),
    [
        (["--seed", "0,4"], ["seed 0", "seed 4"], "ticket, level 2"),
        (["--level", "0-2"], ["level 0", "level 1", "level 2"], "ticket, seed 0"),
        (["--arm", "ticket", "--arm", "shuffle-even"], ["ticket", "shuffle-even"], "seed 0, level 2"),
    ],
)
def test_several_tickets_of_a_run_are_compared(arguments, names, shared, finished, call):
    code, out, _ = call("inspect", RUN, "-w", finished, *arguments)
    assert code == 0
    assert out.splitlines()[0] == shared
    folder = folder_of(out)
    record = json.loads((folder / "comparison.json").read_text())
    assert record["names"] == names
    assert np.shape(record["total_jaccard"]) == (len(names), len(names))
    assert {"layers.png", "overlap.pdf"} <= {path.name for path in folder.iterdir()}


def test_tickets_of_files_and_runs_are_compared(finished, call, tmp_path):
    (folder,) = [path for path in finished.glob("steps/start-*") if '"seed": 0' in (path / "config.json").read_text()]
    code, out, _ = call("inspect", RUN, folder, "-w", finished, "--out", tmp_path / "both", "--json")
    assert code == 0
    record = json.loads(out)
    assert record["folder"] == str(tmp_path / "both")
    assert record["total_jaccard"][0][1] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--level", "3"], "has no level 3 of ticket. It has: 0, 1, 2."),
        (["--seed", "7-9"], "has no seed 7, 8, 9 of ticket. It has: 0, 4."),
        (["--seed", "x"], "--seed 'x' was not understood"),
        (["--arm", "reinitialise"], "has no arm 'reinitialise'. It has: shuffle-even, ticket."),
        (["--arm", "shuffle-even", "--level", "0"], "has no level 0 of shuffle-even"),
        (["--level", "0-9"], "has no level 3, 4, 5, 6, 7, 8, 9 of ticket"),
        ([RUN], "The same ticket is named twice"),
    ],
)
def test_what_a_run_has_not_is_refused(arguments, message, finished, call):
    code, _, err = call("inspect", RUN, "-w", finished, *arguments)
    assert code == 2
    assert message in err


def test_tickets_of_two_networks_cannot_be_compared(tmp_path, call):
    for name, size in (("a", 4), ("b", 5)):
        model = tt.build_model("lenet-300-100", input_shape=(size, size, 1), num_classes=3)
        tt.Ticket.dense(model, seed=0).save(tmp_path / f"{name}.safetensors")
    code, _, err = call("inspect", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert code == 2
    assert "are tickets of different networks" in err


@pytest.mark.parametrize(
    ("names", "shared", "short"),
    [
        ([("a", "x 1", "y 2"), ("a", "x 2", "y 2")], "a, y 2", ["x 1", "x 2"]),
        ([("a", "x 1"), ("b", "x 1")], "x 1", ["a", "b"]),
        ([("a", "x 1"), ("a", "x 1", "again")], "", ["a, x 1", "a, x 1, again"]),
    ],
)
def test_names_leave_out_what_all_have_in_common(names, shared, short):
    assert _shortened(names) == (shared, short)


def test_a_variational_ticket_is_said_to_be_one(tmp_path, call):
    plain = tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3)
    for model, name in ((plain, "plain"), (tt.to_variational(plain), "bayesian")):
        ticket = tt.Ticket.dense(model, seed=0)
        ticket.save(tmp_path / f"{name}.safetensors")
        _, out, _ = call("inspect", tmp_path / f"{name}.safetensors")
        assert "parameters: 35,503 of 35,503\n" in out
        assert ("variational, level 0" in repr(ticket)) == (name == "bayesian")
        said = "variational: each weight a mean and a deviation, below counted as one; 71,006 numbers stored\n"
        assert (said in out) == (name == "bayesian")
