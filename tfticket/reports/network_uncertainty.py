"""Uncertainty, calibration and posteriors of the evaluated networks of a run with variational ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.reports.rows import Network, network_fields
from tfticket.runs.run_folder import RunFolder

AUROC = "auroc by "
"""Prefix of the names of AUROCs; the score follows."""
PASSES = "deviation of passes"
"""Suffix of the names of standard deviations over repeated passes."""
QUANTITIES = {"sigma": "deviation", "snr": "abs(mean) / deviation"}
"""Quantities of a posterior whose quantiles are recorded, and their axis labels."""


@dataclass(frozen=True)
class NetworkUncertainty(Network):
    """An evaluated network of a run that has variational ones. The fields are keys of ``report --json``.

    Attributes:
        values: On test rows: 'accuracy', 'mace', 'ece'; where recorded, 'aleatoric', 'epistemic' and total 'entropy' in
            nats, 'auroc by confidence', ..., and 'accuracy, deviation of passes', ...
        posterior: Layer -> statistics of its weights' posteriors; {} of a deterministic network.
    """

    values: dict[str, float]
    posterior: dict[str, dict[str, Any]]


def uncertainties_of(run: RunFolder) -> list[NetworkUncertainty]:
    """Return the evaluated networks of a run in its order; [] if none of them is variational."""
    networks = [
        NetworkUncertainty(
            **network_fields(run, step), values=_values(step.result), posterior=step.result.get("posterior", {})
        )
        for step in run.steps("evaluate")
    ]
    return networks if any("epistemic" in network.values for network in networks) else []


def _values(result: dict[str, Any]) -> dict[str, float]:
    values = {name: result["test"][name] for name in ("accuracy", "mace", "ece") if name in result["test"]}
    values |= result.get("uncertainty", {}).get("test", {})
    auroc = result.get("out_of_distribution", {}).get("auroc", {})
    values |= {f"{AUROC}{score}": value for score, value in auroc.items()}
    for name, passes in result.get("passes", {}).items():
        if len(passes) > 1:
            values[f"{name}, {PASSES}"] = float(np.std(passes, ddof=1))
    return values


Seeds = Mapping[int, Sequence[NetworkUncertainty]]
"""IMP seed -> its replicates, of one arm at one level."""


def seed_means(seeds: Seeds, name: str) -> list[float]:
    """Return a value of each seed, averaged over its replicates."""
    return [float(np.mean([network.values[name] for network in replicates])) for replicates in seeds.values()]


def mean_density(seeds: Seeds) -> float:
    """Return the mean density over networks."""
    return float(np.mean([network.density for replicates in seeds.values() for network in replicates]))
