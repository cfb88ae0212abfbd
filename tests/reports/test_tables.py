"""Cells over seeds, the tables of arms and claims, and the CSV of rows."""

import csv
import io

import pytest

from tests.reports.conftest import row, rows
from tfticket.cli.console import show_cells, show_claims
from tfticket.reports.claims.decision import Comparison, Precondition, decide
from tfticket.reports.claims.papers import decisions_of
from tfticket.reports.grouping import without_controls
from tfticket.reports.statistics import mean_interval
from tfticket.reports.tables.arms_table import metrics_table
from tfticket.reports.tables.cells import seeds_text, shown_levels, summarise
from tfticket.reports.tables.claims_table import claims_notes, claims_table
from tfticket.reports.tables.csv_files import rows_csv

ROWS = [
    row("reinitialise", accuracy=0.91, nll=0.25),
    row(accuracy=0.96, nll=0.2),
    row("reinitialise", 1, accuracy=0.95, nll=0.5),
    row(seed=1, accuracy=0.98, nll=0.1),
    row(seed=1, level=0, accuracy=0.97),
    row(level=0, accuracy=0.95),
    row(level=2, accuracy=0.8, density=0.3),
]
REPLICATES = [
    *(row(accuracy=0.9), row(seed=1, accuracy=0.8)),
    *(row("reinitialise", accuracy=0.7, nll=0.5), row("reinitialise", accuracy=0.5, nll=0.7, replicate=1)),
    row("reinitialise", 1, accuracy=0.75, nll=0.4),
]


def test_a_cell_is_the_mean_and_range_over_its_seeds_and_a_control_is_paired_with_its_ticket():
    keys = [(0, "ticket"), (1, "ticket"), (1, "reinitialise"), (2, "ticket")]
    assert [(cell.level, cell.arm.key) for cell in summarise(ROWS[::-1])] == keys
    dense, ticket, control, last = summarise(ROWS)
    assert dense.test == {"accuracy": mean_interval([0.97, 0.95]), "nll": mean_interval([0.3, 0.3])}
    assert dense.test_range == {"accuracy": (0.95, 0.97), "nll": (0.3, 0.3)}
    assert [cell.density for cell in (dense, ticket, last)] == [1.0, 0.5, 0.3]
    assert control.ticket_minus["accuracy"] == mean_interval([0.96 - 0.91, 0.98 - 0.95])
    assert control.ticket_minus["nll"] == mean_interval([0.2 - 0.25, 0.1 - 0.5])
    assert dense.ticket_minus == ticket.ticket_minus == last.ticket_minus == {}


def test_replicates_of_a_seed_are_averaged_first_and_count_once():
    _, control = summarise(REPLICATES)
    assert control.test == {"accuracy": mean_interval([0.6, 0.75]), "nll": mean_interval([0.6, 0.4])}
    assert control.test_range["accuracy"] == (0.6, 0.75)
    assert control.ticket_minus["accuracy"] == mean_interval([0.9 - 0.6, 0.8 - 0.75])
    assert control.replicates == (1, 2)
    assert summarise([*REPLICATES, *REPLICATES]) == summarise(REPLICATES)
    densities = [row(density=0.2, replicate=n) for n in range(3)] + [row(seed=1, density=0.4)]
    assert summarise(densities)[0].density == pytest.approx(0.3)
    empty = [row("mine", seed, replicate=n, collapsed_layers=("a", "b")[: seed + n]) for seed in (0, 1) for n in (0, 1)]
    assert summarise([row(), *empty])[1].emptied == {"a": [0, 1], "b": [1]}


def test_seeds_without_a_partner_are_left_out_of_differences_only():
    some = [row(), row(seed=1, accuracy=0.8), row("random-mask", 1, accuracy=0.5), row("random-mask", 5, accuracy=0.2)]
    _, control = summarise(some)
    assert control.test["accuracy"].mean == pytest.approx(0.35)
    assert control.ticket_minus["accuracy"] == mean_interval([0.8 - 0.5])
    assert summarise([row("random-mask")])[0].ticket_minus == {}


def test_controls_keep_the_order_of_the_run_and_runs_are_never_mixed():
    arms = ["shuffle-even", "ticket", "mine", "reinitialise he_normal", "reinitialise"]
    some = [row(arm, level=2) for arm in arms] + [row(arm, level=1) for arm in arms[::-1]]
    expected = [(level, arm) for level in (1, 2) for arm in ("ticket", arms[0], *arms[2:])]
    assert [(cell.level, cell.arm.key) for cell in summarise(some)] == expected
    two = summarise([row(), row(accuracy=0.7, run="r-2"), row("random-mask", run="r-2")])
    assert [(cell.run, cell.test["accuracy"].mean) for cell in two] == [("r-1", 0.9), ("r-2", 0.7), ("r-2", 0.9)]


def test_the_number_of_seeds_and_replicates():
    for replicates, text in (
        ({}, "2 seeds"),
        ({0: 1, 1: 1}, "2 seeds"),
        ({0: 3, 1: 3}, "2 seeds, 3 replicates of each control"),
        ({0: 3, 1: 1}, "2 seeds, 1 to 3 replicates of each control"),
        ({0: 2}, "1 to 2 seeds, 2 replicates of each control"),
    ):
        some = [row(arm, seed) for seed in (0, 1) for arm in ("ticket", "nuts")]  # chains are no controls
        some += [row("mine", seed, replicate=n) for seed, count in replicates.items() for n in range(count)]
        assert seeds_text(summarise(some)) == text


def test_the_table_shows_dense_networks_and_the_levels_with_controls():
    header, table = metrics_table(summarise(ROWS))
    assert len(header) == 6
    # 12.706 is the 97.5 % point of Student's t with 1 degree of freedom; two values d apart have sd d / sqrt(2).
    accuracy, nll = f"+4.00 ± {12.7062 * 2 / 2:.2f}", f"-0.225 ± {12.7062 * 0.35 / 2:.3f}"
    assert table == [
        ["100.0%", "dense", "96.00%", "", "0.300", ""],
        ["50.0%", "IMP ticket", "97.00%", "", "0.150", ""],
        ["50.0%", "re-initialised", "93.00%", accuracy, "0.375", nll],
    ]
    _, single = metrics_table(summarise([row(), row("random-mask", accuracy=0.85, nll=0.31)]))
    assert single[1] == ["50.0%", "random mask", "85.00%", "+5.00", "0.310", "-0.010"]
    _, uncontrolled = metrics_table(summarise([row(level=level) for level in range(4)]))
    assert [line[0] for line in uncontrolled] == ["100.0%", "50.0%", "25.0%", "12.5%"]
    of_dense = summarise([row(level=0), row("reinitialise he_normal", level=0), row()])
    assert [line[1] for line in metrics_table(of_dense)[1]] == ["dense", "re-initialised (he_normal)"]


def test_rows_of_different_numbers_of_seeds_have_a_column_of_them(capsys):
    whole = [row(arm, seed) for seed in (0, 1) for arm in ("ticket", "mine")]
    assert "n" not in metrics_table(summarise(whole))[0]
    header, table = metrics_table(summarise(whole[:-1]))
    assert [header[1:3], *(line[1:3] for line in table)] == [["arm", "n"], ["IMP ticket", "2"], ["mine", "1"]]
    show_cells(summarise([*whole[:-1], *rows({("ticket", 1): 0.5}, run="r-2")]))
    first, second = capsys.readouterr().out.split("\nr-1\n")[1].split("\nr-2\n")
    assert ("50.20%" in first, "50.20%" in second, "\nn: " in first, "\nn: " in second) == (False, True, True, False)


TRUNKS = {"ticket": 0.95, "bayesian-snr": 0.96, "bayesian-mu": 0.955, "bayesian-snr-lrr": 0.97}
CONTROLS = {"reinitialise": 0.9, "shuffle-even": 0.1, "bayesian-snr reinitialise": 0.93, "transplant-start": 0.94}


def of_trunks(controls=CONTROLS):
    """Tickets of several ways of pruning at three levels, controls at the last."""
    accuracies = {(arm, level): accuracy for arm, accuracy in TRUNKS.items() for level in (0, 1, 2)}
    return rows(accuracies | {(arm, 2): CONTROLS[arm] for arm in controls}, seeds=(0, 1))


def test_a_control_is_compared_with_its_own_ticket_and_a_ticket_with_the_runs(capsys):
    cells = summarise(of_trunks())
    last = [cell for cell in cells if cell.level == 2 and cell.ticket_minus]
    minus = {arm: 0.95 - accuracy for arm, accuracy in (TRUNKS | CONTROLS).items() if arm != "ticket"}
    minus["bayesian-snr reinitialise"] = 0.96 - 0.93
    assert {cell.arm.key: cell.ticket_minus["accuracy"].mean for cell in last} == pytest.approx(minus, abs=1e-5)
    for some, is_explained in (
        (of_trunks(), True),
        (of_trunks(("reinitialise", "transplant-start")), False),
        ([each for each in of_trunks() if each.level < 2], False),
    ):
        show_cells(summarise(some))
        assert ("the ticket that it alters" in " ".join(capsys.readouterr().out.split())) is is_explained


def test_tables_show_a_shared_unpruned_network_once_and_figures_no_controls():
    cells = summarise(of_trunks())
    _, table = metrics_table(cells)
    assert [line[:2] for line in table if line[0] == "100.0%"] == [["100.0%", "dense"], ["100.0%", "dense, Bayesian"]]
    assert len([line for line in table if line[0] == "25.0%"]) == len(TRUNKS) + len(CONTROLS)
    assert shown_levels(cells) == [0, 2]
    assert shown_levels(summarise(of_trunks(()))) == [0, 1, 2]
    assert {cell.arm.key for cell in without_controls(cells)} == {*TRUNKS, "transplant-start"}
    assert without_controls(single := [cell for cell in cells if cell.arm.trunk is None]) == single


GOOD = {("ticket", 1): 0.9, ("reinitialise", 1): 0.8, ("shuffle-even", 1): 0.7}
BAD = GOOD | {("shuffle-even", 1): 0.95}


def test_the_table_of_claims_has_what_is_claimed_the_deciding_member_and_both_tests():
    (decisions,) = decisions_of(rows(BAD)).values()
    assert claims_table(decisions)[1] == [
        ["A5", "above 0", "re-initialised at 50.0 %", "+10.00 ± 0.00", "holds", "< 0.001", "0.031"],
        ["B5", "all 2 above -0.5", "shuffled evenly at 50.0 %", "-5.00 ± 0.00", "contradicted", "< 0.001", "0.031"],
    ]
    differences = {"a": [1.1, 1.2, 1.3, 1.4, 1.5]}
    units = [Comparison("A: so", "matches", differences, margin=2.0, unit=unit) for unit in ("times", "%")]
    cells = [(line[1], line[3]) for line in claims_table(decide(units))[1]]
    assert cells == [("within ±2 times", "+1.30 ± 0.20 times"), ("within ±200 %", "+130.00 ± 19.63 %")]
    (few,) = decisions_of(rows(GOOD, seeds=[0])).values()
    assert claims_table(few)[1][0][3:] == ["+10.00", "withheld", "", ""]
    assert claims_notes(few) == ["Withheld (A5, B5): 1 seed; 5 needed."]


def test_reasons_of_one_kind_share_a_line_and_claims_are_printed_by_run(capsys, monkeypatch):
    def withheld(claim, *failures):
        needs = tuple(Precondition("it is so", failure) for failure in failures)
        return Comparison(f"{claim}: so", "beats", {"it": [1.0] * 5}, preconditions=needs)

    rising = "trainings still rise: 2 points of one"
    claims = [withheld("B1", rising, "2 draws; the claim is about ten"), withheld("B3", rising)]
    claims.insert(1, withheld("B2", "trainings still rise: 3 points of another"))
    assert claims_notes(decide(claims)) == [
        "Withheld (B1, B2, B3): trainings still rise: 2 points of one (B1, B3); 3 points of another (B2).",
        "Withheld (B1): 2 draws; the claim is about ten.",
    ]
    monkeypatch.setenv("COLUMNS", "80")
    show_claims(decisions_of(rows(GOOD) + rows(BAD, run="r-2")))
    printed = capsys.readouterr().out
    first, second = printed.split("\nr-1\n")[1].split("\nr-2\n")
    assert ("contradicted" in first, "contradicted" in second) == (False, True)
    assert [printed.count(text) for text in ("A5: ", "…", "arXiv:2602.18825")] == [1, 0, 1]
    show_claims(decisions_of(rows({("ticket", 1): 0.9})))
    assert capsys.readouterr().out == ""


def test_the_csv_quotes_texts_and_leaves_unknown_intervals_empty():  # tests/test_old_runs.py has whole ones
    odd = row(accuracy=1 / 3, run='odd, "name"', data='my "letters", classes a, b, 7 training rows')
    lines = list(csv.DictReader(io.StringIO(rows_csv([odd, row(intervals={"accuracy": (0.96, 0.98), "nll": (0, 1)})]))))
    assert (lines[0]["run"], lines[0]["data"], float(lines[0]["test_accuracy"])) == (odd.run, odd.data, 1 / 3)
    assert [line["test_accuracy_low"] for line in lines] == ["", "0.96"]
    assert "test_accuracy_low" not in rows_csv(ROWS)
