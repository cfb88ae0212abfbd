"""Figures of inspections made by hand."""

import dataclasses
import io

import numpy as np
import pytest

from tfticket.inspection.pictures import histogram, picture, receptive_fields
from tfticket.inspection.result import Inspection, KernelInspection, TicketComparison
from tfticket.reports.figures.ticket_layers import layers_figure, overlap_figure, weights_figure
from tfticket.reports.figures.ticket_masks import masks_figure, receptive_fields_figure


def kernel(path, shape, density, live, seed=0):
    rng = np.random.default_rng(seed)
    kept, weights = rng.random(shape) < density, rng.normal(size=shape)
    known = (int(live * kept.sum()), np.arange(shape[-1]) < 2, shape[-2], shape[-2]) if live else (None,) * 4
    densities = {"initial": histogram(weights, kept), "trained": histogram(weights, kept, kept)}
    return KernelInspection(path, "Dense", shape, int(kept.sum()), *known, kept.size, densities, picture(kept))


def inspection(layers=3, densities=(0.06, 0.3, 0.9), image=(4, 5, 1), units=7, live=0.9, window=()):
    rng = np.random.default_rng(1)
    first = (*window, image[2], units) if window else (int(np.prod(image)), units)
    shapes, dead = [first, *[(units, units)] * (layers - 1)], rng.random(image) < 0.2
    kernels = (kernel(f"layer_{n}/kernel", shape, densities[n % 3], live, n) for n, shape in enumerate(shapes))
    paths = (12.0, 100.0, np.where(dead, 0.0, 1.0), dead) if live else (None,) * 4
    fields = receptive_fields("layer_0/kernel", rng.random(first) < 0.3, image)
    return Inspection("small", 3, 0.2, (), 1000, 200, *paths, fields, tuple(kernels))


def drawn(figure):
    """Draw a figure, in which warnings are errors; return its axes."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure.axes


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_layers_of_tickets_with_live_weights_and_the_whole_network():
    ticket = inspection()
    (axes,) = drawn(layers_figure({"$x_$": ticket}, "$a_$ and $b_$"))  # no formulas
    own, live, whole, *_ = (list(line.get_ydata()) for line in axes.get_lines())
    assert own == pytest.approx([100 * kernel.density for kernel in ticket.kernels])
    assert live == pytest.approx([100 * kernel.live / kernel.weights for kernel in ticket.kernels])
    assert (set(whole), axes.get_yscale()) == ({20}, "log")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["layer_0", "layer_1", "layer_2"]
    (near,) = layers_figure({"mine": inspection(densities=(0.5, 0.6, 0.7), live=None)}, "small").axes
    assert (near.get_yscale(), near.get_ylim()[0], len(lines_of(near))) == ("linear", 0, 2)
    (empty,) = drawn(layers_figure({"mine": inspection(densities=(0.05, 0, 0.9))}, "small"))
    crosses = [line for line in empty.get_lines() if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [2]
    (several,) = drawn(layers_figure({f"level {n}": inspection(layers=40) for n in range(11)}, "small"))
    levels = {name: line for name, line in lines_of(several).items() if name != "none"}
    assert list(levels) == [f"level {n}" for n in range(11)]
    assert len({(line.get_color(), line.get_marker()) for line in levels.values()}) == 11


def test_weights_and_masks_have_a_row_for_each_layer_and_of_many_layers_six_are_shown():
    axes = drawn(weights_figure(inspection(densities=(0.5, 0, 0.5)), "small"))
    assert [len(each.patches) for each in axes] == [2, 1, 1, 0, 2, 1]  # kept and pruned, or kept alone
    assert [text.get_text() for text in axes[3].texts] == ["none"]
    many = inspection(layers=20)
    for make, columns in ((weights_figure, 2), (masks_figure, 1)):
        panels = [axes for axes in make(many, "small").axes if axes.get_title() or axes.texts or axes.patches]
        assert len(panels) == 6 * columns
        chosen = make(many, "small", ["layer_4/kernel"]).axes
        texts = str([[text.get_text() for text in axes.texts] + [axes.get_title()] for axes in chosen])
        assert f"layer_4: {100 * many.kernels[4].density:.3g} %" in texts
    large = dataclasses.replace(many, kernels=(*many.kernels[:3], kernel("large/kernel", (700, 500), 0.1, None)))
    pictures = [image.get_array() for axes in drawn(masks_figure(large, "small")) for image in axes.get_images()]
    assert [picture.shape for picture in pictures[:4]] == [(20, 7), (7, 7), (7, 7), (200, 200)]
    assert pictures[3].mean() == pytest.approx(0.1, abs=0.01)  # as local densities


@pytest.mark.parametrize(
    ("image", "units", "window", "live"),
    [((4, 5, 3), 200, (), 0.9), ((8, 8, 3), 5, (3, 3), 0.9), ((8, 8, 2), 1, (1, 1), None), ((9, 9, 1), 50, (), None)],
)
def test_receptive_fields_of_every_shape(image, units, window, live):
    figure = receptive_fields_figure(inspection(image=image, units=units, window=window, live=live), "small")
    tiles, survivors, *_ = drawn(figure)
    assert f"{units} units" in tiles.get_title()
    assert ("dead" in tiles.get_title()) == (live is not None)
    assert ("pixel" in survivors.get_title()) == (not window)
    assert survivors.get_images()[0].get_array().shape == (window or image[:2])


@pytest.mark.parametrize(("tickets", "layers"), [(2, 3), (3, 30)])
def test_overlap_has_a_number_for_each_pair_and_a_line_over_layers(tickets, layers):
    values = np.random.default_rng(0).random((layers, tickets, tickets))
    densities = np.full((tickets, layers), 0.5)
    densities[:, 1] = 0  # empty layers have no overlap
    names = tuple(f"seed {number}" for number in range(tickets)), tuple(f"layer_{n}/kernel" for n in range(layers))
    comparison = TicketComparison(*names, densities, *[values] * 4, *[values.mean(axis=0)] * 4)
    heat, lines = drawn(overlap_figure(comparison, "small"))
    assert len(heat.texts) == tickets**2
    assert list(lines_of(lines)) == ["tickets", "by chance"]
    ours = lines_of(lines)["tickets"].get_ydata()
    assert np.flatnonzero(np.ma.getmaskarray(ours)).tolist() == [1]
    assert ours[0] == pytest.approx(100 * values[0][np.triu_indices(tickets, 1)].mean())
