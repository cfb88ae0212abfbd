import os
import signal
import sys

import pytest

from gui import app, system
from tests.processes import started, wait_for

X11, WAYLAND, OFFSCREEN = {"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}, {"QT_QPA_PLATFORM": "offscreen"}
MISSING = [({}, "", "There is no display"), (X11, "libxcb-cursor.so.0", "libxcb-cursor0"), (X11, "", None)]
MISSING += [(WAYLAND, "libxcb-cursor.so.0", None), (OFFSCREEN, "libEGL.so.1", "libegl1")]


@pytest.mark.parametrize(("environment", "missing", "package"), MISSING)
def test_missing_libraries_are_named_by_their_packages(environment, missing, package, monkeypatch):
    monkeypatch.setattr(system.sys, "platform", "linux")
    monkeypatch.setattr(system, "_loads", lambda name: name != missing)
    requirement = system.missing_requirement(environment)
    assert requirement is None if package is None else package in requirement


def test_bad_input_ends_with_code_2_before_a_window(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    for name in ("file", "not.yaml"):
        assert app.main([str(tmp_path / name)]) == 2
        assert name in capsys.readouterr().err
    monkeypatch.setattr(system, "missing_requirement", lambda: "no display")
    assert app.main([]) == 2
    assert capsys.readouterr().err == "Error: no display\n"


def test_a_configuration_opens_in_the_form_and_sigterm_closes_at_once_with_the_draft_kept(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\n")
    kept = tmp_path / "tfticket" / "tfticket.conf"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "gui", tmp_path / "mine.yaml", "--theme", "light"]
    with started(command, env=environment, cwd=tmp_path) as program:
        wait_for(lambda: kept.exists() and "from mine.yaml" in kept.read_text())  # the window is there
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 0
    assert "geometry" in kept.read_text()
    assert str(tmp_path / "workspace") in kept.read_text()
