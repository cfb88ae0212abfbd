"""Pooled chains of tickets: diagnostics, evaluation and traces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.runs.artefacts import load_tensors
from tfticket.runs.run_folder import RunFolder
from tfticket.runs.step import CHAIN, chains_of
from tfticket.runs.step_files import read_result

_TRACED = ("log_likelihood", "n_steps", "step_size", "acceptance_rate")


@dataclass(frozen=True)
class Trace:
    """One chain, draw by draw, the warm-up first.

    Attributes:
        sample_stats: Name -> one number a draw, float64 [draws].
        history: One row an evaluation: iteration, warmup, accuracy, nll (validation rows), test_accuracy, test_nll.
        warmup: Draws of the warm-up.
        windows: Draws after which the mass matrix was re-estimated.
    """

    sample_stats: dict[str, np.ndarray]
    history: list[dict[str, float]]
    warmup: int
    windows: list[int]


@dataclass(frozen=True)
class Pool:
    """The chains of one ticket, pooled.

    Attributes:
        folder: The step's folder.
        chains: The folders of each chain's parts.
        label: arm, seed, level, density.
        diagnostics: See ``tfticket.sampling.diagnostics``.
        result: Evaluation of the pooled prediction.
        mean_weights: Metrics on test rows of the network of each chain's mean weights.
        traces: Traces of its chains.
    """

    folder: Path
    chains: list[list[Path]]
    label: Mapping[str, Any]
    diagnostics: dict[str, Any]
    result: dict[str, Any]
    mean_weights: list[dict[str, float]]
    traces: list[Trace]

    @property
    def name(self) -> str:
        """'NUTS, seed 0, 1 % left'."""
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The parts of its name."""
        return (*self.label["arm"].names, f"seed {self.label['seed']}", f"{100 * self.label['density']:.3g} % left")


def pools_of(run: RunFolder) -> list[Pool]:
    """Return the pooled chains of a run, in its order.

    Raises:
        InputError: A step's folder is damaged or missing.
    """
    pools = []
    for step in run.steps("pool"):
        chains = chains_of(step.inputs)
        with step.advice():
            means = [read_result(parts[-1])["result"]["mean_weights"]["test"] for parts in chains]
            traces = [_trace(parts) for parts in chains]
        pools.append(Pool(step.path, chains, step.label, step.result["diagnostics"], step.result, means, traces))
    return pools


def _trace(parts: Sequence[Path]) -> Trace:
    names = [f"told/{name}" for name in _TRACED]
    tensors, headers = zip(*(load_tensors(folder / CHAIN, "chain", names) for folder in parts), strict=True)
    windows = headers[0]["windows"]
    ends = windows["first"] + np.cumsum(windows["slow"])
    warmup = windows["first"] + sum(windows["slow"]) + windows["last"]
    sample_stats = {name.removeprefix("told/"): np.concatenate([part[name] for part in tensors]) for name in names}
    history = [row for header in headers for row in header["history"]]
    return Trace(sample_stats, history, warmup, [int(end) for end in ends])
