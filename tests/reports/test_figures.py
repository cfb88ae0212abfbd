"""Figures of metrics, reliability and controls: what their lines show, in which unit and style."""

import io
import warnings
from dataclasses import replace

import numpy as np
import pytest

from tests.reports.conftest import row
from tests.reports.test_tables import of_trunks
from tfticket.arms import CONTROL_NAMES, Arm
from tfticket.evaluation.metrics import BINS, METRICS
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.learning_curves import Curve, learning_figure, shown_curves
from tfticket.reports.figures.metric_curves import controls_figure, has_controls, metric_figure
from tfticket.reports.figures.number_axes import LogTicks, Numbers
from tfticket.reports.figures.reliability import reliability_figure
from tfticket.reports.grouping import without_controls
from tfticket.reports.tables.cells import summarise


def rows(levels=(0, 1, 2), seeds=(0, 1), base=0.5, arms=("reinitialise",), controlled=(1,), **fields):
    """Tickets at each level, other arms at the controlled ones."""
    some = []
    for level in levels:
        for arm in ("ticket", *arms) if level in controlled else ("ticket",):
            for seed in seeds:
                accuracy = 0.9 - 0.01 * level - 0.02 * seed - 0.1 * (arm != "ticket")
                metrics = dict.fromkeys(METRICS, 0.1 * (level + 1)) | {"accuracy": accuracy}
                some.append(row(arm, seed, level, test=metrics, validation=metrics, density=base**level, **fields))
    return some


def axes_of(some, metric="accuracy"):
    (axes,) = metric_figure(summarise(some), metric, "title", "legend").axes
    return axes


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def bins(**filled):
    """Bins, of which some hold (rows, confidence, accuracy): bins(b9=(8, 0.95, 0.9))."""
    record = {"count": [0] * BINS, "confidence": [None] * BINS, "accuracy": [None] * BINS}
    for name, values in filled.items():
        for field, value in zip(record.values(), values, strict=True):
            field[int(name[1:])] = value
    return record


def diagrams_of(some):
    """Draw reliability diagrams; return title -> number of lines besides the diagonal."""
    axes = reliability_figure(some, "title", "legend").axes
    return {title: len(each.get_lines()) - 1 for each in axes if (title := each.get_title(loc="left"))}


def test_lines_have_the_means_of_each_arm_and_bands_the_range_over_seeds():
    axes = axes_of(rows())
    lines = lines_of(axes)
    assert set(lines) == {"IMP ticket", "re-initialised", "dense"}
    np.testing.assert_allclose(lines["IMP ticket"].get_xydata(), [[100, 89], [50, 88], [25, 87]])
    np.testing.assert_allclose(lines["re-initialised"].get_xydata(), [[50, 78]])
    np.testing.assert_allclose(lines["dense"].get_ydata(), 89)
    band = axes.collections[0].get_paths()[0].vertices
    for density, low, high in [(100, 88, 90), (50, 87, 89), (25, 86, 88)]:
        heights = band[np.isclose(band[:, 0], density), 1]
        assert (heights.min(), heights.max()) == pytest.approx((low, high))
    for metric in METRICS.keys() - {"accuracy"}:
        factor = 100 if metric in ("ece", "mace") else 1
        axes = axes_of(rows(), metric)
        np.testing.assert_allclose(lines_of(axes)["IMP ticket"].get_ydata(), factor * np.array([0.1, 0.2, 0.3]))
        assert ("%" in axes.get_ylabel()) == (factor == 100)


def test_numbers_of_an_axis_are_distinct_and_of_one_form():
    for low, high in [(0.1, 8e6), (1.1, 1.9), (3e-7, 40)]:
        ticks = LogTicks().tick_values(low, high)
        assert 2 <= len(ticks) == len(set(Numbers().format_ticks(ticks))) <= 9
    assert Numbers().format_ticks([1.4, 1.35, -1.0]) == ["1.40", "1.35", "−1.00"]
    assert Numbers().format_ticks([0.00005, 0.0001, 0.1, 1]) == ["0.00005", "0.0001", "0.1", "1"]
    assert Numbers().format_ticks([0.0, 2e6, -1e-7]) == ["0", "2·10⁶", "−10⁻⁷"]
    assert Numbers(large=float("inf")).format_ticks([0.0, 2e6]) == ["0", "2,000,000"]


ALL_ARMS = (*CONTROL_NAMES, "reinitialise he_normal", "random-mask 0.2", "random-mask 0.1", "mine 2", "mine", "another")


def test_any_number_of_results_is_drawn_without_a_warning():
    record = bins(b4=(9, 0.45, 0.4), b9=(81, 0.95, 0.9))
    many = {"levels": range(12), "controlled": range(1, 12), "arms": ALL_ARMS[:7]}
    for options in ({"levels": [3]}, many):
        some = rows(**options, base=0.66, seeds=[0], reliability=record)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for figure in (axes_of(some).figure, reliability_figure(some, "title", "legend")):
                figure.savefig(io.BytesIO(), format="pdf")


def styles_for(names, runs=("r",)):
    """(run, arm) -> colour, marker, line, fill."""
    parts, styles = ("color", "marker", "ls", "mfc"), arm_styles((run, Arm.parse(arm)) for run in runs for arm in names)
    return {(run, arm.key): tuple(map(style.get, parts)) for (run, arm), style in styles.items()}


def test_arms_runs_and_options_have_styles_of_their_own():
    snr = ("bayesian-snr", "bayesian-snr-lrr", "bayesian-snr reinitialise")
    for names, runs in (
        *((("ticket", *ALL_ARMS), "r"), ([f"random-mask 0.{n}" for n in range(8)], "r")),
        *((("ticket", "reinitialise"), "abcdefgh"), (("ticket", "reinitialise", *snr), "rs")),
    ):
        styles = styles_for(names, runs)
        assert len(set(styles.values())) == len(styles) == len(names) * len(runs)
        for name in names:  # an arm has one colour in all runs
            assert len({styles[run, name][0] for run in runs}) == 1
    rewound = styles_for(("ticket", "bayesian-snr", "bayesian-snr-lrr", "deterministic-magnitude-lrr"))
    for plain, other in (("bayesian-snr", "bayesian-snr-lrr"), ("ticket", "deterministic-magnitude-lrr")):
        assert rewound["r", other][:2] == rewound["r", plain][:2]  # the colour of the score, by another line
    together = styles_for(("ticket", *ALL_ARMS))
    assert styles_for((*ALL_ARMS[::-1], "ticket")) == together
    for name in ("ticket", *CONTROL_NAMES):  # whatever other arms there are
        assert styles_for((name,))["r", name][:2] == together["r", name][:2]


def test_figures_of_a_report_share_styles_and_names_and_leave_controls_to_their_own():
    cells, some = summarise(of_trunks()), of_trunks()
    curves = [Curve(each.arm, each.name, each.seed, each.level, (1, 2), (0.5, 0.6)) for each in some if each.level]
    figures = [metric_figure(without_controls(cells), "accuracy", "title", "legend")]
    figures += [learning_figure(shown_curves(curves), "title"), controls_figure(cells, "title", "legend")]
    metric, learning, above, beside = (lines_of(axes) for figure in figures for axes in figure.axes)
    assert above.keys() == {"IMP ticket", "re-initialised", "shuffled evenly"}
    assert beside.keys() == {"Bayesian, SNR", "Bayesian, SNR, re-initialised"}
    np.testing.assert_allclose(beside["Bayesian, SNR"].get_ydata(), [96.05] * 3, atol=1e-6)
    assert has_controls(cells) > has_controls(summarise(of_trunks(("transplant-start",))))
    assert {"transplanted", "Bayesian, SNR, rate rewound"} <= metric.keys() & learning.keys()
    for lines, name in ((above, "IMP ticket"), (beside, "Bayesian, SNR")):
        styles = {(each[name].get_color(), each[name].get_marker()) for each in (metric, learning, lines)}
        assert len(styles) == 1


def test_diagrams_pool_the_bins_of_seeds_and_leave_out_bins_of_few_rows():
    first, second = bins(b8=(10, 0.82, 0.7), b9=(80, 0.95, 0.9)), bins(b4=(9, 0.45, 0.4), b8=(30, 0.86, 0.9))
    some = [*rows(seeds=[0], levels=[0], reliability=first), *rows(seeds=[1], levels=[0], reliability=second)]
    diagram, below = reliability_figure(some, "title", "legend").axes
    np.testing.assert_allclose(diagram.get_lines()[1].get_xydata(), [[85, 85], [95, 90]])
    heights = [bar.get_height() for bar in below.patches]
    np.testing.assert_allclose(heights, 100 * np.array([0, 0, 0, 0, 9, 0, 0, 0, 40, 80]) / 129)
    diagrams = diagrams_of(rows(reliability=first, arms=("reinitialise", "mine")))
    assert diagrams == {"dense": 1, "50.0 % of the weights": 3, "25.0 % of the weights": 1}
    many = diagrams_of(rows(levels=range(21), base=0.8, reliability=first))  # of which six are shown
    assert (len(many), {"dense", f"{100 * 0.8**20:.1f} % of the weights"} < set(many)) == (6, True)
    uncontrolled = rows(levels=[0, 1], reliability=first, controlled=())
    shared = [replace(each, arm=Arm.parse("bayesian-mu"), name="Bayesian, abs(mu)") for each in uncontrolled]
    assert list(diagrams_of([*uncontrolled, *shared]).values()) == [1, 2]  # both share the dense network
