"""The two plots of the live tab."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from tfticket.arms import TICKET, Arm
from tfticket.reports.figures.metrics import axis_of
from tfticket.reports.figures.number_axes import Numbers, log_axis

from ..models.followed import Band, Curve
from ..models.live import LiveModel
from .canvas import FigureCanvas
from .figure_theme import decimate
from .legends import fitting, legend_below

_FEW = 150
"""Points of a curve up to which each is marked."""
_MARKS = 12
"""So many are marked of a longer one that is no ticket's."""
_LINES = {"-": (0, (4, 1)), "--": (0, (2, 1)), ":": (0, (1, 1)), "-.": (0, (5, 1, 1, 1))}
"""How lines of arms other than the ticket are drawn."""
_MARGIN = 0.02
"""Of the x axis, so that no mark at its end is cut."""
_LOW = 80
"""Pixels of height of a plot below which levels are not named."""
AXES = {"iteration": "iterations", "time": "training time"}
"""What the x axis can show, in words."""
_UNITS = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
"""Of training time: from how many seconds on, the unit's seconds, its name."""


class LivePlots:
    """The two plots: artists are made once, then only their data change.

    Attributes:
        looks: Arm -> its look, as ``arm_styles`` says it.
        colours: Arm -> the colour of its lines, on this background.
        run_colours: Run that is laid over -> the colour of its ticket; '' is the run in focus, where there are such.
    """

    def __init__(self, canvas: FigureCanvas) -> None:
        self.canvas = canvas
        self.looks: dict[Arm, dict[str, Any]] = {}
        self.colours: dict[Arm, str] = {}
        self.run_colours: dict[str, str] = {}
        self.axes = list(canvas.figure.subplots(1, 2, sharex=True))
        self.tops = [axes.secondary_xaxis("top") for axes in self.axes]
        self.lines: dict[tuple[int, tuple[str, Arm, int]], tuple[Any, Any]] = {}
        self._unit = (1, "")  # of the x axis: its size, its name
        self._bands: list[Band] = []
        self._spans: list[Any] = []
        self._words: tuple[Any, ...] = ()
        self._labels = ("", "")  # of the y axes
        self._narrow = False
        self._height = 200.0  # of a plot, in pixels, about
        for axes, top in zip(self.axes, self.tops, strict=True):
            axes.grid(axis="y")
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_formatter(Numbers(large=np.inf))
            axes.yaxis.set_major_formatter(Numbers())
            axes.callbacks.connect("xlim_changed", lambda axes: self._label_bands())
            axes.tick_params(labelbottom=True)
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
        self._legend()
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
            self._labels = labels[:2]
            for axes in self.axes:
                axes.set_xlabel(labels[2])
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
        draws = " (of chains: draws)" if model.has_chains and model.shown_axis == "iteration" else ""
        return f"{AXES[model.shown_axis]} of {whose}{unit}{draws}"

    def colour(self) -> None:
        """Give lines and bands the theme's colours."""
        for (_, key), pair in self.lines.items():
            for line in pair:
                line.set_color(self._colour_of(key))
            self._wear(pair[1], key)
        self._draw_bands()
        self._legend()
        self.canvas.request(layout=True)

    def _colour_of(self, key: tuple[str, Arm, int]) -> str:
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
            look: dict[str, Any] = {"color": self._colour_of(curve.key), "animated": True}
            look |= {"lw": 1.2, "zorder": 3.0 if curve.key[1] == TICKET else 2.5}
            raw, smooth = (self.axes[number].plot([], [], **look)[0] for _ in range(2))
            raw.set(alpha=0.3, ls="-", lw=0.9, zorder=2.0, ms=5)
            self._wear(smooth, curve.key)
            self.lines[key] = (raw, smooth)
        raw, smooth = self.lines[key]
        smooth.set_label(curve.together)
        every = few and not faint
        shown = not curve.key[0] and (every or curve.key[1] != TICKET)
        size = 3.0 if curve.key[1] == TICKET else 4.5
        smooth.set(markersize=size if shown else 0.0, markevery=None if every else max(1, len(curve.x) // _MARKS))
        raw.set_marker("." if few and not curve.key[0] else "")
        if curve.key[1] == TICKET:
            smooth.set_linewidth(self._width(curve.key[0]))
        x = curve.x / self._unit[0]
        smooth.set_data(*decimate(x, factor * curve.smooth))
        raw.set_data(*(decimate(x, factor * curve.raw) if faint else ([], [])))

    def _wear(self, line: Any, key: tuple[str, Arm, int]) -> None:
        """Give a line its arm's marker and dashes."""
        look = self.looks.get(key[1], {})
        hollow = look.get("mfc") == "white"
        face = self.canvas.theme.background if hollow else self._colour_of(key)
        line.set(marker=look.get("marker", "o"), markerfacecolor=face, markeredgecolor=self._colour_of(key))
        line.set_linestyle("-" if key[1] == TICKET else _LINES[look.get("ls", "-")])

    def _limits(self, axes: Any, curves: Sequence[Curve], factor: float, log: bool, end: float) -> bool:
        """Make room for what is drawn, unless the user chose; whether that changed anything."""
        scale = "log" if log else "linear"
        if new := axes.get_yscale() != scale:
            axes.set_yscale(scale)
            if scale == "log":  # without formulas, which take a tenth of a second to set
                log_axis(axes.yaxis)
            else:
                axes.yaxis.set_major_formatter(Numbers())
            self.canvas.forget_view()
        if self.canvas.moved or end <= 0:
            return bool(new)
        before = (axes.get_xlim(), axes.get_ylim())
        axes.set_xlim(-_MARGIN / 2 * end, (1 + _MARGIN) * end)
        last = (1 + _MARGIN) * end * self._unit[0]
        values = factor * np.concatenate([curve.raw[curve.x <= last] for curve in curves] or [np.empty(0)])
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
        """The levels that there is room for: number and weights remaining."""
        left, right = self.axes[0].get_xlim()
        scale = (self.canvas.width() / (1 if self._narrow else 2) - 90) / max(right - left, 1e-9)
        letter, free = 0.85 * self.canvas.points, -np.inf
        places: list[float] = []
        names: list[str] = []
        for band in self._bands if self._height >= _LOW else []:
            at = (max(left, band.begin) + min(right, band.end)) / 2
            density = "" if band.density is None else _percent(band.density)
            name = f"{'' if names else 'level '}{band.level}"
            half = letter * max(len(name), len(density)) / 2
            if band.end > left and band.begin < right and scale * at - half >= free:
                places.append(at)
                names.append(f"{name}\n{density}")
                free = scale * at + half + letter
        for top in self.tops:
            top.set_xticks(places, names)

    def _legend(self) -> None:
        lines = {key: pair[1] for (number, key), pair in self.lines.items() if number == 0}
        firsts = {key: line for key, line in lines.items() if key[2] == min(k[2] for k in lines if k[:2] == key[:2])}
        focus = self._words[2] if self._words and self.run_colours else None
        names = [focus if focus and key[:2] == ("", TICKET) else line.get_label() for key, line in firsts.items()]
        height = legend_below(self.canvas, list(firsts.values()), names) if len(firsts) > 1 else 0.0
        if len(firsts) < 2:
            legend_below(self.canvas, [], [])
        text = 1.4 * self.canvas.points
        self._height = max(20.0, (self.canvas.height() - height) / (2 if self._narrow else 1) - 6 * text)
        for axes, label in zip(self.axes, self._labels, strict=True):
            without = label.partition(" ")[2]  # 'training', 'validation'
            choices = [label, without, without.partition(" (")[0]]
            axes.set_ylabel(fitting(choices, self._height, self.canvas.points))
        self._label_bands()


def _end(bands: Sequence[Band], curves: Sequence[Curve]) -> float:
    """How far to the right the run in focus goes; where it has nothing yet, those that are laid over."""
    if bands:
        return bands[-1].end
    return max((float(np.nanmax(curve.x)) for curve in curves if np.isfinite(curve.x).any()), default=0.0)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _roomy(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Limits with a margin; the present ones where all values fit into them and fill them well."""
    least, most = float(values.min()), float(values.max())
    if low < least and most < high and most - least > 0.6 * (high - low):
        return low, high
    margin = 0.06 * (most - least) or 0.05 * abs(most) or 1.0
    return least - margin, most + margin
