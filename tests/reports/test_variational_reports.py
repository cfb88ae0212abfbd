"""Tables, CSV and figures of variational networks: uncertainty, posteriors, the best epochs of trainings."""

import csv
import io

import numpy as np
import pytest

from tests.reports.conftest import add_step, edit_config, edit_results
from tfticket.arms import Arm
from tfticket.evaluation.model_selection import CRITERIA
from tfticket.reports.figures.uncertainty import posterior_figure, uncertainty_figure
from tfticket.reports.network_uncertainty import uncertainties_of
from tfticket.reports.tables.best_epochs import best_epochs_table, recorded_trainings
from tfticket.reports.tables.csv_files import best_epochs_csv, posterior_csv, uncertainty_csv
from tfticket.reports.tables.entropies import uncertainty_tables
from tfticket.runs.run_folder import read_run

LAYERS = [f"conv_{number}" for number in range(1, 9)]


def as_variational(label, result):
    """Add what an evaluation of a variational network has; of a deterministic arm calibration alone."""
    seed, level = label["seed"], label["level"]
    for split in ("validation", "test"):
        result[split] |= {"mace": 0.1 + 0.01 * seed, "ece": 0.05}
    if label["arm"].control == "keep-signs":
        return
    aleatoric, epistemic = 0.2 + 0.1 * seed + 0.1 * label.get("replicate", 0), 0.01 * (level + 1)
    parts = {"entropy": aleatoric + epistemic, "aleatoric": aleatoric, "epistemic": epistemic}
    result |= {"uncertainty": {"test": parts, "validation": parts}, "passes": {"accuracy": [0.9, 0.92, 0.94]}}
    result["posterior"] = {
        layer: {"magnitude": 0.1, "divergence": 100.0, "sigma": [0.01 * (n + 1) * q for q in (1, 2, 3, 4, 5)],
                "snr": [(level + 1.0) * q for q in (1, 2, 3, 4, 5)]}
        for n, layer in enumerate(LAYERS)
    }  # fmt: skip
    if level == 2 and label["arm"].is_ticket:
        result["posterior"][LAYERS[0]] |= {"magnitude": None, "sigma": None, "snr": None}


def with_auroc(label, result):
    scores = {"confidence": 0.8, "entropy": 0.9} | ({"epistemic": 0.95} if "uncertainty" in result else {})
    result["out_of_distribution"] = {"data": {"name": "Fashion-MNIST", "contents": "0"}, "rows": 9, "auroc": scores}


def add_trainings(folder, tested=True):
    """Add a training of each evaluation, whose test accuracy is the highest at the second of four evaluations."""
    for step in read_run(folder).steps("evaluate"):
        history = []
        for number, (validation, test) in enumerate([(0.8, 0.70), (0.7, 0.80), (0.9, 0.75), (0.8, 0.70)], start=1):
            metrics = {"test": dict.fromkeys(("accuracy", "mace"), test + 0.02 * step.label["seed"])} if tested else {}
            history.append({"iteration": 10 * number, "accuracy": validation, **metrics})
        label = step.label | {"arm": step.label["arm"].key}
        add_step(folder, "train", label, {"density": 0.5 ** step.label["level"], "history": history})


@pytest.fixture
def folder(make_run):
    """Tickets of three levels and two seeds, replicates of a control, a deterministic arm."""
    evaluations = [("ticket", seed, level) for seed in (0, 1) for level in (0, 1, 2)]
    evaluations += [("reinitialise", seed, 1, {"label": {"replicate": n}}) for seed in (0, 1) for n in (0, 1)]
    folder = make_run("a-1", evaluations=[*evaluations, *(("keep-signs", seed, 1) for seed in (0, 1))])
    edit_results(folder, "evaluate", as_variational)
    return folder


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_run_without_variational_networks_has_no_uncertainty(make_run):
    folder = make_run("b-1", evaluations=[("ticket", 0, 0), ("ticket", 0, 1)])
    add_trainings(folder, tested=False)
    run = edit_results(folder, "evaluate", with_auroc)
    assert uncertainties_of(run) == recorded_trainings(run) == []


def test_tables_have_means_over_seeds_of_averaged_replicates(folder):
    networks = uncertainties_of(read_run(folder))
    ((header, rows, note),) = uncertainty_tables(networks, levels=[0, 1])
    assert (len(header), "passes are no replicates" in note, "AUROC" in note) == (6, True, False)
    assert rows == [
        ["100.0%", "dense", "10.5%", "0.25", "0.01", "2.00%"],
        ["50.0%", "IMP ticket", "10.5%", "0.25", "0.02", "2.00%"],
        ["50.0%", "re-initialised", "10.5%", "0.3", "0.02", "2.00%"],
        ["50.0%", "signs kept", "10.5%", "", "", ""],
    ]
    some = [network for network in networks if (network.arm.key, network.seed) != ("reinitialise", 1)]
    ((header, rows, _),) = uncertainty_tables(some, levels=[1])
    assert [header[2], *(row[2] for row in rows)] == ["n", "2", "1", "2"]
    edit_results(folder, "evaluate", with_auroc)
    single = edit_results(folder, "evaluate", lambda _, result: result.get("passes", {}).update(accuracy=[0.9]))
    (header, rows, note), (scores, aurocs, _) = uncertainty_tables(uncertainties_of(single), levels=[1])
    assert (len(header), "passes" in note) == (5, False)
    assert [score.split()[-1] for score in scores[2:]] == ["confidence", "entropy", "epistemic"]
    assert [row[2:] for row in aurocs] == [["0.800", "0.900", "0.950"]] * 2 + [["0.800", "0.900", ""]]


def test_csv_files_have_every_network_and_layer_and_are_empty_where_nothing_was_recorded(folder):
    networks = uncertainties_of(read_run(folder))
    table = table_of(uncertainty_csv(networks))
    assert len(table) == len(networks) == 12
    assert {line["epistemic"] for line in table if line["arm"] == "keep-signs"} == {""}
    assert float(table[0]["accuracy_deviation_of_passes"]) == pytest.approx(0.02)
    table = table_of(posterior_csv(networks))
    assert [line["layer"] for line in table] == LAYERS * 10
    assert {(line["magnitude"], line["sigma_5"], line["snr_95"]) for line in table if not line["sigma_25"]} == {
        ("",) * 3
    }


def test_figures_have_means_and_bars_over_seeds_and_gaps_where_a_layer_is_empty(folder):
    networks = uncertainties_of(read_run(folder))
    axes = uncertainty_figure(networks, "title").axes
    for each, means, spread in zip(axes, ([0.25] * 3, [0.01, 0.02, 0.03]), (0.05, 0.0), strict=True):
        line, _, (bars,) = each.containers[0]
        np.testing.assert_allclose(line.get_xydata(), list(zip((100, 50, 25), means, strict=True)))
        ends = [segment[:, 1] for segment in bars.get_segments()]
        np.testing.assert_allclose(ends, [[mean - spread, mean + spread] for mean in means])
    axes = posterior_figure(networks, "title").axes
    assert [each.get_title(loc="left") for each in axes[:6]] == [LAYERS[n] for n in (0, 1, 3, 4, 6, 7)]
    ticket, control = axes[6].get_lines()
    np.testing.assert_allclose(ticket.get_ydata(), [3, 6, np.nan])
    np.testing.assert_allclose(control.get_xydata(), [[50, 6]])


def test_tables_and_figures_name_tickets_alike_and_leave_controls_of_many_arms_out(make_run):
    arms = ["ticket", *(f"bayesian-{score}" for score in ("snr", "mu", "square", "snr-lrr")), "transplant-start"]
    evaluations = [(arm, 0, level) for arm in arms for level in (0, 1)] + [("bayesian-snr reinitialise", 0, 1)]
    folder = make_run("a-1", evaluations=evaluations)
    edit_config(folder, prune={"score": "random"})
    networks = uncertainties_of(edit_results(folder, "evaluate", as_variational))
    names = ["ticket by random score", *(Arm.parse(arm).name for arm in arms[1:])]
    ((_, table, _),) = uncertainty_tables(networks, levels=[0, 1])
    shown = [row[1] for row in table if row[1] not in ("transplanted", "Bayesian, SNR, re-initialised")]
    assert shown == ["dense", "dense, Bayesian", *names[:-1]]
    for figure in (posterior_figure(networks, "title"), uncertainty_figure(networks, "title")):
        assert [text.get_text() for text in figure.legends[0].get_texts()] == names


def test_best_epochs_stand_beside_the_last(folder):
    add_trainings(folder)
    trainings = recorded_trainings(read_run(folder))
    assert len(trainings) == 12
    _, rows = best_epochs_table(trainings, levels=[0, 1, 2])
    assert rows[0] == ["100.0%", "dense", "71.00% 71.0%", "76.00% 76.0%", "81.00% 81.0%"]
    assert [row[1] for row in rows] == ["dense", "IMP ticket", "re-initialised", "signs kept", "IMP ticket"]
    assert [row[0] for row in best_epochs_table(trainings, levels=[0])[1]] == ["100.0%"]
    lines = [(line["moment"], line["iteration"], line["test_mace"]) for line in table_of(best_epochs_csv(trainings))]
    assert lines[:3] == list(zip(CRITERIA, ("40", "30", "20"), ("0.7", "0.75", "0.8"), strict=True))
