import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from gui.views import canvas as canvas_module
from gui.views.canvas import FigureCanvas
from gui.views.figure_theme import decimate, theme_of
from tests.processes import DEADLINE, execute
from tests.refusals import refused


@pytest.fixture
def canvas(qtbot, monkeypatch):
    """A canvas with a line, not shown, which pauses for ever after a drawing."""
    monkeypatch.setattr(canvas_module, "PAUSE_MS", 1000 * DEADLINE)
    canvas = FigureCanvas("Test")
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.figure.subplots().plot([1, 2, 3], [1, 4, 9])
    return canvas


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


def test_nothing_is_drawn_while_hidden_and_many_requests_are_one_drawing(canvas, qtbot, monkeypatch):
    drawings = []
    draw = canvas_module.FigureCanvasQTAgg.draw
    monkeypatch.setattr(canvas_module.FigureCanvasQTAgg, "draw", lambda self: (drawings.append(1), draw(self)))
    for shown in (False, True):
        if shown:
            canvas.show()
            qtbot.waitUntil(lambda: drawings != [])
        for _ in range(20):
            canvas.request(layout=True)
            QGuiApplication.processEvents()
        assert len(drawings) == shown


def test_themes_follow_the_palette_and_files_and_copies_are_light(canvas, qtbot, tmp_path):
    canvas.show()
    dark = QPalette(QColor("#303030"))
    dark.setColor(QPalette.ColorRole.Base, QColor("#202020"))
    with qtbot.waitSignal(canvas.theme_changed):
        canvas.setPalette(dark)
    assert canvas.theme == theme_of(dark)
    for kind in ("png", "pdf", "svg"):
        canvas.save(tmp_path / f"figure.{kind}")
        assert (tmp_path / f"figure.{kind}").stat().st_size > 1000
    assert imread(tmp_path / "figure.png")[0, 0, :3].tolist() == [1.0, 1.0, 1.0]
    with refused(None, None, "figure.doc", ".png", ".pdf", ".svg"):
        canvas.save(tmp_path / "figure.doc")
    canvas.copy()
    assert QGuiApplication.clipboard().image().pixelColor(0, 0).name() == "#ffffff"
    assert canvas.theme.dark


def test_the_window_draws_in_its_own_style_without_tensorflow_or_not_at_all(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\n")
    code = """
import gui.views.main_window, matplotlib, sys
print(*(matplotlib.rcParams[name] for name in ("text.usetex", "font.size")))
print([name for name in ("tensorflow", "tf_keras", "arviz") if name in sys.modules])"""
    assert execute([sys.executable, "-c", code], cwd=tmp_path).stdout.split() == ["False", "10.0", "[]"]
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff")
    done = execute([sys.executable, "-m", "gui", tmp_path], cwd=tmp_path, check=False)
    assert (done.returncode, "Error: matplotlib" in done.stderr) == (2, True)
