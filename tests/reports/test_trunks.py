"""Reports of runs with several ways of iterative pruning."""

import json
from dataclasses import replace

import pytest

from tfticket.arms import TICKET, Arm
from tfticket.cli.console import show_cells
from tfticket.evaluation.metrics import METRICS
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.figures.learning_curves import Curve, curves_of, learning_figure, shown_curves
from tfticket.reports.figures.metrics import controls_figure, has_controls, metric_figure
from tfticket.reports.grouping import without_controls
from tfticket.reports.report import write_report
from tfticket.reports.rows import Row
from tfticket.reports.tables.arms import metrics_table
from tfticket.reports.tables.cells import shown_levels, summarise
from tfticket.runs.run_folder import read_run

ARMS = {"ticket": 0.95, "bayesian-snr": 0.96, "bayesian-mu": 0.955, "bayesian-snr-lrr": 0.97}
CONTROLS = {
    "reinitialise": 0.9,
    "shuffle-even": 0.1,
    "bayesian-snr reinitialise": 0.93,
    "transplant-start": 0.94,
}


def rows(seeds=(0, 1), controls=tuple(CONTROLS)):
    found = []
    for level in (0, 1, 2):
        arms = ARMS | {arm: CONTROLS[arm] for arm in controls if level == 2}
        for arm, accuracy in arms.items():
            for seed in seeds:
                metrics = dict.fromkeys(METRICS, 0.1) | {"accuracy": accuracy - 0.01 * seed}
                whose = ("r", Arm.parse(arm), Arm.parse(arm).name, seed, level, 0.5**level, "MNIST, 100 training rows")
                found.append(Row(*whose, metrics, metrics))
    return found


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


@pytest.mark.parametrize(
    ("arm", "trunk"),
    [
        ("ticket", "ticket"),
        ("shuffle-even", "ticket"),
        ("random-mask 0.1", "ticket"),
        ("nuts reinitialise", "ticket"),
        ("bayesian-snr", "bayesian-snr"),
        ("bayesian-snr random-mask 0.1", "bayesian-snr"),
        ("deterministic-magnitude-lrr", "deterministic-magnitude-lrr"),
        ("transplant-start", "ticket"),
    ],
)
def test_the_tickets_that_an_arm_belongs_to(arm, trunk):
    assert Arm.parse(arm).ticket.key == trunk
    assert Arm.parse(arm).is_ticket == (arm == trunk)


def test_a_control_is_compared_with_its_own_ticket_and_a_ticket_with_the_runs():
    minus = {
        cell.arm.key: cell.ticket_minus["accuracy"].mean
        for cell in summarise(rows())
        if cell.level == 2 and cell.arm.key != "ticket"
    }
    assert minus == pytest.approx(
        {
            "bayesian-snr": -0.01,
            "bayesian-mu": -0.005,
            "bayesian-snr-lrr": -0.02,
            "reinitialise": 0.05,
            "shuffle-even": 0.85,
            "bayesian-snr reinitialise": 0.03,
            "transplant-start": 0.01,
        }
    )


def test_it_is_said_which_ticket_a_difference_is_to_where_there_are_two(capsys):
    def said(some):
        show_cells(summarise(some))
        return "for a control, the ticket that it alters" in " ".join(capsys.readouterr().out.split())

    assert said(rows())
    assert not said(rows(controls=("reinitialise", "transplant-start")))
    assert not said([row for row in rows() if row.level < 2])


def test_the_unpruned_network_that_trunks_share_is_printed_once():
    _, table = metrics_table(summarise(rows()))
    assert [line[:2] for line in table if line[0] == "100.0%"] == [["100.0%", "dense"], ["100.0%", "dense, Bayesian"]]
    assert len([line for line in table if line[0] == "25.0%"]) == len(ARMS) + len(CONTROLS)


def test_tickets_by_a_score_of_the_users_are_reported_as_all_others():
    mine = [replace(one, arm=arm, name=arm.name) for one in rows() for arm in renamed(one.arm.key)]
    assert {one.name for one in mine} >= {
        "Bayesian, mine",
        "Bayesian, mine, rate rewound",
        "Bayesian, mine, re-initialised",
    }
    _, table = metrics_table(summarise(mine))
    assert [line[1] for line in table if line[0] == "100.0%"] == ["dense", "dense, Bayesian"]
    arms = {cell.arm.key for cell in without_controls(summarise(mine))}
    assert arms == {"ticket", "bayesian-mine", "bayesian-mine-lrr", "transplant-start"}


def renamed(arm):
    """Arms of the SNR score as of another one; none of abs(mu)."""
    return [] if arm == "bayesian-mu" else [Arm.parse(arm.replace("-snr", "-mine"))]


def test_the_unpruned_networks_of_both_kinds_are_drawn():
    (axes,) = metric_figure(without_controls(summarise(rows())), "accuracy", "title", "legend").axes
    lines = lines_of(axes)
    assert list(lines)[-2:] == ["dense", "dense, Bayesian"]
    assert list(lines["dense"].get_ydata()) == pytest.approx([94.5] * 2)
    assert list(lines["dense, Bayesian"].get_ydata()) == pytest.approx([95.5] * 2)
    assert lines["dense"].get_linestyle() != lines["dense, Bayesian"].get_linestyle()


def test_the_learning_curves_of_both_unpruned_networks_are_drawn(make_run):
    folder = make_run("b-1", evaluations=[(arm, 0, level) for arm in ("ticket", *ARMS) for level in (0, 1)])
    manifest = folder / "manifest.json"
    steps = json.loads(manifest.read_text())["steps"][1:]
    for step in steps:
        path = folder.parents[1] / "steps" / step["folder"] / "result.json"
        accuracies = [0.5, 0.6 if step["label"]["arm"] == "ticket" else 0.7]
        history = [{"iteration": 10 * n, "accuracy": accuracy} for n, accuracy in enumerate(accuracies)]
        path.write_text(json.dumps({"result": {"history": history}}))
        step["kind"] = "train"
    manifest.write_text(json.dumps({"steps": steps}))
    (axes,) = learning_figure(shown_curves(curves_of(read_run(folder))), "title").axes
    lines = lines_of(axes)
    assert list(lines) == ["dense", "dense, Bayesian", *(Arm.parse(arm).name for arm in ARMS)]
    assert list(lines["dense, Bayesian"].get_ydata()) == pytest.approx([50, 70])
    assert lines["dense"].get_linestyle() != lines["dense, Bayesian"].get_linestyle()


def test_tables_show_the_levels_of_controls_and_where_there_are_none_all():
    assert shown_levels(summarise(rows())) == [0, 2]
    assert shown_levels(summarise(rows(controls=()))) == [0, 1, 2]


def test_figures_of_tickets_leave_the_controls_to_their_own():
    cells = summarise(rows())
    alone = without_controls(cells)
    assert {cell.arm.key for cell in alone} == {*ARMS, "transplant-start"}
    (axes,) = metric_figure(alone, "accuracy", "title", "legend").axes
    assert {"IMP ticket", "transplanted", "Bayesian, SNR, rate rewound"} <= lines_of(axes).keys()
    curves = [Curve(row.arm, row.name, row.seed, row.level, (1, 2), (0.5, 0.6)) for row in rows()]
    assert {curve.arm.key for curve in shown_curves(curves)} == {*ARMS, "transplant-start"}


def test_a_run_with_one_way_of_pruning_keeps_its_controls():
    cells = [cell for cell in summarise(rows()) if cell.arm.trunk is None]
    assert without_controls(cells) == cells


def test_controls_stand_beside_their_own_tickets():
    figure = controls_figure(summarise(rows()), "title", "legend")
    above, beside, *below = figure.axes
    assert [axes.get_title(loc="left") for axes in (above, beside)] == ["IMP ticket", "Bayesian, SNR"]
    assert lines_of(above).keys() == {"IMP ticket", "re-initialised", "shuffled evenly"}
    assert lines_of(beside).keys() == {"Bayesian, SNR", "Bayesian, SNR, re-initialised"}
    assert list(lines_of(beside)["Bayesian, SNR"].get_ydata()) == pytest.approx([95.5] * 3)
    assert list(lines_of(beside)["Bayesian, SNR, re-initialised"].get_ydata()) == pytest.approx([92.5])
    for one in (above, beside):  # a collapsed arm beside: still one axis for both
        assert one.get_ylim() == above.get_ylim()
        assert one.get_yscale() == "function"
        assert one.get_ylim()[0] < 9.5
    assert len(below) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "IMP ticket",
        "re-initialised",
        "shuffled evenly",
        "Bayesian, SNR",
        "Bayesian, SNR, re-initialised",
    ]


def test_without_controls_there_is_no_figure_of_them():
    assert not has_controls(summarise(rows(controls=("transplant-start",))))
    assert has_controls(summarise(rows()))


def test_rewound_rates_have_their_scores_colour_and_another_line():
    looks = arm_styles([("r", Arm.parse(arm)) for arm in (*ARMS, "deterministic-magnitude-lrr")])
    for plain, rewound in (("bayesian-snr", "bayesian-snr-lrr"), ("ticket", "deterministic-magnitude-lrr")):
        ours, theirs = looks["r", Arm.parse(rewound)], looks["r", Arm.parse(plain)]
        assert (ours["color"], ours["marker"]) == (theirs["color"], theirs["marker"])
        assert ours["ls"] != theirs["ls"]
        assert ours["mfc"] == "white" != theirs["mfc"]


def look_of(line):
    face = line.get_markerfacecolor()
    return line.get_color(), line.get_marker(), line.get_linestyle(), face


def test_an_arm_has_one_look_and_one_name_in_the_figures_of_a_report():
    cells = summarise(rows())
    alone = lines_of(metric_figure(without_controls(cells), "accuracy", "title", "legend").axes[0])
    curves = [Curve(row.arm, row.name, row.seed, row.level, (1, 2), (0.5, 0.6)) for row in rows() if row.level]
    learning = lines_of(learning_figure(shown_curves(curves), "title").axes[0])
    controls: dict = {}
    for axes in controls_figure(cells, "title", "legend").axes:
        controls |= lines_of(axes)
    tickets = {"IMP ticket", "Bayesian, SNR"}
    assert tickets <= alone.keys() & learning.keys() & controls.keys()
    for name in tickets:
        assert look_of(controls[name]) == look_of(alone[name]) == look_of(learning[name])
    assert look_of(controls["IMP ticket"]) != look_of(controls["Bayesian, SNR"])
    own, theirs = controls["re-initialised"], controls["Bayesian, SNR, re-initialised"]
    assert look_of(own)[:2] == look_of(theirs)[:2]
    assert look_of(own)[2:] != look_of(theirs)[2:]


def test_looks_depend_on_which_arms_there_are_not_on_their_order():
    names = (*ARMS, *CONTROLS, "random-mask 0.1", "random-mask 0.2", "mine")
    arms = [(run, Arm.parse(name)) for run in ("r", "s") for name in names]
    looks, backwards = arm_styles(arms), arm_styles([("r", TICKET), *reversed(arms[1:]), ("s", TICKET)])
    runs_apart = {key: look for key, look in looks.items() if key[0] == "r"}
    assert runs_apart == {key: look for key, look in backwards.items() if key[0] == "r"}
    assert len({str(sorted(look.items())) for look in looks.values()}) == len(looks)


def test_a_report_has_the_figure_of_controls_where_there_are_some(make_run):
    arms = [("ticket", 0, 0), ("bayesian-snr", 0, 0), ("ticket", 0, 1), ("bayesian-snr", 0, 1)]
    folder = make_run("b-1", evaluations=[*arms, ("bayesian-snr reinitialise", 0, 1)])
    assert {"controls.png", "controls.pdf"} <= set(write_report([read_run(folder)]).files)
    written = write_report([read_run(make_run("b-2", evaluations=arms))])
    assert "controls.png" not in written.files
