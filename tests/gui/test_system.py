import subprocess
import sys

import pytest

from gui import app, system


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(system.sys, "platform", "linux")


def test_without_a_display_it_says_what_to_do(linux):
    assert "There is no display" in system.complaint({})


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
    assert system.complaint(environment).endswith(f"sudo apt-get install {package}")
    monkeypatch.setattr(system, "_loads", lambda name: True)
    assert system.complaint(environment) is None


def test_what_only_x11_needs_is_not_asked_for_elsewhere(linux, monkeypatch):
    monkeypatch.setattr(system, "_loads", lambda name: "xcb" not in name)
    assert system.complaint({"WAYLAND_DISPLAY": "wayland-0"}) is None
    assert "libxcb-icccm4 " in system.complaint({"DISPLAY": ":0"})


def test_a_library_is_there_or_not():
    assert system._loads("libc.so.6")
    assert not system._loads("libnothing.so.9")


def test_bad_input_ends_with_code_2_before_a_window(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    assert app.main([str(tmp_path / "file")]) == 2
    assert "a workspace is a folder" in capsys.readouterr().err
    monkeypatch.setattr(system, "complaint", lambda: "no display")
    assert app.main([]) == 2
    assert capsys.readouterr().err == "Error: no display\n"


def test_the_window_imports_neither_tensorflow_nor_pyplot_nor_arviz():
    code = (
        "import sys, gui.views.main_window; print([n for n in ('tensorflow', 'tf_keras', 'arviz') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
