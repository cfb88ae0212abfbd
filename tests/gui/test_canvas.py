import subprocess
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
from gui.views.figure_theme import LIGHT, decimate, readable, theme_of
from tests.processes import DEADLINE
from tfticket.errors import InputError

DARK = QPalette(QColor("#303030"))
DARK.setColor(QPalette.ColorRole.Base, QColor("#202020"))


@pytest.fixture
def canvas(qtbot, monkeypatch):
    """A canvas with a line, not shown; ``canvas.drawn`` counts whole drawings."""
    made = FigureCanvas("Test")
    made.drawn = 0
    draw = canvas_module.FigureCanvasQTAgg.draw

    def counted(self):
        self.drawn += 1
        draw(self)

    monkeypatch.setattr(canvas_module.FigureCanvasQTAgg, "draw", counted)
    qtbot.addWidget(made)
    made.resize(400, 300)
    axes = made.figure.subplots()
    (made.line,) = axes.plot([1, 2, 3], [1, 4, 9], animated=True)
    axes.set(xlabel="x", ylabel="y")
    made.animated = [made.line]
    return made


@given(st.integers(1, 40_000), st.integers(3, 2000), st.booleans())
def test_decimation_keeps_extremes_ends_of_gaps_and_order(count, most, gaps):
    y = np.random.default_rng(count).normal(size=count)
    if gaps:
        y[:: max(1, count // 5)] = np.nan
    x, less = decimate(np.arange(count, dtype=float), y, most)
    assert len(x) == len(less) <= most
    assert np.all(np.diff(x) > 0)
    if np.isfinite(y).any():
        assert np.nanmin(less) == np.nanmin(y)
        assert np.nanmax(less) == np.nanmax(y)
    if gaps and count > most >= 60:
        assert np.isnan(less).sum() >= np.isnan(y).sum() - 1


def test_few_points_stay_as_they_are():
    x, y = np.arange(5.0), np.ones(5)
    assert decimate(x, y) == (x, y)


@pytest.mark.parametrize("background", ["#ffffff", "#202020"])
@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#332288", "#56B4E9"])
def test_colours_are_told_from_the_background(colour, background):
    found = readable(colour, background)
    luminances = sorted(np.array(QColor(each).getRgbF()[:3]).mean() for each in (found, background))
    assert luminances[1] - luminances[0] > 0.15


def test_nothing_is_drawn_while_hidden_and_once_when_shown(canvas, qtbot):
    tabs = QStackedWidget()
    qtbot.addWidget(tabs)
    tabs.addWidget(QWidget())
    tabs.addWidget(canvas)
    tabs.show()
    for _ in range(3):
        canvas.request(layout=True)
    QGuiApplication.processEvents()
    assert canvas.drawn == 0
    tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: canvas.drawn > 0)
    canvas.setParent(None)


def test_many_requests_are_few_drawings(canvas, qtbot):
    canvas.show()
    qtbot.waitUntil(lambda: canvas.drawn > 0 and not canvas._pause.isActive())
    before, pause = canvas.drawn, canvas._pause.interval()
    canvas._pause.setInterval(1000 * DEADLINE)  # or a slow CPU sees it end between two requests
    for _ in range(50):
        canvas.request()
        QGuiApplication.processEvents()
    assert canvas.drawn - before == 1
    assert canvas._stale
    canvas._pause.start(pause)
    qtbot.waitUntil(lambda: canvas.drawn - before == 2)
    assert not canvas._stale


def test_what_streams_in_is_drawn_without_the_rest(canvas, qtbot):
    canvas.show()
    qtbot.waitUntil(lambda: canvas.drawn > 0 and not canvas._pause.isActive())
    before, picture = canvas.drawn, np.array(canvas.buffer_rgba())
    canvas.line.set_data([1, 2, 3], [9, 1, 5])
    canvas.request(animated=True)
    assert canvas.drawn == before
    assert not np.array_equal(picture, np.array(canvas.buffer_rgba()))


def test_another_palette_is_another_theme(canvas, qtbot):
    canvas.show()
    with qtbot.waitSignal(canvas.theme_changed):
        canvas.setPalette(DARK)
    assert canvas.theme == theme_of(DARK)
    assert canvas.theme.dark
    qtbot.waitUntil(lambda: canvas.figure.axes[0].xaxis.label.get_color() == canvas.theme.text)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_figures_are_saved_light(canvas, tmp_path, kind):
    canvas.setPalette(DARK)
    canvas.save(tmp_path / f"figure.{kind}")
    assert (tmp_path / f"figure.{kind}").stat().st_size > 1000
    assert canvas.theme.dark
    if kind == "png":
        assert imread(tmp_path / "figure.png")[0, 0, :3].tolist() == [1.0, 1.0, 1.0]
        assert LIGHT.background == "#ffffff"


def test_an_unknown_format_is_refused(canvas, tmp_path):
    with pytest.raises(InputError, match=r"\.png, \.pdf, \.svg"):
        canvas.save(tmp_path / "figure.doc")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_on_the_clipboard(canvas):
    canvas.copy()
    assert QGuiApplication.clipboard().image().width() > 400


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_wheel_zooms_dragging_moves_and_a_double_click_shows_all(canvas, scale):
    axes = canvas.figure.axes[0]
    axes.set_xscale(scale)
    axes.invert_xaxis()
    canvas.draw()
    before, (x, y) = axes.get_xlim(), axes.transAxes.transform((0.5, 0.5))
    MouseEvent("scroll_event", canvas, x, y, step=1)._process()
    zoomed = axes.get_xlim()
    assert before[0] > zoomed[0] > zoomed[1] > before[1]
    MouseEvent("button_press_event", canvas, x, y, button=1)._process()
    MouseEvent("motion_notify_event", canvas, x + 30, y)._process()
    MouseEvent("button_release_event", canvas, x + 30, y, button=1)._process()
    assert axes.get_xlim() != zoomed
    assert canvas.has_user_view
    MouseEvent("button_press_event", canvas, x, y, button=1, dblclick=True)._process()
    assert axes.get_xlim() == pytest.approx(before)
    assert not canvas.has_user_view


def test_what_is_drawn_anew_keeps_the_users_limits_until_all_is_wanted(canvas):
    axes = canvas.figure.axes[0]

    def draw(last):
        with canvas.keeping_view():
            axes.clear()
            axes.plot([1, last], [1, 2])

    draw(3)
    whole = axes.get_xlim()
    draw(5)
    assert axes.get_xlim() != whole
    MouseEvent("scroll_event", canvas, *axes.transAxes.transform((0.5, 0.5)), step=1)._process()
    zoomed = axes.get_xlim()
    draw(9)
    assert axes.get_xlim() == zoomed
    canvas.reset_view()
    assert axes.get_xlim()[1] > 9
    assert not canvas.has_user_view


def test_two_plots_stand_above_one_another_where_the_canvas_is_high(canvas):
    canvas.figure.clear()
    axes = list(canvas.figure.subplots(1, 2))
    assert not canvas.arrange(axes)
    canvas.resize(300, 400)
    assert canvas.arrange(axes)
    above, below = (each.get_subplotspec().get_position(canvas.figure) for each in axes)
    assert above.y0 > below.y1
    canvas.animated = []


def test_the_context_menu_asks_for_the_windows_export(canvas, qtbot):
    save = next(action for action in canvas.menu().actions() if "Save" in action.text())
    with qtbot.waitSignal(canvas.action_requested) as told:
        save.trigger()
    assert told.args == ["export_figure"]


@pytest.mark.parametrize("size", [(500, 300), (320, 240), (1200, 800)])
def test_no_label_is_cut_off(canvas, size):
    canvas.resize(*size)
    canvas.show()
    canvas.draw()
    width, height = canvas.figure.bbox.size
    box = canvas.figure.axes[0].get_tightbbox(canvas.get_renderer())
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_what_is_saved_has_no_empty_space_around(canvas, tmp_path):
    canvas.resize(900, 300)
    axes = canvas.figure.axes[0]
    axes.set(aspect="equal", anchor="SW", xlim=(0, 1), ylim=(0, 1))
    canvas.save(tmp_path / "figure.png")
    picture = imread(tmp_path / "figure.png")[..., :3]
    drawn = np.flatnonzero((picture < 0.9).any(axis=(0, 2)))
    assert drawn[0] < 60
    assert picture.shape[1] - drawn[-1] < 60
    assert not canvas.saving


def test_a_figure_without_room_is_drawn_without_a_warning(canvas, recwarn):
    axes = canvas.figure.axes[0]
    axes.set(title="a title\n" * 30, ylabel="label")
    canvas.draw()
    assert not recwarn.list


def test_the_window_draws_in_its_own_style(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\naxes.facecolor: black\n")
    code = """import gui.views.canvas, matplotlib
print(*(matplotlib.rcParams[name] for name in ("text.usetex", "font.size", "axes.facecolor")))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == ["False", "10.0", "white"], done.stderr


def test_a_window_whose_figures_cannot_be_drawn_is_refused(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff")
    arguments = [sys.executable, "-m", "gui", str(tmp_path)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert "Error: matplotlib does not start" in done.stderr
