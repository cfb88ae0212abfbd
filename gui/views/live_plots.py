"""The two plots of the live tab."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from tfticket.arms import TICKET, Arm
from tfticket.reports.figures.metric_curves import axis_of
from tfticket.reports.figures.number_axes import Numbers, log_axis

from ..models.followed import Band, Curve
from ..models.live import LiveModel
from .canvas import FigureCanvas
from .figure_theme import decimate
from .legends import first_fitting, legend_below

_FEW = 150
"""Number of points up to which each has a marker."""
_MARKERS = 12
"""Number of markers on longer curves of arms other than the ticket."""
_LINES = {"-": (0, (4, 1)), "--": (0, (2, 1)), ":": (0, (1, 1)), "-.": (0, (5, 1, 1, 1))}
"""Line style of an arm -> dashes in the live plots."""
_MARGIN = 0.02
"""Relative margin of the x axis, so that markers at its end are not cut."""
_MIN_HEIGHT_WITH_LEVELS = 80
"""Height of a plot in pixels below which levels are not labelled."""
AXES = {"iteration": "iterations", "time": "training time"}
_UNITS = ((7200, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
"""Units of training time: smallest duration and size in seconds, and name."""


class LivePlots:
    """The two plots; artists are created once, then only their data change.

    Attributes:
        looks: Arm -> line style, from ``arm_styles``.
        colours: Arm -> colour of its lines on the present background.
        run_colours: Overlaid run -> colour of its ticket; '' is the run in focus. Empty without overlays.
    """

    def __init__(self, canvas: FigureCanvas) -> None:
        self.canvas = canvas
        self.looks: dict[Arm, dict[str, Any]] = {}
        self.colours: dict[Arm, str] = {}
        self.run_colours: dict[str, str] = {}
        self.axes = list(canvas.figure.subplots(1, 2, sharex=True))
        self.tops = [axes.secondary_xaxis("top") for axes in self.axes]
        self.lines: dict[tuple[int, tuple[str, Arm, int]], tuple[Any, Any]] = {}
        self._unit = (1, "")  # size and name of the x axis' unit
        self._bands: list[Band] = []
        self._spans: list[Any] = []
        self._drawn: tuple[Any, ...] = ()  # labels and scales on the figure
        self._labels = ("", "")  # y axes
        self._narrow = False
        self._height = 200.0  # approximate height of a plot, in pixels
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
        for pair in self.lines.values():
            for line in pair:
                line.remove()
        self.lines.clear()
        self.canvas.animated.clear()
        self.canvas.forget_view()

    def arrange(self) -> None:
        self._narrow = self.canvas.arrange(self.axes)
        self._place_ticks()
        self._legend()
        self.canvas.request(layout=True)

    def update(self, model: LiveModel) -> None:
        metrics = ("loss", model.metric if model.metric in model.metrics else next(iter(model.metrics), "accuracy"))
        factors = (1.0, axis_of(metrics[1])[0])
        curves_by_plot = [model.curves(metric) for metric in metrics]
        bands, end = model.bands, _end(model.bands, curves_by_plot[0])
        units = [(size, name) for minimum, size, name in _UNITS if end >= minimum]
        self._unit = units[0] if model.shown_axis == "time" else (1, "")
        bands = [replace(band, begin=band.begin / self._unit[0], end=band.end / self._unit[0]) for band in bands]
        known, moved = set(self.lines), False
        few = max((len(curve.x) for curve in curves_by_plot[0]), default=0) <= _FEW
        for number, curves in enumerate(curves_by_plot):
            for curve in curves:
                self._draw(number, curve, factors[number], model.smoothing > 0, few)
            log = number == 0 and model.log_loss
            moved |= self._limits(self.axes[number], curves, factors[number], log, end / self._unit[0])
        for key in [key for key in self.lines if key[1] not in {curve.key for curve in curves_by_plot[key[0]]}]:
            for line in self.lines.pop(key):
                line.remove()
        labels = ("training loss", axis_of(metrics[1], "validation")[1], self._x_label(model))
        drawn = (labels, model.log_loss, model.run and model.run.name)
        changed = drawn != self._drawn or known != set(self.lines)
        if bands != self._bands:
            self._bands, changed = bands, True
            self._draw_bands()
        if changed:
            self._drawn = drawn
            self._place_ticks()
            self._labels = labels[:2]
            for axes in self.axes:
                axes.set_xlabel(labels[2])
            self._legend()
        self.canvas.animated = [line for pair in self.lines.values() for line in pair]
        self.canvas.request(layout=changed or moved, animated=not (changed or moved))

    def _place_ticks(self) -> None:
        room = self.canvas.width() / (1 if self._narrow else 2) - 90
        count = int(min(5, max(2, room / (7 * self.canvas.points))))
        for axes in self.axes:
            axes.xaxis.set_major_locator(MaxNLocator(count, integer=not self._unit[1]))

    def _x_label(self, model: LiveModel) -> str:
        seed = "one seed" if model.overlaid else f"seed {model.seed}"
        unit = f" ({self._unit[1]})" if self._unit[1] else ""
        draws = " (of chains: draws)" if model.has_chains and model.shown_axis == "iteration" else ""
        return f"{AXES[model.shown_axis]} of {seed}{unit}{draws}"

    def colour(self) -> None:
        for (_, key), pair in self.lines.items():
            for line in pair:
                line.set_color(self._colour_of(key))
            self._style_line(pair[1], key)
        self._draw_bands()
        self._legend()
        self.canvas.request(layout=True)

    def _colour_of(self, key: tuple[str, Arm, int]) -> str:
        run, arm, _ = key
        return (self.run_colours.get(run) if run else self.colours.get(arm)) or self.canvas.theme.text

    def _width(self, run: str) -> float:
        """Return the width of a ticket's line, thinner from run to run, so that equal curves stay visible."""
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
            self._style_line(smooth, curve.key)
            self.lines[key] = (raw, smooth)
        raw, smooth = self.lines[key]
        smooth.set_label(curve.group_name)
        all_marked = few and not faint
        shown = not curve.key[0] and (all_marked or curve.key[1] != TICKET)
        size = 3.0 if curve.key[1] == TICKET else 4.5
        smooth.set(
            markersize=size if shown else 0.0, markevery=None if all_marked else max(1, len(curve.x) // _MARKERS)
        )
        raw.set_marker("." if few and not curve.key[0] else "")
        if curve.key[1] == TICKET:
            smooth.set_linewidth(self._width(curve.key[0]))
        x = curve.x / self._unit[0]
        smooth.set_data(*decimate(x, factor * curve.smooth))
        raw.set_data(*(decimate(x, factor * curve.raw) if faint else ([], [])))

    def _style_line(self, line: Any, key: tuple[str, Arm, int]) -> None:
        look = self.looks.get(key[1], {})
        hollow = look.get("mfc") == "white"
        face = self.canvas.theme.background if hollow else self._colour_of(key)
        line.set(marker=look.get("marker", "o"), markerfacecolor=face, markeredgecolor=self._colour_of(key))
        line.set_linestyle("-" if key[1] == TICKET else _LINES[look.get("ls", "-")])

    def _limits(self, axes: Any, curves: Sequence[Curve], factor: float, log: bool, end: float) -> bool:
        """Fit the limits to the curves unless the user zoomed; return True if they changed."""
        scale = "log" if log else "linear"
        if new := axes.get_yscale() != scale:
            axes.set_yscale(scale)
            if scale == "log":  # without formulas, which take 0.1 s to typeset
                log_axis(axes.yaxis)
            else:
                axes.yaxis.set_major_formatter(Numbers())
            self.canvas.forget_view()
        if self.canvas.has_user_view or end <= 0:
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
        """Label the levels for which there is room with number and weights remaining."""
        left, right = self.axes[0].get_xlim()
        scale = (self.canvas.width() / (1 if self._narrow else 2) - 90) / max(right - left, 1e-9)
        letter, free = 0.85 * self.canvas.points, -np.inf
        places: list[float] = []
        names: list[str] = []
        for band in self._bands if self._height >= _MIN_HEIGHT_WITH_LEVELS else []:
            at = (max(left, band.begin) + min(right, band.end)) / 2
            density = "" if band.density is None else f"{100 * band.density:.3g} %"
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
        focus = self._drawn[2] if self._drawn and self.run_colours else None
        names = [focus if focus and key[:2] == ("", TICKET) else line.get_label() for key, line in firsts.items()]
        height = legend_below(self.canvas, list(firsts.values()), names) if len(firsts) > 1 else 0.0
        if len(firsts) < 2:
            legend_below(self.canvas, [], [])
        text = 1.4 * self.canvas.points
        self._height = max(20.0, (self.canvas.height() - height) / (2 if self._narrow else 1) - 6 * text)
        for axes, label in zip(self.axes, self._labels, strict=True):
            without = label.partition(" ")[2]  # 'training', 'validation'
            choices = [label, without, without.partition(" (")[0]]
            axes.set_ylabel(first_fitting(choices, self._height, self.canvas.points))
        self._label_bands()


def _end(bands: Sequence[Band], curves: Sequence[Curve]) -> float:
    """Return the end of the x axis: of the run in focus, or of the overlaid ones if it has no curves yet."""
    if bands:
        return bands[-1].end
    return max((float(np.nanmax(curve.x)) for curve in curves if np.isfinite(curve.x).any()), default=0.0)


def _roomy(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return limits with a margin; the present ones if the values fit and fill them."""
    lowest, highest = float(values.min()), float(values.max())
    if low < lowest and highest < high and highest - lowest > 0.6 * (high - low):
        return low, high
    margin = 0.06 * (highest - lowest) or 0.05 * abs(highest) or 1.0
    return lowest - margin, highest + margin
