"""The file behind the index of runs: SQLite, which several processes may use and which may fail at any time.

Its rollback journal is used, not a write-ahead log: that works on network file systems too, and leaves no second file
that a deletion would forget. Nothing waits for the disk: a power cut may damage the file, which is then made anew.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

Row = tuple[str, str, str, str, int]
"""A run's name, its files as they were seen, what they said, its state, its number."""

Result = tuple[float, float, float]
"""Density, accuracy and NLL of an evaluation."""

_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PASSING = _IN_USE | {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_PASSING |= {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
"""Failures that say nothing against the file."""


class Database:
    """Rows about runs, and results of evaluations. Where the file cannot be had, it knows and keeps nothing.

    Attributes:
        results: Step folder -> its result, of those to be written with the next ``save``.
    """

    VERSION = 2
    TABLES = (
        "CREATE TABLE runs (name TEXT PRIMARY KEY, seen TEXT NOT NULL, facts TEXT NOT NULL, state TEXT NOT NULL, "
        "number INTEGER NOT NULL)",
        "CREATE TABLE results (step TEXT PRIMARY KEY, density REAL, accuracy REAL, nll REAL)",
    )
    WAIT_SECONDS = 0.05

    def __init__(self, path: Path) -> None:
        self.results: dict[str, Result] = {}
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = self._version = -1

    def is_gone(self) -> bool:
        """Return True if the file is not the open one any more; False if there are no runs."""
        return self._inode != _inode(self._path) or (self._connection is None and (self._path.parent / "runs").is_dir())

    def open(self) -> None:
        """Open the file, or make it; what is damaged or of another version is made anew."""
        for _ in range(2):
            self.close()
            try:
                self._connect()
            except sqlite3.Error as error:
                self._give_up(error)
            else:
                return

    def news(self) -> list[Row] | None:
        """All runs, where another process has written since the last call; at the first call too."""
        if self._connection is None:
            return None
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return None
            rows = self._connection.execute("SELECT name, seen, facts, state, number FROM runs").fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        self._version = version
        return rows

    def result(self, step: str) -> Result | None:
        """An evaluation's result, if it was kept."""
        if self._connection is None or step in self.results:
            return self.results.get(step)
        try:
            query = "SELECT density, accuracy, nll FROM results WHERE step = ?"
            row: Result | None = self._connection.execute(query, (step,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return row if row is not None and all(type(value) is float for value in row) else None

    def save(self, runs: list[Row], forgotten: list[str]) -> bool:
        """Write runs and the results that came, in one transaction; False where that cannot be done now."""
        if not runs and not forgotten and not self.results:
            return True
        if self._connection is None:
            return False
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", runs)
                self._connection.executemany("DELETE FROM runs WHERE name = ?", [(name,) for name in forgotten])
                results = [(step, *values) for step, values in self.results.items()]
                self._connection.executemany("REPLACE INTO results VALUES (?, ?, ?, ?)", results)
        except sqlite3.Error as error:
            self._give_up(error)
            return False
        self.results.clear()
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inode, self._version = None, -1, -1

    def _connect(self) -> None:
        """Open the file and see that its tables are those of this version.

        Raises:
            sqlite3.Error: It cannot be opened, or is damaged.
        """
        self._connection = sqlite3.connect(
            self._path, timeout=self.WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous = OFF")
        if self._connection.execute("PRAGMA user_version").fetchone()[0] != self.VERSION:
            self._make_tables(self._connection)
        for table in ("runs", "results"):
            self._connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608
        self._inode = _inode(self._path)

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").fetchone()[0] == self.VERSION:
                return  # another process was quicker
            for table in ("runs", "results"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for text in self.TABLES:
                connection.execute(text)
            connection.execute(f"PRAGMA user_version = {self.VERSION}")

    def _give_up(self, error: sqlite3.Error) -> None:
        """After a failure: a file that others use is tried again later, a damaged one is removed."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # without the code's details
        if code in _IN_USE and self._inode != -1:
            return
        self.close()
        if code not in _PASSING:
            for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                with suppress(OSError):
                    path.unlink()


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 -- at every look
    except OSError:
        return -1
