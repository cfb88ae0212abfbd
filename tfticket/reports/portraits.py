"""What tickets and Monte Carlo tickets look like: figures 1 and 2 of "Monte Carlo winning tickets", and in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.arms import Arm
from tfticket.reports.looks import Looks, arm_looks, by_arm
from tfticket.reports.rows import name_in
from tfticket.runs.run_folder import RunFolder, Step
from tfticket.text import for_figure

_ALL, _UNIFORM = Arm(control="dense"), Arm(control="uniform")
_FIRST = {_ALL: "#7F7F7F", _UNIFORM: "#000000"}
_NAMES = {_ALL: "all weights", _UNIFORM: "random mask"}


@dataclass(frozen=True)
class Portrait:
    """Histograms of a layer's survivors, summed over seeds.

    Attributes:
        arm: The ticket, a Monte Carlo arm, or as controls 'dense' (all weights) and 'uniform' (a random mask).
        layer: Its name.
        level: Rounds of pruning.
        weights: Counts in bins of start weights, in the layer's standard deviations, from -3 to 3.
        connectivity: Counts in bins of mean inputs, in the layer's mean, from 0 to 4.
        name: What figures call the arm.
    """

    arm: Arm
    layer: str
    level: int
    weights: np.ndarray
    connectivity: np.ndarray
    name: str


def portraits_of(run: RunFolder) -> list[Portrait]:
    """The histograms of a run's fitted tickets and Monte Carlo tickets, of its last level that has some.

    Raises:
        InputError: A step's folder is not whole.
    """
    found: dict[tuple[int, Arm, str], Portrait] = {}

    def add(level: int, arm: Arm, layers: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        for layer, counts in layers.items():
            weights, connectivity = (np.array(counts[name]) for name in ("weights", "connectivity"))
            if old := found.get((level, arm, layer)):
                weights, connectivity = weights + old.weights, connectivity + old.connectivity
            name = _NAMES.get(arm) or name_in(run.config, arm)
            found[level, arm, layer] = Portrait(arm, layer, level, weights, connectivity, name)

    fits: dict[tuple[int, int], Step] = {}  # a ticket counts once: with the most images it was fitted with
    for step in sorted(run.steps("fit"), key=lambda step: _images(step.label)):
        fits[step.label["seed"], step.label["level"]] = step
    for (_, level), step in fits.items():
        for arm, layers in step.result["histograms"].items():
            add(level, Arm.parse(arm), layers)
    for step in run.steps("draw"):
        add(step.label["level"], step.label["arm"], step.result["histograms"])
    last = max((level for level, _, _ in found), default=0)
    return [one for (level, _, _), one in found.items() if level == last]


def _images(label: Mapping[str, Any]) -> float:
    """Over how many images a fit's connectivity is averaged; infinity: all."""
    return float(label.get("images", np.inf))


@dataclass(frozen=True)
class Fit:
    """A model of survival, over the seeds of a run's last level that has some.

    Attributes:
        layers: 'dense' or 'conv'.
        by: 'magnitude' or 'connectivity', ' as printed', and over how many images unless over all.
        intercept: Mean over seeds; 0 as printed.
        magnitude, connectivity: Slopes, likewise; None without connectivity.
        survivors: Share of the weights that survive.
        seeds: How many.
    """

    layers: str
    by: str
    intercept: float
    magnitude: float
    connectivity: float | None
    survivors: float
    seeds: int


def fits_of(run: RunFolder) -> list[Fit]:
    """The models of survival of a run's tickets.

    Raises:
        InputError: A step's folder is not whole.
    """
    steps = run.steps("fit")
    last = max((step.label["level"] for step in steps), default=0)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    seeds: dict[tuple[str, str], set[int]] = {}
    for step in steps:
        label = step.label
        if label["level"] == last:
            over = f", {label['images']} images" if "images" in label else ""
            for layers, models in step.result["fits"].items():
                for by, fit in models.items():
                    found.setdefault((layers, by + over), []).append(fit)
                    seeds.setdefault((layers, by + over), set()).add(label["seed"])
    return [_mean_fit(*key, fits, len(seeds[key])) for key, fits in found.items()]


def _mean_fit(layers: str, by: str, fits: Sequence[Mapping[str, Any]], seeds: int) -> Fit:
    magnitude, *rest = np.mean([fit["slopes"] for fit in fits], axis=0).tolist()
    intercept, survivors = np.mean([(fit["intercept"], fit["survivors"] / fit["weights"]) for fit in fits], axis=0)
    return Fit(layers, by, float(intercept), magnitude, rest[0] if rest else None, float(survivors), seeds)


FIT_HEADER = ["layers", "survival by", "intercept", "slope of\nmagnitude", "slope of\nconnectivity", "survive"]


def fit_row(fit: Fit) -> list[str]:
    """A table's row of ``FIT_HEADER``."""
    slope = "-" if fit.connectivity is None else f"{fit.connectivity:+.3g}"
    return [fit.layers, fit.by, f"{fit.intercept:+.3g}", f"{fit.magnitude:+.3g}", slope, f"{fit.survivors:.1%}"]


@dataclass(frozen=True)
class Closeness:
    """How close a layer of Monte Carlo tickets is to the tickets', means over the seeds of a run's last level.

    Attributes:
        arm: Which Monte Carlo tickets.
        layer: Its name.
        density: Fraction of its weights that survive.
        ticket_density: The same of the tickets; None where they had no such layer.
        ks_weights, ks_connectivity: Kolmogorov-Smirnov distances of survivors' magnitudes and connectivities to those
            of the tickets; None where some seed has none to compare.
        seeds: How many.
    """

    arm: Arm
    layer: str
    density: float
    ticket_density: float | None
    ks_weights: float | None
    ks_connectivity: float | None
    seeds: int


def closeness_of(run: RunFolder) -> list[Closeness]:
    """How close a run's Monte Carlo tickets are to its tickets, layer by layer; replicates are averaged first.

    Raises:
        InputError: A step's folder is not whole.
    """
    steps = run.steps("draw")
    last = max((step.label["level"] for step in steps), default=0)
    found: dict[tuple[Arm, str], dict[int, list[dict[str, float | None]]]] = {}
    for step in steps:
        if (label := step.label)["level"] == last:
            for layer, said in step.result["layers"].items():
                found.setdefault((label["arm"], layer), {}).setdefault(label["seed"], []).append(said)
    return [_mean_closeness(*key, list(seeds.values())) for key, seeds in found.items()]


def _mean_closeness(arm: Arm, layer: str, seeds: Sequence[Sequence[Mapping[str, float | None]]]) -> Closeness:
    def mean(name: str) -> float | None:
        each = [[said[name] for said in replicates] for replicates in seeds]
        if any(value is None for values in each for value in values):
            return None
        return float(np.mean([np.mean(np.array(values, float)) for values in each]))

    density = mean("density")
    assert density is not None
    distances = {name: mean(name) for name in ("ticket_density", "ks_weights", "ks_connectivity")}
    return Closeness(arm, layer, density, seeds=len(seeds), **distances)


CLOSENESS_HEADER = ["arm", "layer", "density", "ticket's", "KS of\nweights", "KS of\nconnectivity"]


def closeness_row(one: Closeness) -> list[str]:
    """A table's row of ``CLOSENESS_HEADER``."""
    densities = ["-" if value is None else f"{value:.2%}" for value in (one.density, one.ticket_density)]
    distances = ["-" if value is None else f"{value:.3f}" for value in (one.ks_weights, one.ks_connectivity)]
    return [one.arm.name, one.layer, *densities, *distances]


def weights_figure(portraits: Sequence[Portrait], title: str, looks: Looks | None = None) -> Any:
    """Start weights of each layer: all, those of tickets, those of Monte Carlo tickets (the paper's figure 1)."""
    return _figure(
        [one for one in portraits if one.arm != _UNIFORM],
        "weights",
        (-3.0, 3.0),
        title,
        "start weight / standard deviation",
        looks,
    )


def connectivity_figure(portraits: Sequence[Portrait], title: str, looks: Looks | None = None) -> Any:
    """Connectivity of each layer's survivors: tickets, Monte Carlo tickets, random masks (the paper's figure 2)."""
    first = portraits[0].layer
    return _figure(
        [one for one in portraits if one.arm != _ALL and one.layer != first],
        "connectivity",
        (0.0, 4.0),
        title,
        "mean input / the layer's mean",
        looks,
        squashed=True,
    )


def _figure(
    portraits: Sequence[Portrait],
    what: str,
    ends: tuple[float, float],
    title: str,
    label: str,
    looks: Looks | None,
    squashed: bool = False,
) -> Any:
    from matplotlib.figure import Figure  # a second to import

    arms = list(dict.fromkeys(one.arm for one in portraits))
    layers = list(dict.fromkeys(one.layer for one in portraits))
    of_arm = by_arm(looks or arm_looks(("", arm) for arm in arms))
    across = min(3, len(layers))
    down = -(-len(layers) // across)
    figure = Figure(figsize=(3.2 * across + 0.4, 2.3 * down + 1.1), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False)
    named: dict[str, Any] = {}
    for axes, layer in zip(panels.ravel(), layers, strict=False):
        for one in portraits:
            if one.layer == layer:
                counts = getattr(one, what)
                edges = np.linspace(*ends, len(counts) + 1)
                shares = counts / max(1, counts.sum()) / (edges[1] - edges[0])
                colour = _FIRST.get(one.arm) or of_arm[one.arm]["color"]
                filled = {"color": colour, "alpha": 0.25} if one.arm in _FIRST else {}
                if filled:
                    named[one.name] = axes.stairs(shares, edges, fill=True, lw=0, **filled)
                else:
                    style = of_arm[one.arm]["ls"]
                    named[one.name] = axes.stairs(shares, edges, color=colour, lw=1.4, ls=style)
        axes.set_title(for_figure(layer), fontsize=9, loc="left")
        axes.set_xlim(*ends)
        if squashed:  # most survivors have hardly any input: the root shows the others too
            axes.set_yscale("function", functions=(np.sqrt, np.square))
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    for unused in panels.ravel()[len(layers) :]:
        unused.remove()
    for number, axes in enumerate(panels.ravel()[: len(layers)]):
        if number + across >= len(layers):
            axes.set_xlabel(label, fontsize=9)
    figure.supylabel("density of survivors, root" if squashed else "density of survivors", fontsize=9)
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left")
    figure.legend(
        list(named.values()), list(named), loc="outside lower left", ncols=min(4, len(named)), frameon=False, fontsize=9
    )
    return figure
