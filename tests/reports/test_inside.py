"""Figures of inspections made by hand."""

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
    assert set(whole) == {20}
    drawn(weights_figure(inspection(densities=(0.5, 0, 0.5)), "small"))
    for make, columns in ((weights_figure, 2), (masks_figure, 1)):  # of many layers six are shown
        axes = make(inspection(layers=20), "small").axes
        assert len([each for each in axes if each.get_title() or each.texts or each.patches]) == 6 * columns
    (empty,) = drawn(layers_figure({"mine": inspection(densities=(0.05, 0, 0.9), live=None)}, "small"))
    assert next(list(line.get_xdata()) for line in empty.get_lines() if line.get_marker() == "x") == [2]
    (several,) = drawn(layers_figure({f"level {n}": inspection(layers=40) for n in range(11)}, "small"))
    assert {f"level {n}" for n in range(11)} <= lines_of(several).keys()


@pytest.mark.parametrize(
    ("image", "units", "window", "live"), [((4, 5, 3), 200, (), 0.9), ((8, 8, 3), 5, (3, 3), None)]
)
def test_receptive_fields_of_every_shape(image, units, window, live):
    figure = receptive_fields_figure(inspection(image=image, units=units, window=window, live=live), "small")
    tiles, survivors, *_ = drawn(figure)
    assert (f"{units} units" in tiles.get_title(), "dead" in tiles.get_title()) == (True, live is not None)
    assert survivors.get_images()[0].get_array().shape == (window or image[:2])


def test_overlap_has_a_number_for_each_pair_and_a_line_over_layers():
    values = np.random.default_rng(0).random((30, 3, 3))
    densities = np.full((3, 30), 0.5)
    densities[:, 1] = 0  # empty layers have no overlap
    names = ("seed 0", "seed 1", "seed 2"), tuple(f"layer_{n}/kernel" for n in range(30))
    comparison = TicketComparison(*names, densities, *[values] * 4, *[values.mean(axis=0)] * 4)
    heat, lines = drawn(overlap_figure(comparison, "small"))
    assert (len(heat.texts), list(lines_of(lines))) == (9, ["tickets", "by chance"])
    ours = lines_of(lines)["tickets"].get_ydata()
    assert np.flatnonzero(np.ma.getmaskarray(ours)).tolist() == [1]
    assert ours[0] == pytest.approx(100 * values[0][np.triu_indices(3, 1)].mean())
