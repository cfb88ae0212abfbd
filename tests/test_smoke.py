"""Every network that the papers train, through two levels of its preset `smoke` on real images; a small one quickly."""

import json

import numpy as np
import pytest

from tests.real_run import tfticket
from tfticket.presets import load_experiment, presets
from tfticket.runs.files import read_json
from tfticket.tickets import Ticket

OF_LENET_5 = pytest.param("monte-carlo-tickets-conv-2-smoke", ["-o", "model.name=lenet-5"], id="lenet-5")
SMOKE = [pytest.param(name, [], id=name) for name, preset in presets().items() if preset.budget == "smoke"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [OF_LENET_5, *SMOKE])
def test_two_levels_of_every_network(name, options, tmp_path):
    said = tfticket("run", name, *options, "--workspace", tmp_path, "--json")
    config = load_experiment(name)
    levels = {one["level"] for one in json.loads(said)["results"] if one["arm"] == "ticket"}
    assert levels == {0, 1, 2}
    folders = list(tmp_path.glob("steps/prune-*"))
    found = sorted((Ticket.load(folder / "ticket.safetensors") for folder in folders), key=lambda one: one.level)
    kinds = [[one for one in found if ("variational" in one.model) == variational] for variational in (False, True)]
    kept = 1 - config.prune.rate_per_level
    exempt = {f"{layer}/kernel" for layer in config.prune.exempt}
    assert [bool(tickets) for tickets in kinds] == [True, config.experiment == "bayesian-lth"]
    for tickets in filter(None, kinds):
        assert [ticket.density for ticket in tickets] == pytest.approx([kept, kept**2], rel=0.01)
        assert all(ticket.mask[path].all() for ticket in tickets for path in exempt)
        assert all(np.all(tickets[0].mask[path] >= tickets[1].mask[path]) for path in tickets[0].mask)
    for folder in tmp_path.glob("steps/evaluate-*"):
        assert np.isfinite(read_json(folder / "result.json")["result"]["test"]["nll"])
