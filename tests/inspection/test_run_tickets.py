import json

import numpy as np
import pytest

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.inspection.load import load
from tfticket.inspection.run_tickets import tickets_of
from tfticket.inspection.ticket import inspect_ticket
from tfticket.runs.run_folder import find_run


@pytest.fixture
def run(call, tmp_path):
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, "-o", "seeds=[0]")
    assert code == 0, err
    return find_run(tmp_path, "quickstart-smoke")


def test_a_runs_tickets_with_their_weights(run):
    found = tickets_of(run)
    evaluations = [step.label for step in run.steps("evaluate")]
    assert [each.label for each in found] == evaluations
    assert len({each.name for each in found}) == len(found)
    arms = {each.label["arm"] for each in found}
    assert {TICKET, Arm(control="reinitialise")} <= arms
    for each in found:
        ticket, trained, before = load(each)
        assert (ticket.level, ticket.density) == (each.label["level"], each.label["density"])
        for path, kept in ticket.mask.items():
            assert not np.any(trained[path][~kept])
        pruned = each.label["arm"] == TICKET and each.label["level"] > 0
        assert (before is not None) == (each.before is not None) == pruned
        if before is not None:
            # The mask is that of the largest, over all layers.
            left = np.concatenate([np.abs(before[path][kept]) for path, kept in ticket.mask.items()])
            gone = np.concatenate([np.abs(before[path][~kept]) for path, kept in ticket.mask.items()])
            assert gone.max() <= left.min()
        inspection = inspect_ticket(ticket, trained, before)
        assert inspection.notes == ()
        assert inspection.paths > 0


def test_a_step_that_lost_its_inputs_is_told(run):
    path = run.steps("evaluate")[0].path / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"inputs": {}}))
    with pytest.raises(InputError, match=r"config\.json is not the file that this step wrote"):
        tickets_of(run)
    path.write_text("[]")
    with pytest.raises(InputError, match=r"config\.json is not the file that this step wrote"):
        tickets_of(run)
    path.unlink()
    with pytest.raises(InputError, match=r"config\.json is missing"):
        tickets_of(run)
