"""Figures of inspections made by hand."""

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
    kept, weights = rng.random(shape) < density, rng.normal(size=shape)
    known = live is not None
    return KernelInspection(
        *(path, "Dense", shape, int(kept.sum()), int(live * kept.sum()) if known else None),
        dead_units=np.arange(shape[-1]) < 2 if known else None,
        fed_inputs=shape[-2] if known else None,
        used_inputs=shape[-2] if known else None,
        multiplies=kept.size,
        histograms={"initial": histogram(weights, kept), "trained": histogram(weights, kept, kept)},
        picture=picture(kept),
    )


def inspection(layers=3, densities=(0.06, 0.3, 0.9), image=(4, 5, 1), units=7, live=0.9, window=()):
    rng = np.random.default_rng(1)
    first = (*window, image[2], units) if window else (int(np.prod(image)), units)
    kernels = tuple(
        kernel(f"layer_{number}/kernel", shape, densities[number % len(densities)], live, number)
        for number, shape in enumerate([first, *[(units, units)] * (layers - 1)])
    )
    dead = rng.random(image) < 0.2
    return Inspection(
        *("small", 3, 0.2, (), 1000, 200),
        *((12.0, 100.0, np.where(dead, 0.0, 1.0), dead) if live else (None,) * 4),
        receptive_fields=receptive_fields("layer_0/kernel", rng.random(first) < 0.3, image),
        kernels=kernels,
    )


def drawn(figure):
    """Draw a figure; warnings are errors."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_layers_of_a_ticket_with_live_weights_and_the_whole_network():
    ticket = inspection()
    (axes,) = drawn(layers_figure({"$x_$": ticket}, "$a_$ and $b_$")).axes  # no formulas
    (name, own), (_, live), (_, whole), *_ = lines_of(axes).items()
    assert name.replace("\\", "") == "$x_$"
    assert list(own.get_ydata()) == pytest.approx([100 * kernel.density for kernel in ticket.kernels])
    shares = [100 * kernel.live / kernel.weights for kernel in ticket.kernels]
    assert list(live.get_ydata()) == pytest.approx(shares)
    assert (set(whole.get_ydata()), axes.get_yscale()) == ({20}, "log")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["layer_0", "layer_1", "layer_2"]
    (near,) = layers_figure({"mine": inspection(densities=(0.5, 0.6, 0.7), live=None)}, "small").axes
    assert (near.get_yscale(), near.get_ylim()[0], len(lines_of(near))) == ("linear", 0, 2)
    (empty,) = drawn(layers_figure({"mine": inspection(densities=(0.05, 0, 0.9))}, "small")).axes
    crosses = [line for line in empty.get_lines() if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [2]
    assert "order" in layers_figure({"mine": inspection(layers=40)}, "small").axes[0].get_xlabel()


@pytest.mark.parametrize("count", [2, 11])
def test_several_tickets_have_a_line_each(count):
    (axes,) = drawn(layers_figure({f"level {n}": inspection() for n in range(count)}, "small")).axes
    assert list(lines_of(axes)) == [f"level {n}" for n in range(count)]
    assert len({(line.get_color(), line.get_marker()) for line in axes.get_lines()}) == count


def test_weights_have_a_row_for_each_layer_and_of_many_layers_six_are_shown():
    figure = drawn(weights_figure(inspection(densities=(0.5, 0, 0.5)), "small"))
    assert [len(axes.patches) for axes in figure.axes] == [2, 1, 1, 0, 2, 1]  # kept and pruned, or kept alone
    assert [text.get_text() for text in figure.axes[3].texts] == ["none"]
    many = inspection(layers=20)
    for make, columns in ((weights_figure, 2), (masks_figure, 1)):
        panels = [axes for axes in make(many, "small").axes if axes.get_title() or axes.texts or axes.patches]
        assert len(panels) == 6 * columns
        chosen = make(many, "small", ["layer_4/kernel"])
        texts = str([[text.get_text() for text in axes.texts] + [axes.get_title()] for axes in chosen.axes])
        assert f"layer_4: {100 * many.kernels[4].density:.3g} %" in texts


@pytest.mark.parametrize(
    ("image", "units", "window", "live"),
    [
        ((4, 5, 3), 300, (), 0.9),
        ((8, 8, 3), 5, (3, 3), 0.9),
        ((8, 8, 2), 1, (1, 1), None),
        ((28, 28, 1), 100, (), None),
    ],
)
def test_receptive_fields_of_every_shape(image, units, window, live):
    figure = drawn(receptive_fields_figure(inspection(image=image, units=units, window=window, live=live), "small"))
    tiles, survivors = figure.axes[:2]
    assert f"{units} units" in tiles.get_title()
    assert ("dead" in tiles.get_title()) == (live is not None)
    assert ("pixel" in survivors.get_title()) == (not window)
    assert survivors.get_images()[0].get_array().shape == (window or image[:2])


def test_dead_units_have_another_colour():
    ticket = inspection()
    fields = dataclasses.replace(ticket.receptive_fields, fields=np.ones_like(ticket.receptive_fields.fields))
    figures = [
        receptive_fields_figure(dataclasses.replace(inspection(live=live), receptive_fields=fields), "small")
        for live in (0.9, None)
    ]
    images = [np.asarray(figure.axes[0].get_images()[0].get_array()) for figure in figures]
    counts = [len({tuple(np.round(pixel, 2)) for pixel in image.reshape(-1, 3)}) for image in images]
    assert counts[0] == counts[1] + 1
    assert "2 dead" in figures[0].axes[0].get_title()


def test_large_masks_are_shown_as_densities():
    ticket = inspection()
    large = dataclasses.replace(ticket, kernels=(*ticket.kernels, kernel("large/kernel", (700, 500), 0.1)))
    figure = drawn(masks_figure(large, "small"))
    pictures = [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes if axes.get_images()]
    assert [picture.shape for picture in pictures[:4]] == [(20, 7), (7, 7), (7, 7), (200, 200)]
    assert pictures[3].mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("tickets", "layers"), [(2, 3), (3, 30)])
def test_overlap_has_a_number_for_each_pair_and_a_line_over_layers(tickets, layers):
    values = np.random.default_rng(0).random((layers, tickets, tickets))
    densities = np.full((tickets, layers), 0.5)
    densities[:, 1] = 0  # no overlap of layers that both are empty
    names = tuple(f"seed {number}" for number in range(tickets)), tuple(f"layer_{n}/kernel" for n in range(layers))
    comparison = TicketComparison(*names, densities, *[values] * 4, *[values.mean(axis=0)] * 4)
    heat, lines = drawn(overlap_figure(comparison, "small")).axes
    assert len(heat.texts) == tickets**2
    assert list(lines_of(lines)) == ["tickets", "by chance"]
    ours = lines_of(lines)["tickets"].get_ydata()
    assert np.flatnonzero(np.ma.getmaskarray(ours)).tolist() == [1]
    pairs = np.triu_indices(tickets, 1)
    assert ours[0] == pytest.approx(100 * values[0][pairs].mean())
    assert len(lines.collections) == (tickets > 2)
