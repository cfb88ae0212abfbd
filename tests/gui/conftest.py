"""Windows are drawn nowhere, and nothing that a test starts outlives it."""

import gc
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import NO_WINDOW
from tests.made_runs import make_run
from tests.processes import DEADLINE

_FILES = Path(__file__).parent.glob("test_*.py")
collect_ignore = [
    path.name for path in _FILES if NO_WINDOW and any(word in path.read_text() for word in ("PySide6", "gui.views"))
]


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """Its waits are for a condition, not for a time: they end with it, and allow for a CPU that is starved."""
    for name in ("waitUntil", "waitSignal", "waitExposed"):
        monkeypatch.setattr(qtbot, name, partial(getattr(qtbot, name), timeout=1000 * DEADLINE))
    return qtbot


@pytest.fixture(autouse=True)
def nothing_is_left_going(request):
    """A test that leaves a thread or a timer going fails; windows that it closed are gone with their timers."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert not left, f"threads left over: {left}"
    if "qtbot" not in request.fixturenames:  # no window was made, and to look at all objects takes a while
        return
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer

    application = QCoreApplication.instance()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    kinds = {QTimer, QThread, *QTimer.__subclasses__(), *QThread.__subclasses__()}
    # By type: isinstance asks weak references of others for what they no longer hold, and takes long of all objects.
    parts = [part for part in gc.get_objects() if type(part) in kinds and shiboken6.isValid(part)]
    going = [part for part in parts if (part.isActive() if isinstance(part, QTimer) else part.isRunning())]
    assert not [part for part in going if part != application.thread()], f"left going: {going}"


@pytest.fixture
def show(qtbot):
    """Show a tab in a window of its own."""

    def show(tab):
        qtbot.addWidget(tab)
        tab.resize(900, 600)
        tab.show()
        return tab

    return show


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Workspaces of one and of two finished runs, the second of another batch size."""
    folder = tmp_path_factory.mktemp("made")
    make_run(folder / "1")
    shutil.copytree(folder / "1", folder / "2")
    make_run(folder / "2", "other", train={"batch_size": 10})
    return folder


def _copy(workspace, to):
    shutil.copytree(workspace, to / "workspace")
    return sorted((to / "workspace" / "runs").iterdir())


@pytest.fixture
def run(made, tmp_path):
    """A finished run alone in its workspace, to be changed."""
    return _copy(made / "1", tmp_path)[0]


@pytest.fixture
def runs(made, tmp_path):
    """Two finished runs in a workspace, to be changed."""
    return _copy(made / "2", tmp_path)
