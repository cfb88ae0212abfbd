"""The window on a workspace whose files are damaged or made to harm: every run is a row, nothing hangs or is obeyed."""

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QLabel

from experiments.benchmarks.workspaces import make_workspace
from gui.views.commands import Commands
from gui.views.main_window import MainWindow
from gui.views.widgets import text_label, tip
from tests.harms import HARMS, MARKUP

DAMAGED = {"labels", "no labels", "huge labels", "folders elsewhere", "kinds", "a deep manifest"}
DAMAGED |= {"a manifest that is a pipe", "a status that is a pipe", "a configuration that is a pipe"}
DAMAGED |= {"a status of another time"}


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_every_run_is_a_row_and_can_be_looked_at(every, qtbot, tmp_path):
    harms = dict([*HARMS.items()][::every])
    window = MainWindow(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat), Commands)
    qtbot.addWidget(window)
    window.show()
    runs = make_workspace(tmp_path / "workspace", runs=len(harms) + 1, events=20)
    for run, harm in zip(runs, harms.values(), strict=False):
        harm(run)
    faults = []
    window.notification.show_problem = lambda problem, *rest: faults.append(problem.title)
    window.open_folder(tmp_path / "workspace")
    qtbot.waitUntil(lambda: len(window.model.runs) == len(runs))
    tabs = list(range(window.tabs.count()))
    for run in runs:
        window.model.focus(run)
        tabs.reverse()  # the present one first
        for index in tabs:
            window.tabs.setCurrentIndex(index)
            window.tick()
    assert not [title for title in faults if title.startswith("Error in the window")]
    states = {name: window.model.run_at(run).state for name, run in zip([*harms, "whole"], runs, strict=True)}
    assert {name for name, state in states.items() if state == "damaged"} == DAMAGED & {*harms}
    assert states.get("a lease of process 0", "killed") == "killed"
    assert window.model.run_at(runs[-1]).accuracy is not None
    texts = [label.text() for label in window.findChildren(QLabel)] + [window.windowTitle()]
    assert not any("\x1b" in text or "\u202e" in text for text in texts)
    window.close()


def test_a_text_with_markup_is_shown_as_it_stands(qtbot):
    label = text_label(MARKUP)
    qtbot.addWidget(label)
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert "&lt;img" in tip(MARKUP)
    assert "\x1b" not in tip(MARKUP)
