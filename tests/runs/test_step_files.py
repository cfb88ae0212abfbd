"""Files of steps that are whole, but not the right ones. Real runs; needs TensorFlow."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.real_run import make_run
from tfticket.config import Execution
from tfticket.errors import InputError
from tfticket.lab import Handle
from tfticket.runs.artefacts import load_tensors, save_tensors, verify_step
from tfticket.runs.events import EventWriter
from tfticket.runs.files import read_json, write_json
from tfticket.runs.step import CHECKPOINT, STATE, StepContext
from tfticket.runs.step_files import read_config, read_result
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights
from tfticket.training.checkpoints import load_checkpoint, read_checkpoint, write_checkpoint
from tfticket.training.hooks import Checkpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("original")
    make_run(workspace, "prune.rewind=2it")
    return workspace


@pytest.fixture
def workspace(original, tmp_path):
    shutil.copytree(original, tmp_path / "w")
    return tmp_path / "w"


def steps_of(workspace: Path, kind: str = "*") -> list[Path]:
    return sorted((workspace / "steps").glob(f"{kind}-*"))


def swap(one: Path, other: Path) -> None:
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def flip(path: Path, random: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[random.integers(len(content))] ^= 1 << int(random.integers(8))
    path.write_bytes(content)


def problems_of(workspace: Path) -> list[str]:
    found = []
    for folder in steps_of(workspace):
        try:
            assert verify_step(folder)
        except InputError as error:
            found.append(str(error))
    return found


def test_a_run_leaves_steps_that_can_be_verified(original):
    assert problems_of(original) == []
    listed = [set(read_result(folder)["files"]) for folder in steps_of(original, "train")]
    assert {"config.json", "events.jsonl", "weights.safetensors"} in listed
    assert {"config.json", "events.jsonl", "weights.safetensors", "weights-2it.safetensors"} in listed


def test_random_damage_is_found(workspace):
    """Fifty times: a bit flipped, a file deleted, or exchanged with one of its kind, of another step or of the same."""
    files = sorted(file for file in (workspace / "steps").rglob("*") if file.is_file())
    files = [file for file in files if not file.name.startswith((".", "lease"))]
    contents = {file: file.read_bytes() for file in files}
    random = np.random.default_rng(0)
    damages = 0
    for victim in random.permutation(np.array(files * 2, object)):
        kind = victim.name.split("-")[0].split(".")[0]
        others = [file for file in files if file.name.startswith(kind) and contents[file] != contents[victim]]
        damage = random.integers(3)
        if damage == 0 and victim.name != "result.json":  # without which a step is not done
            victim.unlink()
        elif damage == 1 and others:
            swap(victim, others[random.integers(len(others))])
        else:
            flip(victim, random)
        with pytest.raises(InputError) as found:
            verify_step(next(step for step in steps_of(workspace) if step in victim.parents))
        assert str(found.value).startswith(str(victim.parent))
        assert "Put it back from a copy, or delete" in str(found.value)
        for file, content in contents.items():
            if not file.exists() or file.read_bytes() != content:
                file.write_bytes(content)
        damages += 1
        if damages == 50:
            break
    assert damages == 50
    assert problems_of(workspace) == []


def test_a_run_refuses_weights_of_another_training(workspace, call):
    first, second = steps_of(workspace, "train")[:2]
    swap(first / "weights.safetensors", second / "weights.safetensors")
    for folder in steps_of(workspace, "evaluate"):
        shutil.rmtree(folder)
    (run,) = (workspace / "runs").iterdir()
    code, _, err = call("run", run / "config.yaml", "-w", workspace)
    assert code == 1
    assert "weights.safetensors is a file of the step train-" in err
    assert "not of the one whose folder it lies in" in err
    shutil.rmtree(first)
    shutil.rmtree(second)
    before = (run / "report" / "results.csv").read_text()
    assert call("run", run / "config.yaml", "-w", workspace)[0] == 0
    assert (run / "report" / "results.csv").read_text() == before


def test_verify_names_damaged_steps(workspace, call, monkeypatch):
    (run,) = (workspace / "runs").iterdir()
    monkeypatch.chdir(workspace.parent)
    for name in (workspace, workspace.name):
        assert call("verify", "-w", name)[:2] == (
            0,
            f"No damaged file in 1 run and {len(steps_of(workspace))} finished steps.\n",
        )
    victim = steps_of(workspace, "prune")[0]
    (victim / "ticket.safetensors").unlink()
    code, out, err = call("verify", run.name, "-w", workspace, "--json")
    assert code == 1
    assert [row["run or step"] for row in json.loads(out)] == [victim.name]
    assert f"Damaged files in 1 of 1 run and {len(steps_of(workspace))} finished steps." in err


def test_a_damaged_step_is_reported_with_one_remedy(workspace, call):
    (run,) = (workspace / "runs").iterdir()
    victim = steps_of(workspace, "evaluate")[0]
    (victim / "result.json").write_text("{")
    for command in ("report", "show"):
        code, _, err = call(command, run.name, "-w", workspace)
        message = " ".join(err.split())
        assert code == 2
        assert "Put it back from a copy, or delete" in message
        assert "tfticket run" not in message


def edited(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_a_manifest_whose_labels_were_exchanged_is_refused(workspace, call):
    (run,) = (workspace / "runs").iterdir()

    def exchange(record):
        for step in record["steps"]:
            step["label"]["level"] = {1: 2, 2: 1}.get(step["label"].get("level"), 0)

    edited(run / "manifest.json", exchange)
    for command in ("report", "show", "verify", "inspect"):
        code, _, err = call(command, run.name, "-w", workspace)
        assert code == 2
        assert "manifest.json is damaged: its contents do not match its checksum. `tfticket run`" in err
    code, out, _ = call("verify", "-w", workspace, "--json")
    assert (code, [row["run or step"] for row in json.loads(out)]) == (1, [run.name])
    before = (run / "report" / "results.csv").read_text()
    assert call("run", run / "config.yaml", "-w", workspace)[0] == 0
    assert call("report", run.name, "-w", workspace)[0] == 0
    assert (run / "report" / "results.csv").read_text() == before


@pytest.mark.parametrize("name", ["manifest.json", "config.yaml"])
def test_files_of_another_run_are_refused(name, workspace, call):
    (run,) = (workspace / "runs").iterdir()
    assert call("run", run / "config.yaml", "-o", "name=other", "-o", "prune.levels=1", "-w", workspace)[0] == 0
    (other,) = (each for each in (workspace / "runs").iterdir() if each != run)
    shutil.copy(other / name, run / name)
    for command in ("report", "show", "verify", "branch"):
        code, _, err = call(command, run.name, "-w", workspace, *(["-c", "keep-signs"] * (command == "branch")))
        assert code == 2
        assert "config.yaml is not the configuration of this run's manifest" in err


def test_a_run_that_lost_its_manifest_is_damaged(workspace, call):
    (run,) = (workspace / "runs").iterdir()
    manifest = (run / "manifest.json").read_bytes()
    (run / "manifest.json").unlink()
    for command in ("report", "show", "verify"):
        code, _, err = call(command, run.name, "-w", workspace)
        assert code == 2
        assert "has no manifest.json, which names its steps" in err
    code, out, _ = call("verify", "-w", workspace, "--json")
    assert (code, [row["run or step"] for row in json.loads(out)]) == (1, [run.name])
    assert call("run", run / "config.yaml", "-w", workspace)[0] == 0
    assert (run / "manifest.json").read_bytes() == manifest


def test_a_workspace_that_was_copied_in_part_is_told(workspace, call):
    (run,) = (workspace / "runs").iterdir()
    steps = steps_of(workspace)
    shutil.rmtree(workspace / "steps")
    code, out, _ = call("verify", "-w", workspace, "--json")
    assert (code, {row["run or step"] for row in json.loads(out)}) == (1, {step.name for step in steps})
    code, _, err = call("report", run.name, "-w", workspace)
    assert code == 2
    assert f"{workspace / 'steps'} lacks {len(steps)} steps of the run: copy what is missing" in err


def test_a_run_of_before_there_were_checksums_is_read_with_a_note(workspace, call):
    (run,) = (workspace / "runs").iterdir()
    edited(run / "manifest.json", lambda record: [record.pop(name) for name in ("config", "checksum")])
    code, _, err = call("report", run.name, "-w", workspace)
    assert code == 0
    assert "was written by a tfticket that kept no checksums" in err
    code, out, _ = call("verify", run.name, "-w", workspace)
    assert code == 0
    assert "1 of these have no checksums, since an older tfticket wrote them" in out


def test_kept_weights_and_the_last_are_not_confused(workspace):
    folder = next(folder for folder in steps_of(workspace, "train") if (folder / "weights-2it.safetensors").exists())
    swap(folder / "weights.safetensors", folder / "weights-2it.safetensors")
    with pytest.raises(InputError, match="is not the file that this step wrote"):
        load_weights(folder / "weights.safetensors")


def test_a_file_is_of_the_folder_that_it_was_written_to(workspace, tmp_path):
    first, second = steps_of(workspace, "prune")[:2]
    (second / "result.json").unlink()  # not done: nothing lists its files
    shutil.copy(first / "ticket.safetensors", second / "ticket.safetensors")
    with pytest.raises(InputError, match=f"is a file of the step {first.name}"):
        Ticket.load(second / "ticket.safetensors")
    shutil.copy(first / "ticket.safetensors", tmp_path / "mine.safetensors")
    assert Ticket.load(tmp_path / "mine.safetensors").level == Ticket.load(first / "ticket.safetensors").level


def test_a_file_that_the_step_did_not_write_is_refused(workspace):
    (folder, *_) = steps_of(workspace, "evaluate")
    save_tensors(folder / "weights.safetensors", "weights", {}, {"weights": [], "iteration": 0})
    with pytest.raises(InputError, match="was not written by this step"):
        load_weights(folder / "weights.safetensors")


def test_the_metadata_and_the_tensors_that_are_read_are_verified(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, "weights", {"a": np.arange(4.0), "b": np.arange(4.0)}, {"iteration": 100})
    content = path.read_bytes()
    path.write_bytes(content.replace(b'iteration\\": 100', b'iteration\\": 900'))
    with pytest.raises(InputError, match="its metadata are not those that were written"):
        load_tensors(path, "weights", ())
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # the last byte of b
    assert list(load_tensors(path, "weights", ["a"])[0]) == ["a"]
    with pytest.raises(InputError, match="the bytes of b are not those that were written"):
        load_tensors(path, "weights", ["b"])


def test_a_folder_that_was_renamed_is_told(workspace):
    first, second = steps_of(workspace, "evaluate")[:2]
    shutil.rmtree(second)
    first.rename(second)
    with pytest.raises(InputError, match=f"is the result of another step, {first.name}"):
        Handle("evaluate", "", second).result()


def test_changed_numbers_in_a_result_are_told(workspace):
    (folder, *_) = steps_of(workspace, "evaluate")
    record = read_json(folder / "result.json")
    record["result"]["test"]["accuracy"] = 0.99
    write_json(folder / "result.json", record)
    with pytest.raises(InputError, match="its contents do not match its checksum"):
        read_result(folder)
    del record["checksum"], record["files"]
    record["extra"] = 1
    write_json(folder / "result.json", record)
    with pytest.raises(InputError, match="its contents do not match its checksum"):
        read_result(folder)


def test_the_inputs_of_a_step_are_those_that_it_had(workspace):
    first, second = steps_of(workspace, "evaluate")[:2]
    swap(first / "config.json", second / "config.json")
    with pytest.raises(InputError, match=r"config\.json is not the file that this step wrote"):
        read_config(first)


def test_files_of_before_checksums_are_read_and_told_from_those_of_now(workspace):
    (folder, *_) = steps_of(workspace, "start")
    tensors, header = load_tensors(folder / "ticket.safetensors", "ticket")
    write_old(folder / "ticket.safetensors", tensors, header)
    with pytest.raises(InputError, match="is not the file that this step wrote"):
        Ticket.load(folder / "ticket.safetensors")
    record = read_result(folder)
    write_json(folder / "result.json", {key: record[key] for key in record if key not in ("files", "checksum")})
    assert Ticket.load(folder / "ticket.safetensors").level == 0
    assert not verify_step(folder)


def write_old(path, tensors, header):
    """Write as format 1 was."""
    import safetensors.numpy

    from tfticket.runs.artefacts import checksum

    texts = {"tfticket": json.dumps(header | {"format": 1, "sha256": checksum(tensors)})}
    safetensors.numpy.save_file(tensors, path, metadata=texts)


def test_checkpoints_and_members_states_of_another_step_are_not_gone_on_from(tmp_path):
    ours, theirs = (tmp_path / f"train-{digit * 16}" for digit in "01")
    for folder in (ours, theirs):
        folder.mkdir()
    for name in (CHECKPOINT, STATE):
        write_checkpoint(theirs / name, Checkpoint(3, {"losses": np.zeros(2)}, {}, [], []), [])
        shutil.copy(theirs / name, ours / name)
    notes = []
    diary = EventWriter(ours / "events.jsonl", 1)
    context = StepContext(ours, {}, diary, Execution(), lambda: False, lambda done, total: None, notes.append)
    assert load_checkpoint(context)[0] is None
    assert load_checkpoint(replace(context, folder=theirs))[0].iteration == 3
    assert len(notes) == 1
    assert f"checkpoint.safetensors is a file of the step {theirs.name}" in notes[0]
    with pytest.raises(InputError, match=f"is a file of the step {theirs.name}"):
        read_checkpoint(ours / STATE)
