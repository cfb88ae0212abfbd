"""Windows are drawn nowhere, and nothing that a test starts outlives it."""

import gc
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import NO_WINDOW
from tests.processes import DEADLINE
from tests.real_run import make_run

_OF_WINDOWS = ("PySide6", "gui.views")
_FILES = Path(__file__).parent.glob("test_*.py")
collect_ignore = [path.name for path in _FILES if NO_WINDOW and any(word in path.read_text() for word in _OF_WINDOWS)]


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """Its waits are for a condition, not for a time: they end with it, and allow for a CPU that is starved."""
    for name in ("waitUntil", "waitSignal", "waitExposed"):
        monkeypatch.setattr(qtbot, name, partial(getattr(qtbot, name), timeout=1000 * DEADLINE))
    return qtbot


@pytest.fixture(autouse=True)
def no_thread_is_left_over():
    """A test that leaves a thread behind fails."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert not left, f"threads left over: {left}"


@pytest.fixture(autouse=True)
def no_timer_and_no_thread_of_qt_is_left_over(request):
    """A test that leaves one going fails; windows that it closed are gone, and their timers with them."""
    yield
    if "qtbot" not in request.fixturenames:  # no window was made, and to look at all objects takes a while
        return
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer

    application = QCoreApplication.instance()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    own = application.thread() if application else None
    kinds = {QTimer, QThread, *QTimer.__subclasses__(), *QThread.__subclasses__()}
    # By type: isinstance asks weak references of others for what they no longer hold, and takes long of all objects.
    objects = [one for one in gc.get_objects() if type(one) in kinds and shiboken6.isValid(one)]
    left = [one for one in objects if (one.isActive() if isinstance(one, QTimer) else one != own and one.isRunning())]
    assert not left, f"left going: {left}"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run of seeds 0 and 1, alone in its workspace; modules may have another."""
    return make_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run ``made``, to be changed."""
    shutil.copytree(made.parents[1], tmp_path / "workspace")
    return tmp_path / "workspace" / "runs" / made.name
