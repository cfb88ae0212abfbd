import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backend_bases import MouseEvent
from matplotlib.image import imread
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.views import canvas as canvas_module
from gui.views.canvas import FigureCanvas
from gui.views.figure_theme import decimate, readable, theme_of
from tests.processes import DEADLINE, execute
from tests.refusals import refused

DARK = QPalette(QColor("#303030"))
DARK.setColor(QPalette.ColorRole.Base, QColor("#202020"))


@pytest.fixture
def make(qtbot, monkeypatch):
    """Makes canvases with a line, not shown; ``canvas.drawn`` counts whole drawings."""
    draw = canvas_module.FigureCanvasQTAgg.draw

    def counted(self):
        self.drawn = getattr(self, "drawn", 0) + 1
        draw(self)

    monkeypatch.setattr(canvas_module.FigureCanvasQTAgg, "draw", counted)

    def make():
        canvas = FigureCanvas("Test")
        canvas.drawn = 0
        qtbot.addWidget(canvas)
        canvas.resize(400, 300)
        axes = canvas.figure.subplots()
        (canvas.line,) = axes.plot([1, 2, 3], [1, 4, 9], animated=True)
        canvas.animated = [canvas.line]
        return canvas

    return make


@pytest.fixture
def canvas(make):
    return make()


def scroll(canvas, x, y):
    MouseEvent("scroll_event", canvas, x, y, step=1)._process()


@given(st.integers(1, 40_000), st.integers(3, 2000), st.booleans())
def test_decimation_keeps_extremes_ends_of_gaps_and_order(count, most, gaps):
    y = np.random.default_rng(count).normal(size=count)
    if gaps:
        y[:: max(1, count // 5)] = np.nan
    x, less = decimate(np.arange(count, dtype=float), y, most)
    assert len(x) == len(less) <= most
    assert len(x) == count or count > most
    assert np.all(np.diff(x) > 0)
    if np.isfinite(y).any():
        assert (np.nanmin(less), np.nanmax(less)) == (np.nanmin(y), np.nanmax(y))
    if gaps and count > most >= 60:
        assert np.isnan(less).sum() >= np.isnan(y).sum() - 1


@pytest.mark.parametrize("background", ["#ffffff", "#202020"])
@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#332288", "#56B4E9"])
def test_colours_differ_from_the_background(colour, background):
    luminances = [np.array(QColor(shown).getRgbF()[:3]).mean() for shown in (readable(colour, background), background)]
    assert abs(luminances[1] - luminances[0]) > 0.15


def test_nothing_is_drawn_while_hidden_and_many_requests_are_few_drawings(make, qtbot, monkeypatch):
    monkeypatch.setattr(canvas_module, "PAUSE_MS", 1000 * DEADLINE)
    canvas, tabs = make(), QStackedWidget()
    qtbot.addWidget(tabs)
    tabs.addWidget(QWidget())
    tabs.addWidget(canvas)
    tabs.show()
    for shown in (0, 1):
        for _ in range(20):
            canvas.request(layout=True)
            QGuiApplication.processEvents()
        assert canvas.drawn == shown
        tabs.setCurrentIndex(1)
        qtbot.waitUntil(lambda: canvas.drawn == 1)
    before, picture = canvas.drawn, np.array(canvas.buffer_rgba())
    canvas.line.set_data([1, 2, 3], [9, 1, 5])
    canvas.request(animated=True, at_once=True)
    assert canvas.drawn == before + 1, "what was requested before"
    canvas.line.set_data([1, 2, 3], [9, 9, 5])
    QGuiApplication.processEvents()
    before, picture = canvas.drawn, np.array(canvas.buffer_rgba())
    canvas.request(animated=True, at_once=True)
    assert canvas.drawn == before
    assert not np.array_equal(picture, np.array(canvas.buffer_rgba()))
    canvas.setParent(None)


def test_themes_follow_the_palette_and_files_and_copies_are_light(canvas, qtbot, tmp_path):
    canvas.show()
    with qtbot.waitSignal(canvas.theme_changed):
        canvas.setPalette(DARK)
    assert canvas.theme == theme_of(DARK)
    for kind in ("png", "pdf", "svg"):
        canvas.save(tmp_path / f"figure.{kind}")
        assert (tmp_path / f"figure.{kind}").stat().st_size > 1000
    assert imread(tmp_path / "figure.png")[0, 0, :3].tolist() == [1.0, 1.0, 1.0]
    with refused(None, None, "figure.doc", ".png", ".pdf", ".svg"):
        canvas.save(tmp_path / "figure.doc")
    canvas.copy()
    copied = QGuiApplication.clipboard().image()
    assert copied.pixelColor(0, 0).name() == "#ffffff"
    assert canvas.theme.dark
    assert not canvas.saving
    save = next(action for action in canvas.menu().actions() if "Save" in action.text())
    with qtbot.waitSignal(canvas.action_requested) as requested:
        save.trigger()
    assert requested.args == ["export_figure"]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_wheel_zooms_dragging_moves_and_a_double_click_shows_all(canvas, scale):
    axes = canvas.figure.axes[0]
    axes.set_xscale(scale)
    axes.invert_xaxis()
    canvas.draw()
    before, (x, y) = axes.get_xlim(), axes.transAxes.transform((0.5, 0.5))
    scroll(canvas, x, y)
    zoomed = axes.get_xlim()
    assert before[0] > zoomed[0] > zoomed[1] > before[1]
    for kind, moved in (("button_press", 0), ("motion_notify", 30), ("button_release", 30)):
        MouseEvent(f"{kind}_event", canvas, x + moved, y, button=1)._process()
    assert axes.get_xlim() != zoomed
    assert canvas.has_user_view
    MouseEvent("button_press_event", canvas, x, y, button=1, dblclick=True)._process()
    assert axes.get_xlim() == pytest.approx(before)
    assert not canvas.has_user_view


def test_what_is_drawn_anew_keeps_the_users_limits_until_all_is_wanted(canvas):
    axes = canvas.figure.axes[0]
    limits = []
    for last in (3, 5, 9):
        with canvas.keeping_view():
            axes.clear()
            axes.plot([1, last], [1, 2])
        limits.append(axes.get_xlim())
        if last == 5:
            scroll(canvas, *axes.transAxes.transform((0.5, 0.5)))
            limits.append(axes.get_xlim())
    assert limits[0] != limits[1] != limits[2] == limits[3]
    canvas.reset_view()
    assert axes.get_xlim()[1] > 9
    assert not canvas.has_user_view


def test_the_window_draws_in_its_own_style_without_tensorflow_or_not_at_all(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\naxes.facecolor: black\n")
    code = """
import gui.views.main_window, matplotlib, sys
print(*(matplotlib.rcParams[name] for name in ("text.usetex", "font.size", "axes.facecolor")))
print([name for name in ("tensorflow", "tf_keras", "arviz") if name in sys.modules])"""
    assert execute([sys.executable, "-c", code], cwd=tmp_path).stdout.split() == ["False", "10.0", "white", "[]"]
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff")
    done = execute([sys.executable, "-m", "gui", tmp_path], cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "Error: matplotlib" in done.stderr
