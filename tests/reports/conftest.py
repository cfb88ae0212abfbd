"""Made-up evaluations of runs: as rows, and as run folders."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tfticket.arms import Arm
from tfticket.data import sources
from tfticket.reports.rows import Row
from tfticket.runs.run_folder import RunFolder, read_run

METRICS = {"accuracy": 0.9, "nll": 0.3}


def row(
    arm: str = "ticket", seed: int = 0, level: int = 1, accuracy: float = 0.9, nll: float = 0.3, **changes: Any
) -> Row:
    """Return a row: half of the weights a level remain; its training is on a plateau, of a network of paper B."""
    metrics = {"accuracy": accuracy, "nll": nll}
    parsed = Arm.parse(arm)
    made = Row("r-1", parsed, parsed.name, seed, level, 0.5**level, "MNIST", metrics, dict(metrics))
    plateau = {"network": "resnet-18", "data_set": "cifar-10", "extra_metrics": {"rise": 0.0}}
    return replace(made, **plateau | changes)


def rows(accuracies: Mapping[tuple[str, int], float], seeds: Sequence[int] = range(5), **changes: Any) -> list[Row]:
    """Return a row of each seed for (arm, level) -> accuracy; differences to the ticket hardly scatter over seeds."""
    return [
        row(arm, seed, level, accuracy + 0.001 * seed + 1e-6 * seed * (arm == "ticket"), **changes)
        for seed in seeds
        for (arm, level), accuracy in accuracies.items()
    ]


def changed(rows: Sequence[Row], arm: str | Callable[[Row], bool], /, **changes: Any) -> list[Row]:
    """Return the rows with other fields in those of an arm ('*': of all), or in those that fit.

    ``extra`` are extra metrics; those of None are left out.
    """
    extra = changes.pop("extra", {})

    def fits(row: Row) -> bool:
        return arm(row) if callable(arm) else arm in ("*", row.arm.key)

    def change(row: Row) -> Row:
        metrics = {name: value for name, value in (row.extra_metrics | extra).items() if value is not None}
        return replace(row, **{"extra_metrics": metrics} | changes)

    return [change(row) if fits(row) else row for row in rows]


def add_step(folder: Path, kind: str, label: Mapping[str, Any], result: Any, config: Any = None) -> Path:
    """Add a finished step to a run; return its folder."""
    manifest = json.loads((folder / "manifest.json").read_text())
    step = folder.parents[1] / "steps" / f"{kind}-{folder.name}-{len(manifest['steps'])}"
    step.mkdir(parents=True)
    (step / "result.json").write_text(json.dumps({"fingerprint": "0", "result": result}))
    manifest["steps"].append({"kind": kind, "folder": step.name, "fingerprint": step.name, "label": {**label}})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return step


def edit_results(folder: Path, kind: str, edit: Callable[[Mapping[str, Any], dict[str, Any]], Any]) -> RunFolder:
    """Edit the results of a run's steps of a kind, given their labels; return the run."""
    for step in read_run(folder).steps(kind):
        record = json.loads((step.path / "result.json").read_text())
        edit(step.label, record["result"])
        (step.path / "result.json").write_text(json.dumps(record))
    return read_run(folder)


def edit_config(folder: Path, **changes: Any) -> None:
    """Change parts of a run's configuration."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | changes))


@pytest.fixture
def make_run(tmp_path):
    """Make a run folder.

    Evaluations are (arm, seed, level), and what else their label ('label') and result have; ``data`` is the
    configuration's.
    """

    def make(name, state="done", started=0.0, evaluations=None, *, model="lenet-300-100", data=None, **described):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = {"name": name, "model": {"name": model}, "data": {"name": "mnist", "classes": None, **(data or {})}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "status.json").write_text(json.dumps({"state": state, "started": started, "experiment": "imp"}))
        (folder / "manifest.json").write_text(json.dumps({"steps": []}))
        described = {"contents": sources.mnist.contents, "training_rows": 2000} | described
        if evaluations is not None:
            add_step(folder, "start", {"seed": 0}, {"level": 0, "density": 1.0, "survivors": {}})
        for arm, seed, level, *more in evaluations or ():
            changes = dict(more[0]) if more else {}
            label = {"arm": arm, "seed": seed, "level": level} | changes.pop("label", {})
            splits = dict.fromkeys(("test", "validation"), METRICS | changes.pop("test", {}))
            result = {"level": level, "density": 0.5**level, "data": described} | splits | changes
            add_step(folder, "evaluate", label, result)
        return folder

    return make
