"""What reports say of Monte Carlo tickets: fits, histograms, learning curves, claims C1 to C6."""

import dataclasses
import json

import numpy as np
import pytest

from tfticket.arms import Arm
from tfticket.cli.console import show_closeness
from tfticket.cli.monte_carlo import _sampler_file
from tfticket.data import sources
from tfticket.errors import InputError
from tfticket.reports.claims.decision import decide
from tfticket.reports.claims.paper_c import C1, C2, C3, C4, C5, C6
from tfticket.reports.claims.papers import claims_of
from tfticket.reports.figures.learning_curves import curves_of, learning_figure, shown_curves
from tfticket.reports.figures.survivors import connectivity_figure, survivor_histograms, weights_figure
from tfticket.reports.report import write_report
from tfticket.reports.rows import rows_of
from tfticket.reports.tables.survival_models import closeness_of, fits_of
from tfticket.runs.run_folder import read_run

MAGNITUDE, CONNECTIVITY, PRINTED = (
    f"monte-carlo {how}" for how in ("magnitude", "connectivity", "magnitude, as printed")
)
ACCURACY = {"ticket": 0.70, "shuffle-layerwise": 0.66, MAGNITUDE: 0.69, CONNECTIVITY: 0.695, PRINTED: 0.5}
SEEDS = range(5)


def histogram(layers, seed):
    return {layer: {"weights": [seed, 1] * 30, "connectivity": [1, seed] * 20} for layer in layers}


def closeness(layer_density, seed, **changes):
    layer = {"density": layer_density, "ticket_density": 0.2, "ks_weights": 0.01 * seed, "ks_connectivity": 0.3}
    return layer | changes


def add(folder, kind, label, result):
    """A step more, after the run's first."""
    manifest = json.loads((folder / "manifest.json").read_text())
    steps = manifest["steps"]
    step = folder.parents[1] / "steps" / f"{kind}-{len(steps)}"
    step.mkdir()
    (step / "result.json").write_text(json.dumps({"fingerprint": "0", "result": result}))
    steps.insert(1, {"kind": kind, "folder": step.name, "fingerprint": str(len(steps)), "label": label})
    (folder / "manifest.json").write_text(json.dumps(manifest))


def fit_of(seed, slope=1.0):
    fit = {"intercept": -2.0 - seed, "slopes": [slope + seed], "weights": 100, "survivors": 20}
    return {
        "fits": {"dense": {"magnitude": fit, "connectivity": fit | {"slopes": [slope + seed, 0.5]}}},
        "relative_magnitude": {"conv_1": 1.4, "dense_1": 1.2, "dense_2": None, "exempt": 1.0},
        "histograms": {arm: histogram(("conv_1", "dense_1"), seed) for arm in ("dense", "ticket", "uniform")},
    }


@pytest.fixture
def run(make_run):
    """Five seeds of every arm at level 2, with their trainings, fits and draws."""
    evaluations = [("ticket", seed, 0) for seed in SEEDS]
    for seed in SEEDS:
        for arm, accuracy in ACCURACY.items():
            evaluations.append((arm, seed, 2, {"test": {"accuracy": accuracy + 0.001 * seed}}))
    data = {"data": {"name": "cifar-10-jpeg"}, "contents": sources.cifar_10_jpeg.contents}
    folder = make_run("a-1", evaluations=evaluations, model="conv-4", **data)
    for seed in SEEDS:
        where = {"seed": seed, "level": 2}
        for level, arm, speed in [(0, "ticket", 0.3), *((2, arm, accuracy / 2) for arm, accuracy in ACCURACY.items())]:
            rows = [{"iteration": 10 * n, "accuracy": speed + 0.01 * n + 0.001 * seed} for n in range(1, 9)]
            add(folder, "train", {"arm": arm, "seed": seed, "level": level}, {"history": rows})
        add(folder, "fit", where, fit_of(seed))
        layers = {
            "conv_1": closeness(0.25, seed),
            "dense_1": closeness(0.15, seed, **({"ks_connectivity": None} if seed == 3 else {})),
        }
        drawn = {"histograms": histogram(layers, seed), "layers": layers}
        add(folder, "draw", where | {"arm": MAGNITUDE, "replicate": 0}, drawn)
    return read_run(folder)


def test_claims_about_monte_carlo_tickets_are_paired_by_seed(run):
    claims = {one.claim: one for one in claims_of(rows_of(run))}
    assert {C1, C2, C3, C4, C5, C6} <= set(claims)
    for claim, means in (
        (C1, [-0.01, -0.005]),
        (C2, [0.03, 0.035]),
        (C3, [-0.01, -0.005]),
        (C4, [0.005]),
        (C5, [0.3]),
    ):
        found = claims[claim].differences.values()
        assert [len(values) for values in found] == [5] * len(means)
        np.testing.assert_allclose([np.mean(values) for values in found], means, atol=1e-9)
    assert not any("as printed" in member for one in claims.values() for member in one.differences)


def test_monte_carlo_tickets_are_no_controls(run):
    differences = next(one for one in claims_of(rows_of(run)) if one.claim.startswith("B5")).differences
    assert list(differences) == ["shuffled layerwise at 25.0 %"]


@pytest.mark.parametrize("network", ["conv-2", "lenet-5", "my_package.my_module:build"])
def test_of_other_networks_claim_c3_is_measured_and_not_decided(run, network):
    rows = [dataclasses.replace(row, network=network) for row in rows_of(run)]
    expected, found = ({one.claim: one for one in claims_of(some)}[C3] for some in (rows_of(run), rows))
    assert found.differences == expected.differences
    said = f"outside the paper's scope: here {network}; the claim is about Conv-4 and Conv-6"
    assert [reason for reason in found.reasons if reason not in expected.reasons] == [said]


def rewrite_histories(run, change):
    for step in run.steps("train"):
        file = step.path / "result.json"
        record = json.loads(file.read_text())
        record["result"]["history"] = change(step.label, record["result"]["history"])
        file.write_text(json.dumps(record))


def verdicts(run):
    return {decision.comparison.claim: decision.verdict for decision in decide(claims_of(rows_of(run)))}


def test_while_curves_rise_monte_carlo_claims_are_withheld(run):
    reasons = {one.claim: one.reasons for one in claims_of(rows_of(run))}
    assert all("trainings still rise: 2 points in the last quarter" in reasons[claim][0] for claim in (C1, C2, C4, C5))
    assert {verdicts(run)[claim] for claim in (C1, C2, C3, C4, C5, C6)} == {"withheld"}
    rewrite_histories(run, lambda label, history: [{**row, "accuracy": 0.5} for row in history])
    assert "withheld" not in verdicts(read_run(run.folder)).values()


def test_of_too_few_evaluations_it_is_not_known_whether_curves_rise(run):
    rewrite_histories(run, lambda label, history: history[:3])
    claims = {one.claim: one for one in claims_of(rows_of(run))}
    assert C6 not in claims
    assert all("not recorded" in claims[claim].reasons[0] for claim in (C1, C2, C4, C5))


def test_learning_faster_is_reaching_the_own_plateau_sooner(run):
    """Monte Carlo tickets get there after 20, unpruned networks and random masks after 40 of 80 iterations."""

    def curve(label, history):
        start = 2 if label["arm"].control == "monte-carlo" else 4
        top = 0.3 if label["arm"].control == "monte-carlo" else 0.6
        return [{"iteration": 10 * n, "accuracy": top if n >= start else 0.001 * label["seed"]} for n in range(1, 9)]

    rewrite_histories(run, curve)
    claim = {one.claim: one for one in claims_of(rows_of(run))}[C6]
    assert claim.reasons == []
    assert claim.unit == "%"
    assert list(claim.differences) == [
        f"Monte Carlo ({how}) - {other} at 25.0 %"
        for how in ("magnitude", "connectivity")
        for other in ("unpruned", "shuffled layerwise")
    ]
    for values in claim.differences.values():
        np.testing.assert_allclose(values, 1 - 19.7 / 39.7, atol=1e-3)
    assert verdicts(run)[C6] == "holds"


def test_a_ticket_without_a_pruned_layer_has_no_claim_c5(run):
    for seed in SEEDS:
        whole = fit_of(seed) | {"relative_magnitude": {"conv_1": 1.0, "dense_1": 1.0}}
        for step in run.steps("fit"):
            if step.label["seed"] == seed:
                file = step.path / "result.json"
                file.write_text(json.dumps({"fingerprint": "0", "result": whole}))
    assert C5 not in {one.claim for one in claims_of(rows_of(run))}


def test_kinds_of_other_numbers_of_images_are_compared_too(run):
    rows = [
        dataclasses.replace(row, arm=Arm.parse(f"{row.arm}, 5000 images")) if row.arm.key == CONNECTIVITY else row
        for row in rows_of(run)
    ]
    (difference,) = next(one for one in claims_of(rows) if one.claim == C4).differences.values()
    np.testing.assert_allclose(difference, 0.005)


def test_models_of_survival_are_means_over_seeds(run):
    magnitude, connectivity = fits_of(run)
    assert (magnitude.layers, magnitude.by, magnitude.seeds) == ("dense", "magnitude", 5)
    assert (magnitude.intercept, magnitude.magnitude, magnitude.connectivity) == (-4.0, 3.0, None)
    assert connectivity.connectivity == 0.5
    assert magnitude.survivors == pytest.approx(0.2)


def test_one_ticket_with_several_numbers_of_images_is_one_seed_and_counts_once(run):
    expected = survivor_histograms(run)
    for seed in SEEDS:
        add(run.folder, "fit", {"seed": seed, "level": 2, "images": 50}, fit_of(seed, slope=2.0))
    found = read_run(run.folder)
    assert {(one.by, one.magnitude, one.seeds) for one in fits_of(found)} == {
        ("magnitude", 3.0, 5),
        ("connectivity", 3.0, 5),
        ("magnitude, 50 images", 4.0, 5),
        ("connectivity, 50 images", 4.0, 5),
    }
    for ours, theirs in zip(survivor_histograms(found), expected, strict=True):
        assert (ours.arm.key, ours.layer) == (theirs.arm.key, theirs.layer)
        np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_a_runs_samplers_are_told_apart_and_missed_by_name(run, make_run, tmp_path):
    add(run.folder, "fit", {"seed": 0, "level": 2, "images": 50}, fit_of(0))
    with pytest.raises(InputError, match=r"(?s)a-1 has 6 samplers.*fit-\d+: seed 0, level 2, 50 images\n"):
        _sampler_file("a-1", tmp_path)
    make_run("b-1", evaluations=[("ticket", 0, 0)])
    with pytest.raises(InputError, match=r"b-1 has none: it has no Monte Carlo tickets; `tfticket mc-fit` fits"):
        _sampler_file("b-1", tmp_path)


def test_closeness_is_a_mean_over_seeds_layer_by_layer(run, capsys):
    label = {"seed": 0, "level": 2, "arm": MAGNITUDE, "replicate": 1}
    add(run.folder, "draw", label, {"histograms": {}, "layers": {"conv_1": closeness(0.35, 10)}})
    add(run.folder, "draw", label | {"level": 1}, {"histograms": {}, "layers": {"conv_1": closeness(0.9, 10)}})
    conv, dense = sorted(closeness_of(read_run(run.folder)), key=lambda one: one.layer)
    assert (conv.arm.key, conv.layer, conv.seeds) == (MAGNITUDE, "conv_1", 5)
    assert conv.density == pytest.approx((0.3 + 4 * 0.25) / 5)  # replicates first, then seeds
    assert conv.ks_weights == pytest.approx(0.01 * (5 + 1 + 2 + 3 + 4) / 5)
    assert (dense.ticket_density, dense.ks_connectivity) == (pytest.approx(0.2), None)
    show_closeness([conv, dense])
    said = capsys.readouterr().out
    assert [line.split()[-5:] for line in said.splitlines() if "dense_1" in line] == [
        ["dense_1", "15.00%", "20.00%", "0.020", "-"]
    ]
    assert "KS: Kolmogorov-Smirnov distances" in said


def test_a_report_has_closeness_beside_its_fits(run):
    report = write_report([run])
    assert report.closeness == closeness_of(run)
    assert report.fits == fits_of(run)


def test_histograms_are_summed_over_seeds_and_drawn(run):
    histograms = survivor_histograms(run)
    assert {(one.arm.key, one.layer) for one in histograms} == {
        (arm, layer) for arm in ("dense", "ticket", "uniform", MAGNITUDE) for layer in ("conv_1", "dense_1")
    }
    np.testing.assert_array_equal(histograms[0].weights, [10, 5] * 30)
    names = [text.get_text() for text in weights_figure(histograms, "title").legends[0].get_texts()]
    assert names == ["all weights", "IMP ticket", "Monte Carlo (magnitude)"]
    figure = connectivity_figure(histograms, "title")
    assert [axes.get_title("left") for axes in figure.axes] == ["dense_1"]  # the first is drawn by magnitude alone
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["IMP ticket", "random mask", "Monte Carlo (magnitude)"]


def test_learning_curves_are_means_over_seeds(run):
    curves = curves_of(run)
    assert len(curves) == 5 * 6
    (axes,) = learning_figure(shown_curves(curves), "title").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines)[:2] == ["dense", "IMP ticket"]
    np.testing.assert_allclose(lines["dense"].get_ydata(), 31.2 + np.arange(8))
    np.testing.assert_array_equal(lines["IMP ticket"].get_xdata(), range(10, 90, 10))
