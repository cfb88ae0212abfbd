"""Monte Carlo tickets where tickets are rewound to a later iteration. Slow: half a minute, four trainings."""

import numpy as np
import pytest

import tfticket as tt
from tests.plans import OPTIONS_OF_DIGITS
from tfticket.reports.rows import rows_of
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import SAMPLER, TICKET
from tfticket.tickets.weight_files import load_weights

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data_folder")]
DRAWN = "monte-carlo connectivity, 50 images"
OPTIONS = [
    *OPTIONS_OF_DIGITS,
    "prune={levels: 1, sparsity: 0.8, rewind: 2it, exempt: [dense_3]}",
    "controls=[]",
    "control_levels=[0, 1]",
    "monte_carlo=[{connectivity: true, images: 50}]",
    "seeds=[4]",
    "train.epochs=30it",
    "train.evaluate_every=1it",
]


def test_monte_carlo_tickets_of_a_late_rewound_run(tmp_path, call):
    options = [text for option in OPTIONS for text in ("-o", option)]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, *options)
    assert code == 0, err
    run = find_run(tmp_path, "quickstart-smoke")

    def steps_of(kind, arm="None"):
        return [step.path for step in run.steps(kind) if str(step.label.get("arm")) == arm]

    # The new network is trained whole and taken back to that moment.
    (training,), (begun,) = steps_of("train", "monte-carlo dense"), steps_of("start", "monte-carlo dense")
    (whole,) = (tt.Ticket.load(step / TICKET) for step in steps_of("prune", "monte-carlo dense"))
    (drawn,) = (tt.Ticket.load(step / TICKET) for step in steps_of("draw", DRAWN))
    kept, iteration = load_weights(training / "weights-2it.safetensors")
    assert iteration == whole.iteration == drawn.iteration == 2
    assert drawn.provenance["monte_carlo"]["sampler"]["iteration"] == 2
    assert len(steps_of("train", "ticket")) == 2
    dense = tt.Ticket.load(begun / TICKET)
    for path, mask in whole.mask.items():
        assert mask.all()
        np.testing.assert_array_equal(drawn.start[path], kept[path])
        np.testing.assert_array_equal(drawn.initial[path], dense.initial[path])
        assert not np.array_equal(drawn.start[path], drawn.initial[path])
    assert drawn.density == pytest.approx(0.2, abs=0.02)
    assert (drawn.provenance["exempt"], bool(drawn.mask["dense_3/kernel"].all())) == (["dense_3"], True)

    # An exempt layer says nothing about which weights survive.
    (fit,), rows = run.steps("fit"), {row.level: row for row in rows_of(run) if row.arm.key == "ticket"}
    relative = fit.result["relative_magnitude"]
    assert relative["dense_3"] == 1.0
    mean = (relative["dense_1"] + relative["dense_2"]) / 2
    assert rows[1].extra_metrics["relative_magnitude"] == pytest.approx(mean)
    assert rows[1].extra_metrics["epochs"] == pytest.approx(30 * 128 / 300)

    # A sampler of another iteration than the weights is noted.
    options = ["--model", "lenet-300-100", "--by", "magnitude", "--images", 50, "--out", tmp_path / "drawn.safetensors"]
    data = ["--data", OPTIONS_OF_DIGITS[0].partition("=")[2], "--train-rows", 100]
    code, _, err = call("mc-ticket", steps_of("fit")[0] / SAMPLER, *data, *options)
    assert (code, "iteration 2" in err) == (0, True), err
