"""Monte Carlo tickets where tickets are rewound to a later iteration. Needs TensorFlow."""

import json

import numpy as np
import pytest

import tfticket as tt
from gui.models.ticket_list import read_tickets
from tfticket.arms import Arm
from tfticket.reports.rows import rows_of
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import SAMPLER, TICKET
from tfticket.tickets.weight_files import load_weights

# Slow: half a minute, four short trainings and the connectivity of three networks.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data_folder")]

OPTIONS = (
    "prune={levels: 1, sparsity: 0.8, rewind: 2it, exempt: [dense_3]}",
    "controls=[]",
    "control_levels=[0, 1]",
    "monte_carlo=[{connectivity: true, images: 50}]",
    "seeds=[4]",
    "train.epochs=30it",
    "train.evaluate_every=1it",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("late")


@pytest.fixture
def run(workspace, call):
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", workspace, *(t for o in OPTIONS for t in ("-o", o)))
    assert code == 0, err
    return find_run(workspace, "quickstart-smoke")


def steps_of(run, kind, arm="None"):
    """The folders of a run's steps of a kind and an arm, in its order."""
    return [step.path for step in run.steps(kind) if str(step.label.get("arm")) == arm]


def test_the_new_network_is_trained_whole_and_taken_back_to_that_moment(run):
    (training,) = steps_of(run, "train", "monte-carlo dense")
    (begun,) = steps_of(run, "start", "monte-carlo dense")
    (whole,) = (tt.Ticket.load(step / TICKET) for step in steps_of(run, "prune", "monte-carlo dense"))
    (drawn,) = (tt.Ticket.load(step / TICKET) for step in steps_of(run, "draw", "monte-carlo connectivity, 50 images"))
    kept, iteration = load_weights(training / "weights-2it.safetensors")
    assert iteration == whole.iteration == drawn.iteration == 2
    assert len(steps_of(run, "train", "ticket")) == 2
    dense = tt.Ticket.load(begun / TICKET)
    for path, mask in whole.mask.items():
        assert mask.all()
        np.testing.assert_array_equal(drawn.start[path], kept[path])
        np.testing.assert_array_equal(drawn.initial[path], dense.initial[path])
        assert not np.array_equal(drawn.start[path], drawn.initial[path])
    assert drawn.provenance["monte_carlo"]["sampler"]["iteration"] == 2
    assert drawn.density == pytest.approx(0.2, abs=0.02)
    assert drawn.mask["dense_3/kernel"].all()
    assert drawn.provenance["exempt"] == ["dense_3"]


def test_an_exempt_layer_says_nothing_about_which_weights_survive(run):
    (fit,) = run.steps("fit")
    relative = fit.result["relative_magnitude"]
    assert relative["dense_3"] == 1.0
    ticket = next(row for row in rows_of(run) if (row.arm.key, row.level) == ("ticket", 1))
    assert ticket.beside["relative_magnitude"] == pytest.approx((relative["dense_1"] + relative["dense_2"]) / 2)


def test_what_is_recorded_of_a_training_is_what_its_history_says(run):
    for step, level in zip(steps_of(run, "train", "ticket"), (0, 1), strict=True):
        result = json.loads((step / "result.json").read_text())["result"]
        row = next(row for row in rows_of(run) if (row.arm.key, row.level) == ("ticket", level))
        last = [one["accuracy"] for one in result["history"] if one["iteration"] > 22]
        assert row.beside["rise"] == pytest.approx(np.polyfit(range(len(last)), last, 1)[0] * 30 / 4)
        reached = [one["iteration"] for one in result["history"] if one["accuracy"] >= 0.97 * np.mean(last)]
        assert reached[0] - 1 < row.beside["settled"] <= reached[0]
        assert row.beside["epochs"] == pytest.approx(30 * 128 / 2000)


def test_the_window_shows_the_tickets_and_not_the_network_they_are_drawn_on(run):
    found, damaged = read_tickets(run.folder, {})
    assert damaged == 0
    arm = Arm(control="monte-carlo", options="connectivity, 50 images")
    assert {(one.group, one.level) for one in found.values()} == {
        ((Arm(), 4, 0), 0),
        ((Arm(), 4, 0), 1),
        ((arm, 4, 0), 1),
    }


def test_it_is_told_where_the_sampler_is_of_another_iteration_than_the_weights(run, workspace, call):
    (fit,) = steps_of(run, "fit")
    options = ["--model", "lenet-300-100", "--train-rows", 100, "--by", "magnitude", "--images", 50]
    code, _, err = call("mc-ticket", fit / SAMPLER, *options, "--out", workspace / "drawn.safetensors")
    assert code == 0, err
    assert "The sampler was fitted to weights of iteration 2; these are initial ones." in err


def test_a_report_says_how_close_the_drawn_tickets_are(run, workspace, call):
    code, out, err = call("report", "quickstart-smoke", "-w", workspace, "--json")
    assert code == 0, err
    closeness = {one["layer"]: one for one in json.loads(out)["closeness"]}
    assert list(closeness) == ["dense_1", "dense_2", "dense_3"]
    assert closeness["dense_3"]["density"] == closeness["dense_3"]["ticket_density"] == 1.0
    assert 0 <= closeness["dense_1"]["ks_weights"] < 0.1
