"""What reports say of Monte Carlo tickets: fits, histograms, learning curves, claims C1 to C6."""

import dataclasses
import json

import numpy as np
import pytest

from tfticket.reports.curves import curves_of, learning_figure, shown_curves
from tfticket.reports.papers import C1, C2, C3, C4, C5, C6, claims_of
from tfticket.reports.portraits import connectivity_figure, fits_of, portraits_of, weights_figure
from tfticket.reports.rows import read_run, rows_of

MAGNITUDE, CONNECTIVITY, PRINTED = (
    f"monte-carlo {how}" for how in ("magnitude", "connectivity", "magnitude, as printed")
)
ACCURACY = {"ticket": 0.70, "shuffle-layerwise": 0.66, MAGNITUDE: 0.69, CONNECTIVITY: 0.695, PRINTED: 0.5}
SEEDS = range(5)


def histogram(layers, seed):
    return {layer: {"weights": [seed, 1] * 30, "connectivity": [1, seed] * 20} for layer in layers}


@pytest.fixture
def run(make_run):
    """Five seeds of every arm at level 2, with their trainings, fits and draws."""
    evaluations = [("ticket", seed, 0) for seed in SEEDS]
    for seed in SEEDS:
        for arm, accuracy in ACCURACY.items():
            evaluations.append((arm, seed, 2, {"test": {"accuracy": accuracy + 0.001 * seed}}))
    folder = make_run("a-1", evaluations=evaluations, model="conv-4")
    manifest = json.loads((folder / "manifest.json").read_text())
    steps = manifest["steps"]

    def add(kind, label, result):
        step = folder.parents[1] / "steps" / f"{kind}-{len(steps)}"
        step.mkdir()
        (step / "result.json").write_text(json.dumps({"fingerprint": "0", "result": result}))
        steps.insert(1, {"kind": kind, "folder": step.name, "fingerprint": str(len(steps)), "label": label})

    for seed in SEEDS:
        where = {"seed": seed, "level": 2}
        for level, arm, speed in [(0, "ticket", 0.3), *((2, arm, accuracy / 2) for arm, accuracy in ACCURACY.items())]:
            rows = [{"iteration": 10 * n, "accuracy": speed + 0.01 * n + 0.001 * seed} for n in (1, 2, 3)]
            add("train", {"arm": arm, "seed": seed, "level": level}, {"history": rows})
        fit = {"intercept": -2.0 - seed, "slopes": [1.0 + seed], "weights": 100, "survivors": 20}
        both = fit | {"slopes": [1.0 + seed, 0.5]}
        result = {
            "fits": {"dense": {"magnitude": fit, "connectivity": both}},
            "relative_magnitude": {"conv_1": 1.4, "dense_1": 1.2, "dense_2": None},
            "histograms": {arm: histogram(("conv_1", "dense_1"), seed) for arm in ("dense", "ticket", "uniform")},
        }
        add("fit", where, result)
        add("draw", where | {"arm": MAGNITUDE}, {"histograms": histogram(("conv_1", "dense_1"), seed)})
    (folder / "manifest.json").write_text(json.dumps(manifest))
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
        (C6, [0.045, 0.015, 0.0475, 0.0175]),
    ):
        found = claims[claim].differences.values()
        assert [len(values) for values in found] == [5] * len(means)
        np.testing.assert_allclose([np.mean(values) for values in found], means, atol=1e-9)
    assert not any("as printed" in member for one in claims.values() for member in one.differences)


def test_monte_carlo_tickets_are_no_controls(run):
    differences = next(one for one in claims_of(rows_of(run)) if one.claim.startswith("B5")).differences
    assert list(differences) == ["shuffled layerwise at 25.0 %"]


def test_conv_2_says_nothing_of_claim_c3(run):
    rows = [dataclasses.replace(row, network="conv-2") for row in rows_of(run)]
    assert C3 not in {one.claim for one in claims_of(rows)}


def test_models_of_survival_are_means_over_seeds(run):
    magnitude, connectivity = fits_of(run)
    assert (magnitude.layers, magnitude.by, magnitude.seeds) == ("dense", "magnitude", 5)
    assert (magnitude.intercept, magnitude.magnitude, magnitude.connectivity) == (-4.0, 3.0, None)
    assert connectivity.connectivity == 0.5
    assert magnitude.survivors == pytest.approx(0.2)


def test_histograms_are_summed_over_seeds_and_drawn(run):
    portraits = portraits_of(run)
    assert {(one.arm, one.layer) for one in portraits} == {
        (arm, layer) for arm in ("dense", "ticket", "uniform", MAGNITUDE) for layer in ("conv_1", "dense_1")
    }
    np.testing.assert_array_equal(portraits[0].weights, [10, 5] * 30)
    names = [text.get_text() for text in weights_figure(portraits, "title").legends[0].get_texts()]
    assert names == ["all weights", "IMP ticket", "Monte Carlo (magnitude)"]
    figure = connectivity_figure(portraits, "title")
    assert [axes.get_title("left") for axes in figure.axes] == ["dense_1"]  # the first is drawn by magnitude alone
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["IMP ticket", "random mask", "Monte Carlo (magnitude)"]


def test_learning_curves_are_means_over_seeds(run):
    curves = curves_of(run)
    assert len(curves) == 5 * 6
    (axes,) = learning_figure(shown_curves(curves), "title").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines)[:2] == ["unpruned", "IMP ticket"]
    np.testing.assert_allclose(lines["unpruned"].get_ydata(), [31.2, 32.2, 33.2])
    np.testing.assert_array_equal(lines["IMP ticket"].get_xdata(), [10, 20, 30])
