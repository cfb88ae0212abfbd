"""Reports of Monte Carlo tickets: models of survival, distances, histograms, learning curves."""

import numpy as np
import pytest

from tests.reports.conftest import add_step
from tfticket.cli.console import show_closeness
from tfticket.cli.mc_commands import _sampler_file
from tfticket.errors import InputError
from tfticket.reports.figures.learning_curves import curves_of, learning_figure, shown_curves
from tfticket.reports.figures.survivors import connectivity_figure, survivor_histograms, weights_figure
from tfticket.reports.tables.survival_models import closeness_of, fits_of, fits_table
from tfticket.runs.run_folder import read_run

MAGNITUDE = "monte-carlo magnitude"
SEEDS = range(5)


def histogram(layers, seed):
    return {layer: {"weights": [seed, 1] * 30, "connectivity": [1, seed] * 20} for layer in layers}


def closeness(density, seed, **changes):
    return {"density": density, "ticket_density": 0.2, "ks_weights": 0.01 * seed, "ks_connectivity": 0.3} | changes


def fit_of(seed, slope=1.0):
    fit = {"intercept": -2.0 - seed, "slopes": [slope + seed], "weights": 100, "survivors": 20}
    fits = {"dense": {"magnitude": fit, "connectivity": fit | {"slopes": [slope + seed, 0.5]}}}
    histograms = {arm: histogram(("conv_1", "dense_1"), seed) for arm in ("dense", "ticket", "uniform")}
    return {"fits": fits, "relative_magnitude": {"conv_1": 1.4}, "histograms": histograms}


@pytest.fixture
def folder(make_run):
    """Trainings, fits and draws of five seeds at level 2."""
    folder = make_run("a-1", evaluations=[("ticket", seed, 0) for seed in SEEDS])
    for seed in SEEDS:
        for arm, level in (("ticket", 0), (MAGNITUDE, 2), ("ticket", 2), ("bayesian-snr", 0), (MAGNITUDE, 1)):
            rows = [{"iteration": 10 * n, "accuracy": 0.3 + 0.01 * n + 0.001 * seed + 0.1 * level} for n in range(1, 9)]
            add_step(folder, "train", {"arm": arm, "seed": seed, "level": level}, {"history": rows})
        add_step(folder, "fit", {"seed": seed, "level": 2}, fit_of(seed))
        unknown = {"ks_connectivity": None} if seed == 3 else {}
        layers = {"conv_1": closeness(0.25, seed), "dense_1": closeness(0.15, seed, **unknown)}
        drawn = {"histograms": histogram(layers, seed), "layers": layers}
        add_step(folder, "draw", {"seed": seed, "level": 2, "arm": MAGNITUDE, "replicate": 0}, drawn)
    return folder


def test_models_of_survival_are_means_over_seeds_and_a_ticket_counts_once(folder):
    magnitude, connectivity = fits_of(read_run(folder))
    assert (magnitude.layers, magnitude.by, magnitude.seeds) == ("dense", "magnitude", 5)
    assert (magnitude.intercept, magnitude.magnitude, magnitude.connectivity) == (-4.0, 3.0, None)
    assert fits_table([connectivity])[1] == [["dense", "connectivity", "-4", "+3", "+0.5", "20.0%"]]
    histograms = survivor_histograms(read_run(folder))
    for seed in SEEDS:
        add_step(folder, "fit", {"seed": seed, "level": 2, "images": 50}, fit_of(seed, slope=2.0))
        add_step(folder, "fit", {"seed": seed, "level": 1}, fit_of(seed, slope=9.0))
    run = read_run(folder)
    assert {(fit.by, fit.magnitude, fit.seeds) for fit in fits_of(run)} == {
        *(("magnitude", 3.0, 5), ("connectivity", 3.0, 5)),
        *(("magnitude, 50 images", 4.0, 5), ("connectivity, 50 images", 4.0, 5)),
    }
    for ours, theirs in zip(survivor_histograms(run), histograms, strict=True):
        assert (ours.arm, ours.layer, ours.weights.tolist()) == (theirs.arm, theirs.layer, theirs.weights.tolist())


def test_samplers_of_a_run_are_listed_where_there_are_several_or_none(folder, make_run, tmp_path):
    with pytest.raises(InputError, match=r"(?s)5 survival models.*fit-\S+: seed 0, level 2"):
        _sampler_file("a-1", tmp_path)
    make_run("b-1", evaluations=[("ticket", 0, 0)])
    with pytest.raises(InputError, match=r"b-1 has no survival model.*tfticket mc-fit"):
        _sampler_file("b-1", tmp_path)


def test_closeness_is_a_mean_over_seeds_by_layer(folder, capsys):
    label = {"seed": 0, "level": 2, "arm": MAGNITUDE, "replicate": 1}
    add_step(folder, "draw", label, {"histograms": {}, "layers": {"conv_1": closeness(0.35, 10)}})
    add_step(folder, "draw", label | {"level": 1}, {"histograms": {}, "layers": {"conv_1": closeness(0.9, 10)}})
    conv, dense = sorted(closeness_of(read_run(folder)), key=lambda layer: layer.layer)
    assert (conv.arm.key, conv.layer, conv.seeds) == (MAGNITUDE, "conv_1", 5)
    assert conv.density == pytest.approx((0.3 + 4 * 0.25) / 5)  # replicates first, then seeds
    assert conv.ks_weights == pytest.approx(0.01 * (5 + 1 + 2 + 3 + 4) / 5)
    assert (dense.ticket_density, dense.ks_connectivity) == (pytest.approx(0.2), None)
    show_closeness([conv, dense])
    lines = [line.split()[-5:] for line in capsys.readouterr().out.splitlines() if "dense_1" in line]
    assert lines == [["dense_1", "15.00%", "20.00%", "0.020", "-"]]


def test_histograms_are_summed_over_seeds_and_drawn(folder):
    histograms = survivor_histograms(read_run(folder))
    assert {(each.arm.key, each.layer) for each in histograms} == {
        (arm, layer) for arm in ("dense", "ticket", "uniform", MAGNITUDE) for layer in ("conv_1", "dense_1")
    }
    np.testing.assert_array_equal(histograms[0].weights, [10, 5] * 30)
    weights, connectivity = (draw(histograms, "title") for draw in (weights_figure, connectivity_figure))
    names = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in (weights, connectivity)]
    assert names[0] == ["all weights", "IMP ticket", "Monte Carlo (magnitude)"]
    assert names[1] == ["IMP ticket", "random mask", "Monte Carlo (magnitude)"]
    assert [axes.get_title("left") for axes in connectivity.axes] == ["dense_1"]  # the first is drawn by magnitude
    density = weights.axes[0].patches[0].get_data()
    assert np.sum(density.values * np.diff(density.edges)) == pytest.approx(1)


def test_learning_curves_are_means_and_ranges_over_seeds(folder):
    curves = curves_of(read_run(folder))
    assert len(curves) == 5 * 5
    (axes,) = learning_figure(shown_curves(curves), "title").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["dense", "dense, Bayesian", "IMP ticket"]  # and no controls of several ways of pruning
    np.testing.assert_allclose(lines["dense"].get_ydata(), 31.2 + np.arange(8))
    np.testing.assert_allclose(lines["IMP ticket"].get_xydata()[:, 0], range(10, 90, 10))
    band = axes.collections[0].get_paths()[0].vertices
    heights = band[np.isclose(band[:, 0], 10), 1]
    assert (heights.min(), heights.max()) == pytest.approx((31.0, 31.4))
