"""The command line on a workspace whose files are damaged or made to harm."""

import json
from types import SimpleNamespace

import pytest

from experiments.benchmarks.workspaces import make_workspace
from tests.harms import HARMS
from tfticket.lab import Lab
from tfticket.run import _first_start

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
    return not any(letter in text for letter in "\x1b\x07\u202e") and "fault of tfticket" not in text


@pytest.mark.parametrize("columns", ["200", "80", "60", "40"])
def test_every_run_has_its_line_and_its_state(columns, workspace, call, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, err = call("list", "runs", "-w", workspace)
    assert (code, err) == (0, "")
    assert is_harmless(out)
    text = "".join(out.split())
    states = ("done", "stopped", "failed", "killed", "damaged")
    begin = out.index(" is damaged:")
    listed = [word for line in out[:begin].splitlines() for word in line.split() if word in states]
    assert len(listed) == len(HARMS) + 1
    assert {*listed} == {*states}
    assert f"{run_of(workspace, 'a deep manifest').name}isdamaged:" in text
    assert "itisnestedtoodeep" in text


def test_as_json_every_run_says_what_is_wrong_with_it(workspace, call):
    code, out, _ = call("list", "runs", "-w", workspace, "--json")
    runs = {run["run"]: run for run in json.loads(out)}
    assert code == 0
    assert len(runs) == len(HARMS) + 1
    damaged = runs[run_of(workspace, "a status of another time").name]
    assert damaged["state"] == "damaged"
    assert "status.json is not as tfticket writes it: 'started' is 1e+300" in damaged["message"]
    assert is_harmless(out)


@pytest.mark.parametrize("harm", HARMS)
def test_a_run_is_shown_or_refused_in_one_message(harm, workspace, call):
    code, out, err = call("show", run_of(workspace, harm), "-w", workspace)
    assert is_harmless(out + err)
    assert code in (0, 2)
    if code == 2:
        assert err.splitlines()[-1].startswith("Error: ")
        assert str(workspace) in err
    assert code == 0 or harm not in WHOLE


@pytest.mark.parametrize(
    "words", [["show", "\x1b[31mnope"], ["list", "\x1b]0;x\x07[/red]"], ["run", "no\u202e[bold]"], ["inspect", "\x9bx"]]
)
def test_what_a_user_types_is_not_obeyed_either(words, call, tmp_path):
    code, out, err = call(*words, "-w", tmp_path)
    assert code == 2
    assert err
    assert is_harmless(out + err)


@pytest.mark.parametrize("text", ["{}", "[1]", "null", "[" * 100_000, '{"steps": [{}]}', '{"steps": [3]}', "\x00"])
def test_a_run_goes_on_though_its_manifest_and_status_are_damaged(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "status.json").write_text(text)
    assert Lab(tmp_path, run_folder=tmp_path)._before == {}
    assert _first_start(tmp_path / "status.json") > 1e9


def test_completion_offers_no_name_that_a_terminal_would_obey(tmp_path, monkeypatch):
    from tfticket.cli import completion

    for name in ("good-1", "bad-\x1b[31m", "bad\nline", "bad-\u202e"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    monkeypatch.setenv("TFTICKET_WORKSPACE", str(tmp_path))

    assert completion.runs(SimpleNamespace(params={}), "") == ["good-1"]
