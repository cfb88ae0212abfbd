"""The index of runs: what the folders say, read once."""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from experiments.benchmarks.workspaces import MESSAGE, make_workspace
from tests.reports.conftest import make_run as make_reported  # noqa: F401 -- a fixture
from tests.runs.conftest import by_name, change, folders
from tfticket.reports.rows import rows_of
from tfticket.runs import records, run_folder, step_files, summary
from tfticket.runs.index import FILE
from tfticket.runs.run_folder import find_run


@pytest.fixture
def reads(monkeypatch):
    """The files that the index reads."""
    names = []
    read = records.read_json

    def read_json(path, *limits):
        names.append(path.name if path.parent.parent.name == "runs" else path.parent.name.partition("-")[0])
        return read(path, *limits)

    for module in (records, run_folder, step_files):
        monkeypatch.setattr(module, "read_json", read_json)
    return names


def test_a_workspace_that_is_not_there_has_no_runs_and_is_not_made(tmp_path, opened):
    found = opened(tmp_path / "nowhere")
    assert found.refresh() == found.runs() == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_runs_gets_no_index_until_it_has_some(tmp_path, opened):
    found = opened(tmp_path)
    assert found.refresh() == []
    assert not (tmp_path / FILE).exists()
    make_workspace(tmp_path, runs=1, events=5)
    assert len(found.refresh()) == 1
    assert (tmp_path / FILE).exists()


def test_runs_are_told_as_their_folders_say_the_newest_first(tmp_path, opened):
    make_workspace(tmp_path, runs=5, events=20)
    found = opened(tmp_path)
    assert found.runs() == []
    runs = found.refresh()
    assert found.runs() == runs
    assert [run.state for run in runs] == ["failed", "stopped", "done", "done", "done"]
    assert [run.started for run in runs] == sorted((run.started for run in runs), reverse=True)
    failed, done = runs[0], runs[-1]
    assert (failed.message, done.message) == (MESSAGE, "")
    assert (failed.trainings, failed.completed, done.completed) == (12, 10.0, 12.0)
    assert (done.experiment, done.doing, done.seconds_left) == ("imp", "", None)
    assert done.folder == folders(tmp_path)[0]


def test_accuracy_and_nll_are_those_of_the_report(workspace, opened):
    for run in opened(workspace).refresh():
        rows = [row for row in rows_of(find_run(workspace, run.name)) if row.arm.key == "ticket"]
        last = [row for row in rows if row.level == max(row.level for row in rows)]
        assert len(last) == 2
        assert run.level == 5
        assert run.density == pytest.approx(0.5**5)
        for metric in ("accuracy", "nll"):
            expected = sum(row.validation[metric] for row in last) / 2
            assert getattr(run, metric) == pytest.approx(expected)


def test_controls_do_not_count(make_reported, tmp_path, opened):  # noqa: F811
    tickets = [("ticket", seed, 1, {"test": {"accuracy": 0.5 + seed / 10}}) for seed in (0, 1)]
    make_reported("one", evaluations=[*tickets, ("reinitialise", 0, 2), ("ticket", 0, 0)])
    (run,) = opened(tmp_path).refresh()
    assert (run.level, run.density) == (1, 0.5)
    assert run.accuracy == pytest.approx(0.55)


def test_real_runs_are_told(tmp_path, call, no_data_folder, opened):
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, "-o", "seeds=[3]", "-o", "train.epochs=5it")
    assert code == 0, err
    (run,) = opened(tmp_path).refresh()
    assert (run.name, run.experiment, run.state, run.doing) == ("quickstart-smoke", "imp", "done", "")
    assert run.completed == run.trainings == 7
    rows = [row for row in rows_of(find_run(tmp_path, run.name)) if row.arm.key == "ticket"]
    assert (run.level, run.density) == (rows[-1].level, rows[-1].density)
    assert run.accuracy == rows[-1].validation["accuracy"]
    assert opened(tmp_path).runs() == [run]


def test_a_second_look_reads_nothing_and_a_third_only_what_changed(workspace, opened, reads):
    opened(workspace).refresh()
    reads.clear()
    assert len(opened(workspace).runs()) == 3
    assert reads == []
    found = opened(workspace)
    settle((workspace / "runs").glob("*/*"))
    found.refresh()
    reads.clear()
    found.refresh()
    assert reads == []
    change(folders(workspace)[1] / "status.json", state="failed", message="Why.\nAnd more.")
    assert by_name(found.refresh())["synthetic-0001"].message == "Why. And more."
    assert reads == ["status.json"]


def settle(paths):
    """Files look as though they had been written some time ago."""
    for path in paths:
        os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)


def test_results_of_steps_are_read_once_whatever_becomes_of_manifests(workspace, opened, reads):
    found = opened(workspace)
    found.refresh()
    assert reads.count("evaluate") == 3 * 2
    reads.clear()
    for folder in folders(workspace):
        change(folder / "manifest.json", more=0)
    found.refresh()
    with closing(sqlite3.connect(workspace / FILE)) as connection, connection:
        connection.execute("DELETE FROM runs")
    assert len(opened(workspace).refresh()) == 3
    assert reads.count("manifest.json") >= 6
    assert "evaluate" not in reads


def test_of_a_file_that_was_changed_just_now_every_look_is_a_change(tmp_path):
    path = tmp_path / "status.json"
    assert summary.last_change(str(path)) == []
    path.write_text("{}")
    assert summary.last_change(str(path)) != summary.last_change(str(path))
    settle([path])
    assert summary.last_change(str(path)) == summary.last_change(str(path))


def test_a_change_within_a_tick_of_the_clock_is_seen(workspace, opened):
    found = opened(workspace)
    path = folders(workspace)[0] / "status.json"
    for state in ("done", "dine", "done", "dine"):  # one that there is, and one that there is not
        before = path.stat()
        path.write_text(re.sub("d.ne", state, path.read_text()))  # in place: same size and inode
        assert path.stat().st_ino == before.st_ino
        assert by_name(found.refresh())["synthetic-0000"].state == ("done" if state == "done" else "damaged")


def test_a_name_that_is_no_text_is_a_row_too(tmp_path, opened):
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "runs") + b"/na\xffme"))
    folder.mkdir(parents=True)
    (folder / "status.json").write_text('{"state": "done", "started": 1}')
    (run,) = opened(tmp_path).refresh()
    assert run.folder == folder
    assert opened(tmp_path).runs() == [run]


def test_files_and_strange_folders_among_the_runs_are_none(workspace, opened):
    (workspace / "runs" / "note.txt").write_text("")
    (workspace / "runs" / "empty").mkdir()
    (workspace / "runs" / "nowhere").symlink_to(workspace / "gone")
    assert len(opened(workspace).refresh()) == 3
    shutil.rmtree(workspace / "runs")
    (workspace / "runs").write_text("")
    assert opened(workspace).refresh() == []


def test_what_vanishes_is_forgotten_also_by_the_database(workspace, opened):
    found = opened(workspace)
    found.refresh()
    shutil.rmtree(folders(workspace)[0])
    assert {run.name for run in found.refresh()} == {"synthetic-0001", "synthetic-0002"}
    assert len(opened(workspace).runs()) == 2
    shutil.rmtree(workspace / "runs")
    assert found.refresh() == []


def test_results_that_come_later_than_their_run_are_found(workspace, opened):
    """As while a workspace is copied from elsewhere."""
    expected = opened(workspace).refresh()
    (workspace / FILE).unlink()
    away = (workspace / "steps").rename(workspace / "away")
    found = opened(workspace)
    assert {run.accuracy for run in found.refresh()} == {None}
    away.rename(workspace / "steps")
    assert found.refresh() == expected


def test_a_run_whose_sparsest_results_are_gone_shows_the_next(workspace, opened):
    run = find_run(workspace, "synthetic-0000")
    for step in run.steps("evaluate"):
        if step.label["level"] == 5:
            shutil.rmtree(step.path)
    assert by_name(opened(workspace).refresh())["synthetic-0000"].level == 4


def test_a_run_that_is_linked_from_another_workspace_keeps_its_results(workspace, opened, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "runs").mkdir()
    (elsewhere / "runs" / "linked").symlink_to(folders(workspace)[0])
    (run,) = opened(elsewhere).refresh()
    assert run.folder == elsewhere / "runs" / "linked"
    assert run.accuracy == by_name(opened(workspace).refresh())[run.name].accuracy is not None


def test_an_index_that_was_deleted_is_written_again_without_reading_a_folder(workspace, opened, reads):
    found = opened(workspace)
    settle((workspace / "runs").glob("*/*"))
    runs = found.refresh()
    (workspace / FILE).unlink()
    reads.clear()
    assert found.refresh() == runs
    assert reads == []
    assert opened(workspace).runs() == runs


def test_a_run_keeps_its_number_in_every_index_and_of_one_that_vanished_it_is_given_again(tmp_path, opened):
    make_workspace(tmp_path, runs=3, events=5)
    found = opened(tmp_path)
    order = [run.folder for run in reversed(found.refresh())]
    assert found.numbers == {folder: place for place, folder in enumerate(order)}
    shutil.rmtree(order[0])
    other = opened(tmp_path)
    other.refresh()
    assert other.numbers == {order[1]: 1, order[2]: 2}
    shutil.copytree(order[1], tmp_path / "runs" / "new-12345678")
    other.refresh()
    found.refresh()
    assert found.numbers == other.numbers == {order[1]: 1, order[2]: 2, tmp_path / "runs" / "new-12345678": 0}
    (tmp_path / FILE).unlink()
    found.refresh()
    assert opened(tmp_path).numbers == found.numbers == other.numbers
