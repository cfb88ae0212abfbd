"""Runs as processes of their own, without Qt; test_main_window has those that compute."""

import os
import platform
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gui.models.draft import preset_values
from gui.models.launcher import LAUNCH_FOLDER, MAX_FAILURES, Launcher, kill, request_stop, resume_folder_name
from tests.gui.summaries import summary
from tests.made_runs import change_json
from tests.processes import DEADLINE, started
from tests.refusals import refused
from tfticket.runs.files import write_json
from tfticket.runs.lease import lease
from tfticket.yaml_text import write_yaml

TEXT = write_yaml(preset_values("quickstart-smoke"))


@pytest.fixture
def launcher():
    launcher = Launcher()
    launcher.problems = []
    launcher.failed.connect(launcher.problems.append)
    yield launcher
    for launched in launcher._launched:
        if launched.process.poll() is None:
            os.killpg(launched.process.pid, signal.SIGKILL)
            launched.process.wait()


def test_a_refused_configuration_is_reported_in_the_programs_own_words(tmp_path, launcher, monkeypatch):
    (tmp_path / "tfticket.py").write_text("raise SystemExit(7)")  # is not taken for the program
    monkeypatch.chdir(tmp_path)
    launched = launcher.start(tmp_path, TEXT.replace("levels: 2", "levels: none"))
    assert os.getsid(launched.process.pid) == launched.process.pid  # it outlives the window
    assert launcher.is_running(launched.text) == launcher.is_starting is True
    assert launched.process.wait(DEADLINE) == 2
    for _ in range(2):
        launcher.poll()
    (problem,) = launcher.problems
    assert "prune.levels" in problem.title
    assert problem.title.startswith("quickstart-smoke: "), "the run's name, not that of a log"
    assert "Traceback" not in problem.details
    assert launcher.is_running(launched.text) == launcher.is_starting is False


def test_failures_without_a_run_are_reported_and_the_last_are_kept(tmp_path, launcher, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(MAX_FAILURES + 3):
        launcher.start(tmp_path, TEXT).process.wait(DEADLINE)
        launcher.poll()
    assert len(launcher.problems) == MAX_FAILURES + 3
    last = launcher.start(tmp_path, TEXT)
    last.process.wait(DEADLINE)
    assert len(list((tmp_path / LAUNCH_FOLDER).glob("*.log"))) == MAX_FAILURES + 1
    assert last.configuration.exists()
    (tmp_path / "runs" / "a").mkdir(parents=True)
    status = {"state": "failed", "started": last.started, "updated": last.started + 1}
    write_json(tmp_path / "runs" / "a" / "status.json", status)
    launcher.poll()
    assert len(launcher.problems) == MAX_FAILURES + 3, "the run has the reason"
    (tmp_path / "file").touch()
    with refused("File > Open workspace", None, str(tmp_path / "file")):
        launcher.start(tmp_path / "file" / "workspace", TEXT)
    assert launcher.running_count == 0


def test_a_process_has_a_run_if_it_holds_its_folder_on_this_machine(tmp_path, launcher, monkeypatch):
    (tmp_path / "sleeps").write_text("#!/bin/sh\nexec sleep infinity\n")
    (tmp_path / "sleeps").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "sleeps"))
    launched = launcher.start(tmp_path, TEXT)
    holder = {"host": "another", "pid": launched.process.pid}
    monkeypatch.setattr("gui.models.launcher.holder_of", lambda run: holder)
    run = summary("a", state="running")
    assert launcher.newly_started([run]) == []
    holder["host"] = platform.node()
    for started_runs in ([(launched, run)], []):
        assert launcher.newly_started([run]) == started_runs
    assert launcher.running_count == 1


def test_a_process_is_asked_once_and_one_of_another_start_time_never_killed(tmp_path):
    folder = tmp_path / "runs" / "a-12345678"
    folder.mkdir(parents=True)
    for act in (kill, request_stop):
        with refused(None, None, folder.name):
            act(folder)
    with started(["sleep", "infinity"]) as other:
        with lease(folder):
            pass
        change_json(folder / "lease.json", pid=other.pid, held=True)
        with refused(None, None, folder.name):
            kill(folder)
        change_json(folder / "lease.json", host="elsewhere")  # it cannot be signalled, but reads the file
        request_stop(folder)
        assert (folder / "STOP").exists()
        with refused(None, None, folder.name):
            request_stop(folder)  # a second signal would end it without a checkpoint
        with refused(None, None, "elsewhere", str(other.pid)):
            kill(folder)
        assert other.poll() is None


def test_a_run_resumes_in_the_folder_of_its_name_and_hash():
    names = dict.fromkeys(("imp-1234abcd", "imp-1234abcd (copy)", "old-imp-1234abcd"), "imp-1234abcd")
    for name, resumed in (names | {"imp-best": "imp-…"}).items():
        assert resume_folder_name(replace(summary("imp"), folder=Path("/ws/runs") / name)) == resumed
