"""Run folders: their states, lists of them, and how one is found."""
# ruff: noqa: F811 -- the imported fixture is an argument

import json

import pytest

from tests.refusals import refused
from tests.reports.conftest import make_run  # noqa: F401 -- a fixture
from tfticket.errors import InputError
from tfticket.runs.lease import lease
from tfticket.runs.run_folder import find_run, list_runs, read_run


def test_a_run_is_running_while_its_process_lives_and_killed_after(make_run):
    for state in ("done", "stopped", "failed"):
        assert read_run(make_run(state, state)).state == state
    folder = make_run("a-1", "running")
    with lease(folder):
        assert read_run(folder).state == "running"
        held = (folder / "lease.json").read_text()
    assert read_run(folder).state == "killed"
    (folder / "lease.json").write_text(json.dumps({**json.loads(held), "boot_id": "another"}))
    assert read_run(folder).state == "killed"
    (folder / "lease.json").unlink()
    assert read_run(folder).state == "killed"


def test_runs_are_listed_the_newest_first_and_damaged_ones_too(make_run, tmp_path):
    assert list_runs(tmp_path) == []
    hostile = ["[" * 50_000, "x: " + "{a: " * 50_000, "name: a\nname: b", "a: &a [*a]", "!!set {a}"]
    for number, content in enumerate(hostile):
        (make_run(f"bad-{number}", started=1.0) / "config.yaml").write_text(content)
    for name, started in [("a", 3.0), ("b", 4.0), ("c", 2.0)]:
        make_run(name, started=started)
    (tmp_path / "runs" / "no-run").mkdir()
    listed = list_runs(tmp_path)
    assert [run.folder.name for run in listed if run.state == "done"] == ["b", "a", "c"]
    assert sorted(run.folder.name for run in listed if run.state == "damaged") == [f"bad-{n}" for n in range(5)]


def test_a_run_is_found_by_its_folder_from_anywhere(make_run, tmp_path, monkeypatch):
    folder, other = make_run("quick-12ab", evaluations=[("ticket", 0, 0)]), make_run("other-34cd")
    for name in ("quick-12ab", "q", str(folder)):
        assert find_run(tmp_path, name).folder == folder
    assert find_run(tmp_path, "other").folder == other
    whole = make_run("other")
    assert find_run(tmp_path, "other").folder == whole
    for number in (3, 1, 2):
        (make_run(f"x-{number}", started=float(number)) / "config.yaml").write_text("name: same\n")
    assert find_run(tmp_path, "same").folder.name == "x-3"  # the newest
    names = {".": "runs/quick-12ab", "runs": "quick-12ab", "steps": "../runs/quick-12ab", folder: "."}
    for where, name in names.items():
        monkeypatch.chdir(tmp_path / where)
        assert [step.kind for step in find_run(tmp_path, name).steps()] == ["start", "evaluate"]


def test_a_name_that_fits_no_run_or_several_is_refused_with_the_runs_there(make_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with refused("run", None, "none yet"):
        find_run(tmp_path, "quick")
    make_run("quick-1", started=1.0)
    make_run("quick-2")
    for name in ("quick", ".", "..", "/", "*", "?", "[q]uick-1", "quick*", "a" * 5000, "a\0b", "a\nb"):
        with pytest.raises(InputError, match="quick-1, quick-2"):
            find_run(tmp_path, name)
    with refused("run", None, "empty"):
        find_run(tmp_path, " ")
    with refused("run", "quick-2", "No run"):
        find_run(tmp_path, "quack-2")
    with refused(None, None, str(tmp_path), "status.json"):
        read_run(tmp_path)
