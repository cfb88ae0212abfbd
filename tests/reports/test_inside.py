"""Figures of inspections made by hand: no TensorFlow."""

import dataclasses
import io

import numpy as np
import pytest

from tfticket.inspection.histograms import histogram
from tfticket.inspection.pictures import picture, receptive_fields
from tfticket.inspection.result import Inspection, KernelInspection, TicketComparison
from tfticket.reports.figures.ticket_layers import layers_figure, overlap_figure, weights_figure
from tfticket.reports.figures.ticket_masks import masks_figure, receptive_fields_figure


def kernel(path, shape, density, live=0.9, seed=0):
    rng = np.random.default_rng(seed)
    kept = rng.random(shape) < density
    weights = rng.normal(size=shape)
    known = live is not None
    return KernelInspection(
        path=path,
        kind="Dense",
        shape=shape,
        survivors=int(kept.sum()),
        live=int(live * kept.sum()) if known else None,
        dead_units=np.arange(shape[-1]) < 2 if known else None,
        fed_inputs=shape[-2] if known else None,
        used_inputs=shape[-2] if known else None,
        multiplies=kept.size,
        histograms={"initial": histogram(weights, kept), "trained": histogram(weights, kept, kept)},
        picture=picture(kept),
    )


def inspection(layers=3, densities=(0.06, 0.3, 0.9), image=(4, 5, 1), units=7, live=0.9, window=()):
    rng = np.random.default_rng(1)
    shapes = [(*window, image[2], units) if window else (int(np.prod(image)), units), *[(units, units)] * (layers - 1)]
    kernels = tuple(
        kernel(f"layer_{number}/kernel", shape, densities[number % len(densities)], live, number)
        for number, shape in enumerate(shapes)
    )
    dead = rng.random(image) < 0.2
    return Inspection(
        network="small",
        level=3,
        density=0.2,
        exempt=(),
        parameters=1000,
        surviving_parameters=200,
        paths=12.0 if live else None,
        dense_paths=100.0 if live else None,
        input_paths=np.where(dead, 0.0, 1.0) if live else None,
        dead_inputs=dead if live else None,
        receptive_fields=receptive_fields("layer_0/kernel", rng.random(shapes[0]) < 0.3, image),
        kernels=kernels,
    )


def comparison(tickets=3, layers=3, empty=False):
    rng = np.random.default_rng(0)
    values = rng.random((layers, tickets, tickets))
    values = (values + values.transpose(0, 2, 1)) / 2
    densities = np.full((tickets, layers), 0.5)
    if empty:
        densities[:, 1] = 0
    whole = values.mean(axis=0)
    return TicketComparison(
        tuple(f"seed {number}" for number in range(tickets)),
        tuple(f"layer_{number}/kernel" for number in range(layers)),
        densities,
        *[values] * 4,
        *[whole] * 4,
    )


def drawn(figure):
    """It can be drawn; warnings are errors."""
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    return figure


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_layers_of_one_ticket_with_the_live_ones_and_the_whole_network():
    found = inspection()
    (axes,) = drawn(layers_figure({"mine": found}, "small")).axes
    lines = lines_of(axes)
    assert list(lines["mine"].get_ydata()) == pytest.approx([100 * kernel.density for kernel in found.kernels])
    assert list(lines["of them on a path"].get_ydata()) == pytest.approx(
        [100 * kernel.live / kernel.weights for kernel in found.kernels]
    )
    assert set(lines["whole network"].get_ydata()) == {20}
    assert axes.get_yscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["layer_0", "layer_1", "layer_2"]


def test_layers_whose_densities_are_near_have_a_linear_axis_from_0():
    (axes,) = drawn(layers_figure({"mine": inspection(densities=(0.5, 0.6, 0.7))}, "small")).axes
    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0


def test_an_empty_layer_is_a_cross_at_the_foot_of_a_logarithmic_axis():
    (axes,) = drawn(layers_figure({"mine": inspection(densities=(0.05, 0, 0.9))}, "small")).axes
    crosses = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [2]
    assert "none" in lines_of(axes)


@pytest.mark.parametrize("count", [2, 6, 11])
def test_several_tickets_are_a_line_each_and_tell_of_no_live_ones(count):
    figure = drawn(layers_figure({f"level {n}": inspection() for n in range(count)}, "small"))
    (axes,) = figure.axes
    assert list(lines_of(axes)) == [f"level {n}" for n in range(count)]
    assert len({(line.get_color(), line.get_marker()) for line in axes.get_lines()}) == count
    assert bool(figure.legends) == (count > 6)


def test_a_network_without_known_paths_has_no_line_of_live_ones():
    (axes,) = drawn(layers_figure({"mine": inspection(live=None)}, "small")).axes
    assert "of them on a path" not in lines_of(axes)


def test_many_layers_are_numbered():
    (axes,) = drawn(layers_figure({"mine": inspection(layers=40)}, "small")).axes
    assert axes.get_xlabel() == "layer, in the network's order"


def test_weights_have_a_row_a_layer_and_a_column_a_moment():
    figure = drawn(weights_figure(inspection(), "small"))
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["initial weights", "trained weights"]
    assert [len(axes.patches) for axes in figure.axes[:2]] == [2, 1]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pruned", "kept"]


@pytest.mark.parametrize("make", [weights_figure, masks_figure])
def test_of_many_layers_six_are_shown_or_those_asked_for(make):
    found = inspection(layers=20)
    assert (
        sum(
            "layer" in str([text.get_text() for text in axes.texts] + [axes.get_title()])
            for axes in drawn(make(found, "small")).axes
        )
        == 6
    )
    chosen = make(found, "small", ["layer_4/kernel"])
    assert f"layer_4: {100 * found.kernels[4].density:.3g} %" in str(
        [[text.get_text() for text in axes.texts] + [axes.get_title()] for axes in chosen.axes]
    )


def test_a_layer_without_weights_to_show_says_so():
    figure = drawn(weights_figure(inspection(densities=(0.5, 0, 0.5)), "small"))
    assert [text.get_text() for text in figure.axes[3].texts] == ["none"]


@pytest.mark.parametrize(
    ("image", "units", "window"),
    [((4, 5, 1), 7, ()), ((4, 5, 3), 300, ()), ((8, 8, 3), 5, (3, 3)), ((8, 8, 2), 1, (1, 1)), ((28, 28, 1), 100, ())],
)
@pytest.mark.parametrize("live", [0.9, None])
def test_receptive_fields_of_every_form(image, units, window, live):
    figure = drawn(receptive_fields_figure(inspection(image=image, units=units, window=window, live=live), "small"))
    tiles, survivors = figure.axes[:2]
    assert f"{units} units" in tiles.get_title()
    assert ("dead" in tiles.get_title()) == (live is not None)
    assert ("pixel" in survivors.get_title()) == (not window)
    shape = window or image[:2]
    assert survivors.get_images()[0].get_array().shape == shape


def test_dead_units_are_grey_and_survivors_dark():
    found = inspection()
    fields = dataclasses.replace(found.receptive_fields, fields=np.ones_like(found.receptive_fields.fields))
    figure = receptive_fields_figure(dataclasses.replace(found, receptive_fields=fields), "small")
    tiles = np.asarray(figure.axes[0].get_images()[0].get_array())
    colours = {tuple(np.round(pixel, 2)) for pixel in tiles.reshape(-1, 3)}
    assert (0.45, 0.45, 0.45) in colours  # a dead unit's
    assert (0, 0.15, 0.24) in colours  # a working unit's
    assert "2 dead, grey" in figure.axes[0].get_title()


def test_masks_that_are_large_are_shown_as_densities():
    found = inspection()
    large = kernel("large/kernel", (700, 500), 0.1)
    figure = drawn(masks_figure(dataclasses.replace(found, kernels=(*found.kernels, large)), "small"))
    pictures = [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes if axes.get_images()]
    assert [picture.shape for picture in pictures[:4]] == [(20, 7), (7, 7), (7, 7), (200, 200)]
    assert pictures[3].mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("tickets", "layers"), [(2, 3), (3, 21), (15, 40)])
def test_overlap_has_a_number_for_each_pair_and_a_line_over_layers(tickets, layers):
    figure = drawn(overlap_figure(comparison(tickets, layers), "small"))
    heat, lines = figure.axes
    assert len(heat.texts) == tickets**2
    assert list(lines_of(lines)) == ["tickets", "by chance"]
    assert len(lines.collections) == (tickets > 2)


def test_a_layer_that_both_emptied_has_no_overlap():
    figure = drawn(overlap_figure(comparison(3, 3, empty=True), "small"))
    y = lines_of(figure.axes[1])["tickets"].get_ydata()
    assert np.ma.getmaskarray(y).tolist() == [False, True, False]


def test_a_dollar_in_a_name_is_no_formula():
    drawn(layers_figure({"$x_$": inspection()}, "$a_$ and $b_$"))
    drawn(masks_figure(inspection(), "$a_$ and $b_$"))
