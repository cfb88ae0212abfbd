"""What the three tabs have in common."""

import pytest
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.models.live import LiveModel
from gui.models.masks import MasksModel
from gui.models.reading import NO_RUN
from gui.models.sparsity import SparsityModel
from gui.views.live import LiveTab
from gui.views.masks import MasksTab
from gui.views.sparsity import SparsityTab

TABS = [(LiveTab, LiveModel), (SparsityTab, SparsityModel), (MasksTab, MasksModel)]


@pytest.mark.parametrize(("kind", "model"), TABS)
def test_a_tab_follows_its_model_while_it_is_shown(kind, model, run, qtbot, tmp_path):
    model = model()
    shown, nothing = ([run], []) if kind is SparsityTab else (run, None)
    model.show(shown)
    tab, pages = kind(model), QStackedWidget()
    qtbot.addWidget(pages)
    for page in (QWidget(), tab):
        pages.addWidget(page)
    pages.resize(900, 600)
    pages.show()
    assert tab.stack.currentIndex() == 0, "nothing is drawn before it is shown"
    pages.setCurrentWidget(tab)
    assert (tab.stack.currentIndex(), tab.export.isEnabled()) == (1, True)
    tab.export_figure(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 3000
    pages.setCurrentIndex(0)
    model.show(nothing)
    assert tab.message.text() != NO_RUN
    pages.setCurrentWidget(tab)
    assert (tab.stack.currentIndex(), tab.export.isEnabled(), tab.message.text()) == (0, False, NO_RUN)
