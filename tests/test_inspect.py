"""`tfticket inspect`. Needs TensorFlow."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tfticket as tt
from tests.plans import OPTIONS_OF_DIGITS
from tests.real_run import make_run
from tests.tables import rows
from tfticket.inspection.inspection_files import read_inspection

RUN = "quickstart-smoke"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("inspect")
    make_run(workspace, *OPTIONS_OF_DIGITS, "train.epochs=5it", "seeds=[0,4]", "controls=[shuffle-even]")
    return workspace


def folder_of(text):
    """The folder that the last line names."""
    return Path(text.strip().splitlines()[-1].removeprefix("Figures and data in "))


def small_model(size=4):
    return tt.build_model("lenet-300-100", input_shape=(size, size, 1), num_classes=3)


def test_a_run_shows_the_inside_of_its_sparsest_ticket_and_writes_figures_and_data(finished, call):
    code, out, err = call("inspect", RUN, "-w", finished)
    assert code == 0, err
    folder = folder_of(out)
    assert folder.name == "inside-ticket-seed-0-level-2"
    names = ("layers", "weights", "masks", "receptive-fields")
    figures = {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    assert {path.name for path in folder.iterdir()} == figures | {"inspection.json", "inspection.safetensors"}
    inside = read_inspection(folder)
    assert (inside.network, inside.level, "before" in inside.kernels[0].histograms) == ("lenet-300-100", 2, True)
    parameters = 64 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10
    assert f"{inside.surviving_parameters:,} of {parameters:,}" in out


def test_a_tickets_file_is_looked_into_without_a_run_and_writes_nothing_unasked(tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense, random = tt.Ticket.dense(small_model(), seed=0), np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.1 for path, kept in dense.mask.items()}
    replace(dense, mask=mask).save("a.safetensors")
    code, out, _ = call("inspect", "a.safetensors")
    assert (code, "--out" in out, [path.name for path in tmp_path.iterdir()]) == (0, True, ["a.safetensors"])
    code, out, _ = call("inspect", "a.safetensors", "--out", "inside", "--json")
    record = json.loads(out)
    assert [kernel["path"] for kernel in record["kernels"]] == list(dense.mask)
    assert (record["provenance"]["seed"], (tmp_path / "inside" / "inspection.json").is_file()) == (0, True)


COMPARED = [
    (["--seed", "0,4"], ["seed 0", "seed 4"], "ticket, level 2"),
    (["--level", "0-2"], ["level 0", "level 1", "level 2"], "ticket, seed 0"),
    (["--arm", "ticket", "--arm", "shuffle-even"], ["ticket", "shuffle-even"], "seed 0, level 2"),
]


def test_several_tickets_of_a_run_are_compared_by_what_they_do_not_share(finished, call):
    for arguments, names, shared in COMPARED:
        code, out, _ = call("inspect", RUN, "-w", finished, *arguments)
        assert (code, out.splitlines()[0]) == (0, shared)
        record = json.loads((folder_of(out) / "comparison.json").read_text())
        assert record["names"] == names
        assert np.shape(record["total_jaccard"]) == (len(names), len(names))
        assert {"layers.png", "overlap.pdf"} <= {path.name for path in folder_of(out).iterdir()}


def test_tickets_of_files_and_runs_are_compared(finished, call, tmp_path):
    (folder,) = [path for path in finished.glob("steps/start-*") if '"seed": 0' in (path / "config.json").read_text()]
    code, out, _ = call("inspect", RUN, folder, "-w", finished, "--out", tmp_path / "both", "--json")
    record = json.loads(out)
    assert (code, record["folder"]) == (0, str(tmp_path / "both"))
    assert record["total_jaccard"][0][1] == pytest.approx(0.1, abs=1e-3)


REFUSED = f"""
--level 3                      | level 3; 0, 1, 2
--seed 7-9                     | seed 7, 8, 9; 0, 4
--seed x                       | --seed; 'x'
--arm reinitialise             | 'reinitialise'; shuffle-even, ticket
--arm shuffle-even --level 0   | level 0 of shuffle-even
{RUN}                          | same ticket
"""


def test_what_a_run_has_not_is_refused(finished, call):
    for arguments, mentions in rows(REFUSED, 2):
        code, _, err = call("inspect", RUN, "-w", finished, *arguments.split())
        assert (code, [mention for mention in mentions.split("; ") if mention not in err]) == (2, []), err


def test_bayesian_tickets_say_so_and_tickets_of_two_networks_cannot_be_compared(tmp_path, call):
    models = {"plain": small_model(), "bayesian": tt.to_variational(small_model()), "large": small_model(5)}
    for name, model in models.items():
        ticket = tt.Ticket.dense(model, seed=0)
        ticket.save(tmp_path / f"{name}.safetensors")
        assert ("variational" in repr(ticket)) == (name == "bayesian")
        if name != "large":
            out = call("inspect", tmp_path / f"{name}.safetensors")[1]
            assert "35,503 of 35,503" in out
            assert ("variational" in out, "71,006" in out) == (name == "bayesian",) * 2
    code, _, err = call("inspect", tmp_path / "plain.safetensors", tmp_path / "large.safetensors")
    assert (code, "different networks" in err) == (2, True)
