import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfticket.arms import CONTROL_NAMES, Arm
from tfticket.evaluation.metrics import BINS, METRICS
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.metrics import Line, draw_metric, metric_figure, weights_axis
from tfticket.reports.figures.number_axes import LogTicks, Numbers
from tfticket.reports.figures.reliability import reliability_figure
from tfticket.reports.rows import Row
from tfticket.reports.tables.cells import summarise


def rows(run="r-1", levels=(0, 1, 2), seeds=(0, 1), base=0.5, arms=("reinitialise",), controlled=(1,), **options):
    found = []
    for level in levels:
        for arm in ("ticket", *arms) if level in controlled else ("ticket",):
            for seed in seeds:
                accuracy = 0.9 - 0.01 * level - 0.02 * seed - 0.1 * (arm != "ticket")
                metrics = dict.fromkeys(METRICS, 0.1 * (level + 1)) | {"accuracy": accuracy}
                whose = (run, Arm.parse(arm), Arm.parse(arm).name, seed, level, base**level)
                found.append(Row(*whose, "MNIST, 100 training rows", metrics, metrics, **options))
    return found


def accuracy_figure(some, title="title", legend_title="legend"):
    return metric_figure(summarise(some), "accuracy", title, legend_title)


def lines_of(figure):
    (axes,) = figure.axes
    return {line.get_label(): line for line in axes.get_lines()}


def looks_of(figure):
    """Name -> everything that tells a line from another."""
    looks = {}
    for axes in figure.axes:
        for line in axes.get_lines():
            look = line.get_color(), line.get_marker(), line.get_linestyle(), line.get_markerfacecolor()
            looks.setdefault(line.get_label(), set()).add(look)
    assert all(len(found) == 1 for found in looks.values())
    return {name: found.pop() for name, found in looks.items()}


def legend_of(figure):
    (legend,) = figure.legends
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]


def assert_all_is_within_the_figure(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (legend,) = figure.legends
    extents = [legend.get_window_extent(), *(axes.get_tightbbox() for axes in figure.axes)]
    for extent in extents:
        assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1
        assert 0 <= extent.y0 < extent.y1 <= figure.bbox.y1
    assert all(extent.y0 >= extents[0].y1 - 1 for extent in extents[1:])  # the legend hides nothing


def test_lines_show_the_means_of_each_arm():
    lines = lines_of(accuracy_figure(rows()))
    assert set(lines) == {"IMP ticket", "re-initialised", "dense"}
    np.testing.assert_allclose(lines["IMP ticket"].get_xdata(), [100, 50, 25])
    np.testing.assert_allclose(lines["IMP ticket"].get_ydata(), [89, 88, 87])
    np.testing.assert_allclose(lines["re-initialised"].get_xydata(), [[50, 78]])
    np.testing.assert_allclose(lines["dense"].get_ydata(), 89)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_that_is_recorded_has_a_figure_in_its_own_unit(metric):
    figure = metric_figure(summarise(rows()), metric, "title", "legend")
    (axes,) = figure.axes
    percent = axes.get_ylabel() in ("test accuracy (%)", "test ECE (%)", "test MACE (%)")
    assert percent == (metric in ("accuracy", "ece", "mace"))
    if metric != "accuracy":
        factor = 100 if percent else 1
        np.testing.assert_allclose(lines_of(figure)["IMP ticket"].get_ydata(), factor * np.array([0.1, 0.2, 0.3]))


def test_bands_reach_from_the_lowest_to_the_highest_seed():
    (axes,) = accuracy_figure(rows()).axes
    band = axes.collections[0].get_paths()[0].vertices
    for density, low, high in [(100, 88, 90), (50, 87, 89), (25, 86, 88)]:
        heights = band[np.isclose(band[:, 0], density), 1]
        assert (heights.min(), heights.max()) == pytest.approx((low, high))


def test_the_axis_is_logarithmic_and_runs_from_dense_to_sparse():
    (axes,) = accuracy_figure(rows(base=0.1)).axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] > axes.get_xlim()[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weights remaining (%)", "test accuracy (%)")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["100", "50", "20", "10", "5", "2", "1"]


@pytest.mark.parametrize(
    ("base", "levels", "ticks"),
    [
        (0.631, (0, 1), ["100", "63.1"]),
        (0.9, (0, 1, 2, 3), ["100", "72.9"]),
        (0.631, (0, 1, 2), ["100", "50"]),  # 39.8 at the end
        (0.9, (4,), ["65.6"]),
    ],
)
def test_an_axis_of_few_levels_says_its_ends(base, levels, ticks):
    (axes,) = accuracy_figure(rows(base=base, levels=levels, controlled=())).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ticks


def test_the_title_stands_above_the_axes_and_the_legends_above_its_entries():
    figure = accuracy_figure(rows(), "one\ntwo", "mean of 2")
    assert figure.axes[0].get_title(loc="left") == "one\ntwo"
    assert legend_of(figure) == ("mean of 2", ["IMP ticket", "re-initialised", "dense"])


def test_several_runs_have_a_line_each_with_a_look_of_its_own():
    looks = looks_of(accuracy_figure([row for n in range(4) for row in rows(f"r-{n}")]))
    assert set(looks) == {f"{arm} (r-{n})" for arm in ("IMP ticket", "re-initialised") for n in range(4)}
    assert len(set(looks.values())) == len(looks)
    assert len({colour for colour, *_ in looks.values()}) == 2  # an arm's colour is the same in all
    for n in range(4):  # and a run's style
        assert looks[f"IMP ticket (r-{n})"][2] == looks[f"re-initialised (r-{n})"][2]


def test_up_to_eight_runs_or_options_are_told_apart():
    arms = [f"random-mask 0.{n}" for n in range(8)]
    for some in (rows(arms=arms), [row for n in range(8) for row in rows(f"r-{n}", arms=[])]):
        looks = looks_of(accuracy_figure(some))
        assert len(set(looks.values())) == len(looks) >= 8


OPTIONS = (
    "reinitialise he_normal",
    "reinitialise glorot_uniform",
    "random-mask 0.2",
    "random-mask 0.1",
    "mine",
    "mine 2",
)
ALL_ARMS = (*CONTROL_NAMES, *OPTIONS, "another", "a third")


def test_every_arm_has_a_look_of_its_own():
    looks = looks_of(accuracy_figure(rows(arms=ALL_ARMS)))
    del looks["dense"]
    assert len(set(looks.values())) == len(looks) == len(ALL_ARMS) + 1
    assert len({colour for colour, *_ in looks.values()}) == len(looks)
    masks = [looks[Arm.parse(arm).name] for arm in OPTIONS if arm.startswith("random-mask")]
    assert len({marker for _, marker, *_ in masks}) == len(masks)


def test_an_arm_without_a_look_of_its_own_has_the_same_in_every_figure():
    sgld, laplace, swag = (Arm(control=name) for name in ("sgld", "laplace", "swag"))
    alone, beside = arm_styles([("a", sgld)]), arm_styles([("b", laplace), ("b", swag), ("b", sgld)])
    assert (alone["a", sgld]["color"], alone["a", sgld]["marker"]) == (
        beside["b", sgld]["color"],
        beside["b", sgld]["marker"],
    )
    assert len({(look["color"], look["marker"]) for look in beside.values()}) == 3


@pytest.mark.parametrize("span", [(0.1, 8e6), (1e-5, 1e-4), (1.1, 1.9), (0.09, 2.2), (3e-7, 40)])
def test_a_logarithmic_axis_has_some_ticks_whose_numbers_are_written_alike(span):
    ticks = LogTicks().tick_values(*span)
    assert 2 <= len(ticks) <= 9
    assert span[0] <= min(ticks) * 1.0001
    assert max(ticks) <= span[1] * 1.0001
    texts = Numbers().format_ticks(ticks)
    assert len(set(texts)) == len(texts)
    assert len({"10" in text and text[-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹" for text in texts}) == 1
    assert not any("e" in text for text in texts)


def test_numbers_of_one_axis_have_as_many_decimals():
    assert Numbers().format_ticks([1.4, 1.35]) == ["1.40", "1.35"]
    assert Numbers().format_ticks([0.00005, 0.0001, 0.1, 1]) == ["0.00005", "0.0001", "0.1", "1"]
    assert Numbers().format_ticks([0.0, 2e6]) == ["0", "2·10⁶"]
    assert Numbers(large=float("inf")).format_ticks([0.0, 2e6]) == ["0", "2,000,000"]
    assert Numbers()(-0.5) == "−0.5"


def test_collapsed_arms_leave_the_nll_axis_its_ticks():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    values = [0.1, 30.0, 8e6]
    draw_metric(axes, [Line("one", [1.0, 0.1, 0.01], values, values, values, {"color": "#000000"})], "nll")
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 3


def test_an_arm_looks_the_same_whichever_others_there_are_and_in_every_figure():
    all_of_them = looks_of(accuracy_figure(rows(arms=ALL_ARMS)))
    for arm in ("ticket", *CONTROL_NAMES):
        alone = looks_of(metric_figure(summarise(rows(arms=(arm,))), "mace", "title", "legend"))
        assert alone[Arm.parse(arm).name] == all_of_them[Arm.parse(arm).name]


MANY = rows(levels=range(12), controlled=range(1, 12), base=0.66, arms=ALL_ARMS[:7])


@pytest.mark.parametrize("some", [rows(), MANY, MANY + rows("a-run-with-a-long-name-12345678")])
def test_the_legend_stands_below_and_nothing_is_cut_off(some):
    figure = accuracy_figure(some)
    assert_all_is_within_the_figure(figure)
    assert figure.axes[0].bbox.height > 200


@pytest.mark.parametrize("few", [rows(levels=[0], seeds=[0]), rows(levels=[3], seeds=[0]), MANY])
@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_any_amount_of_results_is_drawn_without_a_warning(few, kind):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accuracy_figure(few).savefig(buffer, format=kind)
    assert buffer.getvalue().startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[kind])


# Reliability diagrams


def bins(**held):
    """All bins, of which some hold (rows, confidence, accuracy): bins(b9=(8, 0.95, 0.9))."""
    record = {"count": [0] * BINS, "confidence": [None] * BINS, "accuracy": [None] * BINS}
    for name, values in held.items():
        for field, value in zip(record.values(), values, strict=True):
            field[int(name[1:])] = value
    return record


def panels_of(figure):
    """(diagram, histogram) of each panel."""
    axes = sorted(
        figure.axes, key=lambda one: (-one.get_subplotspec().rowspan.start, one.get_subplotspec().colspan.start)
    )
    diagrams = [one for one in axes if one.get_title(loc="left")]
    return {
        one.get_title(loc="left"): (one, below)
        for one in diagrams
        for below in axes
        if below.get_subplotspec().rowspan.start == one.get_subplotspec().rowspan.start + 1
        and below.get_subplotspec().colspan == one.get_subplotspec().colspan
    }


RECORD = bins(b4=(9, 0.45, 0.4), b8=(10, 0.85, 0.7), b9=(81, 0.95, 0.9))


def test_a_panel_shows_accuracy_against_confidence_pooled_over_seeds():
    first, second = bins(b8=(10, 0.82, 0.7), b9=(80, 0.95, 0.9)), bins(b4=(9, 0.45, 0.4), b8=(30, 0.86, 0.9))
    some = [*rows(seeds=[0], levels=[0], reliability=first), *rows(seeds=[1], levels=[0], reliability=second)]
    ((diagram, below),) = panels_of(reliability_figure(some, "title", "legend")).values()
    (line,) = [line for line in diagram.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(line.get_xydata(), [[85, 85], [95, 90]])  # nine rows say little
    heights = [bar.get_height() for bar in below.patches]
    np.testing.assert_allclose(heights, 100 * np.array([0, 0, 0, 0, 9, 0, 0, 0, 40, 80]) / 129)


def test_every_panel_has_the_diagonal_its_arms_and_the_tickets_histogram():
    some = rows(reliability=RECORD, arms=("reinitialise", "mine"))
    figure = reliability_figure(some, "one\ntwo", "bins of 2 seeds")
    panels = panels_of(figure)
    assert list(panels) == ["dense", "50.0 % of the weights", "25.0 % of the weights"]
    for number, (diagram, below) in enumerate(panels.values()):
        diagonal, *lines = diagram.get_lines()
        np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [100, 100]])
        assert len(lines) == (3 if number == 1 else 1)
        assert len(below.patches) == BINS
    assert figure.get_suptitle() == "one\ntwo"
    assert legend_of(figure) == ("bins of 2 seeds", ["IMP ticket", "re-initialised", "mine", "calibrated"])


def test_a_dense_network_that_several_ways_of_pruning_share_is_drawn_once():
    some = rows(levels=[0, 1], reliability=RECORD, controlled=())
    shared = [replace(row, arm=Arm.parse("bayesian-mu"), name="Bayesian, abs(mu)") for row in some]
    dense, sparse = panels_of(reliability_figure([*some, *shared], "title", "legend")).values()
    assert [len(diagram.get_lines()) - 1 for diagram, _ in (dense, sparse)] == [1, 2]


def test_the_axis_of_one_level_has_no_ticks_of_denser_networks():
    axes = Figure().subplots()
    axes.plot([10.0], [1.0])
    weights_axis(axes, [0.1])
    assert axes.get_xticks().tolist() == [10.0]


def test_arms_look_as_in_the_other_figures():
    some = rows(reliability=RECORD, arms=ALL_ARMS)
    there = looks_of(accuracy_figure(some))
    (legend,) = reliability_figure(some, "title", "legend").legends
    for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True):
        if text.get_text() != "calibrated":
            look = line.get_color(), line.get_marker(), line.get_linestyle(), line.get_markerfacecolor()
            assert look == there[text.get_text()]


def test_of_many_levels_six_are_shown_the_first_and_the_last_among_them():
    figure = reliability_figure(rows(levels=range(21), base=0.8, reliability=RECORD), "title", "legend")
    titles = list(panels_of(figure))
    assert len(titles) == 6
    assert {"dense", f"{100 * 0.8**20:.1f} % of the weights"} < set(titles)


@pytest.mark.parametrize("levels", [[0], [2], [0, 1], range(4), range(5), range(12)])
@pytest.mark.parametrize("arms", [(), ALL_ARMS[:7]])
def test_any_number_of_panels_fits_the_figure(levels, arms):
    figure = reliability_figure(
        rows(levels=levels, controlled=levels, arms=arms, reliability=RECORD), "title", "legend"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_all_is_within_the_figure(figure)
    assert len(figure.axes) == 2 * min(len(levels), 6)


def test_bins_of_few_rows_only_leave_a_panel_empty():
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = reliability_figure(rows(seeds=[0], reliability=bins(b9=(9, 0.95, 0.9))), "title", "legend")
        figure.savefig(buffer, format="png")
    for diagram, _ in panels_of(figure).values():
        assert all(len(line.get_xdata()) == 0 for line in diagram.get_lines()[1:])


@pytest.mark.parametrize(("worst", "scaled"), [(0.95, False), (0.3, True)])
def test_where_an_arm_collapses_the_others_stay_apart(worst, scaled):
    some = [replace(row, test=row.test | {"accuracy": 0.98}) for row in rows(levels=(1,), seeds=(0,), arms=("a", "b"))]
    for number, accuracy in ((1, 0.97), (2, worst)):
        some[number] = replace(some[number], test=some[number].test | {"accuracy": accuracy})
    figure = accuracy_figure(some)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, middle, high = axes.transData.transform([(50, 100 * worst), (50, 97), (50, 98)])[:, 1]
    assert (high - middle) / (high - low) > 0.1
    assert ("log-error scale" in axes.get_ylabel()) is scaled
    assert all(abs(place - 0.5) <= 0.5 for place in axes.transAxes.inverted().transform([(0, low), (0, high)])[:, 1])


def test_losses_that_differ_much_have_a_logarithmic_axis():
    figure = metric_figure(summarise(rows()), "nll", "title", "legend")
    assert figure.axes[0].get_yscale() == "linear"
    figure = metric_figure(summarise(rows(levels=tuple(range(12)))), "nll", "title", "legend")
    assert figure.axes[0].get_yscale() == "log"
