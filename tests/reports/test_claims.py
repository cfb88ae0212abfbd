"""The rule by which claims are decided, against statsmodels, SciPy and simulation."""

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_rel
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from tfticket.reports.claims.decision import FEWEST_SEEDS, LEVEL, MARGIN, Comparison, Precondition, decide, holm
from tfticket.reports.statistics import mean_interval, sign_flip_p

KINDS = ("beats", "matches", "reaches")


SPREAD = 0.001 * np.array([-1.5, -0.5, 0.0, 0.5, 1.5])


def single(claim, kind, differences):
    return Comparison(claim, kind, {"it": differences})


def arms(seeds=6, difference=0.0, seed=0):
    random = np.random.default_rng(seed)
    theirs = 0.9 + 0.01 * random.normal(size=seeds)
    return theirs + difference + 0.004 * random.normal(size=seeds), theirs


@pytest.mark.parametrize("difference", [-0.01, 0.0, 0.001, 0.004, 0.01])
def test_p_values_are_those_of_scipy_and_statsmodels(difference):
    ours, theirs = arms(difference=difference)
    decided = {kind: decide([single("A", kind, ours - theirs)])[0] for kind in KINDS}
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
    assert decide([single("A", kind, difference + SPREAD)])[0].verdict == verdict
    if verdict != "not decided":  # seeds that agree to the last digit leave no doubt
        assert decide([single("A", kind, [difference] * 7)])[0].verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_than_five_seeds_decide_nothing_and_weigh_on_no_other_claim(kind):
    few = single("A", kind, [0.0, 0.0001, 0.0002, 0.0001])
    decision = decide([few])[0]
    assert (decision.verdict, decision.p, decision.p_against) == ("withheld", None, None)
    assert (decision.p_signs, decision.p_signs_against) == (None, None)
    assert few.reasons == ["4 seeds; 5 needed"]
    assert single("A", kind, [0.1]).reasons == ["1 seed; 5 needed"]
    assert decision.difference == mean_interval(few.differences["it"])
    clear = single("B", "beats", 0.02 + 0.001 * np.arange(5))
    alone, beside = decide([clear])[0], decide([few, clear, few])[1]
    assert alone == beside


def test_claims_that_are_decided_together_are_harder_to_decide():
    ours, theirs = arms(difference=0.01, seed=3)
    clear, others = ours - theirs, [single(f"{n}", "beats", theirs - ours) for n in range(9)]
    alone, crowd = (decide([single("A", "beats", clear), *more])[0] for more in ([], others))
    assert crowd.p == pytest.approx(10 * alone.p)


def test_the_rule_is_frozen():
    """What was decided by this rule is not to be decided otherwise by a later version of the program."""
    assert (LEVEL, MARGIN, FEWEST_SEEDS) == (0.05, 0.005, 5)
    decisions = decide(
        [
            Comparison("A", "beats", {"a": 0.003 + SPREAD, "b": 0.002 + 2 * SPREAD}),
            Comparison("B", "reaches", {"a": -0.001 + SPREAD, "b": -0.002 + SPREAD}),
            Comparison("C", "matches", {"a": 0.008 + SPREAD, "b": 0.001 + SPREAD}),
        ]
    )
    assert [(one.verdict, one.member) for one in decisions] == [
        ("not decided", "b"),
        ("holds", "b"),
        ("contradicted", "a"),
    ]
    # By hand, with 4 degrees of freedom: t = 2 has p 0.0580583 and t = 6 has 0.00194127. Holm doubles A's and trebles
    # B's; what speaks against C is of 2 sides, 2 members and 3 claims.
    found = [(one.p, one.p_against) for one in decisions]
    p = 0.00194127
    np.testing.assert_allclose(found, [(2 * 0.0580583, 1), (3 * p, 1), (1 - p, 12 * p)], rtol=1e-5)


# Claims of several members


def p_of(values, bound):
    return ttest_rel(values, np.full(len(values), bound), alternative="greater").pvalue


def test_every_member_must_hold_so_that_the_largest_p_counts():
    members = {name: 0.004 * number + SPREAD for number, name in enumerate(["weak", "middle", "strong"], start=1)}
    (decision,) = decide([Comparison("A", "beats", members)])
    assert decision.p == pytest.approx(p_of(members["weak"], 0.0))
    assert (decision.member, decision.difference) == ("weak", mean_interval(members["weak"]))
    assert decision.verdict == "holds"


def test_any_member_contradicts_by_bonferroni():
    members = {"one": 0.02 + SPREAD, "against": -0.004 + SPREAD, "other": 0.02 + SPREAD}
    (decision,) = decide([Comparison("A", "beats", members)])
    assert decision.p_against == pytest.approx(3 * p_of(-members["against"], 0.0))
    assert (decision.verdict, decision.member) == ("contradicted", "against")
    assert decision.difference == mean_interval(members["against"])
    (alone,) = decide([single("A", "beats", members["against"])])
    assert decision.p_against == pytest.approx(3 * alone.p_against)


def test_the_adjustment_is_over_claims_not_over_their_members():
    claims = [
        Comparison(name, "beats", {"a": shift + SPREAD, "b": 0.02 + SPREAD})
        for name, shift in (("A", 0.002), ("B", 0.003))
    ]
    expected = multipletests([p_of(shift + SPREAD, 0.0) for shift in (0.002, 0.003)], method="holm")[1]
    assert [one.p for one in decide(claims)] == pytest.approx(list(expected))


def test_a_member_of_too_few_seeds_leaves_the_whole_claim_open_and_is_shown():
    members = {"many": -0.02 + SPREAD, "few": 0.02 + SPREAD[:3], "few and worse": 0.01 + SPREAD[:3]}
    (decision,) = decide([Comparison("A", "beats", members)])
    assert (decision.verdict, decision.member, decision.p) == ("withheld", "few and worse", None)
    assert decision.difference.count == 3
    members = {"near": SPREAD[:4], "far": -0.02 + SPREAD[:4], "farther": 0.03 + SPREAD[:4]}
    assert decide([Comparison("A", "matches", members)])[0].member == "farther"


def test_no_claims_are_no_decisions():
    assert decide([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_means_that_differ_in_their_last_digits_only_are_the_same(kind):
    bound = 0.0 if kind == "beats" else -MARGIN
    noise = 1e-17 * np.arange(5)
    assert decide([single("A", kind, bound + noise)])[0].verdict == "not decided"


@pytest.mark.parametrize(
    ("kind", "null"), [("beats", 0.0), ("matches", MARGIN), ("matches", -MARGIN), ("reaches", -MARGIN)]
)
def test_at_the_null_t_rejects_at_the_stated_rate_and_a_claim_is_held_more_seldom(kind, null):
    random = np.random.default_rng(1)
    trials = 1000
    found = [decide([single("A", kind, null + 0.001 * random.normal(size=5))])[0] for _ in range(trials)]
    error = 3 * np.sqrt(0.05 * 0.95 / trials)
    assert abs(np.mean([one.p <= 0.05 for one in found]) - 0.05) < error
    held = np.mean([one.verdict == "holds" for one in found])
    assert 0.01 < held < 1 / 32 + 3 * np.sqrt(1 / 32 / trials)  # of five seeds all signs must agree


@pytest.mark.parametrize("side", ["holds", "contradicted"])
def test_of_several_false_claims_none_is_decided_but_at_the_stated_rate(side):
    random = np.random.default_rng(2)
    trials, spread = 500, 0.001
    wrong = 0
    for _ in range(trials):
        decisions = decide([single(f"{n}", "beats", spread * random.normal(size=5)) for n in range(4)])
        wrong += any(decision.verdict == side for decision in decisions)
    assert wrong / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert wrong > 0


def rate_of(verdict, kind, means, trials=500, seed=4):
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(trials):
        members = {f"{n}": mean + 0.001 * random.normal(size=5) for n, mean in enumerate(means)}
        found += decide([Comparison("A", kind, members)])[0].verdict == verdict
    return found / trials, 3 * np.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize(
    ("kind", "null", "true"), [("beats", 0.0, 0.05), ("reaches", -MARGIN, 0.05), ("matches", MARGIN, 0.0)]
)
def test_with_one_member_at_the_null_and_the_others_true_a_conjunction_errs_as_often_as_that_member(kind, null, true):
    rate, error = rate_of("holds", kind, [true, null, true])
    assert 0 < rate < 0.05 + error
    alone, _ = rate_of("holds", kind, [null])
    assert abs(rate - alone) < error


@pytest.mark.parametrize(("kind", "null"), [("beats", 0.0), ("reaches", -MARGIN), ("matches", MARGIN)])
def test_with_all_members_at_the_null_a_conjunction_errs_no_more_often_than_stated(kind, null):
    for verdict in ("holds", "contradicted"):
        rate, error = rate_of(verdict, kind, [null] * 3)
        assert rate < 0.05 + error


def test_differences_of_one_seed_go_together_and_the_rates_stay():
    random = np.random.default_rng(5)
    wrong = {"holds": 0, "contradicted": 0}
    for _ in range(500):
        shared = 0.001 * random.normal(size=5)  # the ticket's, in every member
        members = {f"{n}": shared + 0.0005 * random.normal(size=5) for n in range(4)}
        verdict = decide([Comparison("A", "beats", members)])[0].verdict
        wrong[verdict] = wrong.get(verdict, 0) + 1
    assert max(wrong["holds"], wrong["contradicted"]) / 500 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


# The sign-flip test beside t


@pytest.mark.parametrize("count", [2, 5, 8])
def test_the_sign_flip_p_is_scipys_permutation_test(count):
    for seed in range(3):
        values = 0.5 + np.random.default_rng(seed).normal(size=count)
        test = permutation_test((values,), np.sum, permutation_type="samples", alternative="greater")
        assert sign_flip_p(values) == pytest.approx(test.pvalue)
    assert sign_flip_p(np.full(count, 0.1)) == 0.5**count
    assert sign_flip_p([0.0] * count) == 1.0


def test_of_many_seeds_patterns_are_drawn_and_always_the_same_ones():
    values = 0.3 + np.random.default_rng(0).normal(size=40)
    p = sign_flip_p(values)
    assert p == sign_flip_p(values)
    assert p == pytest.approx(ttest_rel(values, np.zeros(40), alternative="greater").pvalue, abs=0.02)


def test_a_verdict_needs_both_tests():
    one_against = [0.05, 0.06, 0.055, 0.065, -0.001]
    decision = decide([single("A", "beats", one_against)])[0]
    assert decision.p < 0.05 < decision.p_signs == 2 / 32
    assert decision.verdict == "not decided"
    opposite = decide([single("A", "beats", -np.array(one_against))])[0]
    assert opposite.p_against < 0.05 < opposite.p_signs_against
    assert opposite.verdict == "not decided"


def test_the_sign_flip_p_of_a_claim_is_that_of_its_weakest_member_and_side():
    members = {"all": 0.01 + SPREAD, "one below": [0.01, 0.02, 0.03, 0.04, -0.001]}
    (decision,) = decide([Comparison("A", "beats", members)])
    assert decision.p_signs == 2 / 32
    inside = decide([single("A", "matches", [0.004, 0.0045, 0.003, 0.0049, 0.0051])])[0]
    assert inside.p_signs == sign_flip_p(MARGIN - np.array([0.004, 0.0045, 0.003, 0.0049, 0.0051]))
    outside = decide([single("A", "matches", [-0.02, -0.021, -0.022, -0.023, -0.024])])[0]
    assert (outside.verdict, outside.p_signs_against) == ("contradicted", 1 / 32)


def skewed_rates(sign, trials=1500):
    """How often t, and both tests, hold a claim of a mean of 0, of five differences with a long tail on one side."""
    random = np.random.default_rng(6)
    found = [decide([single("A", "beats", sign * (random.exponential(size=5) - 1))])[0] for _ in range(trials)]
    return np.mean([one.p <= 0.05 for one in found]), np.mean([one.verdict == "holds" for one in found])


def test_skewed_differences_err_more_often_than_stated_by_both_tests_but_less_often_than_by_t():
    """With a long tail against the claim five seeds miss it: the docs say how often, and that no test here mends it."""
    t, both = skewed_rates(-1)
    assert t == pytest.approx(0.16, abs=0.03)
    assert both == pytest.approx(0.10, abs=0.03)
    t, both = skewed_rates(+1)
    assert both <= t < 0.05


# Preconditions


@pytest.mark.parametrize("kind", KINDS)
def test_where_a_precondition_fails_the_claim_is_withheld_and_its_difference_is_shown(kind):
    needs = (Precondition("this"), Precondition("that", "that is not so"))
    claim = Comparison("A", kind, {"it": 0.02 + SPREAD}, preconditions=needs)
    (decision,) = decide([claim])
    assert (decision.verdict, decision.p, decision.p_against) == ("withheld", None, None)
    assert claim.reasons == ["that is not so"]
    assert decision.difference == mean_interval(0.02 + SPREAD)
    other = single("B", kind, 0.02 + SPREAD)
    assert decide([claim, other, claim])[1] == decide([other])[0]
    met = Comparison("A", kind, {"it": 0.02 + SPREAD}, preconditions=needs[:1])
    assert decide([met])[0].verdict == decide([other])[0].verdict


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_difference_that_is_not_finite_decides_nothing(value):
    claim = Comparison("A", "beats", {"good": 0.02 + SPREAD, "bad": [*(0.02 + SPREAD[:4]), value]})
    assert decide([claim])[0].verdict == "withheld"
    assert claim.reasons == ["not finite: bad"]


def test_every_reason_is_given():
    claim = Comparison("A", "beats", {"it": [0.1, 0.2]}, preconditions=(Precondition("a", "b"), Precondition("c", "d")))
    assert claim.reasons == ["b", "d", "2 seeds; 5 needed"]
