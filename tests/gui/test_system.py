import os
import signal
import sys

import pytest
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QMessageBox

from gui import app, system
from gui.views.main_window import MainWindow
from tests.processes import execute, started, wait_for


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(system.sys, "platform", "linux")


def test_without_a_display_it_says_what_to_do(linux):
    assert "There is no display" in system.missing_requirement({})


@pytest.mark.parametrize(
    ("environment", "library", "package"),
    [
        ({"DISPLAY": ":0"}, "libxcb-cursor.so.0", "libxcb-cursor0"),
        ({"DISPLAY": ":0"}, "libGL.so.1", "libgl1"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "libEGL.so.1", "libegl1"),
        ({"QT_QPA_PLATFORM": "offscreen"}, "libEGL.so.1", "libegl1"),
    ],
)
def test_missing_libraries_are_named_by_their_packages(environment, library, package, linux, monkeypatch):
    monkeypatch.setattr(system, "_loads", lambda name: name != library)
    assert system.missing_requirement(environment).endswith(f"sudo apt-get install {package}")
    monkeypatch.setattr(system, "_loads", lambda name: True)
    assert system.missing_requirement(environment) is None


def test_what_only_x11_needs_is_not_asked_for_elsewhere(linux, monkeypatch):
    monkeypatch.setattr(system, "_loads", lambda name: "xcb" not in name)
    assert system.missing_requirement({"WAYLAND_DISPLAY": "wayland-0"}) is None
    assert "libxcb-icccm4 " in system.missing_requirement({"DISPLAY": ":0"})


def test_a_library_is_there_or_not():
    assert system._loads("libc.so.6")
    assert not system._loads("libnothing.so.9")


def test_bad_input_ends_with_code_2_before_a_window(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    assert app.main([str(tmp_path / "file")]) == 2
    assert "a workspace is a folder" in capsys.readouterr().err
    monkeypatch.setattr(system, "missing_requirement", lambda: "no display")
    assert app.main([]) == 2
    assert capsys.readouterr().err == "Error: no display\n"


def test_the_window_imports_neither_tensorflow_nor_pyplot_nor_arviz():
    code = (
        "import sys, gui.views.main_window; print([n for n in ('tensorflow', 'tf_keras', 'arviz') if n in sys.modules])"
    )
    assert execute([sys.executable, "-c", code]).stdout.strip() == "[]"


def gui(*arguments, settings, **options):
    """The program in a process of its own, its settings in a folder of the test."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(settings)}
    return started([sys.executable, "-m", "gui", *arguments], env=environment, **options)


def test_a_configuration_opens_in_the_form_and_sigterm_closes_at_once_with_the_draft_kept(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\n")
    kept = tmp_path / "tfticket" / "tfticket.conf"
    with gui(tmp_path / "mine.yaml", settings=tmp_path, cwd=tmp_path) as program:
        wait_for(lambda: kept.exists() and "from mine.yaml" in kept.read_text())  # the window is there
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0
    assert "geometry" in kept.read_text()
    assert str(tmp_path / "workspace") in kept.read_text()


def test_a_configuration_that_is_not_there_is_refused(tmp_path, capsys):
    assert app.main([str(tmp_path / "not.yaml")]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_a_window_opens_on_a_workspace_and_is_left_without_a_question(tmp_path, qapp, monkeypatch):
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: pytest.fail("it asks"))
    monkeypatch.setattr(MainWindow, "_confirm_close", lambda *_: pytest.fail("it asks"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    seen = []

    def look():
        (window,) = (one for one in qapp.topLevelWidgets() if isinstance(one, MainWindow) and one.isVisible())
        seen.append((window.model.folder, window.width()))
        monkeypatch.setattr(type(window.launcher), "running_count", 1)  # as while a run goes on
        window.resize(777, 600)
        window.close_without_asking()

    for _ in range(2):
        QTimer.singleShot(0, look)
        assert app.main([str(tmp_path / "runs-of-mine"), "--theme", "light"]) == 0
    assert seen[0][0] == tmp_path / "runs-of-mine"
    assert [width for _, width in seen] == [1280, 777]
