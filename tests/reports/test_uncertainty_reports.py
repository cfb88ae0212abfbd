"""What reports say of variational networks: uncertainty, posteriors, the moments of a training."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tfticket.arms import Arm
from tfticket.cli.console import show_report
from tfticket.evaluation.model_selection import CRITERIA
from tfticket.reports.figures.uncertainty import posterior_figure, uncertainty_figure
from tfticket.reports.network_uncertainty import uncertainties_of
from tfticket.reports.report import write_report
from tfticket.reports.tables.best_epochs import best_epochs_table, recorded_trainings
from tfticket.reports.tables.cells import record_of
from tfticket.reports.tables.csv_files import best_epochs_csv, posterior_csv, uncertainty_csv
from tfticket.reports.tables.entropies import uncertainty_tables
from tfticket.runs.run_folder import read_run

LAYERS = [f"conv_{number}" for number in range(1, 9)]


def edit(folder, kind, change):
    """Change the results of a run's steps of a kind."""
    for step in json.loads((folder / "manifest.json").read_text())["steps"]:
        path = folder.parents[1] / "steps" / step["folder"] / "result.json"
        if step["kind"] == kind:
            record = json.loads(path.read_text())
            change(step["label"], record["result"])
            path.write_text(json.dumps(record))


def as_variational(label, result):
    """What an evaluation of a variational network has more; a deterministic arm is left alone."""
    seed, level = label["seed"], label["level"]
    for split in ("validation", "test"):
        result[split] |= {"mace": 0.1 + 0.01 * seed, "ece": 0.05}
    if label["arm"] == "keep-signs":
        return
    aleatoric, epistemic = 0.2 + 0.1 * seed + 0.1 * label.get("replicate", 0), 0.01 * (level + 1)
    parts = {"entropy": aleatoric + epistemic, "aleatoric": aleatoric, "epistemic": epistemic}
    result["uncertainty"] = {"test": parts, "validation": parts}
    result["passes"] = {"accuracy": [0.9, 0.92, 0.94]}
    result["posterior"] = {
        layer: {
            "magnitude": 0.1,
            "sigma": [0.01 * (n + 1) * q for q in (1, 2, 3, 4, 5)],
            "snr": [(level + 1.0) * q for q in (1, 2, 3, 4, 5)],
            "divergence": 100.0,
        }
        for n, layer in enumerate(LAYERS)
    }
    if level == 2 and label["arm"] == "ticket":
        result["posterior"][LAYERS[0]] |= {"magnitude": None, "sigma": None, "snr": None}


@pytest.fixture
def folder(make_run):
    """Tickets of three levels and two seeds, replicates of a control, a deterministic arm."""
    evaluations = [("ticket", seed, level) for seed in (0, 1) for level in (0, 1, 2)]
    evaluations += [
        ("reinitialise", seed, 1, {"label": {"replicate": replicate}}) for seed in (0, 1) for replicate in (0, 1)
    ]
    evaluations += [("keep-signs", seed, 1) for seed in (0, 1)]
    folder = make_run("a-1", evaluations=evaluations)
    edit(folder, "evaluate", as_variational)
    return folder


def with_auroc(label, result):
    scores = {"confidence": 0.8, "entropy": 0.9} | ({"epistemic": 0.95} if "uncertainty" in result else {})
    result["out_of_distribution"] = {"data": {"name": "Fashion-MNIST", "contents": "0"}, "rows": 9, "auroc": scores}


def test_a_run_without_variational_networks_has_nothing_of_this(make_run):
    folder = make_run("b-1", evaluations=[("ticket", 0, 0), ("ticket", 0, 1)])
    edit(folder, "evaluate", with_auroc)
    run = read_run(folder)
    assert uncertainties_of(run) == []
    assert recorded_trainings(run) == []
    written = write_report([run])
    assert not {"uncertainty.png", "posterior.png", "uncertainty.csv", "moments.csv"} & set(written.files)


def test_the_table_has_means_over_seeds_of_averaged_replicates(folder):
    ((header, rows, note),) = uncertainty_tables(uncertainties_of(read_run(folder)), levels=[0, 1])
    assert header == [
        "weights\nremaining", "arm", "MACE", "aleatoric\nentropy", "epistemic\nentropy", "deviation\nof passes",
    ]  # fmt: skip
    assert rows == [
        ["100.0%", "dense", "10.5%", "0.25", "0.01", "2.00%"],
        ["50.0%", "IMP ticket", "10.5%", "0.25", "0.02", "2.00%"],
        ["50.0%", "re-initialised", "10.5%", "0.3", "0.02", "2.00%"],
        ["50.0%", "signs kept", "10.5%", "", "", ""],
    ]
    assert "passes are no replicates" in note
    assert "Empty: of a deterministic network" in note
    assert "AUROC" not in note


def test_of_single_passes_there_is_no_column_and_of_variational_networks_alone_no_empty_cell(folder):
    edit(folder, "evaluate", lambda _, result: result.get("passes", {}).update(accuracy=[0.9]))
    ((header, rows, note),) = uncertainty_tables(uncertainties_of(read_run(folder)), levels=[0])
    assert header[-1] == "epistemic\nentropy"
    assert all(len(row) == len(header) for row in rows)
    assert not [word for word in ("passes", "Empty", "AUROC") if word in note]


def test_rows_of_different_seeds_say_how_many_they_have(folder):
    found = [one for one in uncertainties_of(read_run(folder)) if (one.arm.key, one.seed) != ("reinitialise", 1)]
    ((header, rows, _),) = uncertainty_tables(found, levels=[1])
    assert header[2] == "n"
    assert [row[1:3] for row in rows] == [["IMP ticket", "2"], ["re-initialised", "1"], ["signs kept", "2"]]


def test_every_table_and_figure_calls_a_ticket_alike_and_has_a_shared_unpruned_network_once(make_run):
    arms = ("ticket", "bayesian-snr", "bayesian-mu")
    folder = make_run("a-1", evaluations=[(arm, 0, level) for arm in arms for level in (0, 1)])
    config = yaml.safe_load((folder / "config.yaml").read_text()) | {"prune": {"score": "random"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    edit(folder, "evaluate", as_variational)
    add_trainings(folder)
    run, tickets = read_run(folder), ["ticket by random score", "Bayesian, SNR", "Bayesian, abs(mu)"]
    found = uncertainties_of(run)
    ((_, entropies, _),) = uncertainty_tables(found, levels=[0, 1])
    for table in (entropies, best_epochs_table(recorded_trainings(run), levels=[0, 1])[1]):
        assert [row[1] for row in table] == ["dense", "dense, Bayesian", *tickets]
    for figure in (uncertainty_figure(found, "title"), posterior_figure(found, "title")):
        assert [text.get_text() for text in figure.legends[0].get_texts()] == tickets


def test_the_table_has_an_auroc_of_each_score_where_rows_from_elsewhere_were_scored(folder):
    edit(folder, "evaluate", with_auroc)
    _, (header, rows, note) = uncertainty_tables(uncertainties_of(read_run(folder)), levels=[1])
    assert "0.5 is chance" in note
    assert header[2:] == ["AUROC by\nconfidence", "AUROC by\nentropy", "AUROC by\nepistemic"]
    assert [row[2:] for row in rows] == [["0.800", "0.900", "0.950"]] * 2 + [["0.800", "0.900", ""]]


def test_the_csv_has_every_network_and_is_empty_where_nothing_was_recorded(folder):
    found = uncertainties_of(read_run(folder))
    table = list(csv.DictReader(io.StringIO(uncertainty_csv(found))))
    assert len(table) == len(found) == 12
    assert {row["epistemic"] for row in table if row["arm"] == "keep-signs"} == {""}
    assert float(table[0]["accuracy_deviation_of_passes"]) == pytest.approx(0.02)


def test_the_figure_shows_both_parts_of_the_entropy_with_bars_over_seeds(folder):
    figure = uncertainty_figure(uncertainties_of(read_run(folder)), "title")
    aleatoric, epistemic = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["aleatoric entropy (nats)", "epistemic entropy (nats)"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        assert axes.get_xlim()[0] > axes.get_xlim()[1]
        assert [one.get_label() for one in axes.containers] == ["IMP ticket", "re-initialised"]
    line, _, (bars,) = epistemic.containers[0]
    np.testing.assert_allclose(line.get_xydata(), [[100, 0.01], [50, 0.02], [25, 0.03]])
    line, _, (bars,) = aleatoric.containers[0]
    np.testing.assert_allclose(line.get_ydata(), 0.25)
    np.testing.assert_allclose([segment[:, 1] for segment in bars.get_segments()], [[0.2, 0.3]] * 3)
    assert figure.legends[0].get_title().get_text() == "mean and range of 2 seeds"
    FigureCanvasAgg(figure).draw()


def test_entropies_of_many_magnitudes_have_a_logarithmic_axis(folder):
    found = uncertainties_of(read_run(folder))
    (plain, _) = uncertainty_figure(found, "title").axes
    assert plain.get_yscale() == "linear"
    assert plain.get_ylim()[0] == 0
    wide = [
        dataclasses.replace(one, values=one.values | {"epistemic": 100.0**-one.level})
        for one in found
        if "epistemic" in one.values
    ]
    aleatoric, epistemic = uncertainty_figure(wide, "title").axes
    assert (aleatoric.get_yscale(), epistemic.get_yscale()) == ("linear", "log")
    low, high = epistemic.get_ylim()
    assert 0 < low < 1e-4 < 1 < high


def test_the_csv_of_posteriors_has_every_layer_of_every_network_and_is_empty_where_one_is_emptied(folder):
    found = uncertainties_of(read_run(folder))
    table = list(csv.DictReader(io.StringIO(posterior_csv(found))))
    expected = [(one.arm.key, str(one.level), layer, told) for one in found for layer, told in one.posterior.items()]
    assert [(row["arm"], row["level"], row["layer"]) for row in table] == [each[:3] for each in expected]
    for row, (*_, told) in zip(table, expected, strict=True):
        assert float(row["divergence"]) == told["divergence"]
        assert row["magnitude"] == ("" if told["magnitude"] is None else str(told["magnitude"]))
        for what in ("sigma", "snr"):
            quantiles = [row[f"{what}_{quantile}"] for quantile in (5, 25, 50, 75, 95)]
            assert quantiles == ([""] * 5 if told[what] is None else [str(value) for value in told[what]])
    assert {row["magnitude"] for row in table} > {""}


def test_the_figure_of_posteriors_shows_some_layers_and_a_gap_where_one_is_emptied(folder):
    figure = posterior_figure(uncertainties_of(read_run(folder)), "title")
    assert len(figure.axes) == 12
    assert [axes.get_title(loc="left") for axes in figure.axes[:6]] == [LAYERS[n] for n in (0, 1, 3, 4, 6, 7)]
    ticket, control = figure.axes[6].get_lines()
    assert ticket.get_label() == "IMP ticket"
    np.testing.assert_allclose(ticket.get_ydata(), [3, 6, np.nan])
    np.testing.assert_allclose(control.get_xydata(), [[50, 6]])
    np.testing.assert_allclose(figure.axes[7].get_lines()[0].get_ydata(), [3, 6, 9])
    FigureCanvasAgg(figure).draw()


def test_the_figure_of_posteriors_shows_all_tickets_and_says_where_controls_are(make_run):
    scores = ("snr", "mu", "square", "snr-lrr")
    arms = ["ticket", *(f"bayesian-{score}" for score in scores), "transplant-start"]
    folder = make_run("a-1", evaluations=[(arm, 0, 1) for arm in (*arms, "bayesian-snr reinitialise")])
    edit(folder, "evaluate", as_variational)
    found = uncertainties_of(read_run(folder))
    figure = posterior_figure(found, "title")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [Arm.parse(arm).name for arm in arms]
    assert "controls, which are not shown, are in posterior.csv" in legend.get_title().get_text()
    widths = [line.get_linewidth() for line in figure.axes[0].get_lines()]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(arms)  # of lines that coincide each leaves the ones below it to be seen
    single = posterior_figure([one for one in found if one.arm.key == "ticket"], "title")
    assert "controls" not in single.legends[0].get_title().get_text()


# The moments of a training


def add_trainings(folder, metrics=("accuracy", "mace"), tested=True):
    """A training of each evaluation, its test accuracy best at the second of three evaluations."""
    manifest = json.loads((folder / "manifest.json").read_text())
    evaluations = [step for step in manifest["steps"] if step["kind"] == "evaluate"]
    for number, step in enumerate(evaluations):
        rows = []
        for n, (validation, test) in enumerate([(0.8, 0.70), (0.7, 0.80), (0.9, 0.75)]):
            seen = {"test": dict.fromkeys(metrics, test + 0.02 * step["label"]["seed"])} if tested else {}
            rows.append({"iteration": 10 * (n + 1), "accuracy": validation, **seen})
        rows.append({**rows[0], "iteration": 40})
        at = folder.parents[1] / "steps" / f"train-{number}"
        at.mkdir()
        result = {"density": 0.5 ** step["label"]["level"], "history": rows, "seconds": {"training": 1.0}}
        (at / "result.json").write_text(json.dumps({"result": result}))
        manifest["steps"].append({"kind": "train", "folder": at.name, "fingerprint": "0", "label": step["label"]})
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_three_moments_stand_beside_one_another(folder):
    add_trainings(folder)
    found = recorded_trainings(read_run(folder))
    assert len(found) == 12
    assert [row[0] for row in best_epochs_table(found, levels=[0])[1]] == ["100.0%"]
    header, rows = best_epochs_table(found, levels=[0, 1, 2])
    assert header[2:] == [f"{moment}\naccuracy  MACE" for moment in CRITERIA]
    assert rows[0] == ["100.0%", "dense", "71.00% 71.0%", "76.00% 76.0%", "81.00% 81.0%"]
    assert [row[1] for row in rows] == ["dense", "IMP ticket", "re-initialised", "signs kept", "IMP ticket"]
    table = list(csv.DictReader(io.StringIO(best_epochs_csv(found))))
    assert [(row["moment"], row["iteration"], row["test_accuracy"]) for row in table[:3]] == [
        ("last", "40", "0.7"),
        ("best by validation", "30", "0.75"),
        ("best by test", "20", "0.8"),
    ]


def test_trainings_that_did_not_look_at_test_rows_are_left_out(folder):
    add_trainings(folder, tested=False)
    assert recorded_trainings(read_run(folder)) == []


def test_a_report_has_all_of_it_and_prints_it(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    add_trainings(folder)
    written = write_report([read_run(folder)])
    new = {"uncertainty.png", "posterior.pdf", "uncertainty.csv", "posterior.csv", "moments.csv"}
    assert new <= set(written.files) == {path.name for path in written.folder.iterdir()}
    show_report(written, as_json=False, quiet=False)
    said = capsys.readouterr().out
    for text in ("epistemic", "passes are no replicates", "best by test", "so too high"):
        assert text in said.replace("\n", " ")
    show_report(written, as_json=True, quiet=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed["moments"] == [record_of(one) for one in written.best_epochs]
    assert len(printed["uncertainty"]) == 12
    without = folder.parent / "a-1" / "manifest.json"
    steps = [step for step in json.loads(without.read_text())["steps"] if step["kind"] == "evaluate"][-1:]
    without.write_text(json.dumps({"steps": steps}))
    left = write_report([read_run(folder)])
    assert {path.name for path in left.folder.iterdir()} == set(left.files)
    assert not new & set(left.files)
