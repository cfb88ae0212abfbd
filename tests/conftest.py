"""Shared fixtures: real data, few rows."""

import os
import signal
import sys
from pathlib import Path
from unittest import mock

import psutil
import pytest
from hypothesis import settings

import tfticket as tt
from gui import system
from tests import processes
from tests.data.formats.conftest import colour, digits, form, writers  # noqa: F401 -- fixtures for tests elsewhere too
from tfticket import cli
from tfticket.data import load_dataset, sources
from tfticket.registry import DATA_DIR

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYTEST_QT_API", "pyside6")
NO_WINDOW = system.missing_requirement()
"""Why no window can be made here; then the tests of windows are left out, and the header says so."""
# By its entry point pytest-qt would be loaded, and end everything, also where Qt cannot be (see addopts).
pytest_plugins = [] if NO_WINDOW else ["pytestqt.plugin"]


def pytest_report_header() -> str:
    return f"tests of windows are left out: {NO_WINDOW}" if NO_WINDOW else "tests of windows are drawn nowhere"


processes.mark()
# As Ctrl-C does: the test that is under way ends, and what it started with it.
signal.signal(signal.SIGTERM, signal.default_int_handler)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores in the background
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
settings.register_profile("tfticket", derandomize=True, deadline=None, database=None)
settings.load_profile("tfticket")


def pytest_collection_modifyitems(items):
    """Put the files of whole runs first, so that no worker is alone with a long one at the end."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture(scope="session", autouse=True)
def no_child_is_left_at_the_end():
    """A session that leaves a process below it fails, with the test that started it; this fixture ends last."""
    yield
    left = processes.end(processes.children())
    assert not left, f"processes left running: {left}"


@pytest.fixture(autouse=True)
def no_process_is_left_over():
    """A test that leaves a process running fails, be it a child still or an orphan; and the process is killed."""
    before = set(psutil.pids())
    yield
    left = processes.end(processes.executed(before))
    assert not left, f"processes left running: {left}"


@pytest.fixture(autouse=True)
def keras_draws_the_same_again():
    """The initial weights that Keras gives a model are the same in every run of a test."""
    if keras := sys.modules.get("tf_keras"):
        keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def without_xla():
    """No network is compiled by XLA, which takes ten times as long over a variational one as a few iterations do."""
    from tfticket import network  # TensorFlow, which not every test needs
    from tfticket.training import loop

    def forget():
        network._network.cache_clear()
        loop._loop.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "jit_policy", lambda model: False)
        forget()  # networks of modules before, which XLA compiles
        yield
    forget()


@pytest.fixture(scope="session")
def data():
    return tt.load_data("mnist", train_rows=2000, validation_rows=1000)


@pytest.fixture
def no_data_folder(tmp_path_factory, monkeypatch):
    """Data folders are what a test names."""
    nothing = tmp_path_factory.mktemp("nothing")
    for name in ("XDG_DATA_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(nothing))
    monkeypatch.setenv(DATA_DIR, "")


@pytest.fixture
def call(capsys):
    """Calls the command line in this process: exit code, stdout and stderr of one command."""

    def call(*arguments: object) -> tuple[int, str, str]:
        cli.Options.quiet = cli.Options.debug = False
        with (
            mock.patch.dict(os.environ),  # where --data-dir leaves its folder
            mock.patch.object(sys, "argv", ["tfticket", *map(str, arguments)]),
            pytest.raises(SystemExit) as end,
        ):
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """The folders in which data sets are looked for, all empty: the user's own, the program's, Keras'."""
    own, program, keras = (tmp_path / name for name in ("own", "program", "keras"))
    for folder in (own, program / "data", keras / "datasets"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("TFTICKET_DATA", str(own))
    monkeypatch.setenv("KERAS_HOME", str(keras))
    monkeypatch.setattr(sources.platformdirs, "user_data_path", lambda name: program)
    load_dataset.cache_clear()
    yield own, program / "data", keras / "datasets"
    load_dataset.cache_clear()
