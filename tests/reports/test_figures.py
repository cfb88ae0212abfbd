"""Figures of metrics, reliability and controls: what their lines show, in which unit and style."""

import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.reports.conftest import row
from tests.reports.test_tables import of_trunks
from tfticket.arms import CONTROL_NAMES, Arm
from tfticket.evaluation.metrics import BINS, METRICS
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.learning_curves import Curve, learning_figure, shown_curves
from tfticket.reports.figures.metrics import Line, controls_figure, draw_metric, has_controls, metric_figure
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


RECORD = bins(b4=(9, 0.45, 0.4), b8=(10, 0.85, 0.7), b9=(81, 0.95, 0.9))


def diagrams_of(some):
    """Draw reliability diagrams; return title -> diagram."""
    figure = reliability_figure(some, "title", "legend")
    return {title: axes for axes in figure.axes if (title := axes.get_title(loc="left"))}


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


def test_the_axis_of_weights_is_logarithmic_from_dense_to_sparse():
    for base, levels, ticks in (
        (0.1, (0, 1, 2), "100 50 20 10 5 2 1"),
        (0.631, (0, 1), "100 63.1"),
        (0.631, (0, 1, 2), "100 50"),
        (0.9, (4,), "65.6"),
    ):
        axes = axes_of(rows(base=base, levels=levels, controlled=()))
        assert (axes.get_xscale(), axes.xaxis.get_inverted()) == ("log", True)
        assert " ".join(tick.get_text() for tick in axes.get_xticklabels()) == ticks


def test_scales_keep_arms_apart_where_one_collapses():
    for worst, scale in ((0.95, "linear"), (0.3, "function")):
        some = rows(levels=(1,), seeds=(0,), arms=("a", "b"))
        for each, accuracy in zip(some, (0.98, 0.97, worst), strict=True):
            each.test["accuracy"] = accuracy
        axes = axes_of(some)
        points = axes.transScale.transform([(50, 100 * worst), (50, 97), (50, 98)])
        low, middle, high = axes.transLimits.transform(points)[:, 1]
        assert 0 <= low < high <= 1
        assert (high - middle) / (high - low) > 0.1
        assert axes.get_yscale() == scale
    assert [axes_of(rows(levels=range(count)), "nll").get_yscale() for count in (3, 12)] == ["linear", "log"]
    axes, values = Figure().subplots(), [0.1, 30.0, 8e6]
    draw_metric(axes, [Line("one", [1.0, 0.1, 0.01], values, values, values, {"color": "#000000"})], "nll")
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 3


def test_ticks_of_a_logarithmic_axis_are_few_and_numbers_of_an_axis_of_one_form():
    for low, high in [(0.1, 8e6), (1e-5, 1e-4), (1.1, 1.9), (0.09, 2.2), (3e-7, 40)]:
        ticks = LogTicks().tick_values(low, high)
        assert 2 <= len(ticks) <= 9
        assert low <= min(ticks) * 1.0001
        assert max(ticks) <= high * 1.0001
        texts = Numbers().format_ticks(ticks)
        assert len(set(texts)) == len(texts)
        assert len({"10" in text and text[-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹" for text in texts}) == 1
    assert Numbers().format_ticks([1.4, 1.35, -1.0]) == ["1.40", "1.35", "−1.00"]
    assert Numbers().format_ticks([0.00005, 0.0001, 0.1, 1]) == ["0.00005", "0.0001", "0.1", "1"]
    assert Numbers().format_ticks([0.0, 2e6]) == ["0", "2·10⁶"]
    assert Numbers(large=float("inf")).format_ticks([0.0, 2e6]) == ["0", "2,000,000"]


def test_any_number_of_results_is_drawn_without_a_warning():
    many = {"levels": range(12), "controlled": range(1, 12), "arms": ALL_ARMS[:7]}
    for options, kind, magic in (({"levels": [3]}, "pdf", b"%PDF"), (many, "png", b"\x89PNG")):
        some = rows(**options, base=0.66, seeds=[0], reliability=RECORD)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for figure in (axes_of(some).figure, reliability_figure(some, "title", "legend")):
                figure.savefig(buffer := io.BytesIO(), format=kind, dpi=40)
                assert buffer.getvalue().startswith(magic)


# Styles of arms

OPTIONS = ("reinitialise he_normal", "reinitialise glorot_uniform", "random-mask 0.2", "random-mask 0.1", "mine 2")
ALL_ARMS = (*CONTROL_NAMES, *OPTIONS, "mine", "another", "a third")


def styles_for(names, runs=("r",)):
    """(run, arm) -> colour, marker, line, fill."""
    parts, styles = ("color", "marker", "ls", "mfc"), arm_styles((run, Arm.parse(arm)) for run in runs for arm in names)
    return {(run, arm.key): tuple(map(style.get, parts)) for (run, arm), style in styles.items()}


def test_arms_runs_and_options_have_styles_of_their_own():
    for names, runs in (
        (("ticket", *ALL_ARMS), ("r",)),
        ([f"random-mask 0.{n}" for n in range(8)], ("r",)),
        (("ticket", "reinitialise"), [f"r-{n}" for n in range(8)]),
        (("ticket", "bayesian-snr", "bayesian-snr-lrr", "bayesian-snr reinitialise", "reinitialise"), ("r", "s")),
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
    assert styles_for(("sgld",))["r", "sgld"][:2] == styles_for(("laplace", "swag", "sgld"))["r", "sgld"][:2]


def test_figures_of_a_report_share_styles_and_names_and_leave_controls_to_their_own():
    cells, some = summarise(of_trunks()), of_trunks()
    curves = [Curve(each.arm, each.name, each.seed, each.level, (1, 2), (0.5, 0.6)) for each in some if each.level]
    metric = metric_figure(without_controls(cells), "accuracy", "title", "legend").axes[0]
    learning = learning_figure(shown_curves(curves), "title").axes[0]
    above, beside = controls_figure(cells, "title", "legend").axes
    assert lines_of(above).keys() == {"IMP ticket", "re-initialised", "shuffled evenly"}
    assert lines_of(beside).keys() == {"Bayesian, SNR", "Bayesian, SNR, re-initialised"}
    np.testing.assert_allclose(lines_of(beside)["Bayesian, SNR"].get_ydata(), [96.05] * 3, atol=1e-6)
    assert above.get_ylim() == beside.get_ylim()  # although an arm of one collapsed
    assert has_controls(cells) > has_controls(summarise(of_trunks(("transplant-start",))))
    assert {"transplanted", "Bayesian, SNR, rate rewound"} <= lines_of(metric).keys() & lines_of(learning).keys()

    def style(axes, name):
        line = lines_of(axes)[name]
        return line.get_color(), line.get_marker(), line.get_linestyle()

    for axes, name in ((above, "IMP ticket"), (beside, "Bayesian, SNR")):
        assert style(metric, name) == style(learning, name) == style(axes, name)
    assert style(metric, "dense") != style(metric, "dense, Bayesian")
    own, theirs = style(above, "re-initialised"), style(beside, "Bayesian, SNR, re-initialised")
    assert (own[:2] == theirs[:2], own[2] == theirs[2]) == (True, False)


def test_diagrams_pool_the_bins_of_seeds_and_leave_out_bins_of_few_rows():
    first, second = bins(b8=(10, 0.82, 0.7), b9=(80, 0.95, 0.9)), bins(b4=(9, 0.45, 0.4), b8=(30, 0.86, 0.9))
    some = [*rows(seeds=[0], levels=[0], reliability=first), *rows(seeds=[1], levels=[0], reliability=second)]
    diagram, below = reliability_figure(some, "title", "legend").axes
    diagonal, line = diagram.get_lines()
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [100, 100]])
    np.testing.assert_allclose(line.get_xydata(), [[85, 85], [95, 90]])
    heights = [bar.get_height() for bar in below.patches]
    np.testing.assert_allclose(heights, 100 * np.array([0, 0, 0, 0, 9, 0, 0, 0, 40, 80]) / 129)


def test_diagrams_have_their_arms_and_of_many_levels_six_are_shown():
    diagrams = diagrams_of(rows(reliability=RECORD, arms=("reinitialise", "mine")))
    assert list(diagrams) == ["dense", "50.0 % of the weights", "25.0 % of the weights"]
    assert [len(axes.get_lines()) - 1 for axes in diagrams.values()] == [1, 3, 1]
    many = diagrams_of(rows(levels=range(21), base=0.8, reliability=RECORD))
    assert len(many) == 6
    assert {"dense", f"{100 * 0.8**20:.1f} % of the weights"} < set(many)
    uncontrolled = rows(levels=[0, 1], reliability=RECORD, controlled=())
    shared = [replace(each, arm=Arm.parse("bayesian-mu"), name="Bayesian, abs(mu)") for each in uncontrolled]
    counts = [len(axes.get_lines()) - 1 for axes in diagrams_of([*uncontrolled, *shared]).values()]
    assert counts == [1, 2]  # both share the dense network
