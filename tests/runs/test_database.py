"""The file behind the index: whatever happens to it, the index tells the truth."""

import shutil
import sqlite3
import sys
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from experiments.benchmarks.workspaces import make_run
from tests.processes import started
from tests.runs.conftest import anew, folders
from tfticket.runs import database
from tfticket.runs.index import FILE, Index


def execute(script, path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)


DAMAGES = {
    "corrupt": lambda path: path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: 4096 + 100]),
    "of another version": partial(execute, "DROP TABLE runs; CREATE TABLE runs (a); PRAGMA user_version = 99"),
    "without a table": partial(execute, "DROP TABLE results"),
    "of other rows": partial(execute, "UPDATE runs SET facts = '{}'; UPDATE runs SET seen = '[' WHERE rowid = 1"),
    "of other numbers": partial(
        execute, "UPDATE runs SET number = -1; UPDATE runs SET name = '\"..\"' WHERE rowid = 1"
    ),
    "of other results": partial(execute, "DELETE FROM runs; UPDATE results SET nll = 'x', accuracy = NULL"),
    "empty": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_index_that_is_damaged_is_made_anew_open_or_closed(workspace, opened, damage):
    index = opened(workspace)
    index.refresh()
    damage(workspace / FILE)
    assert len(index.runs()) in (0, 2, 3)
    shutil.rmtree(folders(workspace)[0])
    make_run(workspace, 7, "stopped", 5)
    index.refresh()
    runs = index.refresh()
    assert [run.name for run in runs] == ["synthetic-0007", "synthetic-0002", "synthetic-0001"]
    assert opened(workspace).runs() == runs
    index.close()
    damage(workspace / FILE)
    assert opened(workspace).refresh() == runs
    assert opened(workspace).runs() == runs


def test_where_no_file_can_be_written_the_index_lives_in_memory(workspace, opened):
    (workspace / FILE).mkdir()
    index = opened(workspace)
    runs = index.refresh()
    assert len(runs) == 3
    assert index.runs() == runs
    (workspace / FILE).rmdir()
    index.refresh()
    assert opened(workspace).runs() == runs


def test_what_another_process_writes_is_followed(workspace, opened):
    first, second = opened(workspace), opened(workspace)
    assert first.refresh() == second.runs()
    make_run(workspace, 5, "done", 5)
    assert second.refresh() == first.runs() == first.refresh()
    shutil.rmtree(folders(workspace)[0])
    assert first.refresh() == second.refresh() == second.runs()
    assert len(second.runs()) == 3
    (workspace / FILE).unlink()  # and made anew by another
    make_run(workspace, 6, "done", 5)
    opened(workspace).refresh()
    assert "synthetic-0006" in {run.name for run in first.runs()}


def test_while_another_process_locks_the_file_the_index_lives_in_memory_and_writes_later(
    workspace, opened, monkeypatch
):
    monkeypatch.setattr(database.Database, "WAIT_SECONDS", 0.0)
    index = opened(workspace)
    index.refresh()
    shutil.rmtree(folders(workspace)[0])
    with closing(sqlite3.connect(workspace / FILE, isolation_level=None)) as busy:
        busy.execute("BEGIN EXCLUSIVE")
        runs = index.refresh()
        assert len(runs) == len(opened(workspace).refresh()) == 2
        busy.execute("ROLLBACK")
    index.refresh()
    assert opened(workspace).runs() == runs


def test_many_processes_leave_a_whole_index(workspace):
    code = """
import sys, pathlib
from tfticket.runs.index import Index
for number in range(20):
    index = Index(pathlib.Path(sys.argv[1]))
    assert len(index.refresh()) == 3
    index.close()
    if number % 10 == 5:
        (pathlib.Path(sys.argv[1]) / 'index.sqlite').unlink(missing_ok=True)
"""
    with ExitStack() as stack:
        processes = [stack.enter_context(started([sys.executable, "-c", code, workspace])) for _ in range(2)]
        assert [process.wait() for process in processes] == [0, 0]
    with closing(Index(workspace)) as index:
        runs = index.refresh()
    with closing(sqlite3.connect(workspace / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert runs == anew(workspace)
