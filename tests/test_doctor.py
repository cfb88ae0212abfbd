"""The doctor's findings on this machine, and on machines that this one is not."""

import importlib.metadata
import json
import shutil
import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

import tfticket
from tfticket import backend
from tfticket.cli import doctor
from tfticket.data import sources
from tfticket.registry import DATA_DIR, DATA_SETS

pytestmark = pytest.mark.usefixtures("no_data_folder")


@pytest.fixture
def findings(tmp_path):
    """Examines this machine, by default with an empty workspace and no data folder."""
    return lambda workspace=tmp_path / "workspace": {row.what: row for row in doctor.examine(workspace)}


def package(monkeypatch, name, version):
    """Have a package in this version; None is not installed."""
    installed = importlib.metadata.version

    def pretended(asked):
        if asked == name and version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version if asked == name else installed(asked)

    monkeypatch.setattr(importlib.metadata, "version", pretended)


def without_tensorflow(monkeypatch):
    monkeypatch.delattr(tfticket, "backend")
    monkeypatch.setitem(sys.modules, "tfticket.backend", None)


def test_every_data_set_is_looked_for_and_the_users_own_come_last(findings, tmp_path, monkeypatch):
    rows = findings()
    assert rows["data mnist"].state == rows["data cifar-10-small"].state == "ok"
    jpeg = rows["data cifar-10-jpeg"]
    assert (jpeg.state, jpeg.mend) == ("note", sources.cifar_10_jpeg.how)
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    for name in ("cifar-10-jpeg.zip", "letters.npz", "mnist.npz"):
        (tmp_path / name).touch()
    rows = {what: row for what, row in findings().items() if what.startswith("data ")}
    assert [*rows] == [f"data {name}" for name in (*DATA_SETS, "letters")]
    for name, file in (("cifar-10-jpeg", "cifar-10-jpeg.zip"), ("letters", "letters.npz")):
        row = rows[f"data {name}"]
        assert (row.state, row.found, row.mend) == ("ok", str(tmp_path / file), "")


BREAKING = [
    (lambda patch: package(patch, "safetensors", None), "safetensors", "", "pip install 'safetensors"),
    (lambda patch: package(patch, "tensorflow", "2.30.0"), "tensorflow", "2.30.0", "<2.22,>=2.21: pip install"),
    (lambda patch: package(patch, "tfticket", None), "tfticket", "", "make setup"),
    (without_tensorflow, "TensorFlow", "", "tfticket"),
    (lambda patch: patch.setenv(DATA_DIR, "nowhere"), "data folder", "nowhere", ""),
]


@pytest.mark.parametrize(("breaking", "what", "value", "mend"), BREAKING)
def test_what_the_program_needs_is_broken_and_all_else_is_looked_at(breaking, what, value, mend, findings, monkeypatch):
    breaking(monkeypatch)
    rows = findings()
    assert [row.what for row in rows.values() if row.state == "broken"] == [what]
    assert (value in rows[what].found, mend in rows[what].mend) == (True, True)
    assert {"Python", "memory", "workspace", "free disk"} < set(rows)


def test_a_workspace_is_not_made_its_runs_are_counted_and_little_disk_is_noted(findings, tmp_path, monkeypatch):
    assert findings()["workspace"].found == f"{tmp_path / 'workspace'}, 0 runs"
    assert not (tmp_path / "workspace").exists()
    run = tmp_path / "workspace" / "runs" / "a-1"
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "done"}')
    assert findings()["workspace"].found == f"{tmp_path / 'workspace'}, 1 run"
    for free, state in ((doctor.LITTLE_DISK - 1, "note"), (doctor.LITTLE_DISK, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        row = findings()["free disk"]
        assert (row.state, row.found, "--workspace" in row.mend) == (state, "2.0 GB", state == "note")


def test_a_gpu_is_used_or_it_is_said_why_not(findings, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "GPU_DRIVER", tmp_path / "nvidiactl")
    for driver, seen, state, mend in ((0, 0, "note", ""), (1, 0, "note", "'tfticket[gpu]'"), (1, 1, "ok", "")):
        if driver:
            (tmp_path / "nvidiactl").touch()
        monkeypatch.setattr(backend, "has_gpu", lambda seen=seen: seen)
        row = findings()["GPU"]
        assert (row.state, mend in row.mend, bool(row.mend)) == (state, True, bool(mend))


def test_the_command_finds_what_the_program_needs_on_this_machine(tmp_path, call):
    code, out, err = call("doctor", "--json", "-w", tmp_path)
    assert (code, err) == (0, "")
    rows = {row["what"]: row for row in json.loads(out)}
    assert {row["state"] for row in rows.values()} <= {"ok", "note"}
    needed = [Requirement(text) for text in importlib.metadata.requires("tfticket")]
    always = {requirement.name for requirement in needed if requirement.marker is None}
    fitting = rows["packages"]["found"].split(", ")
    assert {f"{name} {importlib.metadata.version(name)}" for name in always} <= {*fitting}
    assert not {"torch", "pytest", *rows} & {text.split()[0] for text in fitting}
    code, out, _ = call("doctor", "-w", tmp_path)
    assert (code, rows["data cifar-10-jpeg"]["mend"] in out) == (0, True)
    assert [line.split()[0] for line in out.splitlines() if " packages " in line] == [doctor.MARKS["ok"]]


def test_the_command_exits_1_where_the_program_cannot_work(tmp_path, call):
    (tmp_path / "file").touch()
    workspace = tmp_path / "file" / "w"
    code, out, err = call("doctor", "--json", "-w", workspace, "--data-dir", tmp_path / "none")
    assert code == 1
    assert [row["what"] for row in json.loads(out) if row["state"] == "broken"] == ["workspace", "data folder"]
    for fact in (f"{tmp_path / 'file'} cannot be written", "--workspace", str(tmp_path / "none"), "--data-dir"):
        assert fact in err
    assert not workspace.exists()
