"""Workspaces, and indices of them."""

import shutil
from contextlib import closing

import pytest

from experiments.benchmarks.workspaces import make_workspace
from tests.made_runs import change_json as change  # noqa: F401 -- for tests here
from tfticket.runs.index import FILE, Index


@pytest.fixture(scope="session")
def three_runs(tmp_path_factory):
    """Three short runs, done."""
    workspace = tmp_path_factory.mktemp("runs") / "workspace"
    make_workspace(workspace, runs=3, events=20)
    return workspace


@pytest.fixture
def workspace(three_runs, tmp_path):
    """A copy of three short runs, to be changed."""
    return shutil.copytree(three_runs, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def opened():
    """Opens indices and closes them in the end."""
    indices = []

    def open_index(workspace):
        indices.append(Index(workspace))
        return indices[-1]

    yield open_index
    for index in indices:
        index.close()


def folders(workspace):
    return sorted((workspace / "runs").iterdir())


def by_name(runs):
    return {run.name: run for run in runs}


def anew(workspace):
    """Return the runs in an index without a past."""
    (workspace / FILE).unlink(missing_ok=True)
    with closing(Index(workspace)) as index:
        return index.refresh()
