"""Files of steps that are missing, changed, or whole but not the right ones."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from tests.made_runs import change_json, make_run
from tests.refusals import refused
from tfticket.config import Execution
from tfticket.lab import Handle
from tfticket.runs.artefacts import checksum, load_tensors, save_tensors, verify_step
from tfticket.runs.events import EventWriter
from tfticket.runs.files import read_json, write_json
from tfticket.runs.run_folder import read_run, read_steps, write_manifest
from tfticket.runs.step import CHECKPOINT, STATE, StepContext
from tfticket.runs.step_files import read_config, read_result, write_result
from tfticket.training.checkpoints import load_checkpoint, read_checkpoint, write_checkpoint
from tfticket.training.hooks import Checkpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Two finished runs."""
    folder = tmp_path_factory.mktemp("original")
    for name in ("made", "other"):
        make_run(folder, name)
    return folder


@pytest.fixture
def workspace(original, tmp_path):
    return shutil.copytree(original, tmp_path / "w")


@pytest.fixture
def run(workspace):
    return next((workspace / "runs").glob("made-*"))


def steps_of(workspace, kind="*"):
    return sorted((workspace / "steps").glob(f"{kind}-*"))


def swap(first, second):
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def flip(path, random):
    content = bytearray(path.read_bytes())
    content[random.integers(len(content))] ^= 1 << int(random.integers(8))
    path.write_bytes(content)


def check_refused(path, *mentions, names=None):
    with refused(None, None, str(path), *mentions):
        load_tensors(path, None, names)


def test_random_damage_is_noticed(workspace):
    """Fifty times: a bit flipped, a file deleted, or exchanged with one of its kind, of another step or of the same."""
    files = sorted(file for file in (workspace / "steps").rglob("*") if file.is_file() and file.stat().st_size)
    contents = {file: file.read_bytes() for file in files}
    random = np.random.default_rng(0)
    for victim in random.permutation(np.array(files, object))[:50]:
        others = [file for file in files if file.name == victim.name and contents[file] != contents[victim]]
        damage = random.integers(3)
        if damage == 0 and victim.name != "result.json":  # without which a step is not done
            victim.unlink()
        elif damage == 1 and others:
            swap(victim, others[random.integers(len(others))])
        else:
            flip(victim, random)
        with refused(None, None, str(victim.parent), f"or delete {victim.parent}"):
            verify_step(victim.parent)
        for file in (victim, *others):
            file.write_bytes(contents[file])
    assert all(verify_step(folder) for folder in steps_of(workspace))


def test_verify_names_damaged_steps_and_counts_old_ones(workspace, run, call):
    code, out, _ = call("verify", "-w", workspace)
    assert (code, f"2 runs and {len(steps_of(workspace))} finished steps" in out) == (0, True)
    victim = read_steps(run)[1].path / "events.jsonl"
    whole = victim.read_bytes()
    victim.unlink()
    code, out, err = call("verify", run.name, "-w", workspace, "--json")
    assert (code, [row["run or step"] for row in json.loads(out)]) == (1, [victim.parent.name])
    assert f"1 of 1 run and {len(read_steps(run))} finished steps" in err
    victim.write_bytes(whole)
    manifest = json.loads((run / "manifest.json").read_text())
    write_json(run / "manifest.json", {"steps": manifest["steps"]})
    assert not read_run(run).has_checksums
    code, _, err = call("report", run.name, "-w", workspace)
    assert (code, "kept no checksums" in err) == (0, True)
    code, out, _ = call("verify", run.name, "-w", workspace)
    assert (code, "1 of these have no checksums" in out) == (0, True)


def exchange_levels(run):
    steps = json.loads((run / "manifest.json").read_text())["steps"]
    for step in steps:
        step["label"]["level"] = {1: 2, 2: 1}.get(step["label"].get("level"), 0)
    change_json(run / "manifest.json", steps=steps)


def copy_of_another(name):
    def copy(run):
        (other,) = (folder for folder in run.parent.iterdir() if folder != run)
        shutil.copy(other / name, run / name)

    return copy


@pytest.mark.parametrize(
    ("damage", "mentions"),
    [
        (exchange_levels, ["manifest.json", "checksum", "`tfticket run`"]),
        (lambda run: change_json(run / "manifest.json", more=0), ["manifest.json", "checksum"]),
        (copy_of_another("manifest.json"), ["config.yaml", "manifest", "tfticket run"]),
        (copy_of_another("config.yaml"), ["config.yaml", "manifest", "tfticket run"]),
        (lambda run: (run / "manifest.json").unlink(), ["manifest.json", "tfticket run"]),
    ],
)
def test_a_manifest_and_a_configuration_that_do_not_belong_together_are_refused(damage, mentions, workspace, run, call):
    before = (run / "manifest.json").read_bytes()
    steps = read_steps(run)
    damage(run)
    with refused(None, None, str(run), *mentions):
        read_run(run)
    code, out, _ = call("verify", "-w", workspace, "--json")
    assert (code, [row["run or step"] for row in json.loads(out)]) == (1, [run.name])
    if "config.yaml" not in mentions:
        write_manifest(run, steps)
        assert (run / "manifest.json").read_bytes() == before
        read_run(run)


def test_only_a_run_of_an_older_version_may_lack_a_manifest_until_it_is_done(run):
    (run / "manifest.json").unlink()
    now = read_json(run / "status.json")
    old = {name: value for name, value in now.items() if name != "format"}
    write_json(run / "status.json", old | {"state": "stopped"})
    assert read_run(run).all_steps == ()
    for status in (old, now, now | {"state": "stopped"}):
        write_json(run / "status.json", status)
        with refused(None, None, "manifest.json"):
            read_run(run)


def test_a_damaged_or_missing_step_is_reported_with_one_remedy(workspace, run):
    steps = read_run(run).steps("evaluate")
    path, command = steps[0].path / "result.json", f"tfticket run {run / 'config.yaml'}"
    whole = json.loads(path.read_text())
    without = {name: value for name, value in whole.items() if name != "checksum"}
    write_result(path.parent, without | {"result": {"level": 0}}, whole["files"])  # as no evaluation writes it
    with refused(None, None, str(path), "'density'", command):
        _ = read_run(run).steps("evaluate")[0].result
    path.write_text("{")
    with refused(None, None, f"or delete {path.parent}") as error:
        _ = read_run(run).steps("evaluate")[0].result
    assert command not in str(error.value)
    for step in steps[:3]:
        shutil.rmtree(step.path)
    for read in (lambda step: step.result, lambda step: step.inputs):
        with refused(None, None, str(workspace / "steps"), "3 steps", f"{command} --workspace {workspace}"):
            read(read_run(run).steps("evaluate")[0])


def test_a_file_of_another_step_or_of_none_is_refused(workspace, tmp_path):
    ours, theirs = (folder / "ticket.safetensors" for folder in steps_of(workspace, "prune")[:2])
    free = tmp_path / "free.safetensors"
    (theirs.parent / "result.json").unlink()  # not done: nothing lists its files
    shutil.copy(ours, theirs)
    check_refused(theirs, ours.parent.name)
    shutil.copy(ours, free)
    assert load_tensors(free, "ticket", ()) == load_tensors(ours, "ticket", ())
    save_tensors(free, "ticket", {}, {})
    shutil.copy(free, theirs)
    check_refused(theirs, "no step")
    (folder, *_) = steps_of(workspace, "evaluate")
    save_tensors(folder / "weights.safetensors", "weights", {}, {})
    check_refused(folder / "weights.safetensors", "not written by this step")
    save_tensors(ours, "ticket", {}, {"level": 1})  # whole, of this step, but another
    check_refused(ours, "not the file that this step wrote")


def test_the_metadata_and_the_tensors_that_are_read_are_verified(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, "weights", {"a": np.arange(4.0), "b": np.arange(4.0)}, {"iteration": 100})
    content = path.read_bytes()
    path.write_bytes(content.replace(b'iteration\\": 100', b'iteration\\": 900'))
    check_refused(path, "metadata", names=())
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # the last byte of b
    assert list(load_tensors(path, "weights", ["a"])[0]) == ["a"]
    check_refused(path, "bytes of b", names=["b"])
    with safetensors.safe_open(tmp_path / "weights.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    safetensors.numpy.save_file({"a": np.arange(4.0)}, path, metadata=metadata)  # b is gone
    check_refused(path, "tensors")


def test_a_result_that_was_renamed_or_changed_is_refused(workspace):
    first, second, third = steps_of(workspace, "evaluate")[:3]
    swap(first / "config.json", second / "config.json")
    with refused(None, None, str(first / "config.json")):
        read_config(first)
    shutil.rmtree(second)
    first.rename(second)
    with refused(None, None, str(second), first.name):
        Handle("evaluate", "", second).result()
    record = read_json(third / "result.json")
    record["result"]["test"]["accuracy"] = 0.99
    without = {key: record[key] for key in record if key not in ("checksum", "files")}
    for changed in (record, without | {"extra": 1}):
        write_json(third / "result.json", changed)
        with refused(None, None, str(third / "result.json"), "checksum"):
            read_result(third)
    write_json(third / "result.json", without)  # as before there were checksums
    assert "files" not in read_result(third)
    with refused(None, None, "no file"):
        read_result(workspace)


def test_files_of_before_checksums_are_read_and_distinguished_from_those_of_now(workspace):
    (folder, *_) = steps_of(workspace, "start")
    tensors, header = load_tensors(folder / "ticket.safetensors", "ticket")

    def write_old(tensors, sha256):
        texts = {"tfticket": json.dumps(header | {"format": 1, "sha256": sha256})}
        safetensors.numpy.save_file(tensors, folder / "ticket.safetensors", metadata=texts)

    write_old(tensors, checksum(tensors))
    check_refused(folder / "ticket.safetensors", "not the file that this step wrote")
    record = read_result(folder)
    write_json(folder / "result.json", {key: record[key] for key in record if key not in ("files", "checksum")})
    read, old = load_tensors(folder / "ticket.safetensors", "ticket")
    assert (read.keys(), old) == (tensors.keys(), header | {"format": 1})
    assert not verify_step(folder)
    write_old(tensors, "0")
    check_refused(folder / "ticket.safetensors", "tensors are not those")


def test_checkpoints_and_states_of_another_step_are_not_resumed_from(tmp_path):
    ours, theirs = (tmp_path / f"train-{digit * 16}" for digit in "01")
    for folder in (ours, theirs):
        folder.mkdir()
    for name in (CHECKPOINT, STATE):
        write_checkpoint(theirs / name, Checkpoint(3, {"losses": np.zeros(2)}, {}, [], []), [])
        shutil.copy(theirs / name, ours / name)
    notes = []
    events = EventWriter(ours / "events.jsonl", 1)
    context = StepContext(ours, {}, events, Execution(), lambda: False, lambda done, total: None, notes.append)
    assert load_checkpoint(context)[0] is None
    assert load_checkpoint(replace(context, folder=theirs))[0].iteration == 3
    (note,) = notes
    assert ("checkpoint.safetensors" in note, theirs.name in note) == (True, True)
    with refused(None, None, theirs.name):
        read_checkpoint(ours / STATE)
