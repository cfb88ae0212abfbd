"""The rule by which claims are decided, against statsmodels, SciPy and simulation."""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from tfticket.reports.claims import MARGIN, Comparison, decide, holm

KINDS = ("beats", "matches", "reaches")


def arms(seeds=6, difference=0.0, seed=0):
    random = np.random.default_rng(seed)
    theirs = 0.9 + 0.01 * random.normal(size=seeds)
    return theirs + difference + 0.004 * random.normal(size=seeds), theirs


@pytest.mark.parametrize("difference", [-0.01, 0.0, 0.001, 0.004, 0.01])
def test_p_values_are_those_of_scipy_and_statsmodels(difference):
    ours, theirs = arms(difference=difference)
    decided = {kind: decide([Comparison("A", kind, ours - theirs)])[0] for kind in KINDS}
    assert decided["beats"].p == pytest.approx(ttest_rel(ours, theirs, alternative="greater").pvalue)
    assert decided["beats"].p_against == pytest.approx(ttest_rel(ours, theirs, alternative="less").pvalue)
    assert decided["matches"].p == pytest.approx(ttost_paired(ours, theirs, -MARGIN, MARGIN)[0])
    assert decided["reaches"].p == pytest.approx(ttest_rel(ours + MARGIN, theirs, alternative="greater").pvalue)
    assert decided["beats"].difference.mean == pytest.approx(np.mean(ours - theirs))


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03], [0.2, 0.001, 0.001, 0.5, 0.04], [0.9, 0.8]])
def test_the_adjustment_is_statsmodels(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize(
    ("kind", "difference", "verdict"),
    [
        ("beats", 0.02, "holds"),
        ("beats", 0.0, "not decided"),
        ("beats", -0.02, "contradicted"),
        ("matches", 0.0, "holds"),
        ("matches", 0.005, "not decided"),
        ("matches", 0.02, "contradicted"),
        ("matches", -0.02, "contradicted"),
        ("reaches", 0.0, "holds"),
        ("reaches", 0.02, "holds"),
        ("reaches", -0.005, "not decided"),
        ("reaches", -0.02, "contradicted"),
    ],
)
def test_what_is_clear_is_decided(kind, difference, verdict):
    spread = 0.001 * np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    assert decide([Comparison("A", kind, difference + spread)])[0].verdict == verdict
    if verdict != "not decided":  # seeds that agree to the last digit leave no doubt
        assert decide([Comparison("A", kind, [difference] * 5)])[0].verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_than_five_seeds_decide_nothing_and_weigh_on_no_other_claim(kind):
    few = Comparison("A", kind, [0.0, 0.0001, 0.0002, 0.0001])
    assert decide([few])[0].verdict == "not decided"
    clear = Comparison("B", "beats", 0.02 + 0.001 * np.arange(5))
    alone, beside = decide([clear])[0], decide([few, clear, few])[1]
    assert alone == beside


def test_claims_that_are_decided_together_are_harder_to_decide():
    ours, theirs = arms(difference=0.01, seed=3)
    clear, others = ours - theirs, [Comparison(f"{n}", "beats", theirs - ours) for n in range(9)]
    alone, crowd = (decide([Comparison("A", "beats", clear), *more])[0] for more in ([], others))
    assert crowd.p == pytest.approx(10 * alone.p)


@pytest.mark.parametrize(
    ("kind", "null"), [("beats", 0.0), ("matches", MARGIN), ("matches", -MARGIN), ("reaches", -MARGIN)]
)
def test_at_the_null_a_claim_is_held_at_the_stated_rate(kind, null):
    random = np.random.default_rng(1)
    trials = 1000
    held = sum(
        decide([Comparison("A", kind, null + 0.001 * random.normal(size=5))])[0].verdict == "holds"
        for _ in range(trials)
    )
    assert abs(held / trials - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize("side", ["holds", "contradicted"])
def test_of_several_false_claims_none_is_decided_but_at_the_stated_rate(side):
    random = np.random.default_rng(2)
    trials, spread = 500, 0.001
    wrong = 0
    for _ in range(trials):
        decisions = decide([Comparison(f"{n}", "beats", spread * random.normal(size=5)) for n in range(4)])
        wrong += any(decision.verdict == side for decision in decisions)
    assert wrong / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert wrong > 0
