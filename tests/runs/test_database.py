"""The file behind the index: whatever happens to it, the index tells the truth."""

import shutil
import sqlite3
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from experiments.benchmarks.workspaces import make_run
from tests.processes import started
from tests.runs.conftest import anew, folders
from tfticket.runs import database
from tfticket.runs.index import FILE, Index


def corrupt(path):
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)


def truncate(path):
    path.write_bytes(path.read_bytes()[: 4096 + 100])


def other_version(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("DROP TABLE runs; CREATE TABLE runs (a); PRAGMA user_version = 99")


def other_tables(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("DROP TABLE results")


def other_rows(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("UPDATE runs SET facts = '{}'; UPDATE runs SET seen = '[' WHERE rowid = 1")


def no_database(path):
    path.write_text("something else")


def empty(path):
    path.write_bytes(b"")


DAMAGES = [corrupt, truncate, other_version, other_tables, other_rows, no_database, empty, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_anew(workspace, opened, damage):
    with closing(Index(workspace)) as found:
        expected = found.refresh()
    damage(workspace / FILE)
    assert opened(workspace).refresh() == expected
    assert opened(workspace).runs() == expected


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_may_be_damaged_or_deleted_while_it_is_open(workspace, opened, damage):
    found = opened(workspace)
    found.refresh()
    damage(workspace / FILE)
    assert len(found.runs()) in (0, 3)
    shutil.rmtree(folders(workspace)[0])
    make_run(workspace, 7, "stopped", 5)
    found.refresh()
    runs = found.refresh()
    assert [run.name for run in runs] == ["synthetic-0007", "synthetic-0002", "synthetic-0001"]
    assert opened(workspace).runs() == runs


def test_where_no_file_can_be_written_the_index_lives_in_memory(workspace, opened):
    (workspace / FILE).mkdir()
    found = opened(workspace)
    runs = found.refresh()
    assert len(runs) == 3
    assert found.runs() == runs
    (workspace / FILE).rmdir()
    found.refresh()
    assert opened(workspace).runs() == runs


def test_two_indices_at_once_tell_the_same(workspace, opened):
    one, other = opened(workspace), opened(workspace)
    assert one.refresh() == other.runs()
    make_run(workspace, 5, "done", 5)
    assert other.refresh() == one.runs() == one.refresh()
    shutil.rmtree(folders(workspace)[0])
    assert one.refresh() == other.refresh() == other.runs()
    assert len(other.runs()) == 3


def test_an_index_that_another_process_made_anew_is_followed(workspace, opened):
    found = opened(workspace)
    found.refresh()
    (workspace / FILE).unlink()
    make_run(workspace, 5, "done", 5)
    assert found.refresh() == opened(workspace).refresh()
    (workspace / FILE).unlink()
    make_run(workspace, 6, "done", 5)
    opened(workspace).refresh()
    assert "synthetic-0006" in {run.name for run in found.runs()}


def test_an_index_that_another_process_holds_up_goes_on_in_memory_and_writes_later(workspace, opened, monkeypatch):
    monkeypatch.setattr(database.Database, "WAIT_SECONDS", 0.0)
    found = opened(workspace)
    found.refresh()
    shutil.rmtree(folders(workspace)[0])
    with closing(sqlite3.connect(workspace / FILE, isolation_level=None)) as busy:
        busy.execute("BEGIN EXCLUSIVE")
        runs = found.refresh()
        assert len(runs) == 2
        assert len(opened(workspace).refresh()) == 2
        busy.execute("ROLLBACK")
    found.refresh()
    assert opened(workspace).runs() == runs


def test_many_processes_leave_a_whole_index(workspace):
    code = (
        "import sys, pathlib\nfrom tfticket.runs.index import Index\n"
        "for _ in range(30):\n    found = Index(pathlib.Path(sys.argv[1]))\n"
        "    assert len(found.refresh()) == 3\n    found.close()\n"
        "    (pathlib.Path(sys.argv[1]) / 'index.sqlite').unlink(missing_ok=True) if _ % 10 == 5 else None"
    )
    with ExitStack() as stack:
        processes = [stack.enter_context(started([sys.executable, "-c", code, workspace])) for _ in range(3)]
        assert [process.wait() for process in processes] == [0, 0, 0]
    with closing(Index(workspace)) as found:
        runs = found.refresh()
    assert runs == anew(workspace)
    with closing(sqlite3.connect(workspace / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
