"""What a plan says of a run that was made."""

from pathlib import Path

import pytest

from tfticket.config import ExperimentConfig
from tfticket.dry_lab import DryLab
from tfticket.presets import experiment_of
from tfticket.run import run_folder
from tfticket.runs.run_folder import read_steps


def follows(kind: str, label: dict) -> bool:
    """Whether a step is of a population, or trained with what one found."""
    return kind == "member" or ("svi-tuned" in str(label.get("arm")) and kind in ("train", "evaluate"))


def entries_of(plan: DryLab) -> list[tuple[str, str, dict]]:
    """Kind, fingerprint and label of each entry, as a manifest has them."""
    return [(step.kind, step.fingerprint, dict(step.label)) for step in plan.entries]


def assert_planned(workspace: Path, config: ExperimentConfig) -> None:
    """A plan has the steps of the run that a workspace has: kinds, fingerprints, labels.

    Where nothing is done yet, fingerprints that follow from a population's results are not known, and densities are
    those of the rates.
    """
    experiment = experiment_of(config.experiment)
    manifest = [
        (step.kind, step.fingerprint, step.label) for step in read_steps(run_folder(workspace.absolute(), config))
    ]
    plan = experiment.plan(config, workspace)
    assert entries_of(plan) == manifest
    assert plan.done == len(plan.distinct)

    before = experiment.plan(config, workspace / "nowhere")
    assert before.done == 0
    assert len(before.entries) == len(manifest)
    for (kind, fingerprint, label), (made_kind, made, made_label) in zip(entries_of(before), manifest, strict=True):
        assert (kind, label.keys()) == (made_kind, made_label.keys())
        assert (fingerprint == made) != follows(kind, label)
        for name in label.keys() - {"weights", "parent"}:
            expected = pytest.approx(made_label[name], rel=0.01) if name == "density" else made_label[name]
            assert label[name] == expected, (kind, name)
    keyed = experiment.plan(config)
    assert [step.kind for step in keyed.entries] == [kind for kind, _, _ in manifest]
    assert len(keyed.distinct) == len(plan.distinct)
