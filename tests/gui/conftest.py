"""Windows are drawn nowhere, and nothing that a test starts outlives it."""

import shutil
import threading

import pytest

from tests.conftest import NO_WINDOW

collect_ignore_glob = ["test_*.py"] if NO_WINDOW else []


@pytest.fixture(autouse=True)
def no_thread_is_left_over():
    """A test that leaves a thread behind fails."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert not left, f"threads left over: {left}"


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run that a module calls ``made``, to be changed."""
    shutil.copytree(made.parents[1], tmp_path / "workspace")
    return tmp_path / "workspace" / "runs" / made.name
