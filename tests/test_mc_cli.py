"""The commands of Monte Carlo tickets as a user meets them, on a small ticket."""

import json
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.runs.step import SAMPLER, TICKET
from tfticket.tickets.mc_tickets import SurvivalModel

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


def test_a_sampler_is_fitted_from_the_command_line(made, tmp_path, call):
    out = tmp_path / "fitted.json"
    code, said, _ = call("mc-fit", made / TICKET, *DATA, "--out", out)
    assert code == 0
    sampler = SurvivalModel.load(out)
    assert sampler == SurvivalModel.load(made / SAMPLER)
    fit = sampler.fits["dense"]["magnitude"]
    row = next(line.split() for line in said.splitlines() if line.split()[:2] == ["dense", "magnitude"])
    numbers = [f"{fit.intercept:.3g}", f"{fit.slopes[0]:.3g}", "-", "266,200", f"{fit.survivors / 266_200:.1%}"]
    assert row[2:] == numbers
    assert f"Survival model of lenet-300-100, level 3: {out}" in said.replace("\n", "")
    code, said, _ = call("mc-fit", made, *DATA, "--images", 100, "--out", out, "--json")
    assert code == 0
    found = json.loads(said)
    assert [(one["layers"], one["by"]) for one in found] == [
        ("dense", by) for by in ("magnitude", "magnitude as printed", "connectivity", "connectivity as printed")
    ]
    assert found[2]["slopes"] == list(SurvivalModel.load(out).fits["dense"]["connectivity"].slopes)
    assert found[0]["weights"] == 266_200
    assert SurvivalModel.load(out).provenance["images"] == 100


def test_a_ticket_is_drawn_from_the_command_line(made, tmp_path, call):
    out = tmp_path / "drawn.safetensors"
    code, said, _ = call("mc-ticket", made / SAMPLER, *NETWORK, "--seed", 4, "--out", out)
    assert code == 0
    ticket, sampler = tt.Ticket.load(out), SurvivalModel.load(made / SAMPLER)
    data = tt.load_data("mnist", train_rows=200)
    expected = tt.draw_mc_ticket(sampler, tt.Ticket.dense(tt.build_model("lenet-300-100", data), 4, data=data), data, 4)
    for path, kept in expected.mask.items():
        np.testing.assert_array_equal(ticket.mask[path], kept)
        np.testing.assert_array_equal(ticket.start[path], expected.start[path])
    layer = ticket.provenance["monte_carlo"]["layers"]["dense_1"]
    row = next(line.split() for line in said.splitlines() if "dense_1" in line)
    shares, distances = list(layer.values())[:2], list(layer.values())[2:]
    assert row == ["dense_1", *(f"{one:.2%}" for one in shares), *(f"{one:.3f}" for one in distances)]
    assert "KS: Kolmogorov-Smirnov distances" in said
    code, said, _ = call("mc-ticket", made, *NETWORK, "--seed", 4, "--out", out, "--json")  # the folder of a step
    assert code == 0
    found = json.loads(said)
    assert (found["ticket"], found["density"]) == (str(out), ticket.density)
    assert found["layers"] == ticket.provenance["monte_carlo"]["layers"]


def test_how_it_is_drawn_is_an_option(made, tmp_path, call):
    out = tmp_path / "drawn.safetensors"
    options = ["--by", "magnitude", "--as-printed", "--images", 50, "--initialiser", "he_normal"]
    code, _, _ = call("mc-ticket", made / SAMPLER, *NETWORK, *options, "--out", out)
    assert code == 0
    ticket = tt.Ticket.load(out)
    said = ticket.provenance["monte_carlo"]
    assert (said["connectivity"], said["as_printed"]) == (False, True)
    assert ticket.model["initialiser"] == "he_normal"
    code, _, _ = call("mc-ticket", made / SAMPLER, *NETWORK, "--density", 0.5, "--out", out, "--quiet")
    assert code == 0
    assert tt.Ticket.load(out).density == pytest.approx(0.5, abs=0.01)


def test_tickets_drawn_in_other_ways_have_other_names(made, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    for options in ([], ["--by", "magnitude", "--as-printed"], ["--by", "magnitude", "--density", 0.5]):
        code, _, err = call("mc-ticket", made / SAMPLER, *NETWORK, "--images", 50, "--seed", 4, *options)
        assert (code, "fitted to weights of iteration" in err) == (0, False)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "lenet-300-100-mc-connectivity-4.safetensors",
        "lenet-300-100-mc-magnitude-as-printed-4.safetensors",
        "lenet-300-100-mc-magnitude-density-0.5-4.safetensors",
    ]


BAD = {
    "no such sampler": (["mc-ticket", "none.json", *NETWORK], "There is no file none.json"),
    "no such run": (["mc-ticket", "none", *NETWORK], "No run is named"),
    "not a sampler": (
        ["mc-ticket", "other.json", *NETWORK],
        "other.json is no survival model. `tfticket mc-fit`",
    ),
    "a ticket for a sampler": (
        ["mc-ticket", TICKET, *NETWORK],
        "is a ticket or weights; expected a sampler. `tfticket mc-fit",
    ),
    "an unknown choice": (
        ["mc-ticket", SAMPLER, *NETWORK, "--by", "arrow"],
        "'--by': 'arrow' is not one of 'magnitude'",
    ),
    "no whole number": (["mc-ticket", SAMPLER, *NETWORK, "--seed", "a"], "'a'; expected a whole number, such as 128."),
    "a negative number": (["mc-ticket", SAMPLER, *NETWORK, "--seed", "-1"], "'-1'; must be at least 0."),
    "wrong suffix": (["mc-ticket", SAMPLER, *NETWORK, "--out", "ticket.npz"], "ends in .safetensors"),
    "no folder": (["mc-ticket", SAMPLER, *NETWORK, "--out", "file/a.safetensors"], "Choose another folder with --out"),
    "density of 0": (["mc-ticket", SAMPLER, *NETWORK, "--density", "0"], "The density is 0.0; expected 0 < density"),
    "density as printed": (
        ["mc-ticket", SAMPLER, *NETWORK, "--as-printed", "--density", "0.5"],
        "density cannot be set with as_printed",
    ),
    "unknown model": (["mc-ticket", SAMPLER, "--model", "lenet-300", *DATA], "Did you mean 'lenet-300-100'"),
    "unknown initialiser": (["mc-ticket", SAMPLER, *NETWORK, "--initialiser", "he"], "initialiser"),
    "too many images": (["mc-ticket", SAMPLER, *NETWORK, "--images", 201], "images is 201; expected 1 to 200"),
    "a family that it has not": (["mc-ticket", SAMPLER, "--model", "lenet-5", *DATA], "no model of conv layers"),
    "no such ticket": (["mc-fit", "none.safetensors", *DATA], "There is no file none.safetensors"),
    "no such data": (["mc-fit", TICKET, "--data", "minst"], "Did you mean 'mnist'"),
    "other data": (["mc-fit", TICKET, "--data", "cifar-10-small", "--train-rows", 50], "(28, 28, 1)"),
    "the ticket for the sampler": (["mc-fit", TICKET, *DATA, "--out", TICKET], "expected a name that ends in .json"),
    "no folder for the sampler": (["mc-fit", TICKET, *DATA, "--out", "file/a.json"], "another folder with --out"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_exit_code_2_and_no_file(name, made, tmp_path, monkeypatch, call):
    arguments, message = BAD[name]
    monkeypatch.chdir(tmp_path)
    for each in (TICKET, SAMPLER):
        (tmp_path / each).symlink_to(made / each)
    (tmp_path / "other.json").write_text('{"kind": "run"}')
    (tmp_path / "file").touch()
    before = sorted(tmp_path.iterdir())
    out = [] if "--out" in arguments else ["--out", "out.json" if arguments[0] == "mc-fit" else "out.safetensors"]
    code, said, err = call(*arguments, *out)
    assert (code, said) == (2, "")
    assert message in err.replace("\n", " ")
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before
