"""The two plots of the live tab."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from gui.models.followed import Band, Curve
from gui.models.live import LiveModel
from gui.views.canvas import FigureCanvas
from gui.views.figure_theme import decimate, plain, short
from tfticket.reports.figures import axis_of

_FEW = 150
"""Points of a curve up to which each is marked."""
AXES = {"iteration": "iterations", "time": "training time"}
"""What the x axis can show, in words."""
_UNITS = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
"""Of training time: from how many seconds on, the unit's seconds, its name."""


class LivePlots:
    """The two plots: artists are made once, then only their data change.

    Attributes:
        colours: Arm -> the colour of its lines.
        run_colours: Run that is laid over -> the colour of its ticket; '' is the run in focus, where there are such.
    """

    def __init__(self, canvas: FigureCanvas) -> None:
        self.canvas = canvas
        self.colours: dict[str, str] = {}
        self.run_colours: dict[str, str] = {}
        self.axes = list(canvas.figure.subplots(1, 2))
        self.tops = [axes.secondary_xaxis("top") for axes in self.axes]
        self.lines: dict[tuple[int, tuple[str, str, int]], tuple[Any, Any]] = {}
        self._unit = (1, "")  # of the x axis: its size, its name
        self._bands: list[Band] = []
        self._spans: list[Any] = []
        self._words: tuple[Any, ...] = ()
        self._narrow = False
        for axes, top in zip(self.axes, self.tops, strict=True):
            axes.grid(axis="y")
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 6):,}".removesuffix(".0")))
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
        self._narrow = self.canvas.arrange(self.axes)
        self._place_ticks()
        self._label_bands()
        self.canvas.request(layout=True)

    def update(self, model: LiveModel) -> None:
        """Show what the model has."""
        metrics = ("loss", model.metric if model.metric in model.metrics else next(iter(model.metrics), "accuracy"))
        factors = (1.0, axis_of(metrics[1])[0])
        found = [model.curves(metric) for metric in metrics]
        bands, end = model.bands, _end(model.bands, found[0])
        units = [(size, name) for least, size, name in _UNITS if end >= least]
        self._unit = units[0] if model.shown_axis == "time" else (1, "")
        bands = [replace(band, begin=band.begin / self._unit[0], end=band.end / self._unit[0]) for band in bands]
        known, moved = set(self.lines), False
        few = max((len(curve.x) for curve in found[0]), default=0) <= _FEW
        for number, curves in enumerate(found):
            for curve in curves:
                self._draw(number, curve, factors[number], model.smoothing > 0, few)
            log = number == 0 and model.log_loss
            moved |= self._limits(self.axes[number], curves, factors[number], log, end / self._unit[0])
        for key in [key for key in self.lines if key[1] not in {curve.key for curve in found[key[0]]}]:
            for line in self.lines.pop(key):
                line.remove()
        labels = ("training loss", axis_of(metrics[1], "validation")[1], self._x_label(model))
        words = (labels, model.log_loss, model.run and model.run.name)
        fresh = words != self._words or known != set(self.lines)
        if bands != self._bands:
            self._bands, fresh = bands, True
            self._draw_bands()
        if fresh:
            self._words = words
            self._place_ticks()
            for axes, label in zip(self.axes, labels, strict=False):
                axes.set(xlabel=labels[2], ylabel=label)
            self._legend()
        self.canvas.moving = [line for pair in self.lines.values() for line in pair]
        self.canvas.request(layout=fresh or moved, moving=not (fresh or moved))

    def _place_ticks(self) -> None:
        """As many ticks as there is room for; whole numbers of iterations."""
        room = self.canvas.width() / (1 if self._narrow else 2) - 90
        count = int(min(5, max(2, room / (7 * self.canvas.points))))
        for axes in self.axes:
            axes.xaxis.set_major_locator(MaxNLocator(count, integer=not self._unit[1]))

    def _x_label(self, model: LiveModel) -> str:
        whose = "one seed" if model.overlaid else f"seed {model.seed}"
        unit = f" ({self._unit[1]})" if self._unit[1] else ""
        return f"{AXES[model.shown_axis]} of {whose}{unit}"

    def colour(self) -> None:
        """Give lines and bands the theme's colours."""
        for (_, key), pair in self.lines.items():
            for line in pair:
                line.set_color(self._colour_of(key))
        self._draw_bands()
        self._legend()
        self.canvas.request(layout=True)

    def _colour_of(self, key: tuple[str, str, int]) -> str:
        run, arm, _ = key
        return (self.run_colours.get(run) if run else self.colours.get(arm)) or self.canvas.theme.text

    def _width(self, run: str) -> float:
        """Of a ticket's line: thinner from run to run, so that equal ones do not hide each other."""
        if not self.run_colours:
            return 1.8
        runs = ["", *(other for other in self.run_colours if other)]
        return 4.0 - 3.0 * runs.index(run) / max(1, len(runs) - 1) if run in runs else 1.2

    def _draw(self, number: int, curve: Curve, factor: float, faint: bool, few: bool) -> None:
        key = (number, curve.key)
        if key not in self.lines:
            arm = curve.key[1]
            look: dict[str, Any] = {"color": self._colour_of(curve.key), "marker": ".", "ms": 5, "animated": True}
            look |= {"lw": 1.2, "zorder": 3.0 if arm == "ticket" else 2.5}
            look |= {"ls": "-" if arm == "ticket" else (0, (4, 1))}
            raw, smooth = (self.axes[number].plot([], [], **look)[0] for _ in range(2))
            raw.set(alpha=0.3, ls="-", lw=0.9, zorder=2.0)
            self.lines[key] = (raw, smooth)
        raw, smooth = self.lines[key]
        smooth.set_label(curve.name)
        marked = few and not curve.key[0]
        smooth.set_marker("." if marked and not faint else "")
        raw.set_marker("." if marked else "")
        if curve.key[1] == "ticket":
            smooth.set_linewidth(self._width(curve.key[0]))
        x = curve.x / self._unit[0]
        smooth.set_data(*decimate(x, factor * curve.smooth))
        raw.set_data(*(decimate(x, factor * curve.raw) if faint else ([], [])))

    def _limits(self, axes: Any, curves: Sequence[Curve], factor: float, log: bool, end: float) -> bool:
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
        if self.canvas.moved or end <= 0:
            return bool(new)
        before = (axes.get_xlim(), axes.get_ylim())
        axes.set_xlim(0, 1.005 * end)
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
        lines = {key: pair[1] for (number, key), pair in self.lines.items() if number == 0 and not key[2]}
        if len(lines) > 1:
            focus = self._words[2] if self._words and self.run_colours else None
            names = [focus if focus and key[:2] == ("", "ticket") else line.get_label() for key, line in lines.items()]
            room = int(self.canvas.width() / (0.8 * self.canvas.points))  # in letters
            names = [plain(short(name, max(22, room // 3 - 8))) for name in names]
            columns = max(1, min(4, room // (max(map(len, names)) + 8)))
            options: dict[str, Any] = {"loc": "outside lower left", "ncols": columns, "frameon": False}
            self.canvas.figure.legend(list(lines.values()), names, **options)


def _end(bands: Sequence[Band], curves: Sequence[Curve]) -> float:
    """How far to the right anything is drawn."""
    ends = [band.end for band in bands[-1:]] + [float(np.nanmax(curve.x)) for curve in curves if len(curve.x)]
    return max([end for end in ends if np.isfinite(end)], default=0.0)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _roomy(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Limits with a margin; the present ones where all values fit into them and fill them well."""
    least, most = float(values.min()), float(values.max())
    if low < least and most < high and most - least > 0.6 * (high - low):
        return low, high
    margin = 0.06 * (most - least) or 0.05 * abs(most) or 1.0
    return least - margin, most + margin
