"""Runs as processes of their own, at the smoke budget, without Qt. Needs TensorFlow (in the processes)."""

import os
import platform
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gui.models.draft import DraftModel
from gui.models.launcher import LAUNCH_FOLDER, MAX_FAILURES, Launcher, kill, request_stop, resume_folder_name
from gui.models.workspace import WorkspaceModel
from tests.gui.summaries import summary
from tests.processes import DEADLINE, started, wait_for
from tfticket.errors import InputError
from tfticket.runs.lease import lease


@pytest.fixture
def draft():
    """A run of seconds, long enough to be stopped."""
    draft = DraftModel()
    draft.load_preset("quickstart-smoke")
    draft.form.set("seeds", [0])
    draft.form.set("train.epochs", "20000ep")
    draft.form.set("prune.levels", 1)
    draft.form.set("execution.segment_seconds", 0.2)
    return draft


@pytest.fixture
def launcher():
    launcher = Launcher()
    yield launcher
    for launched in launcher._launched:
        if launched.process.poll() is None:
            os.killpg(launched.process.pid, signal.SIGKILL)
            launched.process.wait()


@pytest.fixture
def model(tmp_path):
    model = WorkspaceModel()
    model.open(tmp_path)
    yield model
    model.close()


def run_in(model, state):
    """The one run, once it is in a state."""

    def there():
        model.poll()
        return next((run for run in model.runs if run.state == state), None)

    return wait_for(there)


def test_a_run_is_started_found_stopped_goes_on_and_is_killed(tmp_path, draft, launcher, model):
    launched = launcher.start(tmp_path, draft.form.yaml())
    assert launched.configuration.parent == tmp_path / LAUNCH_FOLDER
    assert os.getsid(launched.process.pid) == launched.process.pid  # it outlives the window
    run = run_in(model, "running")
    wait_for(lambda: model.poll() and model.runs[0].completed > 0)
    assert model.runs[0].doing.startswith("seed 0")
    request_stop(run.folder)
    with pytest.raises(InputError, match=r"was already asked|is not running"):
        request_stop(run.folder)  # a second signal would end it without a checkpoint
    run_in(model, "stopped")
    launched.process.wait(DEADLINE)
    with pytest.raises(InputError, match="is not running"):
        request_stop(run.folder)

    again = launcher.start(tmp_path, (run.folder / "config.yaml").read_text())
    assert run_in(model, "running").folder == run.folder
    kill(run.folder)
    assert run_in(model, "killed").folder == run.folder
    again.process.wait(DEADLINE)
    told = []
    launcher.failed.connect(told.append)
    launcher.poll()
    assert launcher.running_count == 0
    assert told == []  # it was asked for
    assert list((tmp_path / LAUNCH_FOLDER).iterdir()) == []


def test_a_refused_configuration_is_told_in_the_programs_own_words(tmp_path, draft, launcher):
    told = []
    launcher.failed.connect(told.append)
    launched = launcher.start(tmp_path, draft.form.yaml().replace("levels: 1", "levels: none"))
    launched.process.wait(DEADLINE)
    launcher.poll()
    launcher.poll()
    (problem,) = told
    assert "prune.levels" in problem.title
    assert problem.title.startswith("quickstart-smoke: "), "the run's name, not that of a log"
    assert "Error" in problem.details
    assert "Traceback" not in problem.details


def test_a_workspace_that_cannot_be_written_is_refused(tmp_path, draft, launcher):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot write in"):
        launcher.start(tmp_path / "file" / "workspace", draft.form.yaml())
    assert launcher.running_count == 0


def test_a_process_of_another_start_time_is_never_killed(tmp_path):
    folder = tmp_path / "runs" / "a-12345678"
    folder.mkdir(parents=True)
    with started(["sleep", "infinity"]) as other:
        with lease(folder):
            text = (folder / "lease.json").read_text()
        text = text.replace(f'"pid": {os.getpid()}', f'"pid": {other.pid}').replace('"held": false', '"held": true')
        (folder / "lease.json").write_text(text)
        with pytest.raises(InputError, match="is not running"):
            kill(folder)
        assert other.poll() is None


def test_a_process_that_ends_before_it_has_a_run_is_told(tmp_path, draft, launcher, monkeypatch):
    told = []
    launcher.failed.connect(told.append)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    launched = launcher.start(tmp_path, draft.form.yaml())
    launched.process.wait(DEADLINE)
    launcher.poll()
    assert len(told) == 1


def test_a_module_in_the_folder_one_is_in_is_not_taken_for_a_librarys(tmp_path, draft, launcher, monkeypatch):
    (tmp_path / "tfticket.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    launched = launcher.start(tmp_path, draft.form.yaml().replace("levels: 1", "levels: none"))
    assert launched.process.wait(DEADLINE) == 2


def test_the_last_failures_are_kept_and_what_still_runs(tmp_path, draft, launcher, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    place = tmp_path / LAUNCH_FOLDER
    for _ in range(MAX_FAILURES + 3):
        launcher.start(tmp_path, draft.form.yaml()).process.wait(DEADLINE)
        launcher.poll()
    last = launcher.start(tmp_path, draft.form.yaml())
    assert len(list(place.glob("*.yaml"))) == len(list(place.glob("*.log"))) == MAX_FAILURES + 1
    assert last.configuration.exists()
    last.process.wait(DEADLINE)


def test_a_process_has_a_run_if_it_holds_its_folder_on_this_machine(tmp_path, draft, launcher, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/cat")  # waits for nothing that comes
    launched = launcher.start(tmp_path, draft.form.yaml())
    holder = {"host": platform.node(), "pid": launched.process.pid}
    monkeypatch.setattr("gui.models.launcher.holder_of", lambda run: holder)
    assert launched.holds(tmp_path)
    holder["host"] = "another"
    assert not launched.holds(tmp_path)
    launched.process.wait(DEADLINE)


@pytest.mark.parametrize(
    ("folder", "there"),
    [
        ("imp-1234abcd", "imp-1234abcd"),
        ("imp-1234abcd (copy)", "imp-1234abcd"),
        ("old-imp-1234abcd", "imp-1234abcd"),
        ("best", "imp-…"),
        ("imp-best", "imp-…"),
    ],
)
def test_a_run_goes_on_in_the_folder_of_its_name_and_hash(folder, there):
    assert resume_folder_name(replace(summary("imp"), folder=Path("/ws/runs") / folder)) == there
