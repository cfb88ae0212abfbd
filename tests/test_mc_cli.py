"""The commands of Monte Carlo tickets as a user meets them, on a small ticket."""

import json
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.tables import rows
from tfticket.runs.step import SAMPLER, TICKET
from tfticket.tickets.monte_carlo_tickets import SurvivalModel

# Slow: most of a minute, as each command starts TensorFlow.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data_folder")]

DATA = ["--data", "mnist", "--train-rows", 200]
NETWORK = ["--model", "lenet-300-100", *DATA]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a ticket of LeNet-300-100, of which large weights survive, and its sampler."""
    folder = tmp_path_factory.mktemp("made")
    data = tt.load_data("mnist", train_rows=200)
    dense, random = tt.Ticket.dense(tt.build_model("lenet-300-100", data), 1, data=data), np.random.default_rng(0)
    sizes = {path: np.abs(dense.start[path]) / dense.start[path].std() for path in dense.mask}
    mask = {path: random.random(each.shape) < 0.5 * (each > 1) + 0.05 for path, each in sizes.items()}
    ticket = replace(dense, mask=mask, level=3)
    ticket.save(folder / TICKET)
    tt.fit_survival_model(ticket, data).save(folder / SAMPLER)
    return folder


def test_a_sampler_is_fitted(made, tmp_path, call):
    out = tmp_path / "fitted.json"
    code, printed, _ = call("mc-fit", made / TICKET, *DATA, "--out", out)
    sampler = SurvivalModel.load(out)
    assert (code, sampler) == (0, SurvivalModel.load(made / SAMPLER))
    assert f"{sampler.fits['dense']['magnitude'].intercept:.3g}" in printed
    code, printed, _ = call("mc-fit", made, *DATA, "--images", 100, "--out", out, "--json")
    fits = {(fit["layers"], fit["by"]): fit for fit in json.loads(printed)}
    kinds = ("magnitude", "magnitude as printed", "connectivity", "connectivity as printed")
    assert [*fits] == [("dense", by) for by in kinds]
    sampler = SurvivalModel.load(out)
    assert fits["dense", "connectivity"]["slopes"] == list(sampler.fits["dense"]["connectivity"].slopes)
    assert (fits["dense", "magnitude"]["weights"], sampler.provenance["images"]) == (266_200, 100)


def test_a_ticket_is_drawn(made, tmp_path, call):
    out = tmp_path / "drawn.safetensors"
    code, printed, _ = call("mc-ticket", made, *NETWORK, "--seed", 4, "--out", out, "--json")  # the folder of a step
    ticket, sampler = tt.Ticket.load(out), SurvivalModel.load(made / SAMPLER)
    data = tt.load_data("mnist", train_rows=200)
    expected = tt.draw_mc_ticket(sampler, tt.Ticket.dense(tt.build_model("lenet-300-100", data), 4, data=data), data, 4)
    for path, kept in expected.mask.items():
        np.testing.assert_array_equal(ticket.mask[path], kept)
        np.testing.assert_array_equal(ticket.start[path], expected.start[path])
    described = json.loads(printed)
    assert (code, described["ticket"], described["density"]) == (0, str(out), ticket.density)
    assert described["layers"] == ticket.provenance["monte_carlo"]["layers"]


def test_how_a_ticket_is_drawn_is_an_option_and_its_name(made, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    printed = ["--by", "magnitude", "--as-printed", "--initialiser", "he_normal"]
    for options in ([], printed, ["--by", "magnitude", "--density", 0.5, "--quiet"]):
        code, _, err = call("mc-ticket", made / SAMPLER, *NETWORK, "--images", 50, "--seed", 4, *options)
        assert (code, "iteration" in err) == (0, False)
    tickets = {file.stem.removeprefix("lenet-300-100-mc-"): tt.Ticket.load(file) for file in tmp_path.iterdir()}
    assert {*tickets} == {"connectivity-4", "magnitude-as-printed-4", "magnitude-density-0.5-4"}
    drawn = tickets["magnitude-as-printed-4"]
    drawn_by = drawn.provenance["monte_carlo"]
    assert (drawn_by["connectivity"], drawn_by["as_printed"]) == (False, True)
    assert drawn.model["initialiser"] == "he_normal"
    assert tickets["magnitude-density-0.5-4"].density == pytest.approx(0.5, abs=0.01)


WRONG = """
mc-ticket other.json {net}                             | other.json; mc-fit
mc-ticket sampler.json {net} --seed -1                 | --seed; '-1'; 0
mc-ticket sampler.json {net} --images 201              | 201; 200
mc-fit ticket.safetensors --data cifar-10-small --train-rows 50 | 28, 28, 1]; (50, 32, 32, 3)
"""


def test_bad_input_is_one_message_exit_code_2_and_no_file(made, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    for name in (TICKET, SAMPLER):
        (tmp_path / name).symlink_to(made / name)
    (tmp_path / "other.json").write_text('{"kind": "run"}')
    before, formats = sorted(tmp_path.iterdir()), {"net": " ".join(map(str, NETWORK))}
    for line, facts in rows(WRONG, 2):
        words = line.format(**formats).split()
        out = "out.json" if words[0] == "mc-fit" else "out.safetensors"
        code, said, err = call(*words, "--out", out)
        assert (code, said, "Traceback" in err) == (2, "", False)
        assert all(fact in err.replace("\n", " ") for fact in facts.split("; ")), err
    assert sorted(tmp_path.iterdir()) == before
