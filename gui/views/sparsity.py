"""Qt view for the sparsity model: metrics against weights remaining, with the papers' numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib.lines import Line2D
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QComboBox, QVBoxLayout

from tfticket.arms import TICKET, Arm
from tfticket.reports.claims.reported import CITATIONS, Reported
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.metric_curves import Line, axis_of, draw_metric
from tfticket.text import for_figure

from ..models.sparsity import SparsityModel
from .canvas import FigureCanvas
from .figure_theme import readable
from .legends import first_fitting, legend_below
from .plot_controls import ArmBoxes, fill_box, labelled, metric_items, named, set_row_height
from .tab import Tab
from .widgets import FlowLayout, fill


class SparsityTab(Tab):
    """Accuracy and another metric against weights remaining, of the run in focus and overlaid runs."""

    def __init__(self, model: SparsityModel) -> None:
        super().__init__(model, "Metrics against weights remaining")
        self.plots = SparsityPlots(self.canvas)
        self.metric_box = named(QComboBox(), "Metric of the second plot")
        self.split = named(QComboBox(), "Rows evaluated")
        self.spread = named(QComboBox(), "Meaning of the band")
        self.log_axis = named(QCheckBox("log axis"), "log axis", "Logarithmic axis for the weights remaining")
        papers = "\n".join(f"{letter}: {text}" for letter, text in CITATIONS.items())
        tip = f"The papers' numbers for this network and data, as stars\n{papers}"
        self.reported = named(QCheckBox("reported"), "reported", tip)
        self._drawn: tuple[Any, ...] = ()
        controls = FlowLayout()
        for text, widget in (("Metric", self.metric_box), ("Rows", self.split), ("Band", self.spread)):
            controls.addWidget(labelled(text, widget))
        for control in (self.log_axis, self.reported, self.export):
            set_row_height(control)
            controls.addWidget(control)
        self.arms = ArmBoxes(controls, self.model.set_hidden)
        self.stack.addWidget(self.canvas)
        fill(QVBoxLayout(self), controls, self.problem, self.stack, stretch=self.stack)
        self.metric_box.activated.connect(lambda: self.model.set_options(metric=self.metric_box.currentData()))
        self.split.activated.connect(lambda: self.model.set_options(split=self.split.currentData()))
        self.spread.activated.connect(lambda: self.model.set_options(spread=self.spread.currentData()))
        self.log_axis.toggled.connect(lambda on: self.model.set_options(log=on))
        self.reported.toggled.connect(lambda on: self.model.set_options(reported=on))
        self.canvas.theme_changed.connect(self._draw)

    def _update(self) -> None:
        model, self._stale = self.model, False
        items = metric_items([metric for metric in model.metrics if metric != "accuracy"])
        fill_box(self.metric_box, items, model.metric)
        fill_box(self.split, [("validation", "validation"), ("test", "test")], model.split)
        fill_box(self.spread, [("range of seeds", "range"), ("95 % t interval", "interval")], model.spread)
        for box, on in ((self.log_axis, model.log), (self.reported, model.reported)):
            with QSignalBlocker(box):
                box.setChecked(on)
        self.arms.update(model.arms, model.hidden)
        self._show_message()
        drawn = (model.runs[:1], model.shown_metrics, model.log)
        if drawn != self._drawn:
            self._drawn = drawn
            self.canvas.forget_view()
        self._draw()

    def _draw(self) -> None:
        if not self.model.message:
            with self.canvas.keeping_view():
                self.plots.update(self.model)
            self.arms.colour(self.plots.colours)


_STAR = {"marker": "*", "ms": 10, "mfc": "none", "mew": 1.2, "ls": "none", "zorder": 4}


class SparsityPlots:
    """Plots of accuracy and another metric, redrawn after each new evaluation.

    Attributes:
        colours: Arm -> colour of its lines; empty if colours distinguish runs.
    """

    def __init__(self, canvas: FigureCanvas) -> None:
        self.canvas = canvas
        self.colours: dict[Arm, str] = {}
        self._narrow = False
        self._height = 100.0  # approximate height of a plot, in pixels
        self.axes = list(canvas.figure.subplots(1, 2))

    def update(self, model: SparsityModel) -> None:
        self._narrow = self.canvas.arrange(self.axes)
        self.colours = {}
        metrics = model.shown_metrics
        rows = 1 + model.title.count("\n")
        height = self.canvas.height() - self._legend(model) - rows * 1.65 * self._pixels - 4.5 * self._pixels
        self._height = max(40.0, height / (2 if self._narrow else 1))
        for axes, metric in zip(self.axes, [*metrics, None][:2], strict=True):
            axes.clear()
            axes.set_visible(metric is not None)
            if metric is not None:
                self._draw(axes, model, metric)
        self.canvas.figure.suptitle(for_figure(model.title), x=0.01, ha="left")
        self.canvas.request(layout=True)

    @property
    def _pixels(self) -> float:
        return float(self.canvas.points * 4 / 3)

    @property
    def _width(self) -> float:
        return float(self.canvas.width()) / (1 if self._narrow else 2)

    def _draw(self, axes: Any, model: SparsityModel, metric: str) -> None:
        lines = {key: self._on_background(line) for key, line in model.lines(metric).items()}
        if not lines:
            return
        if not model.has_several_runs:
            self.colours = {arm: line.style["color"] for (_, arm), line in lines.items()}
        numbers = [number for table in model.references(metric).values() for number in table]
        colours = self._star_colours(numbers, model.has_several_runs)
        stars = [_star(number, colours[number.arm]) for number in numbers]
        draw_metric(axes, [*lines.values(), *stars], metric, model.split)
        factor = axis_of(metric)[0]
        if not model.has_several_runs and (dense := model.dense(metric)) is not None:
            axes.axhline(factor * dense, color=self.canvas.theme.grid, lw=1, ls="--", zorder=0)
        if not model.log:
            shares = [100 * share for line in (*lines.values(), *stars) for share in line.densities]
            room = 0.04 * (max(shares) - min(shares)) or 1.0
            axes.set_xscale("linear")
            axes.set_xlim(max(shares) + room, min(shares) - room)
        for number in numbers:
            if number.spread is not None:
                spread = {"ecolor": colours[number.arm], "elinewidth": 1, "capsize": 2, "fmt": "none"}
                axes.errorbar(100 * (number.density or 1), factor * number.value, factor * number.spread, **spread)
        self._fit_labels(axes, model)
        if self._width > 300:
            self._name_stars(axes, numbers, factor, colours)

    def _fit_labels(self, axes: Any, model: SparsityModel) -> None:
        """Shorten labels and reduce ticks in a small plot."""
        label = axes.get_ylabel()
        brief = label.removeprefix(f"{model.split} ")
        two_lines = [label.replace(", ", "\n"), brief.replace(", ", "\n")]
        choices = [label, *two_lines, brief.partition(", ")[0], brief.partition(" (")[0]]
        axes.set_ylabel(first_fitting(choices, self._height, self.canvas.points))
        across = [axes.get_xlabel(), "weights (%)", "%"]
        axes.set_xlabel(first_fitting(across, self._width - 6 * self._pixels, self.canvas.points))
        if model.log and self._width < 330:
            low, high = sorted(axes.get_xlim())
            ticks = [tick for tick in (100, 10, 1, 0.1, 0.01) if low <= tick <= high]
            if len(ticks) > 1:
                axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])

    def _on_background(self, line: Line) -> Line:
        background = self.canvas.theme.background
        colour = readable(line.style["color"], background)
        hollow = line.style.get("mfc") in ("white", "none")
        return replace(line, style={**line.style, "color": colour, "mfc": background if hollow else colour})

    def _star_colours(self, numbers: Sequence[Reported], has_several_runs: bool) -> dict[Arm, str]:
        """Return arm -> colour of its stars: that of its line, or of text if colours distinguish runs."""
        arms = sorted({number.arm for number in numbers})
        looks = arm_styles([("", arm) for arm in arms]) if arms else {}
        theme = self.canvas.theme
        return {
            arm: theme.text if has_several_runs else readable(looks["", arm]["color"], theme.background) for arm in arms
        }

    def _name_stars(self, axes: Any, numbers: Sequence[Reported], factor: float, colours: dict[Arm, str]) -> None:
        """Label the stars with their arms, without overlaps; labels move and vanish with their stars."""
        gap = 1.25 * self._pixels / self._height
        to_axes = axes.transData + axes.transAxes.inverted()
        points = {number: (100 * (number.density or 1), factor * number.value) for number in numbers}
        places = [(*to_axes.transform(point), number) for number, point in points.items()]
        before: dict[float, float] = {}
        for x, y, number in sorted(places, key=lambda place: place[1]):
            at = max(y, before.get(round(x, 2), -1.0) + gap)
            before[round(x, 2)] = at
            arrow = {"arrowstyle": "-", "lw": 0.6, "color": colours[number.arm], "shrinkB": 4, "shrinkA": 0}
            options = {"textcoords": "offset points", "va": "center", "annotation_clip": True}
            options["arrowprops"] = {**arrow, "relpos": (0, 0.5)}
            offset = (1.4 * self.canvas.points, 0.75 * (at - y) * self._height)
            axes.annotate(number.name, xy=points[number], xytext=offset, **options)

    def _legend(self, model: SparsityModel) -> float:
        """Draw the legend of lines, bands and stars; return its height in pixels."""
        handles = self._handles(model)
        sources = dict.fromkeys(source for metric in model.shown_metrics for source in model.references(metric))
        title = [model.spread_text, *(f"☆ reported: {source}" for source in sources)]
        return legend_below(self.canvas, list(handles.values()), list(handles), "\n".join(title))

    def _handles(self, model: SparsityModel) -> dict[str, Any]:
        """Return name -> artist: lines by arm; for several runs their colours and the arms' line styles."""
        lines = {key: self._on_background(line) for key, line in model.lines("accuracy").items()}
        text = self.canvas.theme.text
        handles: dict[str, Any] = {}
        for (run, arm), line in lines.items():
            if model.has_several_runs:
                handles.setdefault(run, Line2D([], [], color=line.style["color"], lw=4))
                look = {**line.style, "color": text, "mfc": text if arm == TICKET else "none", "lw": 1.6, "ms": 5}
                handles.setdefault(f"\0{line.name}", Line2D([], [], **look))
            else:
                handles[line.name] = Line2D([], [], **line.style)
        runs_first = sorted(handles, key=lambda name: name.startswith("\0"))
        return {name.removeprefix("\0"): handles[name] for name in runs_first}


def _star(number: Reported, colour: str) -> Line:
    value, spread = number.value, number.spread or 0.0
    density = number.density or 1.0
    return Line(number.name, [density], [value], [value - spread], [value + spread], {**_STAR, "color": colour})
