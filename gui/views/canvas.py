"""A matplotlib canvas that follows the theme and draws no more often than it is looked at."""

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
from PySide6.QtWidgets import QMenu, QWidget

from tfticket.errors import InputError
from tfticket.runs.files import atomic_write

from .figure_theme import LIGHT, Theme, dress, theme_of, zoom

matplotlib.rcdefaults()  # the window draws in its own style: a matplotlibrc may ask for LaTeX, or hide the grid

PAUSE_MS = 250
"""At least between two drawings of what streams in."""
FORMATS = ("png", "pdf", "svg")
_SCROLL = 0.8
_SMALLEST = (280, 170)
"""Width and height in pixels: in less no plot has room for its texts."""
_NO_ROOM = "constrained_layout not applied"
"""What matplotlib warns of where texts leave no room for plots: the figure is drawn all the same."""


class FigureCanvas(FigureCanvasQTAgg):
    """Shows a figure in the colours of the window's palette.

    ``request`` asks for a drawing: at most four a second, none while hidden. The wheel zooms, dragging moves, a double
    click shows all again. Saved and copied figures are always light.

    Attributes:
        moving: Artists whose data stream in; made with ``animated=True``. Where they alone are new, the rest of the
            figure is not drawn again.
        theme: The colours that the figure wears now.
        moved: Whether the user zoomed or moved: limits are the user's then.
        saving: Whether the figure is drawn for a file or the clipboard.
    """

    themed = Signal()
    """The theme is another: colour what is drawn."""
    view_reset = Signal()
    """The user wants to see all again."""
    resized = Signal()
    """The canvas has another size."""
    asked = Signal(str)
    """The user wants an action of the window's, by its id."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Figure(layout="constrained"))
        self.setParent(parent)
        self.setPalette(QPalette())  # the window's: matplotlib's is white
        self.setAccessibleName(name)
        self.setMinimumSize(*_SMALLEST)
        self.theme = theme_of(self.palette())
        self.moved = self.saving = False
        self.moving: list[Any] = []
        self._narrow = False
        self._stale = self._all = self._layout = True
        self._background: Any = None
        self._home: dict[Any, Any] = {}
        self._dragged: Any = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._draw_what_is_new)
        for event in ("scroll", "button_press", "motion_notify", "button_release"):
            kind: Any = f"{event}_event"
            self.mpl_connect(kind, getattr(self, f"_on_{event}"))

    @property
    def points(self) -> float:
        """The size of text, in points: the window's."""
        return float(min(12.0, max(8.0, self.font().pointSizeF())))

    def request(self, *, layout: bool = False, moving: bool = False, at_once: bool = False) -> None:
        """Draw soon what changed.

        Args:
            layout: Texts or axes have changed, too: make room for them.
            moving: Nothing but the data of ``moving`` has changed.
            at_once: The user did it, and waits.
        """
        self._stale = True
        self._all |= not moving
        self._layout |= layout
        if at_once or not self._pause.isActive():
            self._draw_what_is_new()

    def draw(self) -> None:
        """Draw now; room for texts is made only where they changed."""
        if self._layout:
            dress(self.figure, self.theme, self.points)
            self.figure.set_layout_engine("constrained")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NO_ROOM)
            super().draw()
        self._all = False
        if self._layout:
            self._layout = False
            self.figure.set_layout_engine("none")
        if self.moving:
            self._background = self.copy_from_bbox(self.figure.bbox)
            self._draw_moving()

    def _draw_moving(self) -> None:
        for artist in self.moving:
            artist.draw(self.get_renderer())

    def save(self, path: Path) -> None:
        """Write the figure, in the light theme.

        Raises:
            InputError: Another ending than .png, .pdf or .svg.
        """
        kind = path.suffix.lower().removeprefix(".")
        if kind not in FORMATS:
            raise InputError(f"{path.name}: a figure is saved as {', '.join('.' + one for one in FORMATS)}.")
        with self._light():
            atomic_write(path, lambda file: self._write(file, kind))

    def copy(self) -> None:
        """Put the figure on the clipboard, in the light theme."""
        buffer = io.BytesIO()
        with self._light():
            self._write(buffer, "png")
        QGuiApplication.clipboard().setImage(QImage.fromData(buffer.getvalue()))

    def _write(self, file: Any, kind: str) -> None:
        """Without empty space around."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NO_ROOM)
            self.figure.savefig(file, format=kind, dpi=200, bbox_inches="tight")

    def reset_view(self) -> None:
        """Show all again."""
        for axes, (across, up) in self._home.items():
            if axes in self.figure.axes:
                axes.set(xlim=across, ylim=up)
        self.forget_view()
        self.view_reset.emit()
        self.draw_idle()

    def forget_view(self) -> None:
        """Limits are the program's again."""
        self._home.clear()
        self.moved = False

    @contextmanager
    def keeping_view(self) -> Iterator[None]:
        """Within, axes are drawn anew: limits that the user chose stay, on axes whose scales do."""
        before = {axes: self._limits(axes) for axes in self.figure.axes} if self.moved else {}
        yield
        self._home = {axes: self._limits(axes)[:2] for axes in before}
        for axes, (across, up, *scales) in before.items():
            if scales == self._limits(axes)[2:]:
                axes.set(xlim=across, ylim=up)

    @staticmethod
    def _limits(axes: Any) -> list[Any]:
        return [axes.get_xlim(), axes.get_ylim(), axes.get_xscale(), axes.get_yscale()]

    def arrange(self, axes: Sequence[Any]) -> bool:
        """Put two plots beside one another, or one above the other where the canvas is high; whether it is."""
        narrow = bool(self.height() > self.width())
        if narrow != self._narrow:
            self._narrow = narrow
            grid = GridSpec(*((2, 1) if narrow else (1, 2)), figure=self.figure)
            for number, each in enumerate(axes):
                each.set_subplotspec(grid[number])
        return narrow

    @contextmanager
    def _light(self) -> Iterator[None]:
        theme, self.saving = self.theme, True
        self._wear(LIGHT)
        try:
            yield
        finally:
            self.saving = False
            self._wear(theme)

    def _wear(self, theme: Theme) -> None:
        self.theme = theme
        self.themed.emit()
        dress(self.figure, theme, self.points)
        self.figure.set_layout_engine("constrained")
        self.request(layout=True)

    def _draw_what_is_new(self) -> None:
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
        self._draw_what_is_new()

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
            self._wear(theme_of(self.palette()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu()
        menu.exec(event.globalPos())
        menu.deleteLater()

    def menu(self) -> QMenu:
        """What can be done with the figure."""
        menu = QMenu(self)
        menu.addAction("&Copy figure", self.copy)
        menu.addAction("&Save figure…", lambda: self.asked.emit("export_figure"))
        menu.addAction("&Reset view", self.reset_view).setEnabled(self.moved)
        return menu

    def _moving(self) -> None:
        if not self._home:
            self._home = {axes: (axes.get_xlim(), axes.get_ylim()) for axes in self.figure.axes}
        self.moved = True

    def _on_scroll(self, event: Any) -> None:
        if event.inaxes is not None:
            self._moving()
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
            self._moving()
            self._dragged.drag_pan(1, event.key, event.x, event.y)
            self.draw_idle()

    def _on_button_release(self, event: Any) -> None:
        if self._dragged is not None and event.button == 1:
            self._dragged.end_pan()
            self._dragged = None
