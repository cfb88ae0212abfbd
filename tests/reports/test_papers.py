"""Which rows decide which claim of the papers."""

import json

import numpy as np
import pytest

from tfticket.arms import Arm
from tfticket.cli.console import show_claims
from tfticket.reports.claims.decision import Comparison, Precondition, decide
from tfticket.reports.claims.paper_a import A5
from tfticket.reports.claims.paper_b import B5, B6A, B6B
from tfticket.reports.claims.papers import claims_of, decisions_of, records
from tfticket.reports.claims.reported import CITATIONS
from tfticket.reports.rows import Row
from tfticket.reports.tables.claims_table import claims_notes

SHUFFLES = ("shuffle-layerwise", "shuffle-even", "shuffle-global")


def row(
    arm="ticket", seed=0, level=1, accuracy=0.9, replicate=0, run="r-1", density=None, name=None, extra_metrics=None
):
    metrics = {"accuracy": accuracy, "nll": 0.3}
    density = 0.5**level if density is None else density
    fields = {
        "extra_metrics": {"rise": 0.0} if extra_metrics is None else extra_metrics,
        "network": "resnet-18",
        "data_set": "cifar-10",
    }
    arm = Arm.parse(arm)
    return Row(run, arm, name or arm.name, seed, level, density, "MNIST", metrics, metrics, replicate, **fields)


def rows(accuracies, seeds=range(5), **options):
    """Rows of every seed from (arm, level) -> accuracy; seeds differ a little, all arms of one all but alike."""
    return [
        row(arm, seed, level, accuracy + 0.001 * seed + 1e-9 * seed * (arm == "ticket"), **options)
        for seed in seeds
        for (arm, level), accuracy in accuracies.items()
    ]


def claims(some):
    return {claim.claim: claim for claim in claims_of(some)}


def test_a5_is_the_ticket_against_new_weights_where_it_is_sparsest():
    accuracies = {("ticket", level): 0.9 for level in range(4)}
    accuracies |= {("reinitialise", 1): 0.95, ("reinitialise", 2): 0.8, ("shuffle-even", 3): 0.7}
    claim = claims(rows(accuracies | {("reinitialise he_normal", 2): 0.7}))[A5]
    assert claim.kind == "beats"
    assert set(claim.differences) == {"re-initialised at 25.0 %", "re-initialised (he_normal) at 25.0 %"}
    np.testing.assert_allclose(claim.differences["re-initialised at 25.0 %"], [0.1] * 5)


def test_b5_is_the_ticket_against_every_control_at_every_level():
    accuracies = {("ticket", 1): 0.9, ("ticket", 2): 0.8, ("reinitialise", 1): 0.7, ("mine 3", 2): 0.75}
    claim = claims(rows(accuracies))[B5]
    assert (claim.kind, claim.margin) == ("reaches", 0.005)
    assert set(claim.differences) == {"re-initialised at 50.0 %", "mine 3 at 25.0 %"}
    np.testing.assert_allclose(claim.differences["mine 3 at 25.0 %"], [0.05] * 5)


def test_b6_is_the_controls_that_keep_the_layers_densities_against_the_others():
    accuracies = {("ticket", 1): 0.9, ("reinitialise", 1): 0.88, ("keep-signs", 1): 0.89}
    accuracies |= dict(zip([(arm, 1) for arm in SHUFFLES], (0.87, 0.6, 0.5), strict=True))
    accuracies |= {("ticket", 2): 0.9, ("reinitialise", 2): 0.4}  # sparser, and without shuffles
    claim = claims(rows(accuracies))[B6A]
    assert claim.kind == "beats"
    means = {label: np.mean(values) for label, values in claim.differences.items()}
    assert means == pytest.approx(
        {
            "re-initialised - shuffled evenly at 50.0 %": 0.28,
            "re-initialised - shuffled globally at 50.0 %": 0.38,
            "shuffled layerwise - shuffled evenly at 50.0 %": 0.27,
            "shuffled layerwise - shuffled globally at 50.0 %": 0.37,
        }
    )


@pytest.mark.parametrize(
    ("arms", "decided"),
    [
        ([], []),
        (["keep-signs"], [B5]),
        (["reinitialise"], [A5, B5]),
        (["reinitialise he_normal", *SHUFFLES], [A5, B5, B6A, B6B]),
        (["reinitialise", *SHUFFLES[1:]], [A5, B5]),
        (["reinitialise", *SHUFFLES[:2]], [A5, B5]),
    ],
)
def test_claims_are_those_that_a_run_has_the_arms_for(arms, decided):
    found = claims_of(rows({("ticket", 0): 0.9, ("ticket", 1): 0.9} | {(arm, 1): 0.8 for arm in arms}))
    assert [claim.claim for claim in found] == decided


def test_random_masks_of_another_density_and_controls_of_the_dense_network_are_no_controls_of_a_ticket():
    tickets = [row(level=0), row(level=1)]
    others = [row("random-mask 0.2", level=1, density=0.2), row("reinitialise", level=0)]
    assert claims_of(tickets + others) == []
    assert set(claims([*tickets, row("shuffle-even", density=0.502)])) == {B5}  # rounded layer by layer


def test_tickets_by_another_score_decide_nothing():
    some = [row(name="ticket by random score"), row("reinitialise", accuracy=0.7)]
    assert claims_of(some) == []


def test_only_seeds_that_have_both_count_and_replicates_are_averaged():
    some = [row(seed=0), row(seed=1), row(seed=2)]
    some += [row("reinitialise", 1, accuracy=accuracy, replicate=n) for n, accuracy in enumerate((0.7, 0.8, 0.6))]
    some += [row("reinitialise", 7, accuracy=0.1), row("reinitialise", 2, accuracy=0.8)]
    (differences,) = claims(some)[A5].differences.values()
    assert differences == pytest.approx([0.2, 0.1])


def test_two_levels_of_nearly_one_density_are_told_apart():
    some = [row(arm, level=level, density=0.0101) for level in (4, 5) for arm in ("ticket", "keep-signs")]
    assert list(claims(some)[B5].differences) == ["signs kept at 1.0 %", "signs kept at 1.0 % (level 5)"]


GOOD = {("ticket", 1): 0.9, ("reinitialise", 1): 0.8, ("shuffle-even", 1): 0.7}
BAD = {("ticket", 1): 0.9, ("reinitialise", 1): 0.8, ("shuffle-even", 1): 0.95}


def verdicts(decisions):
    return {run: [one.verdict for one in each] for run, each in decisions.items()}


def test_the_claims_of_all_runs_are_decided_together_each_by_its_own_rows():
    some = rows(GOOD, run="good") + rows(BAD, run="bad") + rows({("ticket", 0): 0.9}, run="none")
    decisions = decisions_of(some)
    assert verdicts(decisions) == {"good": ["holds", "holds"], "bad": ["holds", "contradicted"]}
    assert decisions["bad"][1].member == "shuffled evenly at 50.0 %"
    random = np.random.default_rng(0)
    noisy = [
        row(arm, seed, accuracy=0.9 + 0.004 * (arm == "ticket") + 0.002 * random.normal(), run=run)
        for run in ("one", "two", "three")
        for arm in ("ticket", "reinitialise")
        for seed in range(5)
    ]
    alone = decisions_of([each for each in noisy if each.run == "one"])["one"][1]
    together = decisions_of(noisy)["one"][1]
    assert (together.member, together.difference) == (alone.member, alone.difference)
    assert together.p > alone.p


def test_records_are_json_and_hold_what_the_decision_is_made_of():
    (record, other) = json.loads(json.dumps(records(decisions_of(rows(BAD)))))
    assert (record["run"], record["claim"], record["kind"], record["verdict"]) == ("r-1", A5, "beats", "holds")
    assert record["differences"] == {"re-initialised at 50.0 %": pytest.approx([0.1] * 5)}
    assert (other["verdict"], other["margin"], other["p_against"]) == (
        "contradicted",
        0.005,
        pytest.approx(0, abs=1e-9),
    )
    assert other["difference"]["count"] == 5
    (few, _) = records(decisions_of(rows(GOOD, seeds=[0])))
    assert (few["verdict"], few["p"], few["difference"]["low"]) == ("withheld", None, None)
    assert few["reasons"] == ["1 seed; 5 needed"]
    assert {"needs": "5 seeds", "failure": "1 seed; 5 needed"} in few["preconditions"]


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")


def test_the_table_says_what_is_claimed_by_what_it_is_decided_and_by_which_rule(wide, capsys):
    show_claims(decisions_of(rows(BAD)))
    said = capsys.readouterr().out.splitlines()
    lines = {line.split()[0]: " ".join(line.split()) for line in said if line.strip()}
    assert lines["A5"] == "A5 above 0 re-initialised at 50.0 % +10.00 ± 0.00 holds < 0.001 0.031"
    assert lines["B5"] == "B5 all 2 above -0.5 shuffled evenly at 50.0 % -5.00 ± 0.00 contradicted < 0.001 0.031"
    assert A5 in said
    assert " ".join(said).endswith(
        " Claims: 5 %, Holm-adjusted over the tested claims of this table; seeds are the unit; intervals are "
        "unadjusted. p: t-tests, adjusted; p signs: sign-flip tests, unadjusted; a verdict needs both to be at "
        f"most 0.05. A: {CITATIONS['A']} B: {CITATIONS['B']}"
    )


@pytest.mark.parametrize(
    ("seeds", "shown", "reason"),
    [([0], "+10.00", "1 seed; 5 needed"), (range(3), "+10.00 ± 0.00", "3 seeds; 5 needed")],
)
def test_the_output_says_how_many_seeds_are_missing(wide, capsys, seeds, shown, reason):
    show_claims(decisions_of(rows(GOOD, seeds)))
    said = " ".join(capsys.readouterr().out.split())
    assert f"A5 above 0 re-initialised at 50.0 % {shown} withheld" in said
    assert f"Withheld (A5, B5): {reason}." in said


def test_a_kind_of_reason_has_one_line_whatever_differs_between_claims():
    def withheld(claim, *failures):
        needs = tuple(Precondition("it is so", failure) for failure in failures)
        return Comparison(f"{claim}: so", "beats", {"it": [1.0] * 5}, preconditions=needs)

    decisions = decide(
        [
            withheld("B1", "trainings still rise: 2 points of one", "2 draws; the claim is about ten"),
            withheld("B2", "trainings still rise: 3 points of another"),
            withheld("B3", "trainings still rise: 2 points of one"),
        ]
    )
    assert claims_notes(decisions) == [
        "Withheld (B1, B2, B3): trainings still rise: 2 points of one (B1, B3); 3 points of another (B2).",
        "Withheld (B1): 2 draws; the claim is about ten.",
    ]


def test_several_runs_have_a_table_each_and_the_claims_are_named_once(wide, capsys):
    show_claims(decisions_of(rows(GOOD) + rows(BAD, run="r-2")))
    said = capsys.readouterr().out
    first, second = said.split("\nr-1\n")[1].split("\nr-2\n")
    assert "contradicted" not in first
    assert "contradicted" in second
    assert said.count(A5) == 1
    assert "over the tested claims of these tables" in said


def test_where_no_claim_is_tested_nothing_is_said(capsys):
    show_claims(decisions_of(rows({("ticket", 1): 0.9})))
    assert capsys.readouterr().out == ""


def test_no_word_or_number_is_cut_off_on_a_narrow_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    arms = ["ticket", "reinitialise he_normal", *SHUFFLES]
    show_claims(decisions_of(rows({(arm, 1): 0.9 - 0.1 * n for n, arm in enumerate(arms)}, range(3))))
    assert "…" not in capsys.readouterr().out
