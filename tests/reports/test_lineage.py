"""What reports say of populations: lineages, from a run made by hand."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tfticket.reports import report
from tfticket.reports.figures.lineage import EXTINCT, lineage_figure
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
def make_population(make_run):
    """Makes a run with populations by hand, a label each; evaluated, so that there is a report of it."""

    def make(*labels, metric="nll", generations=GENERATIONS, size=4):
        folder = make_run("a-1", evaluations=[("ticket", 0, 0), ("ticket", 1, 0)])
        manifest = json.loads((folder / "manifest.json").read_text())
        for label in labels:
            for generation, members in enumerate(generations):
                for member, (parent, weight, nll) in enumerate(members):
                    step = folder.parents[1] / "steps" / f"member-{len(manifest['steps'])}"
                    step.mkdir()
                    validation = {} if nll is None else {"nll": nll, "accuracy": 1 - nll / 5}
                    found = {"fingerprint": "0", "result": {"validation": validation}}
                    (step / "result.json").write_text(json.dumps(found))
                    said = {"arm": "population", "member": member, "generation": generation, "parent": parent}
                    said |= {"weights": dict(zip(LAYERS, (weight, 2 * weight, weight), strict=True)), "metric": metric}
                    entry = {"kind": "member", "folder": step.name, "fingerprint": step.name, "label": label | said}
                    manifest["steps"].append(entry)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        run = read_run(folder)
        return replace(run, config=run.config | {"svi": {"population": {"members": size}}})

    return make


def test_the_winner_is_the_best_of_the_last_generation_and_its_ancestors_are_followed(make_population):
    (lineage,) = lineages_of(make_population({"seed": 0, "level": 2}))
    assert lineage.label == {"seed": 0, "level": 2}
    assert [one.member for one in lineage.best_first] == [3, 0, 1, 2]
    assert [one.member for one in lineage.ancestry(lineage.best_first[0])] == [1, 3, 3]
    assert lineage.layers == list(LAYERS)


def test_a_generation_that_is_not_whole_decides_nothing(make_population):
    (lineage,) = lineages_of(make_population({"seed": 0}, generations=[*GENERATIONS[:2], GENERATIONS[2][:3]]))
    assert [one.member for one in lineage.best_first] == [3, 1, 2, 0]
    assert lineage_figure(lineage, "title")


def test_every_member_of_every_generation_is_in_the_csv(make_population):
    lineages = lineages_of(make_population({"seed": 0, "level": 2}))
    rows = list(csv.DictReader(io.StringIO(lineage_csv(lineages))))
    assert len(rows) == 12
    assert list(rows[0]) == [
        "seed", "level", "generation", "member", "parent", *(f"kl_weight_{layer}" for layer in LAYERS),
        "validation_nll", "validation_accuracy",
    ]  # fmt: skip
    assert (rows[0]["parent"], rows[2]["validation_nll"], rows[2]["validation_accuracy"]) == ("", "", "")
    last = rows[-1]
    assert (last["generation"], last["member"], last["parent"]) == ("2", "3", "3")
    assert (float(last["kl_weight_dense_2"]), float(last["validation_nll"])) == (1.6, 0.1)


def lines(axes):
    return [(list(line.get_xdata()), list(line.get_ydata()), line) for line in axes.lines]


@pytest.mark.parametrize("metric", ["nll", "accuracy"])
def test_the_winners_ancestry_is_bold_and_who_has_no_descendants_grey(make_population, metric):
    (lineage,) = lineages_of(make_population({"seed": 0}, metric=metric))
    figure = lineage_figure(lineage, "lenet-300-100 on $MNIST$")
    panels = figure.axes[:3]
    assert [axes.get_title(loc="left") for axes in panels] == list(LAYERS)
    for axes, factor in zip(panels, (1, 2, 1), strict=True):
        assert axes.get_yscale() == "log"
        bold = [(x, y) for x, y, line in lines(axes) if line.get_linewidth() > 3 and line.get_linestyle() == "-"]
        assert [x for x, _ in bold if len(x) == 2] == [[0, 1], [1, 2]]
        np.testing.assert_allclose([y for _, y in bold if len(y) == 2], np.array([[1, 0.8], [0.8, 0.8]]) * factor)
        grey = {(tuple(x), tuple(y)) for x, y, line in lines(axes) if line.get_color() == EXTINCT and len(x) == 2}
        assert grey == {((0, 1), (0.1 * factor, 0.1 * factor))}
        crosses = {(x[0], y[0]) for x, y, line in lines(axes) if line.get_marker() == "x"}
        assert crosses == {(0, 5.0 * factor), (0, 0.01 * factor), (1, 0.1 * factor)}
    label = "validation NLL (nats)" if metric == "nll" else "validation accuracy (%)"
    assert figure.axes[-1].get_ylabel() == f"{label}, last generation"
    winner = next(line for x, _, line in lines(panels[0]) if line.get_linewidth() > 3)
    other = next(line for x, y, line in lines(panels[0]) if y == [1.25, 1.25])
    assert sum(winner.get_color()[:3]) < sum(other.get_color()[:3])  # the best is the darkest


def test_the_legend_shows_lines_and_dots_as_they_are_drawn(make_population):
    def legend(generations):
        figure = lineage_figure(*lineages_of(make_population({"seed": 0}, generations=generations)), "title")
        (found,) = figure.legends
        dots = {(line.get_color(), line.get_markersize()) for _, _, line in lines(figure.axes[0])}
        return {text.get_text(): line for text, line in zip(found.get_texts(), found.get_lines(), strict=True)}, dots

    named, drawn = legend(GENERATIONS)
    assert list(named) == ["winner and its ancestors", "without descendants in the last generation", "replaced"]
    for line in named.values():
        assert (line.get_color(), line.get_markersize()) in drawn


def test_layers_that_do_not_fill_the_last_row_of_panels_are_drawn_too(make_population):
    (lineage,) = lineages_of(make_population({"seed": 0}))
    more = [
        {number: replace(one, weights=one.weights | {"dense_4": 1.0}) for number, one in members.items()}
        for members in lineage.members
    ]
    figure = lineage_figure(replace(lineage, members=more), "lenet-5")
    figure.savefig(io.BytesIO())
    assert len(figure.axes) == 5  # four layers and the bar


def test_a_population_that_diverged_is_drawn_too(make_population):
    (lineage,) = lineages_of(make_population({"seed": 0}, generations=[[(None, 1.0, None), (None, 2.0, None)]], size=2))
    assert lineage_figure(lineage, "title")


def test_a_first_generation_that_is_not_whole_has_no_winner(make_population):
    (lineage,) = lineages_of(make_population({"seed": 0}, generations=[GENERATIONS[0][:2]]))
    assert lineage.best_first == []
    figure = lineage_figure(lineage, "title")
    assert len(figure.axes) == len(LAYERS)  # and no bar of colours
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["the first generation, which is incomplete"]


def test_the_report_has_the_lineage_and_a_run_without_members_has_none(make_population, make_run):
    written = report.write_report([make_population({"seed": 0, "level": 2})])
    assert {"lineage.png", "lineage.pdf", "lineage.csv"} <= set(written.files)
    assert (written.folder / "lineage.png").stat().st_size > 10_000
    other = report.write_report([read_run(make_run("b-1", evaluations=[("ticket", 0, 0)]))], written.folder)
    assert not [name for name in other.files if "lineage" in name]
    assert not list(written.folder.glob("lineage*"))


def test_several_populations_have_a_figure_each(make_population, make_run):
    labels = [{"seed": seed, "level": 2, "density": 0.5 + seed / 100} for seed in (0, 1)]
    written = report.write_report([make_population(*labels)])
    assert {"lineage-seed-0-level-2.png", "lineage-seed-1-level-2.png", "lineage.csv"} <= set(written.files)
    other = report.write_report([read_run(make_run("b-1", evaluations=[("ticket", 0, 0)]))], written.folder)
    assert {path.name for path in written.folder.iterdir()} == set(other.files)
