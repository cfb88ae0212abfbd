"""Plans, and experiments of installed packages. Needs no TensorFlow but for the step that one asks for."""

import importlib.metadata
import sys
import types

import pytest

from tests.plans import DIGITS
from tests.refusals import refused
from tfticket import data
from tfticket.config import DataConfig, ExperimentConfig, ModelConfig, PruneStep, StartStep, TrainStep
from tfticket.costs import cost_of
from tfticket.dry_lab import DryLab
from tfticket.experiment import Experiment
from tfticket.lab import Request
from tfticket.presets import experiment_of, planned, presets
from tfticket.registry import EXPERIMENTS, Entry
from tfticket.run import open_run, run_folder
from tfticket.runs.progress import read_progress
from tfticket.runs.run_folder import read_steps


def test_every_preset_is_planned_without_reading_data(monkeypatch):
    monkeypatch.setattr(data.load, "load_dataset", None)
    assert all(planned(name).distinct for name in presets())


def test_a_step_is_listed_once_for_each_label_and_counted_once():
    lab = DryLab()
    start = lab.step("start", StartStep(seed=0), label={"seed": 0})
    assert lab.step("start", StartStep(seed=0), label={"seed": 0}) is start
    again = lab.step("start", StartStep(seed=0), label={"seed": 0, "arm": "other"})
    assert again == start != lab.step("start", StartStep(seed=1))
    assert [step.label for step in lab.entries] == [{"seed": 0}, {"seed": 0, "arm": "other"}, {}]
    assert [step.label for step in lab.distinct] == [{"seed": 0}, {}]
    requests = [Request(TrainStep(seed=0), {"ticket": ticket}, {}) for ticket in (start, again)]
    assert len(set(lab.steps("train", requests))) == 1
    assert (lab.trainings, lab.chains, lab.done) == (1, 0, 0)


def test_a_planned_ticket_has_its_level_density_and_network():
    lab, model = DryLab(), ModelConfig(name="lenet-5")
    ticket = lab.step("start", StartStep(model=model, seed=0))
    for level in range(3):
        assert (ticket.result()["level"], ticket.result()["density"]) == (level, pytest.approx(0.8**level))
        assert (ticket.model, ticket.is_variational, ticket.done) == (model, False, False)
        trained = lab.step("train", TrainStep(seed=0), {"ticket": ticket})
        ticket = lab.step("prune", PruneStep(rate=0.2, seed=0), {"ticket": ticket, "trained": trained})


class Config(ExperimentConfig):
    """The configuration of a package's experiment."""

    seeds: tuple[int, ...] = (0, 1)


class Mine(Experiment[Config]):
    """A package's experiment: unpruned tickets."""

    config_class = Config

    def main(self, lab, config):
        for seed in config.seeds:
            lab.step("start", StartStep(data=DataConfig(**DIGITS), seed=seed), label={"seed": seed})


def test_a_packages_experiment_is_planned_run_and_counted_and_one_of_the_old_kind_refused(tmp_path, monkeypatch, call):
    module = types.SimpleNamespace(Mine=Mine, main=lambda lab, config: None, Config=Config)
    monkeypatch.setitem(sys.modules, "their_package", module)
    targets = {"mine": "their_package:Mine", "old": "their_package:main"}
    points = [importlib.metadata.EntryPoint(name, target, EXPERIMENTS.group) for name, target in targets.items()]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    entries = {name: Entry(target, "from their-package") for name, target in targets.items()}
    monkeypatch.setitem(vars(EXPERIMENTS), "_all", {**EXPERIMENTS, **entries})
    file = tmp_path / "mine.yaml"
    file.write_text("experiment: mine\nname: theirs\n")
    dry = ["run", file, "-w", tmp_path, "--dry-run", "-o", "seeds=[3]"]
    code, out, err = call(*dry)
    assert (code, out.splitlines()[-1].startswith("0 trainings of up to 0 iterations")) == (0, True), err
    experiment, config = experiment_of("mine"), Config(experiment="mine", name="theirs", seeds=(3,))
    assert cost_of(experiment.plan(config).distinct).seconds == 0
    with open_run(tmp_path, config) as lab:
        experiment.run(lab, config)
    folder = run_folder(tmp_path, config)
    assert [step.label for step in read_steps(folder)] == [{"seed": 3}]
    assert read_progress(folder).trainings == 0
    assert "1 of its 1 steps" in " ".join(call(*dry)[1].split())
    code, _, err = call("branch", "theirs", "-w", tmp_path, "-c", "shuffle-even")
    assert (code, "a run of mine, which has no branches" in err) == (2, True)
    with refused("experiment", None, "old", "from their-package", "their_package:main"):
        experiment_of("old")
