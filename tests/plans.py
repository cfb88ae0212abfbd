"""Runs of experiments at their smallest, and their plans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfticket.config import ExperimentConfig
from tfticket.dry_lab import DryLab, PlannedStep
from tfticket.experiment import Experiment
from tfticket.listener import Listener
from tfticket.presets import experiment_of
from tfticket.run import open_run, run_folder
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import Step, read_steps
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

DIGITS = {"path": str(Path(__file__).with_name("digits.npz")), "train_rows": 300, "validation_rows": 60}
"""420 of scikit-learn's digits, 8x8 pixels: 300 for training, 60 each for validation and test."""
OPTIONS_OF_DIGITS = [f"data.{name}={value}" for name, value in DIGITS.items()]


def key_of(label: Mapping[str, Any]) -> tuple[str, int, int, int]:
    """Arm, seed, level and replicate."""
    return label["arm"].key, label["seed"], label["level"], label.get("replicate", 0)


class Run:
    """A run that is computed here: its workspace and steps, what was counted and noted."""

    def __init__(self, workspace: Path, experiment: Experiment[Any], config: Any) -> None:
        self.notes: list[str] = []
        listener = Listener()
        listener.note = self.notes.append  # type: ignore[method-assign]
        with open_run(workspace, config, listener) as lab:
            experiment.run(lab, config)
        self.workspace, self.counted = workspace.absolute(), lab.listener.state
        self.steps: list[Step] = read_steps(run_folder(self.workspace, config))

    def folder(self, kind: str, arm: str, seed: int = 0, level: int = 1, replicate: int = 0) -> Path:
        """Return the folder of the only step of a kind and an arm."""
        wanted = arm, seed, level, replicate
        labelled = (step for step in self.steps if step.kind == kind and "level" in step.label)
        (path,) = (step.path for step in labelled if key_of(step.label) == wanted)
        return path

    def input(self, role: str, folder: Path) -> Path:
        return self.workspace / "steps" / read_json(folder / "config.json")["inputs"][role]

    def ticket(self, *arm: Any) -> Ticket:
        """Return the ticket that an arm's training began from."""
        return Ticket.load(self.input("ticket", self.folder("train", *arm)) / TICKET)

    def weights(self, *arm: Any) -> dict[str, np.ndarray]:
        """Return an arm's trained weights, as they were evaluated."""
        return load_weights(self.input("trained", self.folder("evaluate", *arm)) / WEIGHTS)[0]


def trainings(plan: DryLab, kind: str = "train") -> dict[tuple[str, int, int, int], PlannedStep]:
    """Arm, seed, level and replicate -> the planned step."""
    return {key_of(step.label): step for step in plan.entries if step.kind == kind}


def entries_of(plan: DryLab) -> list[tuple[str, str, dict]]:
    """Return kind, fingerprint and label of each entry, as a manifest has them."""
    return [(step.kind, step.fingerprint, dict(step.label)) for step in plan.entries]


def follows(kind: str, label: dict) -> bool:
    """Return True if a step is of a population, or trained with its result."""
    return kind == "member" or ("svi-tuned" in str(label.get("arm")) and kind in ("train", "evaluate"))


def assert_planned(workspace: Path, config: ExperimentConfig) -> None:
    """A plan has the steps of the run that a workspace has: kinds, fingerprints, labels.

    Where nothing is done yet, fingerprints that follow from a population's results are not known, and densities are
    those of the rates.
    """
    experiment = experiment_of(config.experiment)
    steps = read_steps(run_folder(workspace.absolute(), config))
    manifest = [(step.kind, step.fingerprint, step.label) for step in steps]
    plan = experiment.plan(config, workspace)
    assert entries_of(plan) == manifest
    assert plan.done == len(plan.distinct)

    before = experiment.plan(config, workspace / "nowhere")
    assert before.done == 0
    for (kind, fingerprint, label), (made_kind, made, made_label) in zip(entries_of(before), manifest, strict=True):
        assert (kind, label.keys()) == (made_kind, made_label.keys())
        assert (fingerprint == made) != follows(kind, label)
        for name in label.keys() - {"weights", "parent"}:
            expected = pytest.approx(made_label[name], rel=0.01) if name == "density" else made_label[name]
            assert label[name] == expected, (kind, name)
    keyed = experiment.plan(config)
    assert [step.kind for step in keyed.entries] == [kind for kind, _, _ in manifest]
    assert len(keyed.distinct) == len(plan.distinct)


def assert_same(ours: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Expected arrays are there, bit by bit; others may be, too."""
    for path, array in expected.items():
        np.testing.assert_array_equal(ours[path], array, err_msg=path)


def differ(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    """Return True if each kernel of the one is another in the other."""
    return all(np.any(ours[path] != theirs[path]) for path in ours if path.endswith("/kernel"))
