"""Lineages of populations that tune KL weights: winners, CSV and figures."""

import csv
import io

import pytest

from tests.reports.conftest import add_step, edit_config
from tfticket.reports.figures.lineage import EXTINCT, lineage_figure, lineage_figures
from tfticket.reports.kl_lineages import lineages_of
from tfticket.reports.tables.csv_files import lineage_csv
from tfticket.runs.run_folder import read_run

LAYERS = ("dense_1", "dense_2", "dense_3")
# Of each generation: parent, KL weight (twice that in the second layer), validation NLL, None where it diverged.
GENERATIONS = [
    [(None, 0.1, 0.5), (None, 1.0, 0.3), (None, 5.0, None), (None, 0.01, 0.6)],
    [(0, 0.1, 0.45), (1, 1.0, 0.2), (1, 1.25, 0.25), (1, 0.8, 0.15)],
    [(3, 0.64, 0.12), (1, 1.0, 0.18), (2, 1.25, 0.2), (3, 0.8, 0.1)],
]


@pytest.fixture
def lineages(make_run):
    """Make the lineages of a run with a population for each label."""

    def make(*labels, metric="nll", generations=GENERATIONS, size=4):
        folder = make_run("a-1", evaluations=[("ticket", 0, 0)])
        edit_config(folder, svi={"population": {"members": size}})
        for label in labels or [{"seed": 0}]:
            for generation, members in enumerate(generations):
                for member, (parent, weight, nll) in enumerate(members):
                    part = {"arm": "population", "member": member, "generation": generation, "parent": parent}
                    part["weights"] = dict(zip(LAYERS, (weight, 2 * weight, weight), strict=True))
                    validation = {} if nll is None else {"nll": nll, "accuracy": 1 - nll / 5}
                    add_step(folder, "member", label | part | {"metric": metric}, {"validation": validation})
        return lineages_of(read_run(folder))

    return make


def test_the_winner_is_the_best_of_the_last_whole_generation(lineages):
    (lineage,) = lineages({"seed": 0, "level": 2})
    assert (lineage.label, lineage.layers) == ({"seed": 0, "level": 2}, list(LAYERS))
    assert [member.member for member in lineage.best_first] == [3, 0, 1, 2]
    assert [member.member for member in lineage.ancestry(lineage.best_first[0])] == [1, 3, 3]
    rows = list(csv.DictReader(io.StringIO(lineage_csv([lineage]))))
    assert (len(rows), rows[0]["parent"], rows[2]["validation_nll"]) == (12, "", "")
    assert list(rows[-1].values()) == ["0", "2", "2", "3", "3", "0.8", "1.6", "0.8", "0.1", "0.98"]


@pytest.mark.parametrize(
    ("generations", "size", "best_first", "legend"),
    [
        ([*GENERATIONS[:2], GENERATIONS[2][:3]], 4, [3, 1, 2, 0], 3),
        ([GENERATIONS[0][:2]], 4, [], 1),
        ([[(None, 1.0, None), (None, 2.0, None)]], 2, [0, 1], 2),
    ],
)
def test_incomplete_and_diverged_populations_are_drawn(lineages, generations, size, best_first, legend):
    (lineage,) = lineages(generations=generations, size=size)
    assert [member.member for member in lineage.best_first] == best_first
    figure = lineage_figure(lineage, "title")
    assert len(figure.legends[0].get_texts()) == legend
    assert len(figure.axes) == len(LAYERS) + (size == 4 and bool(best_first))  # with a bar of colours


def test_the_winners_ancestry_is_bold_and_members_without_descendants_are_grey(lineages):
    first, second = lineages({"seed": 0, "level": 2, "density": 0.5}, {"seed": 1, "level": 2}, metric="accuracy")
    axes = lineage_figure(first, "lenet-300-100 on $MNIST$").axes[1]  # of the second layer
    edges = [(tuple(line.get_xdata()), tuple(line.get_ydata()), line) for line in axes.lines]
    bold = {(x, y) for x, y, line in edges if line.get_linewidth() > 3 and len(x) == 2}
    assert bold == {((0, 1), (2.0, 1.6)), ((1, 2), (1.6, 1.6))}
    grey = {(x, y) for x, y, line in edges if line.get_color() == EXTINCT and len(x) == 2}
    assert grey == {((0, 1), (0.2, 0.2))}
    assert set(lineage_figures([first, second], "title")) == {"lineage-seed-0-level-2", "lineage-seed-1-level-2"}
    assert set(lineage_figures([first], "title")) == {"lineage"}
