"""Tables of Monte Carlo tickets: the fitted models of survival, and the distances of drawn tickets to IMP tickets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.arms import Arm
from tfticket.reports.tables.arms_table import Table
from tfticket.runs.run_folder import RunFolder, Step


@dataclass(frozen=True)
class Fit:
    """A model of survival, over the seeds of the last level of a run that has any. The fields are keys of JSON.

    Attributes:
        layers: 'dense' or 'conv'.
        by: 'magnitude' or 'connectivity', ' as printed', and the number of images unless all are used.
        intercept: Mean over seeds; 0 as printed.
        magnitude, connectivity: Slopes, means over seeds; None without connectivity.
        survivors: Share of the weights that survive.
    """

    layers: str
    by: str
    intercept: float
    magnitude: float
    connectivity: float | None
    survivors: float
    seeds: int


def fits_of(run: RunFolder) -> list[Fit]:
    """Return the models of survival of a run's tickets."""
    fits: dict[tuple[str, str], list[dict[str, Any]]] = {}
    seeds: dict[tuple[str, str], set[int]] = {}
    for step in _of_last_level(run, "fit"):
        images = f", {step.label['images']} images" if "images" in step.label else ""
        for layers, models in step.result["fits"].items():
            for by, fit in models.items():
                fits.setdefault((layers, by + images), []).append(fit)
                seeds.setdefault((layers, by + images), set()).add(step.label["seed"])
    return [_mean_fit(*key, group, len(seeds[key])) for key, group in fits.items()]


def _of_last_level(run: RunFolder, kind: str) -> list[Step]:
    steps = run.steps(kind)
    return [step for step in steps if step.label["level"] == max(other.label["level"] for other in steps)]


def _mean_fit(layers: str, by: str, fits: Sequence[Mapping[str, Any]], seeds: int) -> Fit:
    magnitude, *rest = np.mean([fit["slopes"] for fit in fits], axis=0).tolist()
    intercept, survivors = np.mean([(fit["intercept"], fit["survivors"] / fit["weights"]) for fit in fits], axis=0)
    return Fit(layers, by, float(intercept), magnitude, rest[0] if rest else None, float(survivors), seeds)


def fits_table(fits: Sequence[Fit]) -> Table:
    """Return a table with a row for each model."""
    header = ["layers", "survival by", "intercept", "slope of\nmagnitude", "slope of\nconnectivity", "survive"]
    rows = []
    for fit in fits:
        slope = "-" if fit.connectivity is None else f"{fit.connectivity:+.3g}"
        numbers = [f"{fit.intercept:+.3g}", f"{fit.magnitude:+.3g}", slope, f"{fit.survivors:.1%}"]
        rows.append([fit.layers, fit.by, *numbers])
    return header, rows


@dataclass(frozen=True)
class Closeness:
    """Distances of Monte Carlo tickets to the tickets in a layer, means over seeds. The fields are keys of JSON.

    Attributes:
        arm: The Monte Carlo tickets.
        density: Fraction of its weights that survive.
        ticket_density: The same of the tickets; None if they have no such layer.
        ks_weights, ks_connectivity: Kolmogorov-Smirnov distances of survivors' magnitudes and connectivities to those
            of the tickets; None if some seed has none to compare.
    """

    arm: Arm
    layer: str
    density: float
    ticket_density: float | None
    ks_weights: float | None
    ks_connectivity: float | None
    seeds: int


def closeness_of(run: RunFolder) -> list[Closeness]:
    """Return the distances of Monte Carlo tickets to the tickets at a run's last level, replicates averaged first."""
    layers: dict[tuple[Arm, str], dict[int, list[dict[str, float | None]]]] = {}
    for step in _of_last_level(run, "draw"):
        for layer, values in step.result["layers"].items():
            layers.setdefault((step.label["arm"], layer), {}).setdefault(step.label["seed"], []).append(values)
    return [_mean_closeness(*key, list(seeds.values())) for key, seeds in layers.items()]


def _mean_closeness(arm: Arm, layer: str, seeds: Sequence[Sequence[Mapping[str, float | None]]]) -> Closeness:
    def mean(name: str) -> float | None:
        values = [[replicate[name] for replicate in replicates] for replicates in seeds]
        if any(value is None for replicates in values for value in replicates):
            return None
        return float(np.mean([np.mean(np.array(replicates, float)) for replicates in values]))

    density = mean("density")
    assert density is not None
    distances = {name: mean(name) for name in ("ticket_density", "ks_weights", "ks_connectivity")}
    return Closeness(arm, layer, density, seeds=len(seeds), **distances)


def closeness_table(closeness: Sequence[Closeness]) -> Table:
    """Return a table with a row for each arm and layer."""
    header = ["arm", "layer", "density", "ticket's", "KS of\nweights", "KS of\nconnectivity"]
    rows = []
    for layer in closeness:
        densities = ["-" if value is None else f"{value:.2%}" for value in (layer.density, layer.ticket_density)]
        distances = ["-" if value is None else f"{value:.3f}" for value in (layer.ks_weights, layer.ks_connectivity)]
        rows.append([layer.arm.name, layer.layer, *densities, *distances])
    return header, rows
