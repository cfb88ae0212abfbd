"""How populations' KL weights evolved: which members descend from which, with which weights, and how good they were."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tfticket.evaluation.metrics import ranking
from tfticket.reports.figures import axis_of
from tfticket.runs.run_folder import RunFolder
from tfticket.text import CsvWriter, for_figure

_ENDED, _ENDED_WIDTH = "0.6", 0.8
"""The grey of lines that nobody of the last generation descends from, and their width."""
_BESIDE = ("arm", "member", "generation", "parent", "weights", "metric")
"""What of a step's label is the member's; the rest is the population's."""


@dataclass(frozen=True)
class Member:
    """A member in a generation.

    Attributes:
        generation, member: From 0.
        parent: The member of the generation before whose state it went on from; None in the first.
        weights: Layer -> its KL weight.
        validation: Metric -> value at the generation's end; empty where it diverged.
    """

    generation: int
    member: int
    parent: int | None
    weights: dict[str, float]
    validation: dict[str, float]

    def score(self, metric: str) -> float:
        """A metric's value; not a number where it diverged."""
        return self.validation.get(metric, math.nan)


@dataclass(frozen=True)
class Lineage:
    """A population, as far as it is done.

    Attributes:
        label: What the run calls it: seed, level, density, ...
        metric: What ranked its members: 'nll' or 'accuracy'.
        size: How many members a whole generation has.
        members: All that are done, a dictionary by number for each generation.
    """

    label: dict[str, Any]
    metric: str
    size: int
    members: list[dict[int, Member]]

    @property
    def layers(self) -> list[str]:
        """The layers whose KL weights evolve."""
        return list(next(iter(self.members[0].values())).weights)

    @property
    def best_first(self) -> list[Member]:
        """The members of the last generation that is whole, the winner first; none before the first is whole."""
        whole = [list(members.values()) for members in self.members if len(members) == self.size]
        members = whole[-1] if whole else []
        return [members[place] for place in ranking([one.score(self.metric) for one in members], self.metric)]

    def ancestry(self, member: Member) -> list[Member]:
        """A member's ancestors from the first generation on, itself the last."""
        found = [member]
        while found[0].parent is not None:
            found.insert(0, self.members[found[0].generation - 1][found[0].parent])
        return found


def lineages_of(run: RunFolder) -> list[Lineage]:
    """The populations of a run, in its order.

    Raises:
        InputError: A step's folder is not whole.
    """
    found: dict[str, Lineage] = {}
    for step in run.steps("member"):
        label = step.label
        rest = {name: value for name, value in label.items() if name not in _BESIDE}
        size = run.config["svi"]["population"]["members"]
        lineage = found.setdefault(str(rest), Lineage(rest, label["metric"], size, []))
        member = Member(
            **{name: label[name] for name in ("generation", "member", "parent", "weights")},
            validation=step.result["validation"],
        )
        lineage.members.extend({} for _ in range(member.generation + 1 - len(lineage.members)))
        lineage.members[member.generation][member.member] = member
    return list(found.values())


def lineage_csv(lineages: Sequence[Lineage]) -> str:
    """Every member of every generation as CSV: whose it is, its KL weights, its validation NLL and accuracy."""
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    named = list(dict.fromkeys(name for lineage in lineages for name in lineage.label))
    layers = list(dict.fromkeys(layer for lineage in lineages for layer in lineage.layers))
    metrics = ("nll", "accuracy")
    header = [*named, "generation", "member", "parent", *(f"kl_weight_{layer}" for layer in layers)]
    writer.writerow(header + [f"validation_{metric}" for metric in metrics])
    for lineage in lineages:
        for members in lineage.members:
            for _, one in sorted(members.items()):
                whose = [lineage.label.get(name) for name in named]
                values = [one.weights.get(layer) for layer in layers] + [one.validation.get(name) for name in metrics]
                writer.writerow([*whose, one.generation, one.member, one.parent, *values])
    return buffer.getvalue()


def lineage_figures(lineages: Sequence[Lineage], title: str) -> dict[str, Callable[[], Any]]:
    """Name -> what draws each population: 'lineage'; of several 'lineage-seed-0-level-3', by what tells them apart."""
    if len(lineages) == 1:
        return {"lineage": partial(lineage_figure, lineages[0], title)}
    figures: dict[str, Callable[[], Any]] = {}
    for lineage in lineages:
        said = [f"{name} {value}" for name, value in lineage.label.items() if name != "density"]
        name = "-".join(["lineage", *(words.replace(" ", "-") for words in said)])
        figures[name] = partial(lineage_figure, lineage, ", ".join([title, *said]))
    return figures


def lineage_figure(lineage: Lineage, title: str) -> Any:
    """KL weights against generations, a panel a layer.

    Lines go from a member to those that went on from its state; a cross is where a member was replaced. The colour is
    the metric of the best member of the last generation that descends from there, grey where none does. The winner's
    ancestry is bold.

    Args:
        lineage: Of one population.
        title: Written above the panels: network and data.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.cm import ScalarMappable  # a second to import
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from tfticket.reports.number_axes import Numbers

    layers = lineage.layers
    across = min(3, len(layers))
    down = -(-len(layers) // across)
    figure = Figure(figsize=(2.7 * across + 1.4, 2.6 * down + 1.1), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True)
    factor, label = axis_of(lineage.metric, "validation")
    scores = [factor * score for one in lineage.best_first if math.isfinite(score := one.score(lineage.metric))]
    norm = _norm(scores)
    colours = ScalarMappable(norm, "viridis_r" if lineage.metric == "accuracy" else "viridis")

    def colour_of(score: float) -> Any:
        return colours.cmap(norm(factor * score))

    looks = _looks(lineage, colour_of)
    for number, (axes, layer) in enumerate(zip(panels.ravel(), layers, strict=False)):
        _panel(axes, lineage, layer, looks)
        axes.set_title(for_figure(layer), fontsize=9, loc="left")
        if number + across >= len(layers):
            axes.set_xlabel("generation", fontsize=9)
            axes.tick_params(labelbottom=True)
    for unused in panels.ravel()[len(layers) :]:
        unused.remove()
    figure.supylabel("KL weight", fontsize=9)
    if scores:
        bar = figure.colorbar(colours, ax=panels.ravel()[: len(layers)], pad=0.02, aspect=30, format=Numbers())
        bar.set_label(f"{label}, last generation", fontsize=9)
        bar.ax.tick_params(labelsize=8, which="both")
        bar.ax.minorticks_off()
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left")
    named = {}
    if lineage.best_first:
        best = lineage.best_first[0].score(lineage.metric)
        winner = colour_of(best) if math.isfinite(best) else _ENDED
        named["winner and its ancestors"] = Line2D([], [], lw=3.2, marker="o", ms=4.4, color=winner)
    if any(look["color"] == _ENDED for look in looks.values()):
        ended = "without descendants in the last generation" if named else "the first generation, which is not whole"
        named[ended] = Line2D([], [], lw=_ENDED_WIDTH, marker="o", ms=1.2 + _ENDED_WIDTH, color=_ENDED)
    if len(lineage.members) > 1:
        named["replaced"] = Line2D([], [], color="0.4", lw=0, marker="x", ms=5)
    figure.legend(
        list(named.values()), list(named), loc="outside lower left", ncols=len(named), frameon=False, fontsize=9
    )
    return figure


def _norm(scores: Sequence[float]) -> Any:
    """From values to shares of a colour map; logarithmic where they are of several magnitudes."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    if high > 8 * low > 0:
        return LogNorm(low, high)
    return Normalize(low, high) if low < high else Normalize(low - 0.5, low + 0.5)


Look = Mapping[str, Any]
"""How a line is drawn."""


def _looks(lineage: Lineage, colour_of: Callable[[float], Any]) -> dict[tuple[int, int], Look]:
    """How each member's line is drawn, by generation and member."""
    looks: dict[tuple[int, int], Look] = {
        (one.generation, one.member): {"color": _ENDED, "lw": _ENDED_WIDTH, "zorder": 1}
        for members in lineage.members
        for one in members.values()
    }
    for place, last in reversed(list(enumerate(lineage.best_first))):  # the better colours what they share
        score = last.score(lineage.metric)
        if math.isfinite(score):
            look = {"color": colour_of(score), "lw": 1.4 if place else 3.2, "zorder": 2 if place else 4}
            looks |= {(one.generation, one.member): look for one in lineage.ancestry(last)}
    return looks


def _panel(axes: Any, lineage: Lineage, layer: str, looks: Mapping[tuple[int, int], Look]) -> None:
    """Draw a layer's KL weights."""
    from matplotlib.ticker import MaxNLocator

    from tfticket.reports.number_axes import log_axis

    for generation, members in enumerate(lineage.members):
        for number, one in members.items():
            look = looks[generation, number]
            before = [] if one.parent is None else [lineage.members[generation - 1][one.parent]]
            points = [*before, one]
            axes.plot([at.generation for at in points], [at.weights[layer] for at in points], **look)
            axes.plot(generation, one.weights[layer], marker="o", ms=1.2 + look["lw"], **look)
            following = lineage.members[generation + 1] if generation + 1 < len(lineage.members) else {}
            if number in following and following[number].parent != number:
                axes.plot(generation, one.weights[layer], "x", ms=5, mew=1, color="0.4", zorder=3)
    axes.set_yscale("log")
    log_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(-0.3, len(lineage.members) - 0.7)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
