"""The two plots of the live tab."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from gui.models.live import Band, Curve, LiveModel
from gui.views.canvas import FigureCanvas
from gui.views.figure_theme import decimate
from tfticket.reports.figures import axis_of

_FEW = 150
"""Points of a curve up to which each is marked."""


class LivePlots:
    """The two plots: artists are made once, then only their data change."""

    def __init__(self, canvas: FigureCanvas) -> None:
        self.canvas = canvas
        self.colours: dict[str, str] = {}
        self.axes = list(canvas.figure.subplots(1, 2))
        self.tops = [axes.secondary_xaxis("top") for axes in self.axes]
        self.lines: dict[tuple[int, tuple[str, int]], tuple[Any, Any]] = {}
        self._bands: list[Band] = []
        self._spans: list[Any] = []
        self._words: tuple[Any, ...] = ()
        self._narrow = False
        for axes, top in zip(self.axes, self.tops, strict=True):
            axes.grid(axis="y")
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            top.spines["top"].set_visible(False)
            top.tick_params(length=0, pad=1)

    def clear(self) -> None:
        """Forget a run's curves."""
        for pair in self.lines.values():
            for line in pair:
                line.remove()
        self.lines.clear()
        self.canvas.moving.clear()
        self.canvas.forget_view()

    def arrange(self) -> None:
        """Beside one another, or one above the other where the canvas is high."""
        narrow = self.canvas.height() > self.canvas.width()
        if narrow != self._narrow:
            self._narrow = narrow
            grid = GridSpec(*((2, 1) if narrow else (1, 2)), figure=self.canvas.figure)
            for number, axes in enumerate(self.axes):
                axes.set_subplotspec(grid[number])
        self._label_bands()
        self.canvas.request(layout=True)

    def update(self, model: LiveModel) -> None:
        """Show what the model has."""
        metrics = ("loss", model.metric if model.metric in model.metrics else next(iter(model.metrics), "accuracy"))
        factors = (1.0, axis_of(metrics[1])[0])
        bands = model.bands
        found = [model.curves(metric) for metric in metrics]
        known, moved = set(self.lines), False
        few = max((len(curve.x) for curve in found[0]), default=0) <= _FEW
        for number, curves in enumerate(found):
            for curve in curves:
                self._draw(number, curve, factors[number], model.smoothing > 0, few)
            log = number == 0 and model.log_loss
            moved |= self._limits(self.axes[number], curves, factors[number], log, bands)
        for key in [key for key in self.lines if key[1] not in {curve.key for curve in found[key[0]]}]:
            for line in self.lines.pop(key):
                line.remove()
        labels = ("training loss", axis_of(metrics[1], "validation")[1], f"iterations of seed {model.seed}")
        words = (labels, model.log_loss)
        fresh = words != self._words or known != set(self.lines)
        if bands != self._bands:
            self._bands, fresh = bands, True
            self._draw_bands()
        if fresh:
            self._words = words
            for axes, label in zip(self.axes, labels, strict=False):
                axes.set(xlabel=labels[2], ylabel=label)
            self._legend()
        self.canvas.moving = [line for pair in self.lines.values() for line in pair]
        self.canvas.request(layout=fresh or moved, moving=not (fresh or moved))

    def colour(self) -> None:
        """Give lines and bands the theme's colours."""
        for (_, (arm, _)), pair in self.lines.items():
            for line in pair:
                line.set_color(self.colours.get(arm, self.canvas.theme.text))
        self._draw_bands()
        self._legend()
        self.canvas.request(layout=True)

    def _draw(self, number: int, curve: Curve, factor: float, faint: bool, few: bool) -> None:
        key = (number, curve.key)
        if key not in self.lines:
            ticket = curve.key[0] == "ticket"
            look: dict[str, Any] = {
                "color": self.colours.get(curve.key[0]),
                "lw": 1.8 if ticket else 1.2,
                "marker": ".",
                "ms": 5,
                "animated": True,
            }
            look |= {"zorder": 3.0 if ticket else 2.5, "ls": "-" if ticket else (0, (4, 1))}
            raw, smooth = (self.axes[number].plot([], [], **look)[0] for _ in range(2))
            raw.set(alpha=0.3, ls="-", lw=0.9, zorder=2.0)
            smooth.set_label(curve.name if not curve.key[1] else "_")
            self.lines[key] = (raw, smooth)
        raw, smooth = self.lines[key]
        smooth.set_marker("." if few and not faint else "")
        raw.set_marker("." if few else "")
        smooth.set_data(*decimate(curve.x, factor * curve.smooth))
        raw.set_data(*(decimate(curve.x, factor * curve.raw) if faint else ([], [])))

    def _limits(self, axes: Any, curves: Sequence[Curve], factor: float, log: bool, bands: Sequence[Band]) -> bool:
        """Make room for what is drawn, unless the user chose; whether that changed anything."""
        scale = "log" if log else "linear"
        if new := axes.get_yscale() != scale:
            axes.set_yscale(scale)
            if scale == "log":  # without formulas, which take a tenth of a second to set
                axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
                axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.tick_params(axis="y", which="minor", labelsize="small")
            self.canvas.forget_view()
        if self.canvas.moved or not bands:
            return bool(new)
        before = (axes.get_xlim(), axes.get_ylim())
        axes.set_xlim(0, 1.005 * bands[-1].end)
        values = factor * np.concatenate([curve.raw for curve in curves] or [np.empty(0)])
        values = values[np.isfinite(values) & ((values > 0) | (not log))]
        if len(values):
            limits = _roomy(np.log(values) if log else values, *(np.log(before[1]) if log else before[1]))
            axes.set_ylim(*(np.exp(limits) if log else limits))
        return bool(new or before != (axes.get_xlim(), axes.get_ylim()))

    def _draw_bands(self) -> None:
        for span in self._spans:
            span.remove()
        colour = self.canvas.theme.text
        odd = [band for number, band in enumerate(self._bands) if number % 2]
        self._spans = [
            axes.axvspan(band.begin, band.end, color=colour, alpha=0.06, lw=0, zorder=0)
            for axes in self.axes
            for band in odd
        ]
        self._label_bands()

    def _label_bands(self) -> None:
        """As many levels as there is room for: number and weights remaining."""
        if not self._bands:
            return
        room = (self.canvas.width() / (1 if self._narrow else 2) - 90) / len(self._bands)
        step = max(1, int(np.ceil(4.6 * self.canvas.points / max(room, 1.0))))
        shown = self._bands[::step]
        labels = [f"{band.level}\n{'' if band.density is None else _percent(band.density)}" for band in shown]
        for top in self.tops:
            top.set_xticks([(band.begin + band.end) / 2 for band in shown], [f"level {labels[0]}", *labels[1:]])

    def _legend(self) -> None:
        for legend in list(self.canvas.figure.legends):
            legend.remove()
        handles = [pair[1] for (number, (_, again)), pair in self.lines.items() if number == 0 and not again]
        if len(handles) > 1:
            columns = 2 if self.canvas.width() < 560 else min(4, len(handles))
            self.canvas.figure.legend(handles=handles, loc="outside lower left", ncols=columns, frameon=False)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _roomy(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Limits with a margin; the present ones where all values fit into them and fill them well."""
    least, most = float(values.min()), float(values.max())
    if low < least and most < high and most - least > 0.6 * (high - low):
        return low, high
    margin = 0.06 * (most - least) or 0.05 * abs(most) or 1.0
    return least - margin, most + margin
