"""How unsure variational tickets are, beside how well they are calibrated, and what their posteriors are like."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

from tfticket.arms import Arm
from tfticket.evaluation.posterior_summary import QUANTILES
from tfticket.reports.figures import legend_below, weights_axis
from tfticket.reports.looks import Looks, arm_looks, by_arm, layered, tickets_alone
from tfticket.reports.rows import name_at, name_in
from tfticket.reports.tables import Line, table_of
from tfticket.runs.run_folder import RunFolder
from tfticket.text import CsvWriter, for_figure

AUROC = "auroc by "
"""What the names of AUROCs begin with; the score follows."""
PASSES = "deviation of passes"
"""What the names of standard deviations over repeated passes end with."""

_ENTROPIES = "Aleatoric and epistemic entropies in nats a row, means over the test rows and over seeds."
_DEVIATIONS = (
    " The deviation of passes is that of the accuracy over repeated evaluations of the same weights by other draws; "
    "passes are no replicates."
)
_EMPTY = " Empty: of a deterministic network, which has no draws."
_AUROCS = (
    "AUROC: the probability that an out-of-distribution row scores as stranger than a test row, by low confidence or "
    "by entropy; 0.5 is chance."
)

_Column = tuple[str, str, Callable[[float], str]]
"""A value's name, its header, and how it is written."""
_QUANTITIES = {"sigma": "deviation", "snr": "abs(mean) / deviation"}
"""Of which quantiles are recorded, and what axes call them."""
_PARTS = ("aleatoric", "epistemic")
_MOST_LAYERS = 6
_MANY_TIMES = 30


@dataclass(frozen=True)
class Evaluated:
    """An evaluated network of a run that has variational ones.

    Attributes:
        arm, name: What it is, and what tables and figures call it.
        seed, level, replicate: Which.
        density: Fraction of the prunable weights that survive.
        values: On test rows: 'accuracy', 'mace', 'ece'; where there, 'aleatoric', 'epistemic' and total 'entropy' in
            nats, 'auroc by confidence', ..., and 'accuracy, deviation of passes', ...
        posterior: Layer -> what its weights' posteriors are like; {} of a deterministic network.
        variational: True if the run's own network is variational.
    """

    arm: Arm
    name: str
    seed: int
    level: int
    replicate: int
    density: float
    values: dict[str, float]
    posterior: dict[str, dict[str, Any]]
    variational: bool


def evaluated_of(run: RunFolder) -> list[Evaluated]:
    """The evaluated networks of a run in its order; none where no variational one is among them.

    Raises:
        InputError: A step's folder is not whole.
    """
    found = []
    variational = bool(run.config["model"].get("variational"))
    for step in run.steps("evaluate"):
        label, result = step.label, step.result
        name = name_in(run.config, label["arm"])
        whose = (label["arm"], name, label["seed"], result["level"], label.get("replicate", 0))
        posterior = result.get("posterior", {})
        found.append(Evaluated(*whose, result["density"], _values(result), posterior, variational))
    return found if any("epistemic" in one.values for one in found) else []


def _values(result: dict[str, Any]) -> dict[str, float]:
    values = {name: result["test"][name] for name in ("accuracy", "mace", "ece") if name in result["test"]}
    values |= result.get("uncertainty", {}).get("test", {})
    auroc = result.get("out_of_distribution", {}).get("auroc", {})
    values |= {f"{AUROC}{score}": value for score, value in auroc.items()}
    for name, passes in result.get("passes", {}).items():
        if len(passes) > 1:
            values[f"{name}, {PASSES}"] = float(np.std(passes, ddof=1))
    return values


def uncertainty_tables(
    found: Sequence[Evaluated], levels: Sequence[int]
) -> list[tuple[list[str], list[list[str]], str]]:
    """Header, rows and footnote of the table of entropies, and of that of AUROCs where there are any.

    A row is an arm at one of these levels, means over seeds; what was not recorded is empty, and a column that is empty
    in all rows is left out.
    """
    entropies: list[_Column] = [
        ("mace", "MACE", "{:.1%}".format),
        ("aleatoric", "aleatoric\nentropy", "{:.2g}".format),
        ("epistemic", "epistemic\nentropy", "{:.2g}".format),
        (f"accuracy, {PASSES}", "deviation\nof passes", "{:.2%}".format),
    ]
    scores = dict.fromkeys(name for one in found for name in one.values if name.startswith(AUROC))
    aurocs: list[_Column] = [(name, f"AUROC by\n{name.removeprefix(AUROC)}", "{:.3f}".format) for name in scores]
    tables = []
    for note, columns in ((_ENTROPIES, entropies), (_AUROCS, aurocs)):
        header, rows = _table(found, levels, columns)
        note += _DEVIATIONS if entropies[-1][1] in header else ""
        note += _EMPTY if any("" in row for row in rows) else ""
        tables += [(header, rows, note)] if rows else []
    return tables


def _table(
    found: Sequence[Evaluated], levels: Sequence[int], columns: Sequence[_Column]
) -> tuple[list[str], list[list[str]]]:
    lines = []
    for (level, arm), seeds in sorted(_by_arm(found).items(), key=lambda group: group[0][0]):
        each = [one for replicates in seeds.values() for one in replicates]
        values = [
            written(float(np.mean(_over_seeds(seeds, name)))) if all(name in one.values for one in each) else ""
            for name, _, written in columns
        ]
        if level in levels and any(values):
            name = name_at(each[0].name, arm, level, each[0].variational)
            lines.append(Line(name, level, _density(seeds), len(seeds), values))
    known = [any(values) for values in zip(*(line.values for line in lines), strict=True)]
    lines = [replace(line, values=list(compress(line.values, known))) for line in lines]
    return table_of([header for _, header, _ in compress(columns, known)], lines)


def uncertainty_csv(found: Sequence[Evaluated]) -> str:
    """A row for each evaluated network: whose, then its values (fractions, nats); empty where there is none."""
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    names = list(dict.fromkeys(name for one in found for name in one.values))
    titles = (name.replace(", ", "_").replace(" ", "_") for name in names)
    writer.writerow(["arm", "seed", "replicate", "level", "density", *titles])
    for one in found:
        whose = [one.arm.key, one.seed, one.replicate, one.level, one.density]
        writer.writerow([*whose, *(one.values.get(name, "") for name in names)])
    return buffer.getvalue()


def posterior_csv(found: Sequence[Evaluated]) -> str:
    """A row for each layer of each variational network: whose, mean magnitude, KL divergence in nats, quantiles."""
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    titles = [f"{what}_{quantile}" for what in _QUANTITIES for quantile in QUANTILES]
    writer.writerow(["arm", "seed", "replicate", "level", "density", "layer", "magnitude", "divergence", *titles])
    for one in found:
        for layer, told in one.posterior.items():
            whose = [one.arm.key, one.seed, one.replicate, one.level, one.density, layer]
            quantiles = [value for what in _QUANTITIES for value in told[what] or [""] * len(QUANTILES)]
            magnitude = "" if told["magnitude"] is None else told["magnitude"]
            writer.writerow([*whose, magnitude, told["divergence"], *quantiles])
    return buffer.getvalue()


def uncertainty_figure(found: Sequence[Evaluated], title: str, looks: Looks | None = None) -> Any:
    """Aleatoric and epistemic entropy on test rows against weights remaining: mean over seeds, bars to the range.

    Args:
        found: From ``evaluated_of``.
        title: Written above the panels: network and data.
        looks: Of all arms of the report's one run; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    from tfticket.reports.number_axes import Numbers, log_axis

    found = [one for one in tickets_alone(found) if "epistemic" in one.values]
    names, groups = {one.arm: one.name for one in found}, _by_arm(found)
    look = _layered_looks(names, looks)
    figure = Figure(figsize=(7.8, 3.9), layout="constrained")
    for axes, part in zip(figure.subplots(1, 2), _PARTS, strict=True):
        for arm, name in names.items():
            levels = sorted(level for level, other in groups if other == arm)
            values = [_over_seeds(groups[level, arm], part) for level in levels]
            means = np.array([np.mean(one) for one in values])
            bars = [means - [min(one) for one in values], [max(one) for one in values] - means]
            densities = [100 * _density(groups[level, arm]) for level in levels]
            axes.errorbar(densities, means, np.maximum(bars, 0), label=name, capsize=2.5, elinewidth=1, **look[arm])
        weights_axis(axes, [one.density for one in found])
        axes.set_ylabel(f"{part} entropy (nats)")
        axes.yaxis.set_major_formatter(Numbers())
        drawn = [value for seeds in groups.values() for value in _over_seeds(seeds, part)]
        if max(drawn) > _MANY_TIMES * min(drawn) > 0:  # else all but one would lie on the axis
            axes.set_yscale("log")
            log_axis(axes.yaxis)
        else:
            axes.set_ylim(bottom=0)
        _plainly(axes)
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left")
    legend_below(figure, axes.get_legend_handles_labels(), _seeds_text(found, "mean and range of"))
    return figure


def posterior_figure(found: Sequence[Evaluated], title: str, looks: Looks | None = None) -> Any:
    """Posterior deviations, and means over deviations, of surviving weights against weights remaining, by layer.

    The line is the median; of the first arm a dark band holds half of the weights, a light one nine tenths; means over
    seeds. Of more than six layers some evenly between the first and the last.

    Args:
        found: From ``evaluated_of``.
        title: Written above the panels: network and data.
        looks: Of all arms of the report's one run; by default of these.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure  # a second to import

    from tfticket.reports.number_axes import log_axis

    variational = [one for one in found if one.posterior]
    shown = tickets_alone(variational)
    names, groups = {one.arm: one.name for one in shown}, _by_arm(shown)
    arms = sorted(names, key=lambda arm: -sum(arm == other for _, other in groups))
    look = _layered_looks(arms, looks)
    every = list(dict.fromkeys(layer for one in found for layer in one.posterior))
    places = np.linspace(0, len(every) - 1, min(len(every), _MOST_LAYERS))
    layers = [every[round(place)] for place in places]
    figure = Figure(figsize=(max(2.2 * len(layers), 4.8) + 0.6, 5.0), layout="constrained")
    panels = figure.subplots(2, len(layers), squeeze=False, sharey="row")
    for panel_row, (what, label) in zip(panels, _QUANTITIES.items(), strict=True):
        for axes, layer in zip(panel_row, layers, strict=True):
            drawn = []
            for arm in arms:
                levels = sorted(level for level, other in groups if other == arm)
                quantiles = np.array([_quantiles(groups[level, arm], layer, what) for level in levels]).T
                densities = [_density(groups[level, arm]) for level in levels]
                lowest, low, middle, high, highest = quantiles
                x, colour = 100 * np.array(densities), look[arm]["color"]
                axes.plot(x, middle, label=names[arm], **look[arm])
                if arm == arms[0]:  # those of several would hide one another
                    axes.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
                    axes.fill_between(x, lowest, highest, color=colour, alpha=0.1, lw=0)
                drawn += densities
            weights_axis(axes, drawn)
            axes.set_yscale("log")
            _plainly(axes)
            if what == "sigma":
                axes.set_title(for_figure(layer), fontsize=9, loc="left")
                axes.set_xlabel("")
        panel_row[0].set_ylabel(label)
        log_axis(panel_row[0].yaxis)
    figure.suptitle(for_figure(title), fontsize=11, x=0.01, ha="left")
    spread = _seeds_text(found, "means over")
    bands = f"medians of surviving weights; {names[arms[0]]}: bands of a half and of nine tenths; {spread}"
    bands += "" if len(shown) == len(variational) else "\ncontrols, which are not shown, are in posterior.csv"
    legend_below(figure, panels[0, 0].get_legend_handles_labels(), bands)
    return figure


def _layered_looks(arms: Iterable[Arm], looks: Looks | None) -> dict[Arm, dict[str, Any]]:
    of_arm = by_arm(looks or arm_looks(("", arm) for arm in arms))
    return layered({arm: of_arm[arm] for arm in arms})


def _by_arm(found: Sequence[Evaluated]) -> dict[tuple[int, Arm], dict[int, list[Evaluated]]]:
    """(level, arm) -> seed -> replicates, arms as they first appear."""
    groups: dict[tuple[int, Arm], dict[int, list[Evaluated]]] = {}
    for one in found:
        groups.setdefault((one.level, one.arm), {}).setdefault(one.seed, []).append(one)
    return groups


def _over_seeds(seeds: dict[int, list[Evaluated]], name: str) -> list[float]:
    """A value of each seed; its replicates are averaged."""
    return [float(np.mean([one.values[name] for one in replicates])) for replicates in seeds.values()]


def _density(seeds: dict[int, list[Evaluated]]) -> float:
    return float(np.mean([one.density for replicates in seeds.values() for one in replicates]))


def _quantiles(seeds: dict[int, list[Evaluated]], layer: str, what: str) -> np.ndarray:
    """Quantiles of a layer, means over replicates and seeds that have weights left in it; else NaN."""
    found = []
    for replicates in seeds.values():
        each = [one.posterior[layer][what] for one in replicates if one.posterior[layer][what] is not None]
        if each:
            found.append(np.mean(each, axis=0))
    return np.mean(found, axis=0) if found else np.full(len(QUANTILES), np.nan)


def _seeds_text(found: Sequence[Evaluated], many: str) -> str:
    count = len({one.seed for one in found})
    return "1 seed" if count == 1 else f"{many} {count} seeds"


def _plainly(axes: Any) -> None:
    axes.grid(alpha=0.25, lw=0.6)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
