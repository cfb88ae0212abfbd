"""What the doctor says of machines that this one is not."""

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


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """Examines this machine, by default with an empty workspace and no data folder."""
    for name in ("XDG_DATA_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv(DATA_DIR, "")

    def examine(workspace=tmp_path / "workspace"):
        return {finding.what: finding for finding in doctor.examine(workspace)}

    return examine


def package(monkeypatch, name, version):
    """Have a package in this version; None is not installed."""
    installed = importlib.metadata.version

    def pretended(asked):
        if asked != name:
            return installed(asked)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", pretended)


def tensorflow_that_does_not_start(monkeypatch):
    monkeypatch.delattr(tfticket, "backend")
    monkeypatch.setitem(sys.modules, "tfticket.backend", None)


def gpu(monkeypatch, tmp_path, driver, seen):
    path = tmp_path / "nvidiactl"
    if driver:
        path.touch()
    monkeypatch.setattr(doctor, "GPU_DRIVER", path)
    monkeypatch.setattr(backend, "has_gpu", lambda: seen)


def test_every_package_that_is_needed_is_looked_at(findings):
    found = findings()
    needed = [Requirement(text) for text in importlib.metadata.requires("tfticket")]
    always = {one.name for one in needed if one.marker is None}
    assert {"numpy", "tensorflow", "typer"} < always
    assert found["packages"].state == "ok"
    fitting = found["packages"].found.split(", ")
    assert {f"{name} {importlib.metadata.version(name)}" for name in always} <= {*fitting}
    assert not {"torch", "pytest"} & {text.split()[0] for text in fitting}, "only some work needs these"
    assert not {text.split()[0] for text in fitting} & {*found}, "what fits has no row of its own"


def test_whatever_does_not_fit_has_a_row_of_its_own(findings, monkeypatch):
    package(monkeypatch, "safetensors", None)
    package(monkeypatch, "numpy", "1.26.4")
    found = findings()
    assert {name: found[name].state for name in ("safetensors", "numpy")} == dict.fromkeys(
        ("safetensors", "numpy"), "broken"
    )
    assert found["packages"].state == "ok"
    assert not {"safetensors", "numpy"} & {text.split()[0] for text in found["packages"].found.split(", ")}
    assert "tensorflow" in found["packages"].found


def test_every_data_set_is_looked_for(findings):
    found = findings()
    assert [what.removeprefix("data ") for what in found if what.startswith("data ")] == list(DATA_SETS)
    assert found["data mnist"].state == found["data cifar-10-small"].state == "ok"
    jpeg = found["data cifar-10-jpeg"]
    assert (jpeg.state, jpeg.found, jpeg.mend) == ("note", "not on this machine", sources.cifar_10_jpeg.how)
    assert "--data-dir" in jpeg.mend


def test_data_that_are_there_need_no_mending_and_the_users_own_come_last(findings, tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    for name in ("cifar-10-jpeg.zip", "letters.npz", "mnist.npz"):
        (tmp_path / name).touch()
    found = {what: finding for what, finding in findings().items() if what.startswith("data ")}
    assert [*found] == [f"data {name}" for name in (*DATA_SETS, "letters")]
    for name, file in (("cifar-10-jpeg", "cifar-10-jpeg.zip"), ("letters", "letters.npz")):
        finding = found[f"data {name}"]
        assert (finding.state, finding.found, finding.mend) == ("ok", str(tmp_path / file), "")


BROKEN = {
    "package missing": (
        lambda monkeypatch: package(monkeypatch, "safetensors", None),
        "safetensors",
        "not installed",
        "pip install 'safetensors",
    ),
    "package too old": (
        lambda monkeypatch: package(monkeypatch, "numpy", "1.26.4"),
        "numpy",
        "1.26.4",
        "Expected <2.5,>=2.0: pip install 'numpy",
    ),
    "package too new": (
        lambda monkeypatch: package(monkeypatch, "tensorflow", "2.30.0"),
        "tensorflow",
        "2.30.0",
        "Expected <2.22,>=2.21: pip install 'tensorflow",
    ),
    "tfticket not installed": (
        lambda monkeypatch: package(monkeypatch, "tfticket", None),
        "tfticket",
        "not installed",
        "make setup",
    ),
    "TensorFlow does not start": (
        tensorflow_that_does_not_start,
        "TensorFlow",
        "does not start: ",
        "Install tfticket again",
    ),
    "no folder of data": (
        lambda monkeypatch: monkeypatch.setenv(DATA_DIR, "nowhere"),
        "data folder",
        "The data folder nowhere does not exist",
        "",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_program_cannot_do_without_is_broken_and_everything_else_is_looked_at(name, findings, monkeypatch):
    breaking, what, found, mend = BROKEN[name]
    breaking(monkeypatch)
    every = findings()
    assert [finding.what for finding in every.values() if finding.state == "broken"] == [what]
    assert found in every[what].found
    assert mend in every[what].mend
    assert {"Python", "memory", "workspace", "free disk"} < set(every)


def test_a_workspace_that_cannot_be_written_is_broken(findings, tmp_path):
    (tmp_path / "file").touch()
    found = findings(tmp_path / "file" / "workspace")
    assert found["workspace"].state == "broken"
    assert f"{tmp_path / 'file'} cannot be written" in found["workspace"].found


def test_a_workspace_is_not_made_by_looking_and_its_runs_are_counted(findings, tmp_path):
    assert findings()["workspace"].found == f"{tmp_path / 'workspace'}, 0 runs"
    assert not (tmp_path / "workspace").exists()
    run = tmp_path / "workspace" / "runs" / "a-1"
    run.mkdir(parents=True)
    (run / "status.json").write_text(json.dumps({"state": "done"}))
    assert findings()["workspace"].found == f"{tmp_path / 'workspace'}, 1 run"


@pytest.mark.parametrize(("free", "state"), [(doctor.LITTLE_DISK - 1, "note"), (doctor.LITTLE_DISK, "ok")])
def test_little_disk_is_told_and_breaks_nothing(free, state, findings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    found = findings()["free disk"]
    assert (found.state, found.found) == (state, "2.0 GB")
    assert ("--workspace" in found.mend) == (state == "note")


@pytest.mark.parametrize(
    ("driver", "seen", "state", "found", "mend"),
    [
        (False, False, "note", "none: everything runs on the CPU", ""),
        (True, False, "note", "TensorFlow does not see it", "pip install 'tfticket[gpu]'"),
        (True, True, "ok", "", ""),
    ],
)
def test_a_gpu_is_used_or_it_is_said_why_not(driver, seen, state, found, mend, findings, tmp_path, monkeypatch):
    gpu(monkeypatch, tmp_path, driver, seen)
    gpu_found = findings()["GPU"]
    assert gpu_found.state == state
    assert found in gpu_found.found
    assert (mend in gpu_found.mend) if mend else gpu_found.mend == ""


def test_each_state_has_a_mark_of_its_own(findings):
    assert len({doctor.Finding("", state, "").mark for state in ("ok", "note", "broken")}) == 3
    assert {finding.state for finding in findings().values()} <= {"ok", "note"}
