"""A matplotlib canvas that follows the theme and limits how often it draws."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QHideEvent, QImage, QPalette, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMenu

from tfticket.errors import InputError
from tfticket.runs.files import atomic_write

from .figure_theme import LIGHT, Theme, apply_theme, theme_of, zoom

matplotlib.rcdefaults()  # ignore matplotlibrc, which may ask for LaTeX or hide the grid

PAUSE_MS = 250
"""Milliseconds between two drawings of live data, at least."""
FORMATS = ("png", "pdf", "svg")
_SCROLL = 0.8
_SMALLEST = (280, 170)
"""Minimum width and height in pixels that leave room for the texts."""
_NO_ROOM = "constrained_layout not applied"
"""Matplotlib's warning if texts leave no room for the plots; the figure is drawn anyway."""


class FigureCanvas(FigureCanvasQTAgg):
    """Shows a figure in the colours of the window's palette.

    ``request`` asks for a drawing: at most four per second, none while hidden. The wheel zooms, dragging pans, a
    double click resets the view. Saved and copied figures are always light.

    Attributes:
        animated: Artists of live data, created with ``animated=True``. If only they change, the rest of the figure
            is not drawn again.
        has_user_view: Whether the user zoomed or panned, so that the axes' limits are the user's.
        saving: Whether the figure is drawn for a file or the clipboard.
    """

    theme_changed = Signal()
    """The theme changed: artists need new colours."""
    view_reset = Signal()
    """The user asked for the whole figure."""
    resized = Signal()
    """The size of the canvas changed."""
    action_requested = Signal(str)
    """The user asked for an action of the window, by its id."""

    def __init__(self, name: str) -> None:
        super().__init__(Figure(layout="constrained"))
        self.setPalette(QPalette())  # the window's; matplotlib's is white
        self.setAccessibleName(name)
        self.setMinimumSize(*_SMALLEST)
        self.theme = theme_of(self.palette())
        self.has_user_view = self.saving = False
        self.animated: list[Any] = []
        self._narrow = False
        self._stale = self._all = self._layout = True
        self._background: Any = None
        self._home: dict[Any, Any] = {}
        self._dragged: Any = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._draw_stale)
        for event in ("scroll", "button_press", "motion_notify", "button_release"):
            kind: Any = f"{event}_event"
            self.mpl_connect(kind, getattr(self, f"_on_{event}"))

    @property
    def points(self) -> float:
        """Text size of the window, in points."""
        return float(min(12.0, max(8.0, self.font().pointSizeF())))

    def request(self, *, layout: bool = False, animated: bool = False, at_once: bool = False) -> None:
        """Schedule a drawing.

        Args:
            layout: Texts or axes changed, and need a new layout.
            animated: Only the data of ``animated`` changed.
            at_once: Draw without delay, because the user waits.
        """
        self._stale = True
        self._all |= not animated
        self._layout |= layout
        if at_once or not self._pause.isActive():
            self._draw_stale()

    def draw(self) -> None:
        """Draw now, with a new layout only if texts or axes changed."""
        if self._layout:
            apply_theme(self.figure, self.theme, self.points)
            self.figure.set_layout_engine("constrained")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NO_ROOM)
            super().draw()
        self._all = False
        if self._layout:
            self._layout = False
            self.figure.set_layout_engine("none")
        if self.animated:
            self._background = self.copy_from_bbox(self.figure.bbox)
            self._draw_moving()

    def _draw_moving(self) -> None:
        for artist in self.animated:
            artist.draw(self.get_renderer())

    def save(self, path: Path) -> None:
        """Save the figure in the light theme; a suffix that is none of ``FORMATS`` is an ``InputError``."""
        kind = path.suffix.lower().removeprefix(".")
        if kind not in FORMATS:
            raise InputError(f"{path.name}: figures are saved as {', '.join('.' + suffix for suffix in FORMATS)}.")
        with self._light():
            atomic_write(path, lambda file: self._write(file, kind))

    def copy(self) -> None:
        buffer = io.BytesIO()
        with self._light():
            self._write(buffer, "png")
        QGuiApplication.clipboard().setImage(QImage.fromData(buffer.getvalue()))

    def _write(self, file: Any, kind: str) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NO_ROOM)
            self.figure.savefig(file, format=kind, dpi=200, bbox_inches="tight")

    def reset_view(self) -> None:
        """Show the whole figure."""
        for axes, (across, up) in self._home.items():
            if axes in self.figure.axes:
                axes.set(xlim=across, ylim=up)
        self.forget_view()
        self.view_reset.emit()
        self.draw_idle()

    def forget_view(self) -> None:
        """Forget the user's zoom; the program sets the limits again."""
        self._home.clear()
        self.has_user_view = False

    @contextmanager
    def keeping_view(self) -> Iterator[None]:
        """Keep the user's limits while axes are redrawn inside the context, if their scales stay."""
        before = {axes: self._limits(axes) for axes in self.figure.axes} if self.has_user_view else {}
        yield
        self._home = {axes: self._limits(axes)[:2] for axes in before}
        for axes, (across, up, *scales) in before.items():
            if scales == self._limits(axes)[2:]:
                axes.set(xlim=across, ylim=up)

    @staticmethod
    def _limits(axes: Any) -> list[Any]:
        return [axes.get_xlim(), axes.get_ylim(), axes.get_xscale(), axes.get_yscale()]

    def arrange(self, axes: Sequence[Any]) -> bool:
        """Place two plots side by side, or stacked on a high canvas; return True if stacked."""
        narrow = bool(self.height() > self.width())
        if narrow != self._narrow:
            self._narrow = narrow
            grid = GridSpec(*((2, 1) if narrow else (1, 2)), figure=self.figure)
            for number, plot in enumerate(axes):
                plot.set_subplotspec(grid[number])
        return narrow

    @contextmanager
    def _light(self) -> Iterator[None]:
        theme, self.saving = self.theme, True
        self._apply_theme(LIGHT)
        try:
            yield
        finally:
            self.saving = False
            self._apply_theme(theme)

    def _apply_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.theme_changed.emit()
        apply_theme(self.figure, theme, self.points)
        self.figure.set_layout_engine("constrained")
        self.request(layout=True)

    def _draw_stale(self) -> None:
        if self._stale and self.isVisible():
            self._stale = False
            self._pause.start()
            if self._all or self._background is None:
                self.draw_idle()
            else:
                self.restore_region(self._background)
                self._draw_moving()
                self.update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_stale()

    def hideEvent(self, event: QHideEvent) -> None:
        self._pause.stop()
        super().hideEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._layout = True
        self._background = None
        super().resizeEvent(event)
        self.resized.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and hasattr(self, "theme"):
            self._apply_theme(theme_of(self.palette()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu()
        menu.exec(event.globalPos())
        menu.deleteLater()

    def menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("&Copy figure", self.copy)
        menu.addAction("&Save figure…", lambda: self.action_requested.emit("export_figure"))
        menu.addAction("&Reset view", self.reset_view).setEnabled(self.has_user_view)
        return menu

    def _start_moving(self) -> None:
        if not self._home:
            self._home = {axes: (axes.get_xlim(), axes.get_ylim()) for axes in self.figure.axes}
        self.has_user_view = True

    def _on_scroll(self, event: Any) -> None:
        if event.inaxes is not None:
            self._start_moving()
            zoom(event.inaxes, _SCROLL**event.step, event.xdata, event.ydata)
            self.draw_idle()

    def _on_button_press(self, event: Any) -> None:
        if event.dblclick:
            self.reset_view()
        elif event.button == 1 and event.inaxes is not None:
            self._dragged = event.inaxes
            event.inaxes.start_pan(event.x, event.y, 1)

    def _on_motion_notify(self, event: Any) -> None:
        if self._dragged is not None:
            self._start_moving()
            self._dragged.drag_pan(1, event.key, event.x, event.y)
            self.draw_idle()

    def _on_button_release(self, event: Any) -> None:
        if self._dragged is not None and event.button == 1:
            self._dragged.end_pan()
            self._dragged = None
