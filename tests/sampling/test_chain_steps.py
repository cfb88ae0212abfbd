"""The lab's steps of sampling, and chains written for other programs. Needs TensorFlow."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from tests.sampling.problems import L, network
from tfticket.config import DataConfig, Execution, PoolStep, SampleConfig, SampleStep
from tfticket.errors import InputError, Stopped
from tfticket.export import to_netcdf
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.events import EventWriter, read_events
from tfticket.runs.files import write_json
from tfticket.runs.step import CHAIN, TICKET, StepContext
from tfticket.sampling.chain_files import draw_files, read_chain, read_draws, write_draws
from tfticket.sampling.chain_steps import pool, sample
from tfticket.tickets.ticket import Ticket

DATA = DataConfig(train_rows=300, validation_rows=50)
WARMUP, DRAWS, EVERY = 20, 12, 5
SAMPLE = SampleConfig(method="hmc", warmup=WARMUP, draws=DRAWS, thinning=EVERY, leapfrog_steps=2, engine="sparse")


def context(folder, **inputs):
    folder.mkdir()
    diary = EventWriter(folder / "events.jsonl", 1)
    return StepContext(folder, inputs, diary, Execution(), lambda: False, lambda done, total: None)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A ticket's folder, another ticket's, and two chains of the first, of which draws 1, 6 and 11 were kept."""
    steps = tmp_path_factory.mktemp("steps")
    tickets = []
    for name in ("prune-a", "prune-b"):
        model = network((28, 28, 1), L.MaxPooling2D(7), L.Flatten(), L.Dense(10))
        (steps / name).mkdir()
        Ticket.dense(model).save(steps / name / TICKET)
        tickets.append(steps / name)
    chains = []
    for chain in range(2):
        at = context(steps / f"sample-{chain}", ticket=tickets[0])
        result = sample(at, SampleStep(data=DATA, sample=SAMPLE, seed=0, chain=chain))
        write_json(at.folder / "result.json", {"result": result})
        write_json(at.folder / "config.json", {"inputs": {"ticket": tickets[0].name}})
        chains.append(at.folder)
    return tickets, chains


def altered(folder, to, change):
    """A copy of a chain whose description was changed."""
    (to / "draws").mkdir(parents=True)
    for file in draw_files(folder):
        (to / "draws" / file.name).write_bytes(file.read_bytes())
    tensors, header = load_tensors(folder / CHAIN, "chain")
    change(header["described"])
    save_tensors(to / CHAIN, "chain", tensors, header)
    return to


def test_the_diary_says_which_engine_and_why(sampled):
    (event,) = [one for one in read_events(sampled[1][0] / "events.jsonl") if one["event"] == "engine"]
    assert event["name"] == "sparse"
    assert event["reason"] == "Gradients over the surviving weights alone, on the CPU."


def test_chains_of_one_ticket_are_pooled(sampled, tmp_path):
    (ticket, _), chains = sampled
    found = pool(context(tmp_path / "pool", ticket=ticket, first=chains[0], second=chains[1]), PoolStep(data=DATA))
    assert found["diagnostics"]["draws"] == [DRAWS, DRAWS]
    assert found["diagnostics"]["weights"]["r_hat"] is None  # of three draws kept
    assert found["test"]["accuracy"] > 0


def test_a_chain_of_another_ticket_or_of_other_data_is_not_pooled(sampled, tmp_path):
    (ticket, other), chains = sampled
    inputs = {"chain 0": chains[0], "chain 1": chains[1]}
    with pytest.raises(InputError, match=r"^sample-0 is a chain of the ticket prune-a; expected prune-b\. Pool chains"):
        pool(context(tmp_path / "pool-0", ticket=other, **inputs), PoolStep(data=DATA))
    fewer = DataConfig(train_rows=200, validation_rows=50)
    with pytest.raises(InputError, match=r"^sample-0 is a chain of the data [0-9a-f]{64}; expected [0-9a-f]{64}\."):
        pool(context(tmp_path / "pool-1", ticket=ticket, **inputs), PoolStep(data=fewer))


def whole(folder):
    for number in range(1, 4):
        folder.mkdir(exist_ok=True)
        write_draws(folder, number, np.full((5, 4), number, np.float32), 5 * number)
    return folder


def test_draws_are_read_in_order(tmp_path):
    assert [theta[0, 0] for theta in read_draws(whole(tmp_path / "chain"), 15)] == [1, 2, 3]


def swapped(folder):
    one, two = draw_files(folder)[:2]
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)


def of_another_length(folder):
    save_tensors(draw_files(folder)[1], "draws", {"theta": np.zeros((50, 4), np.float32)}, {"last": 7})


@pytest.mark.parametrize(
    ("spoil", "problem"),
    {
        "swapped": (swapped, r"000001\.safetensors holds draws 5 to 10 of its chain; expected those from 0 on"),
        "missing": (lambda folder: draw_files(folder)[1].unlink(), r"000002\.safetensors is missing, but 000003"),
        "first missing": (lambda folder: draw_files(folder)[0].unlink(), r"000001\.safetensors is missing"),
        "last missing": (lambda folder: draw_files(folder)[2].unlink(), r"holds 10 draws; the chain has kept 15"),
        "twice": (
            lambda folder: shutil.copy(draw_files(folder)[1], draw_files(folder)[2]),
            "draws 5 to 10 of its chain",
        ),
        "one more": (
            lambda folder: write_draws(folder, 4, np.zeros((5, 4)), 20),
            "holds 20 draws; the chain has kept 15",
        ),
        "of another length": (of_another_length, r"holds draws -43 to 7 of its chain"),
        "no range": (
            lambda folder: save_tensors(draw_files(folder)[0], "draws", {}, {}),
            "does not say which draws",
        ),
    }.values(),
)
def test_draw_files_that_are_not_the_chains_are_refused(tmp_path, spoil, problem):
    folder = whole(tmp_path / "chain")
    spoil(folder)
    with pytest.raises(InputError, match=problem):
        read_draws(folder, 15)


def test_a_chain_begins_anew_where_its_draws_are_not_those_of_its_checkpoint(sampled, tmp_path):
    """Stopped in the middle, a file of draws lost, and resumed: told, and the same draws in the end."""
    (ticket, _), chains = sampled
    at = context(tmp_path / "sample", ticket=ticket)
    config = SampleStep(data=DATA, sample=SAMPLE, seed=0, chain=0)
    stopped = replace(
        at, execution=Execution(checkpoint_seconds=1e-6), should_stop=lambda: len(draw_files(at.folder)) > 1
    )
    with pytest.raises(Stopped):
        sample(stopped, config)
    draw_files(at.folder)[0].unlink()
    notes = []
    result = sample(replace(at, note=notes.append), config)
    assert result["gradients"] > 0
    assert len(notes) == 1
    assert "starts over, since its checkpoint cannot be used" in notes[0]
    assert "000001.safetensors is missing" in notes[0]
    np.testing.assert_array_equal(
        np.concatenate(list(read_draws(at.folder))), np.concatenate(list(read_draws(chains[0])))
    )


def test_what_is_told_of_a_draw_is_exported_beside_it(sampled, tmp_path):
    _, chains = sampled
    assert to_netcdf(chains, tmp_path / "chains.nc") == {"chains": 2, "draws": 3, "weights": 170}
    assert [path.name for path in tmp_path.iterdir()] == ["chains.nc"]
    data = xarray.open_datatree(tmp_path / "chains.nc")
    for number, folder in enumerate(chains):
        told = read_chain(folder)[0].sample_stats
        for name, called in (("log_likelihood", "log_likelihood_sum"), ("energy", "energy")):
            expected = [told[name][WARMUP + draw] for draw in (0, 5, 10)]
            np.testing.assert_array_equal(data.sample_stats[called][number], expected)
            np.testing.assert_array_equal(data.warmup_sample_stats[called][number], told[name][:WARMUP])


def test_an_old_chain_that_does_not_tell_which_draws_it_kept_is_not_exported(sampled, tmp_path):
    old = altered(sampled[1][0], tmp_path / "sample-old", lambda described: described.pop("thinning"))
    with pytest.raises(InputError, match=r"has kept 3 of 12 draws without a record of which.*Delete that folder"):
        to_netcdf([old], tmp_path / "chains.nc")
    assert not (tmp_path / "chains.nc").exists()


def test_a_chain_of_an_earlier_version_is_read_by_the_names_of_today(sampled, tmp_path):
    chain, _, described = read_chain(sampled[1][0])
    former = altered(sampled[1][0], tmp_path / "sample-former", lambda old: old.update(keep_every=old.pop("thinning")))
    tensors, header = load_tensors(former / CHAIN, "chain")
    tensors["told/reached_cap"] = tensors.pop("told/reached_max_treedepth")
    save_tensors(former / CHAIN, "chain", tensors, header)
    read, _, read_description = read_chain(former)
    assert read.sample_stats == chain.sample_stats
    assert read_description == described


def test_chains_of_several_tickets_are_not_exported_in_one_file(sampled, tmp_path):
    first = sampled[1][0]
    other = altered(first, tmp_path / "sample-other", lambda described: described.update(ticket="prune-b"))
    with pytest.raises(
        InputError, match="sample-other and sample-0 are chains of different tickets: export them separately"
    ):
        to_netcdf([first, other], tmp_path / "chains.nc")


def test_a_file_that_could_not_be_written_whole_leaves_the_one_before(sampled, tmp_path, monkeypatch):
    path = tmp_path / "chains.nc"
    path.write_bytes(b"before")

    def fail(self, file, **_):
        Path(file).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(xarray.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="no space left"):
        to_netcdf(sampled[1], path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("chains.nc", b"before")]


def test_a_folder_is_no_file_to_export_to(sampled, tmp_path):
    with pytest.raises(InputError, match=r"is a folder; expected the name of a file.*--out"):
        to_netcdf(sampled[1], tmp_path)


def test_without_a_name_a_step_is_exported_here_under_its_own(sampled, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    code, said, wrong = call("export", sampled[1][1])
    assert (code, said.strip(), wrong) == (0, "sample-1.nc: 1 chain, 3 draws of 170 weights", "")
    assert [path.name for path in tmp_path.iterdir()] == ["sample-1.nc"]
