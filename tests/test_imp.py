"""The experiment's plan, without a training."""

import pytest

from experiments import imp
from tfticket.lab import Listener
from tfticket.presets import load_experiment


class Plan(Listener):
    """A lab that only hears what is asked for."""

    def __init__(self):
        self.listener, self.trainings, self.seeds, self.levels = self, None, [], set()

    def expect(self, trainings):
        self.trainings = trainings


@pytest.fixture
def plan(monkeypatch):
    """What it does with some overrides."""

    def note(plan, config, seed):
        plan.seeds.append(seed)
        plan.levels = set(config.control_levels)

    monkeypatch.setattr(imp, "run_seed", note)

    def planned(*overrides):
        lab = Plan()
        imp.main(lab, load_experiment("quickstart", overrides))
        return lab

    return planned


def test_every_seed_has_its_levels_and_two_controls_at_some(plan):
    lab = plan()
    assert lab.levels == {3, 5, 7, 10}  # of 10, each of which keeps 63 %
    assert lab.seeds == [0, 1, 2]
    assert lab.trainings == 3 * (11 + 2 * 4)


@pytest.mark.parametrize(
    ("densities", "levels"),
    [
        ([0.5, 0.25, 0.125], {1, 2, 3}),
        ([0.26, 0.24], {2}),
        ([0.125, 0.01], {3}),
        ([0.12, 0.09], {3}),  # half a level beyond the last one, 0.0884, is its own still
        ([0.088], set()),
        ([0.01, 1e-9], set()),
        ([1.0], set()),  # the dense level has no controls
        ([0.8], set()),
        ([0.7], {1}),
        ([], set()),
    ],
)
def test_controls_are_trained_at_the_nearest_level_and_beyond_the_last_one_not_at_all(densities, levels, plan):
    lab = plan("prune={rate: 0.5, sparsity: null, levels: 3}", f"control_densities={densities}", "seeds=[4]")
    assert lab.levels == levels
    assert lab.trainings == 4 + 2 * len(levels)


def test_where_nothing_is_pruned_there_is_nothing_to_compare(plan):
    assert plan("prune.sparsity=0", "prune.levels=2").levels == set()
