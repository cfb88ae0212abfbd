"""A real run, as those who read its folder read it: the index, the follower, the window's models, inspections.

Needs TensorFlow.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gui.models.live import LiveModel
from gui.models.masks import MasksModel
from gui.models.sparsity import SparsityModel
from tests.made_runs import change_json
from tests.real_run import make_run
from tests.refusals import refused
from tfticket.arms import TICKET, Arm
from tfticket.inspection.inspect_ticket import inspect_ticket, load
from tfticket.inspection.run_tickets import tickets_of
from tfticket.reports.rows import rows_of
from tfticket.runs.artefacts import load_tensors, verify_step
from tfticket.runs.follow import RunFollower
from tfticket.runs.index import Index
from tfticket.runs.run_folder import find_run
from tfticket.runs.step_files import read_result

pytestmark = pytest.mark.usefixtures("without_xla")
REINITIALISED = Arm(control="reinitialise")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("original")
    make_run(workspace, "seeds=[3]", "prune.rewind=2it", "prune.levels=1")
    return workspace


@pytest.fixture
def workspace(original, tmp_path):
    return shutil.copytree(original, tmp_path / "w")


@pytest.fixture
def run(workspace):
    return find_run(workspace, "quickstart-smoke")


def test_every_step_can_be_verified(run):
    assert all(verify_step(step.path) for step in run.steps())
    files = {"config.json", "events.jsonl", "weights.safetensors"}
    listed = [set(read_result(step.path)["files"]) for step in run.steps("train")]
    assert files in listed
    assert files | {"weights-2it.safetensors"} in listed


def test_index_follower_and_the_windows_models_have_its_numbers(workspace, run):
    index = Index(workspace)
    (summary,) = index.refresh()
    index.close()
    tickets = [row for row in rows_of(run) if row.arm == TICKET]
    assert (summary.name, summary.experiment, summary.state, summary.doing) == ("quickstart-smoke", "imp", "done", "")
    assert summary.completed == summary.trainings == 3
    assert (summary.level, summary.density) == (1, tickets[-1].density)
    assert summary.accuracy == tickets[-1].validation["accuracy"]
    follower = RunFollower(run.folder)
    assert follower.poll() is True
    assert [training.label["arm"] for training in follower.trainings] == [TICKET, TICKET, REINITIALISED]
    for training in follower.trainings:
        history = read_result(workspace / "steps" / training.folder)["result"]["history"]
        points = [{name: point[name] for name in row} for point, row in zip(training.points, history, strict=True)]
        assert training.done
        assert points == history
    assert follower.poll() is False
    live, sparsity, masks = LiveModel(), SparsityModel(), MasksModel()
    live.show(run.folder)
    sparsity.show([run.folder])
    masks.show(run.folder)
    assert live.message == sparsity.message == sparsity.problem == masks.message == masks.problem == ""
    assert live.focus.axes == ["iteration", "time"]
    values = [point["loss"] for training in follower.trainings[:2] for point in training.points]
    assert live.curves("loss")[0].raw[np.isfinite(live.curves("loss")[0].raw)].tolist() == values
    line = sparsity.lines("accuracy")[run.folder.name, TICKET]
    assert line.means == [row.validation["accuracy"] for row in tickets]
    assert masks.groups == [(TICKET, 3, 0), (REINITIALISED, 3, 0)]
    kept = load_tensors(masks.ticket.folder / "ticket.safetensors", "ticket")[0][f"mask/{masks.layer}"]
    assert np.nansum(masks.picture((4000, 4000)).kept) == kept.sum()


def test_its_tickets_are_inspected_with_their_weights(run):
    tickets = tickets_of(run)
    assert [ticket.label for ticket in tickets] == [step.label for step in run.steps("evaluate")]
    assert {ticket.label["arm"] for ticket in tickets} == {TICKET, REINITIALISED}
    assert tickets[0].name == "ticket, seed 3, level 0"
    for run_ticket in tickets:
        ticket, trained, before = load(run_ticket)
        assert (ticket.level, ticket.density) == (run_ticket.label["level"], run_ticket.label["density"])
        for path, kept in ticket.mask.items():
            assert not np.any(trained[path][~kept])
        pruned = run_ticket.label["arm"] == TICKET and run_ticket.label["level"] > 0
        assert (before is not None) == (run_ticket.before is not None) == pruned
        if before is not None:  # the mask keeps the largest over all layers
            left = np.concatenate([np.abs(before[path][kept]) for path, kept in ticket.mask.items()])
            gone = np.concatenate([np.abs(before[path][~kept]) for path, kept in ticket.mask.items()])
            assert gone.max() <= left.min()
        inspection = inspect_ticket(ticket, trained, before)
        assert inspection.notes == ()
        assert inspection.paths > 0
    config = run.steps("evaluate")[0].path / "config.json"
    for damage in (lambda path: change_json(path, inputs={}), Path.unlink):
        damage(config)
        with refused(None, None, str(config)):
            tickets_of(run)
