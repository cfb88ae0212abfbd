"""The lab's steps of sampling, and chains written for other programs. Needs TensorFlow."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from tests.refusals import refused
from tests.sampling.problems import L, network
from tfticket.config import DataConfig, Execution, PoolStep, SampleConfig, SampleStep
from tfticket.errors import Stopped
from tfticket.export import to_netcdf
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.events import EventWriter, read_events
from tfticket.runs.files import write_json
from tfticket.runs.step import CHAIN, TICKET, StepContext, chain_input
from tfticket.sampling.chain_files import (
    draw_files,
    read_chain,
    read_draws,
    read_draws_of_parts,
    read_parts,
    write_draws,
)
from tfticket.sampling.chain_steps import pool, sample
from tfticket.tickets.ticket import Ticket

DATA, WARMUP, DRAWS = DataConfig(train_rows=300, validation_rows=50), 20, 12
SAMPLE = SampleConfig(method="hmc", warmup=WARMUP, draws=DRAWS, thinning=5, leapfrog_steps=2, engine="sparse")


def context(folder, **inputs):
    folder.mkdir()
    events = EventWriter(folder / "events.jsonl", 1)
    return StepContext(folder, inputs, events, Execution(), lambda: False, lambda done, total: None)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """The folders of two tickets, and of two chains of the first, of which draws 1, 6 and 11 were saved."""
    steps = tmp_path_factory.mktemp("steps")
    tickets, chains = (
        [steps / name for name in ("prune-a", "prune-b")],
        [steps / f"sample-{number}" for number in (0, 1)],
    )
    for folder in tickets:
        folder.mkdir()
        Ticket.dense(network((28, 28, 1), L.MaxPooling2D(7), L.Flatten(), L.Dense(10))).save(folder / TICKET)
    for number, folder in enumerate(chains):
        step = SampleStep(data=DATA, sample=SAMPLE, seed=0, chain=number)
        write_json(folder / "result.json", {"result": sample(context(folder, ticket=tickets[0]), step)})
        write_json(folder / "config.json", {"kind": "sample", "inputs": {"ticket": tickets[0].name}})
    return tickets, chains


def altered(folder, to, change):
    """A copy of a chain whose tensors and description were changed."""
    shutil.copytree(folder / "draws", to / "draws")
    tensors, header = load_tensors(folder / CHAIN, "chain")
    change(tensors, header["described"])
    save_tensors(to / CHAIN, "chain", tensors, header)
    return to


def test_chains_of_one_ticket_and_the_same_data_are_pooled(sampled, tmp_path):
    (ticket, other), chains = sampled
    inputs = {"chain 0": chains[0], "chain 1": chains[1]}
    pooled = pool(context(tmp_path / "pool", ticket=ticket, **inputs), PoolStep(data=DATA))
    assert pooled["diagnostics"]["draws"] == [DRAWS, DRAWS]
    assert pooled["diagnostics"]["weights"]["r_hat"] is None  # of three saved draws
    assert 0 < pooled["between_chains"]["total_variation"] < 1 >= pooled["between_chains"]["label_agreement"] > 0
    (engine,) = [event["name"] for event in read_events(chains[0] / "events.jsonl") if event["event"] == "engine"]
    assert engine == "sparse"
    with refused(None, None, "sample-0", "prune-a", "prune-b"):
        pool(context(tmp_path / "pool-0", ticket=other, **inputs), PoolStep(data=DATA))
    with refused(None, None, "sample-0", "data"):
        fewer = DataConfig(train_rows=200, validation_rows=50)
        pool(context(tmp_path / "pool-1", ticket=ticket, **inputs), PoolStep(data=fewer))


@pytest.fixture(scope="module")
def parts(sampled, tmp_path_factory):
    """The folders of the second chain in two parts, of 7 and 5 draws."""
    steps, folders = tmp_path_factory.mktemp("parts"), []
    for first, draws in ((0, 7), (7, DRAWS)):
        options = SAMPLE.model_copy(update={"draws": draws})
        step = SampleStep(data=DATA, sample=options, seed=0, chain=1, first=first)
        inputs = {"ticket": sampled[0][0]} | ({"before": folders[0]} if folders else {})
        folder = steps / f"sample-from-{first}"
        result = sample(context(folder, **inputs), step)
        write_json(folder / "result.json", {"result": result})
        named = {name: path.name for name, path in inputs.items()}
        write_json(folder / "config.json", {"kind": "sample", "inputs": named})
        folders.append(folder)
    return folders


def test_a_chain_in_parts_is_the_chain_in_one(sampled, parts, tmp_path, call):
    (ticket, _), (_, whole) = sampled
    chain, layout, described = read_parts(parts)
    expected = read_chain(whole)
    for stats in (chain.sample_stats, expected[0].sample_stats):
        del stats["seconds"]
    assert chain.sample_stats == expected[0].sample_stats
    assert (chain.done, chain.kept, chain.gradients) == tuple(
        getattr(expected[0], name) for name in ("done", "kept", "gradients")
    )
    np.testing.assert_array_equal(chain.mean, expected[0].mean)
    np.testing.assert_array_equal(chain.probes, expected[0].probes)
    for split, values in expected[0].sums.items():
        np.testing.assert_array_equal(chain.sums[split], values)
    np.testing.assert_array_equal(read_draws_of_parts(parts), np.concatenate(list(read_draws(whole))))
    assert (layout.shapes, described) == (expected[1].shapes, expected[2])
    pooled = [
        pool(context(tmp_path / name, ticket=ticket, **inputs), PoolStep(data=DATA))
        for name, inputs in (
            ("one", {"chain 0": whole}),
            ("two", {chain_input(0, 0): parts[0], chain_input(0, 7): parts[1]}),
        )
    ]
    for result in pooled:
        for name in ("seconds", "per_minute"):
            result["diagnostics"].pop(name, None)
    assert pooled[0] == pooled[1]
    with refused(None, None, "sample-from-7", "expected 32"):
        read_parts([whole, parts[1]])
    assert call("export", parts[1], "--out", tmp_path / "parts.nc")[0] == 0
    assert xarray.open_datatree(tmp_path / "parts.nc").posterior.sizes["draw"] == 3


def swap(files):
    first, second = (file.read_bytes() for file in files[:2])
    files[0].write_bytes(second)
    files[1].write_bytes(first)


@pytest.mark.parametrize(("damage", "mentions"), [
    (swap, ["000001", "5 to 10"]),
    (lambda files: files[1].unlink(), ["000002", "000003"]),
    (lambda files: files[0].unlink(), ["000001"]),
    (lambda files: files[2].unlink(), ["10 draws", "15"]),
    (lambda files: shutil.copy(files[1], files[2]), ["000003", "5 to 10"]),
    (lambda files: write_draws(files[0].parent.parent, 4, np.zeros((5, 4)), 20), ["20 draws", "15"]),
    (lambda files: save_tensors(files[1], "draws", {"theta": np.zeros((50, 4))}, {"last": 7}), ["-43 to 7"]),
    (lambda files: save_tensors(files[0], "draws", {}, {}), ["000001"]),
])  # fmt: skip
def test_draws_are_read_in_order_and_files_of_other_draws_refused(tmp_path, damage, mentions):
    for number in range(1, 4):
        write_draws(tmp_path, number, np.full((5, 4), number, np.float32), 5 * number)
    assert [theta[0, 0] for theta in read_draws(tmp_path, 15)] == [1, 2, 3]
    damage(draw_files(tmp_path))
    with refused(None, None, *mentions):
        read_draws(tmp_path, 15)


def test_a_chain_starts_over_where_its_draws_are_not_those_of_its_checkpoint(sampled, tmp_path):
    """Stopped, a file of draws lost, and resumed: noted, and the same draws in the end."""
    (ticket, _), chains = sampled
    at, step, notes = (
        context(tmp_path / "step", ticket=ticket),
        SampleStep(data=DATA, sample=SAMPLE, seed=0, chain=0),
        [],
    )
    often = Execution(checkpoint_seconds=1e-6)
    with pytest.raises(Stopped):
        sample(replace(at, execution=often, should_stop=lambda: len(draw_files(at.folder)) > 1), step)
    draw_files(at.folder)[0].unlink()
    assert sample(replace(at, note=notes.append), step)["gradients"] > 0
    assert ["000001.safetensors" in note for note in notes] == [True]
    ours, expected = (np.concatenate(list(read_draws(folder))) for folder in (at.folder, chains[0]))
    np.testing.assert_array_equal(ours, expected)


def test_a_chain_of_an_earlier_version_is_read_by_the_present_names(sampled, tmp_path):
    def rename(tensors, described):
        tensors["told/reached_cap"] = tensors.pop("told/reached_max_treedepth")
        described["keep_every"] = described.pop("thinning")

    folders = sampled[1][0], altered(sampled[1][0], tmp_path / "former", rename)
    (chain, _, described), (former, _, former_described) = map(read_chain, folders)
    assert (former.sample_stats, former_described) == (chain.sample_stats, described)


# Export


def test_statistics_are_exported_beside_their_draws(sampled, tmp_path, monkeypatch, call):
    _, chains = sampled
    assert to_netcdf([[chain] for chain in chains], tmp_path / "chains.nc") == {"chains": 2, "draws": 3, "weights": 170}
    data = xarray.open_datatree(tmp_path / "chains.nc")
    assert data.posterior.draw.values.tolist() == data.sample_stats.draw.values.tolist() == [0, 5, 10]
    for number, folder in enumerate(chains):
        stats = read_chain(folder)[0].sample_stats
        for name, exported in (("log_likelihood", "log_likelihood_sum"), ("energy", "energy")):
            expected = [stats[name][WARMUP + draw] for draw in (0, 5, 10)]
            np.testing.assert_array_equal(data.sample_stats[exported][number], expected)
            np.testing.assert_array_equal(data.warmup_sample_stats[exported][number], stats[name][:WARMUP])
    data.close()
    monkeypatch.chdir(tmp_path)
    assert call("export", chains[1])[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"chains.nc", "sample-1.nc"}


def test_an_export_that_is_refused_or_fails_leaves_the_file_before(sampled, tmp_path, monkeypatch):
    path, first = tmp_path / "exported" / "chains.nc", sampled[1][0]
    path.parent.mkdir()
    path.write_bytes(b"before")
    old = altered(first, tmp_path / "sample-old", lambda tensors, described: described.pop("thinning"))
    other = altered(first, tmp_path / "sample-other", lambda tensors, described: described.update(ticket="prune-b"))
    for chains, to, mentions in (
        ([[old]], path, ["3 of 12 draws"]),
        ([[first], [other]], path, ["sample-other", "sample-0"]),
        ([[first]], tmp_path, [str(tmp_path), "--out"]),
    ):
        with refused(None, None, *mentions):
            to_netcdf(chains, to)

    def fail(self, file, **_):
        Path(file).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(xarray.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="no space left"):
        to_netcdf([[first]], path)
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("chains.nc", b"before")]
