"""Windows are drawn nowhere, and nothing that a test starts outlives it."""

import os
import threading

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYTEST_QT_API", "pyside6")

pytest.importorskip("PySide6.QtWidgets", reason="a window needs Qt's system libraries", exc_type=ImportError)


@pytest.fixture(autouse=True)
def no_thread_is_left_over():
    """A test that leaves a thread behind fails."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert not left, f"threads left over: {left}"
