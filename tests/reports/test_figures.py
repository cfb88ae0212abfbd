import io
import warnings

import numpy as np
import pytest

from tfticket.reports.figures import accuracy_figure
from tfticket.reports.rows import ARM_NAMES, Row
from tfticket.reports.tables import summarise


def rows(run="r-1", levels=(0, 1, 2), seeds=(0, 1), base=0.5):
    found = []
    for level in levels:
        for arm in ("ticket", "reinitialise") if level == 1 else ("ticket",):
            for seed in seeds:
                metrics = {"accuracy": 0.9 - 0.01 * level - 0.02 * seed - 0.1 * (arm != "ticket"), "nll": 0.3}
                found.append(
                    Row(
                        run, arm, ARM_NAMES[arm], seed, level, base**level, "MNIST, 100 training rows", metrics, metrics
                    )
                )
    return found


def lines_of(figure):
    (axes,) = figure.axes
    return {line.get_label(): line for line in axes.get_lines()}


def test_lines_show_the_means_of_each_arm():
    lines = lines_of(accuracy_figure(summarise(rows()), "title", "legend"))
    assert set(lines) == {"IMP ticket", "re-initialised", "dense"}
    np.testing.assert_allclose(lines["IMP ticket"].get_xdata(), [100, 50, 25])
    np.testing.assert_allclose(lines["IMP ticket"].get_ydata(), [89, 88, 87])
    np.testing.assert_allclose(lines["re-initialised"].get_xydata(), [[50, 78]])
    np.testing.assert_allclose(lines["dense"].get_ydata(), 89)


def test_bands_reach_from_the_lowest_to_the_highest_seed():
    (axes,) = accuracy_figure(summarise(rows()), "title", "legend").axes
    band = axes.collections[0].get_paths()[0].vertices
    for density, low, high in [(100, 88, 90), (50, 87, 89), (25, 86, 88)]:
        heights = band[np.isclose(band[:, 0], density), 1]
        assert (heights.min(), heights.max()) == pytest.approx((low, high))


def test_the_axis_is_logarithmic_and_runs_from_dense_to_sparse():
    (axes,) = accuracy_figure(summarise(rows(base=0.1)), "title", "legend").axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] > axes.get_xlim()[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weights remaining (%)", "test accuracy (%)")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["100", "50", "20", "10", "5", "2", "1"]


def test_the_title_stands_above_the_axes_and_the_legends_above_its_entries():
    (axes,) = accuracy_figure(summarise(rows()), "one\ntwo", "mean of 2").axes
    assert axes.get_title(loc="left") == "one\ntwo"
    legend = axes.get_legend()
    assert legend.get_title().get_text() == "mean of 2"
    assert [text.get_text() for text in legend.get_texts()] == ["IMP ticket", "re-initialised", "dense"]


def test_several_runs_have_a_line_each_with_a_look_of_its_own():
    lines = lines_of(accuracy_figure(summarise(rows("r-1") + rows("r-2")), "title", "legend"))
    assert set(lines) == {f"{arm} ({run})" for arm in ("IMP ticket", "re-initialised") for run in ("r-1", "r-2")}
    assert len({(line.get_color(), line.get_marker()) for line in lines.values()}) == len(lines)


@pytest.mark.parametrize(
    "few",
    [
        rows(levels=[0], seeds=[0]),
        rows(levels=[3], seeds=[0]),
        rows(levels=range(12)),
    ],
)
@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_any_amount_of_results_is_drawn_without_a_warning(few, kind):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accuracy_figure(summarise(few), "title", "legend").savefig(buffer, format=kind)
    assert buffer.getvalue().startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[kind])
