import csv
import io
from dataclasses import replace

import pytest

from tfticket.arms import TICKET, Arm
from tfticket.cli.console import show_cells
from tfticket.reports.grouping import by_seed, density_of, paired
from tfticket.reports.rows import Row
from tfticket.reports.statistics import mean_interval
from tfticket.reports.tables.arms import metrics_table
from tfticket.reports.tables.cells import seeds_text, shown_levels, summarise
from tfticket.reports.tables.csv_files import rows_csv

DATA = "MNIST, 100 training rows"


def row(arm="ticket", seed=0, level=0, accuracy=0.9, nll=0.3, run="r-1", data=DATA, replicate=0, density=None):
    density = 0.5**level if density is None else density
    test, validation = {"accuracy": accuracy, "nll": nll}, {"accuracy": 0.8, "nll": 0.4}
    arm = Arm.parse(arm)
    return Row(run, arm, arm.name, seed, level, density, data, test, validation, replicate)


ROWS = [
    row("reinitialise", level=1, accuracy=0.91, nll=0.25),
    row(level=1, accuracy=0.96, nll=0.2),
    row("reinitialise", seed=1, level=1, accuracy=0.95, nll=0.5),
    row(seed=1, level=1, accuracy=0.98, nll=0.1),
    row(seed=1, accuracy=0.97),
    row(accuracy=0.95),
    row(level=2, accuracy=0.8),
]


def test_cells_go_by_level_with_the_ticket_first():
    order = [(cell.level, cell.arm.key) for cell in summarise(ROWS)]
    assert order == [(0, "ticket"), (1, "ticket"), (1, "reinitialise"), (2, "ticket")]
    assert order == [(cell.level, cell.arm.key) for cell in summarise(ROWS[::-1])]


def test_a_cell_is_the_mean_and_range_over_its_seeds():
    dense, ticket, _, last = summarise(ROWS)
    assert dense.test["accuracy"] == mean_interval([0.95, 0.97])
    assert dense.test["nll"] == mean_interval([0.3, 0.3])
    assert dense.test_range == {"accuracy": (0.95, 0.97), "nll": (0.3, 0.3)}
    assert (dense.density, ticket.density, last.density) == (1.0, 0.5, 0.25)
    assert last.test["accuracy"] == mean_interval([0.8])


def test_a_control_is_paired_with_the_ticket_of_its_own_seed():
    dense, ticket, control, last = summarise(ROWS)
    assert control.ticket_minus["accuracy"].mean == pytest.approx((0.05 + 0.03) / 2)
    assert control.ticket_minus["nll"].mean == pytest.approx((-0.05 - 0.4) / 2)
    assert control.ticket_minus["accuracy"] == mean_interval([0.96 - 0.91, 0.98 - 0.95])
    assert dense.ticket_minus == ticket.ticket_minus == last.ticket_minus == {}


def test_controls_come_in_the_order_in_which_the_run_has_them():
    arms = ["shuffle-even", "ticket", "mine", "reinitialise he_normal", "reinitialise"]
    some = [row(arm, level=2) for arm in arms] + [row(arm, level=1) for arm in arms[::-1]]
    expected = ["ticket", "shuffle-even", "mine", "reinitialise he_normal", "reinitialise"]
    assert [(cell.level, cell.arm.key) for cell in summarise(some)] == [(n, arm) for n in (1, 2) for arm in expected]


REPLICATES = [
    row(level=1, accuracy=0.9),
    row(seed=1, level=1, accuracy=0.8),
    *(
        row("reinitialise", level=1, accuracy=a, nll=b, replicate=n)
        for n, (a, b) in enumerate([(0.7, 0.5), (0.5, 0.7)])
    ),
    row("reinitialise", seed=1, level=1, accuracy=0.75, nll=0.4),
]


def test_the_replicates_of_a_seed_are_averaged_before_anything_else():
    _, control = summarise(REPLICATES)
    assert control.test["accuracy"] == mean_interval([0.6, 0.75])
    assert control.test["nll"] == mean_interval([0.6, 0.4])
    assert control.test_range == {"accuracy": (0.6, 0.75), "nll": (0.4, 0.6)}
    assert control.ticket_minus["accuracy"] == mean_interval([0.9 - 0.6, 0.8 - 0.75])
    assert (control.ticket_minus["accuracy"].count, control.replicates) == (2, (1, 2))


def test_more_replicates_do_not_make_more_seeds():
    one, three = (
        [row("mine", seed, 1, 0.8 + 0.01 * seed, replicate=n) for seed in range(4) for n in range(k)] for k in (1, 3)
    )
    first, second = (summarise([*[row(seed=seed, level=1) for seed in range(4)], *some])[1] for some in (one, three))
    for name in ("accuracy", "nll"):
        for found, expected in ((second.test, first.test), (second.ticket_minus, first.ticket_minus)):
            assert vars(found[name]) == pytest.approx(vars(expected[name]))


def test_an_evaluation_that_is_listed_twice_counts_once():
    assert summarise([*REPLICATES, *REPLICATES]) == summarise(REPLICATES)


def test_differences_of_two_controls_are_paired_by_seed_too():
    some = [row("a", 0, accuracy=0.9), row("a", 1, accuracy=0.8), row("b", 1, accuracy=0.5), row("b", 2)]
    groups = by_seed(some)
    assert paired(groups["r-1", 0, Arm(control="a")], groups["r-1", 0, Arm(control="b")], "accuracy") == [
        pytest.approx(0.3)
    ]


def test_the_density_is_the_mean_over_seeds():
    some = [row(seed=0, density=0.2, replicate=n) for n in range(3)] + [row(seed=1, density=0.4)]
    assert density_of(by_seed(some)["r-1", 0, TICKET]) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("replicates", "said"),
    [
        ({}, "2 seeds"),
        ({0: 1, 1: 1}, "2 seeds"),
        ({0: 3, 1: 3}, "2 seeds, 3 replicates of each control"),
        ({0: 3, 1: 1}, "2 seeds, 1 to 3 replicates of each control"),
        ({0: 2}, "1 to 2 seeds, 2 replicates of each control"),
    ],
)
def test_it_is_said_how_many_seeds_and_replicates_there_are(capsys, replicates, said):
    some = [row(seed=0), row(seed=1)]
    some += [row("mine", seed, replicate=n) for seed, count in replicates.items() for n in range(count)]
    some += [row("nuts", seed) for seed in (0, 1)]  # no control, and of one replicate
    cells = summarise(some)
    assert seeds_text(cells) == said
    show_cells(cells)
    assert f"Means over {said}; " in " ".join(capsys.readouterr().out.split())


def test_seeds_without_a_partner_are_left_out_of_the_difference_only():
    (_, control) = summarise([row(level=1), row("random-mask", 0, 1, 0.8), row("random-mask", 5, 1, 0.2)])
    assert control.test["accuracy"].mean == pytest.approx(0.5)
    assert control.ticket_minus["accuracy"] == mean_interval([0.9 - 0.8])
    (alone,) = summarise([row("random-mask", level=1)])
    assert alone.ticket_minus == {}


def test_runs_are_never_mixed():
    cells = summarise([row(accuracy=0.9), row(accuracy=0.7, run="r-2"), row("random-mask", level=0, run="r-2")])
    assert [(cell.run, cell.test["accuracy"].mean) for cell in cells] == [("r-1", 0.9), ("r-2", 0.7), ("r-2", 0.9)]


def test_the_table_shows_dense_and_the_levels_with_controls():
    header, rows = metrics_table(summarise(ROWS))
    assert [name.replace("\n", " ") for name in header] == [
        "weights remaining",
        "arm",
        "test accuracy",
        "ticket - arm (points)",
        "test NLL",
        "ticket - arm (nats)",
    ]
    assert rows[0] == ["100.0%", "dense", "96.00%", "", "0.300", ""]
    assert rows[1] == ["50.0%", "IMP ticket", "97.00%", "", "0.150", ""]
    # 12.706 is the 97.5 % point of Student's t with 1 degree of freedom; two values d apart have sd d / sqrt(2).
    accuracy, nll = f"+4.00 ± {12.7062 * 2 / 2:.2f}", f"-0.225 ± {12.7062 * 0.35 / 2:.3f}"
    assert rows[2:] == [["50.0%", "re-initialised", "93.00%", accuracy, "0.375", nll]]


def test_one_seed_shows_a_difference_and_no_interval():
    _, rows = metrics_table(summarise([row(level=1), row("random-mask", level=1, accuracy=0.85, nll=0.31)]))
    assert rows[1] == ["50.0%", "random mask", "85.00%", "+5.00", "0.310", "-0.010"]


def test_without_controls_the_table_shows_every_level():
    _, rows = metrics_table(summarise([row(level=level) for level in range(4)]))
    assert [line[0] for line in rows] == ["100.0%", "50.0%", "25.0%", "12.5%"]


def test_a_control_of_the_dense_network_is_called_by_its_name():
    cells = summarise([row(), row("reinitialise he_normal", accuracy=0.8), row(level=1)])
    assert [line[1] for line in metrics_table(cells)[1]] == ["dense", "re-initialised (he_normal)"]
    assert shown_levels(cells) == [0]


def test_rows_of_different_seeds_say_how_many_they_have(capsys):
    whole = [row(seed=seed, level=1) for seed in (0, 1)] + [row("mine", seed, 1) for seed in (0, 1)]
    assert "n" not in metrics_table(summarise(whole))[0]
    show_cells(summarise(whole))
    assert "\nn: " not in capsys.readouterr().out
    header, rows = metrics_table(summarise(whole[:-1]))
    assert header[:3] == ["weights\nremaining", "arm", "n"]
    assert [line[1:3] for line in rows] == [["IMP ticket", "2"], ["mine", "1"]]
    assert {len(line) for line in rows} == {len(header)}
    show_cells(summarise(whole[:-1]))
    assert "\nn: number of seeds in the mean" in capsys.readouterr().out


def test_several_runs_have_a_table_each_under_their_names(capsys):
    show_cells(summarise([row(), row(run="r-2", accuracy=0.5)]))
    first, second = capsys.readouterr().out.split("\nr-1\n")[1].split("\nr-2\n")
    assert "50.00%" not in first
    assert "50.00%" in second
    assert first.count("accuracy") == second.count("accuracy") == 1


def test_the_csv_ends_with_the_bootstrap_intervals_of_test_metrics_where_there_are_any():
    told = replace(row(), intervals={"accuracy": (0.96, 0.98), "nll": (0.09, 0.125)})
    header, first, second = csv.reader(io.StringIO(rows_csv([told, row(seed=1)])))
    assert header[-4:] == ["test_accuracy_low", "test_accuracy_high", "test_nll_low", "test_nll_high"]
    assert first[-4:] == ["0.96", "0.98", "0.09", "0.125"]
    assert second[-4:] == ["", "", "", ""]
    assert "test_accuracy_low" not in rows_csv([row()])


def test_the_csv_has_every_row_to_the_last_digit():
    rows = [
        *ROWS,
        *REPLICATES,
        row(accuracy=1 / 3, run='odd, "name"', data='my "letters", classes a, b, 7 training rows'),
    ]
    lines = list(csv.DictReader(io.StringIO(rows_csv(rows))))
    assert len(lines) == len(rows)
    for line, one in zip(lines, rows, strict=True):
        assert (line["run"], line["data"], line["arm"]) == (one.run, one.data, one.arm.key)
        assert [int(line[name]) for name in ("seed", "replicate", "level")] == [one.seed, one.replicate, one.level]
        assert float(line["density"]) == one.density
        assert float(line["sparsity"]) == 1.0 - one.density
        for split in ("test", "validation"):
            assert {name: float(line[f"{split}_{name}"]) for name in ("accuracy", "nll")} == getattr(one, split)
