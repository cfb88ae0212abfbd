import csv
import io

import pytest

from tfticket.console import show_cells
from tfticket.reports.rows import ARM_NAMES, Row
from tfticket.reports.statistics import mean_interval
from tfticket.reports.tables import rows_csv, summarise, table_rows


def row(arm="ticket", seed=0, level=0, accuracy=0.9, nll=0.3, run="r-1", data="MNIST, 100 training rows"):
    density = 0.5**level
    return Row(
        run,
        arm,
        ARM_NAMES[arm],
        seed,
        level,
        density,
        data,
        {"accuracy": accuracy, "nll": nll},
        {"accuracy": 0.8, "nll": 0.4},
    )


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
    order = [(cell.level, cell.arm) for cell in summarise(ROWS)]
    assert order == [(0, "ticket"), (1, "ticket"), (1, "reinitialise"), (2, "ticket")]
    assert order == [(cell.level, cell.arm) for cell in summarise(ROWS[::-1])]


def test_a_cell_is_the_mean_and_range_over_its_seeds():
    dense, ticket, _, last = summarise(ROWS)
    assert dense.test["accuracy"] == mean_interval([0.95, 0.97])
    assert dense.test["nll"] == mean_interval([0.3, 0.3])
    assert dense.accuracy_range == (0.95, 0.97)
    assert (dense.density, ticket.density, last.density) == (1.0, 0.5, 0.25)
    assert last.test["accuracy"] == mean_interval([0.8])


def test_a_control_is_paired_with_the_ticket_of_its_own_seed():
    dense, ticket, control, last = summarise(ROWS)
    assert control.ticket_minus["accuracy"].mean == pytest.approx((0.05 + 0.03) / 2)
    assert control.ticket_minus["nll"].mean == pytest.approx((-0.05 - 0.4) / 2)
    assert control.ticket_minus["accuracy"] == mean_interval([0.96 - 0.91, 0.98 - 0.95])
    assert dense.ticket_minus == ticket.ticket_minus == last.ticket_minus == {}


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
    header, rows = table_rows(summarise(ROWS))
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
    _, rows = table_rows(summarise([row(level=1), row("random-mask", level=1, accuracy=0.85, nll=0.31)]))
    assert rows[1] == ["50.0%", "random mask", "85.00%", "+5.00", "0.310", "-0.010"]


def test_without_controls_the_table_shows_every_level():
    _, rows = table_rows(summarise([row(level=level) for level in range(4)]))
    assert [line[0] for line in rows] == ["100.0%", "50.0%", "25.0%", "12.5%"]


def test_several_runs_have_a_table_each_under_their_names(capsys):
    show_cells(summarise([row(), row(run="r-2", accuracy=0.5)]))
    first, second = capsys.readouterr().out.split("\nr-1\n")[1].split("\nr-2\n")
    assert "50.00%" not in first
    assert "50.00%" in second
    assert first.count("accuracy") == second.count("accuracy") == 1


def test_the_csv_has_every_row_to_the_last_digit():
    rows = [*ROWS, row(accuracy=1 / 3, run='odd, "name"', data='my "letters", classes a, b, 7 training rows')]
    lines = list(csv.DictReader(io.StringIO(rows_csv(rows))))
    assert len(lines) == len(rows)
    for line, one in zip(lines, rows, strict=True):
        assert (line["run"], line["data"], line["arm"]) == (one.run, one.data, one.arm)
        assert (int(line["seed"]), int(line["level"])) == (one.seed, one.level)
        assert float(line["density"]) == one.density
        assert float(line["sparsity"]) == 1.0 - one.density
        for split in ("test", "validation"):
            assert {name: float(line[f"{split}_{name}"]) for name in ("accuracy", "nll")} == getattr(one, split)
