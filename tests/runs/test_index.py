"""The index of runs: what the folders say, read once."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from experiments.benchmarks.workspaces import MESSAGE, make_workspace
from tests.made_runs import make_run
from tests.runs.conftest import by_name, change, folders
from tfticket.arms import TICKET
from tfticket.reports.rows import rows_of
from tfticket.runs import records, run_folder, step_files, summary
from tfticket.runs.index import FILE
from tfticket.runs.run_folder import find_run, read_steps, write_manifest


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are read."""
    names = []
    read = records.read_json

    def read_json(path, *limits):
        names.append(path.name if path.parent.parent.name == "runs" else path.parent.name.partition("-")[0])
        return read(path, *limits)

    for module in (records, run_folder, step_files):
        monkeypatch.setattr(module, "read_json", read_json)
    step_files._read_result.cache_clear()
    return names


def settle(paths):
    """Let files look as though they had been written some time ago."""
    for path in paths:
        os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)


def test_there_is_no_index_before_there_are_runs(tmp_path, opened):
    for folder in (tmp_path / "nowhere", tmp_path):
        index = opened(folder)
        assert index.refresh() == index.runs() == []
    assert list(tmp_path.iterdir()) == []
    make_workspace(tmp_path, runs=1, events=5)
    assert len(index.refresh()) == 1
    assert (tmp_path / FILE).exists()


def test_runs_are_listed_as_their_folders_say_the_newest_first(tmp_path, opened):
    make_workspace(tmp_path, runs=5, events=20)
    index = opened(tmp_path)
    assert index.runs() == []
    runs = index.refresh()
    assert index.runs() == runs
    assert [run.state for run in runs] == ["failed", "stopped", "done", "done", "done"]
    failed, done = runs[0], runs[-1]
    assert (failed.message, done.message) == (MESSAGE, "")
    assert (failed.trainings, failed.completed, done.completed) == (12, 10.0, 12.0)
    assert (done.experiment, done.doing, done.seconds_left) == ("imp", "", None)
    assert (done.folder, done.updated) == (folders(tmp_path)[0], done.started + 3000)
    for run in runs:  # accuracy and NLL are those of the report
        rows = [row for row in rows_of(find_run(tmp_path, run.name)) if row.arm.key == "ticket"]
        last = [row for row in rows if row.level == max(row.level for row in rows)]
        assert (run.level, run.density) == (last[0].level, pytest.approx(0.5 ** last[0].level))
        for metric in ("accuracy", "nll"):
            expected = sum(row.validation[metric] for row in last) / len(last)
            assert getattr(run, metric) == pytest.approx(expected)


def test_controls_do_not_count(tmp_path, opened):
    folder = make_run(tmp_path)
    steps = [step for step in read_steps(folder) if step.label.get("arm") != TICKET or step.label["level"] < 2]
    write_manifest(folder, steps)
    (run,) = opened(tmp_path).refresh()
    rows = [row for row in rows_of(find_run(tmp_path, folder.name)) if (row.arm, row.level) == (TICKET, 1)]
    assert (run.level, run.density, len(rows)) == (1, 0.5, 2)
    assert run.accuracy == pytest.approx(sum(row.validation["accuracy"] for row in rows) / 2)


def test_only_what_changed_is_read_again(workspace, opened, reads):
    opened(workspace).refresh()
    reads.clear()
    assert len(opened(workspace).runs()) == 3
    assert reads == []
    index = opened(workspace)
    settle((workspace / "runs").glob("*/*"))
    runs = index.refresh()
    reads.clear()
    assert index.refresh() == runs
    (workspace / FILE).unlink()
    assert index.refresh() == runs  # and is written again
    assert reads == []
    assert opened(workspace).runs() == runs
    change(folders(workspace)[1] / "status.json", state="failed", message="Why.\nAnd more.")
    assert by_name(index.refresh())["synthetic-0001"].message == "Why. And more."
    assert reads == ["status.json"]


def test_results_of_steps_are_read_once_whatever_becomes_of_manifests(workspace, opened, reads):
    index = opened(workspace)
    index.refresh()
    assert reads.count("evaluate") == 3 * 2
    reads.clear()
    for folder in folders(workspace):
        change(folder / "manifest.json", more=0)
    index.refresh()
    with closing(sqlite3.connect(workspace / FILE)) as connection, connection:
        connection.execute("DELETE FROM runs")
    assert len(opened(workspace).refresh()) == 3
    assert reads.count("manifest.json") >= 6
    assert "evaluate" not in reads


def test_a_change_within_a_tick_of_the_clock_is_noticed(workspace, opened):
    path = folders(workspace)[0] / "status.json"
    settle([path])
    assert summary.last_change(str(path)) == summary.last_change(str(path))
    assert summary.last_change(str(path / "below")) == summary.last_change(str(workspace / "none")) == []
    index = opened(workspace)
    for state in ("done", "dine", "done", "dine"):  # a state that there is, and one that there is not
        before = path.stat()
        path.write_text(re.sub("d.ne", state, path.read_text()))  # in place: same size and inode
        assert path.stat().st_ino == before.st_ino
        assert summary.last_change(str(path)) != summary.last_change(str(path))
        assert by_name(index.refresh())["synthetic-0000"].state == ("done" if state == "done" else "damaged")


def test_strange_files_and_folders_among_the_runs(workspace, opened):
    name = Path(os.fsdecode(os.fsencode(workspace / "runs") + b"/na\xffme"))
    name.mkdir()
    (name / "status.json").write_text('{"state": "done", "started": 1}')
    (workspace / "runs" / "note.txt").write_text("")
    (workspace / "runs" / "empty").mkdir()
    (workspace / "runs" / "nowhere").symlink_to(workspace / "gone")
    runs = opened(workspace).refresh()
    assert [run.folder for run in runs] == [*reversed(folders(workspace)[-3:]), name]
    assert opened(workspace).runs() == runs


def test_what_vanishes_is_forgotten_also_by_the_database(workspace, opened):
    index = opened(workspace)
    index.refresh()
    shutil.rmtree(folders(workspace)[0])
    assert {run.name for run in index.refresh()} == {"synthetic-0001", "synthetic-0002"}
    assert len(opened(workspace).runs()) == 2
    for make in (lambda path: None, lambda path: path.write_text("")):
        shutil.rmtree(workspace / "runs", ignore_errors=True)
        make(workspace / "runs")
        assert index.refresh() == []


def test_results_that_come_later_than_their_run_are_shown(workspace, opened):
    """As while a workspace is copied from elsewhere."""
    expected = opened(workspace).refresh()
    (workspace / FILE).unlink()
    away = (workspace / "steps").rename(workspace / "away")
    index = opened(workspace)
    assert {run.accuracy for run in index.refresh()} == {None}
    away.rename(workspace / "steps")
    assert index.refresh() == expected
    for step in find_run(workspace, "synthetic-0000").steps("evaluate"):
        if step.label["level"] == 5:
            shutil.rmtree(step.path)
    (workspace / FILE).unlink()
    assert by_name(opened(workspace).refresh())["synthetic-0000"].level == 4


def test_a_run_that_is_linked_from_another_workspace_keeps_its_results(workspace, opened, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "runs").mkdir()
    (elsewhere / "runs" / "linked").symlink_to(folders(workspace)[0])
    (run,) = opened(elsewhere).refresh()
    assert run.folder == elsewhere / "runs" / "linked"
    assert run.accuracy == by_name(opened(workspace).refresh())[run.name].accuracy is not None


def test_a_run_keeps_its_number_in_every_index_and_frees_it_when_it_vanishes(workspace, opened):
    index = opened(workspace)
    order = [run.folder for run in reversed(index.refresh())]
    assert index.numbers == {folder: place for place, folder in enumerate(order)}
    shutil.rmtree(order[0])
    other = opened(workspace)
    other.refresh()
    assert other.numbers == {order[1]: 1, order[2]: 2}
    shutil.copytree(order[1], workspace / "runs" / "new-12345678")
    other.refresh()
    index.refresh()
    assert index.numbers == other.numbers == {order[1]: 1, order[2]: 2, workspace / "runs" / "new-12345678": 0}
    (workspace / FILE).unlink()
    index.refresh()
    assert opened(workspace).numbers == index.numbers == other.numbers
