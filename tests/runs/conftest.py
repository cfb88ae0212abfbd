"""Workspaces and indices of them."""

import json
from contextlib import closing

import pytest

from experiments.benchmarks.workspaces import make_workspace
from tfticket.runs.files import write_json
from tfticket.runs.index import FILE, Index


@pytest.fixture
def workspace(tmp_path):
    """Three short runs: done, done, done."""
    make_workspace(tmp_path, runs=3, events=20)
    return tmp_path


@pytest.fixture
def opened():
    """Opens indices and closes them in the end."""
    found = []

    def open_index(workspace):
        found.append(Index(workspace))
        return found[-1]

    yield open_index
    for one in found:
        one.close()


def folders(workspace):
    return sorted((workspace / "runs").iterdir())


def change(path, **values):
    write_json(path, json.loads(path.read_text()) | values)


def by_name(runs):
    return {run.name: run for run in runs}


def anew(workspace):
    """What an index without a past says."""
    (workspace / FILE).unlink(missing_ok=True)
    with closing(Index(workspace)) as fresh:
        return fresh.refresh()
