"""The command line on a workspace whose files are damaged or made to harm."""

import json

import pytest

from experiments.benchmarks.workspaces import make_workspace
from tests.harms import HARMS
from tfticket.presets import load_experiment
from tfticket.run import open_run, run_folder
from tfticket.runs.run_folder import read_run

WHOLE = "texts", "arms", "progress that is a pipe", "a lease that is a pipe", "a lease of process 0", "events"
"""Harms under which a run can still be shown."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A run for each harm, and one that is whole."""
    workspace = tmp_path_factory.mktemp("hostile")
    runs = make_workspace(workspace, runs=len(HARMS) + 1, events=20)
    for run, harm in zip(runs, HARMS.values(), strict=False):
        harm(run)
    return workspace


def run_of(workspace, harm):
    return sorted((workspace / "runs").iterdir())[list(HARMS).index(harm)]


def is_harmless(text):
    return not any(letter in text for letter in "\x1b\x07\u202e\x9b") and "fault of tfticket" not in text


def test_every_run_has_its_line_and_its_state(workspace, call, monkeypatch):
    for columns in ("200", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        code, out, err = call("list", "runs", "-w", workspace)
        assert (code, err, is_harmless(out)) == (0, "", True)
        assert run_of(workspace, "a deep manifest").name in "".join(out.split())
    runs = {run["run"]: run for run in json.loads(call("list", "runs", "-w", workspace, "--json")[1])}
    assert {run["state"] for run in runs.values()} == {"done", "stopped", "failed", "killed", "damaged"}
    damaged = runs[run_of(workspace, "a status of another time").name]
    assert (len(runs), damaged["state"]) == (len(HARMS) + 1, "damaged")
    assert all(part in damaged["message"] for part in ("status.json", "'started'", "1e+300"))


def test_a_run_is_shown_or_refused_in_one_message(workspace, call):
    for harm in HARMS:
        code, out, err = call("show", run_of(workspace, harm), "-w", workspace)
        assert is_harmless(out + err), harm
        assert code in ((0,) if harm in WHOLE else (0, 2)), harm
        if code == 2:
            assert err.splitlines()[-1].startswith("Error: "), harm
            assert str(workspace) in err, harm


def test_what_a_user_types_is_not_obeyed_either(call, tmp_path):
    typed = {"show": "\x1b[31mnope", "list": "\x1b]0;x\x07[/red]", "run": "no\u202e[bold]", "inspect": "\x9bx"}
    for command, text in typed.items():
        code, out, err = call(command, text, "-w", tmp_path)
        assert (code, bool(err)) == (2, True)
        assert is_harmless(out + err)


def test_a_run_goes_on_though_its_manifest_and_status_are_damaged(tmp_path):
    config = load_experiment("quickstart-smoke")
    folder = run_folder(tmp_path, config)
    folder.mkdir(parents=True)
    for text in ("{}", "[1]", "null", "[" * 100_000, '{"steps": [{}]}', '{"steps": [3]}', "\x00"):
        for name in ("manifest.json", "status.json"):
            (folder / name).write_text(text)
        with open_run(tmp_path, config):
            pass
        run = read_run(folder)
        assert (run.state, run.steps()) == ("done", [])
        assert run.status["started"] > 1e9
