"""The presets `smoke` of every network that the papers train, and the main job whole. Slow."""

import csv
import json

import numpy as np
import pytest

from tests.real_run import tfticket
from tfticket.presets import load_experiment, presets
from tfticket.runs.files import read_json
from tfticket.tickets import Ticket

pytestmark = pytest.mark.slow
OF_LENET_5 = pytest.param("monte-carlo-tickets-conv-2-smoke", ["-o", "model.name=lenet-5"], id="lenet-5")
SMOKE = [pytest.param(name, [], id=name) for name, preset in presets().items() if preset.budget == "smoke"]


@pytest.mark.parametrize(("name", "options"), [OF_LENET_5, *SMOKE])
def test_two_levels_of_every_network(name, options, tmp_path):
    results = json.loads(tfticket("run", name, *options, "--workspace", tmp_path, "--json"))["results"]
    assert {row["level"] for row in results if row["arm"] == "ticket"} == {0, 1, 2}
    config = load_experiment(name)
    found = sorted((Ticket.load(path) for path in tmp_path.glob("steps/prune-*/ticket.*")), key=lambda t: t.level)
    kinds = [[ticket for ticket in found if ticket.is_variational == variational] for variational in (False, True)]
    assert [bool(tickets) for tickets in kinds] == [True, config.experiment == "bayesian-lth"]
    kept = 1 - config.prune.rate_per_level
    for first, second in filter(None, kinds):
        assert [first.density, second.density] == pytest.approx([kept, kept**2], rel=0.01)
        assert all(t.mask[f"{layer}/kernel"].all() for t in (first, second) for layer in config.prune.exempt)
        assert all(np.all(first.mask[path] >= second.mask[path]) for path in first.mask)
    for result in tmp_path.glob("steps/evaluate-*/result.json"):
        assert np.isfinite(read_json(result)["result"]["test"]["nll"])


def test_tickets_beat_their_controls_and_match_the_dense_network(tmp_path):
    """The main job as `make run` does it: two minutes on 2 cores."""
    tfticket("--quiet", "run", "quickstart", "-w", tmp_path)
    (table,) = tmp_path.glob("runs/*/report/results.csv")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    accuracy = {(int(row["seed"]), int(row["level"]), row["arm"]): float(row["test_accuracy"]) for row in rows}
    assert len(accuracy) == 3 * (11 + 2 * 4)
    for seed in (0, 1, 2):
        dense = accuracy[seed, 0, "ticket"]
        assert dense > 0.97
        for level in (3, 5, 7, 10):
            ticket, new, shuffled = (
                accuracy[seed, level, arm] for arm in ("ticket", "reinitialise", "shuffle-layerwise")
            )
            assert ticket > new > shuffled
        assert abs(accuracy[seed, 7, "ticket"] - dense) < 0.005  # 4 % of the weights
        assert accuracy[seed, 10, "ticket"] > 0.94  # 1 %
