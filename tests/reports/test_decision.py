"""The rule that decides claims and its statistics, against statsmodels, SciPy, numbers by hand, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import permutation_test, ttest_rel
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from tfticket.evaluation.metrics import log_probabilities, reliability_record
from tfticket.reports.claims.decision import FEWEST_SEEDS, LEVEL, MARGIN, Comparison, Precondition, decide, holm
from tfticket.reports.statistics import Estimate, mean_interval, pool_bins, sign_flip_p

KINDS = ("beats", "matches", "reaches")
SPREAD = 0.001 * np.array([-1.5, -0.5, 0.0, 0.5, 1.5])


def claim_of(kind, differences, **options):
    """A claim; ``differences`` of one member, or a dictionary of members."""
    return Comparison("A", kind, differences if isinstance(differences, dict) else {"member": differences}, **options)


def decision_of(*arguments, **options):
    """Decide a claim alone."""
    (decision,) = decide([claim_of(*arguments, **options)])
    return decision


@pytest.mark.parametrize("difference", [-0.01, 0.001, 0.01])
def test_p_values_are_those_of_scipy_and_statsmodels(difference):
    random = np.random.default_rng(0)
    theirs = 0.9 + 0.01 * random.normal(size=6)
    ours = theirs + difference + 0.004 * random.normal(size=6)
    beats, matches, reaches = (decision_of(kind, ours - theirs) for kind in KINDS)

    def p_values(bound):
        return [ttest_rel(ours - bound, theirs, alternative=side).pvalue for side in ("greater", "less")]

    assert (beats.p, beats.p_against) == pytest.approx(tuple(p_values(0)))
    assert (reaches.p, reaches.p_against) == pytest.approx(tuple(p_values(-MARGIN)))
    assert matches.p == pytest.approx(ttost_paired(ours, theirs, -MARGIN, MARGIN)[0])
    assert matches.p_against == pytest.approx(min(1, 2 * min(p_values(MARGIN)[0], p_values(-MARGIN)[1])))
    assert decision_of("reaches", ours - theirs, margin=0.0).p == pytest.approx(beats.p)


def test_the_adjustment_is_that_of_statsmodels():
    for p_values in ([0.01], [0.04, 0.01, 0.03], [0.2, 0.001, 0.001, 0.5, 0.04], [0.9, 0.8]):
        np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize(
    ("kind", "differences"),
    [
        ("beats", {"holds": [0.02], "not decided": [0.0], "contradicted": [-0.02]}),
        ("matches", {"holds": [0.0], "not decided": [0.005, -0.005], "contradicted": [0.02, -0.02]}),
        ("reaches", {"holds": [0.0, 0.02], "not decided": [-0.005], "contradicted": [-0.02]}),
    ],
)
def test_verdicts_on_clear_differences(kind, differences):
    for verdict, means in differences.items():
        for mean in means:
            assert decision_of(kind, mean + SPREAD).verdict == verdict
            if verdict != "not decided":  # without any spread the sign test decides
                equal = decision_of(kind, [mean] * 7)
                p, signs = {"holds": ("p", "p_signs")}.get(verdict, ("p_against", "p_signs_against"))
                sides = 2 if (kind, verdict) == ("matches", "contradicted") else 1
                assert (equal.verdict, getattr(equal, p), getattr(equal, signs)) == (verdict, sides * 0.5**7, 0.5**7)
    # Means that differ from the bound in their last digits only are equal to it.
    equal = decision_of(kind, (0.0 if kind == "beats" else -MARGIN) + 1e-17 * np.arange(5))
    assert (equal.verdict, equal.p, equal.p_signs, equal.p_signs_against) == ("not decided", 1, 1, 1)


def test_the_rule_is_frozen():
    """A later version of the program must not decide otherwise."""
    assert (LEVEL, MARGIN, FEWEST_SEEDS) == (0.05, 0.005, 5)
    claims = [
        claim_of("beats", {"a": 0.003 + SPREAD, "b": 0.002 + 2 * SPREAD}),
        claim_of("reaches", {"a": -0.001 + SPREAD, "b": -0.002 + SPREAD}),
        claim_of("matches", {"a": 0.008 + SPREAD, "b": 0.001 + SPREAD}),
    ]
    decisions = decide(claims)
    verdicts = [(decision.verdict, decision.member) for decision in decisions]
    assert verdicts == [("not decided", "b"), ("holds", "b"), ("contradicted", "a")]
    for claim, decision in zip(claims, decisions, strict=True):
        assert decision.difference == mean_interval(claim.differences[decision.member])
    # By hand, with 4 degrees of freedom: t = 2 has p 0.0580583 and t = 6 has 0.00194127. Holm doubles A's and trebles
    # B's; the evidence against C is of 2 sides, 2 members and 3 claims.
    p = 0.00194127
    p_values = [(decision.p, decision.p_against) for decision in decisions]
    np.testing.assert_allclose(p_values, [(2 * 0.0580583, 1), (3 * p, 1), (1 - p, 12 * p)], rtol=1e-5)
    assert decide([]) == []


def test_the_adjustment_is_over_claims_not_over_their_members():
    shifts = (0.002, 0.003, -0.004)
    claims = [claim_of("beats", {"a": shift + SPREAD, "b": 0.02 + SPREAD}) for shift in shifts]
    for side, decided in (("p", decide(claims)), ("p_against", decide(claims[::-1])[::-1])):
        alone = [getattr(decide([claim])[0], side) for claim in claims]
        expected = multipletests(alone, method="holm")[1]
        assert [getattr(decision, side) for decision in decided] == pytest.approx(list(expected))


@pytest.mark.parametrize("count", [2, 5, 12])
def test_the_sign_flip_p_is_that_of_scipys_permutation_test(count):
    for seed in range(3):
        values = 0.5 + np.random.default_rng(seed).normal(size=count)
        test = permutation_test((values,), np.sum, permutation_type="samples", alternative="greater")
        assert sign_flip_p(values) == pytest.approx(test.pvalue)
    assert (sign_flip_p(np.full(count, 0.1)), sign_flip_p([0.0] * count)) == (0.5**count, 1.0)


def test_of_many_seeds_the_same_sign_patterns_are_drawn_again():
    values = 0.3 + np.random.default_rng(0).normal(size=40)
    p = sign_flip_p(values)
    assert p == sign_flip_p(values)
    assert p == pytest.approx(ttest_rel(values, np.zeros(40), alternative="greater").pvalue, abs=0.02)
    assert sign_flip_p(np.full(40, 0.1)) == 1e-4  # of 10,000 patterns, of which the observed is one


def test_a_verdict_needs_both_tests_of_the_deciding_member_and_side():
    mostly_above = np.array([0.05, 0.06, 0.055, 0.065, -0.001])
    claim, opposite = decision_of("beats", mostly_above), decision_of("beats", -mostly_above)
    assert claim.p < 0.05 < claim.p_signs == 2 / 32
    assert opposite.p_against < 0.05 < opposite.p_signs_against == 2 / 32
    assert claim.verdict == opposite.verdict == "not decided"
    assert decision_of("beats", {"all": 0.01 + SPREAD, "one below": mostly_above}).p_signs == 2 / 32
    against = decision_of("beats", {"one": 0.02 + SPREAD, "against": -0.004 + SPREAD, "other": 0.02 + SPREAD})
    assert (against.verdict, against.member, against.p_signs_against) == ("contradicted", "against", 1 / 32)
    near = np.array([0.004, 0.0045, 0.003, 0.0049, 0.0051])
    for values in (near, -near):
        assert decision_of("matches", values).p_signs == sign_flip_p(MARGIN - near)
    assert decision_of("reaches", near - MARGIN - 0.004).p_signs == sign_flip_p(near - 0.004)
    assert decision_of("matches", -0.02 + SPREAD).p_signs_against == 1 / 32


def test_a_member_of_too_few_seeds_withholds_the_whole_claim_and_is_shown():
    members = {"many": -0.02 + SPREAD, "few": 0.02 + SPREAD[:3], "few and worse": 0.01 + SPREAD[:3]}
    decision = decision_of("beats", members)
    assert (decision.verdict, decision.member, decision.difference.count) == ("withheld", "few and worse", 3)
    members = {"near": SPREAD[:4], "far": -0.02 + SPREAD[:4], "farther": 0.03 + SPREAD[:4]}
    assert decision_of("matches", members).member == "farther"


def test_a_withheld_claim_shows_its_difference_and_weighs_on_no_other():
    met, failed, second = Precondition("this"), Precondition("that", "not so"), Precondition("third", "nor this")
    withheld = claim_of("beats", 0.02 + SPREAD, preconditions=(met, failed, second))
    few = claim_of("reaches", [0.0, 0.0001, 0.0002, 0.0001])
    broken = claim_of("beats", {"good": SPREAD, "bad": [*SPREAD[:4], np.nan]})
    assert withheld.reasons == ["not so", "nor this"]
    assert (few.reasons, claim_of("beats", [0.1]).reasons) == (["4 seeds; 5 needed"], ["1 seed; 5 needed"])
    assert broken.reasons == ["not finite: bad"]
    assert claim_of("beats", [*SPREAD, np.inf]).reasons == ["not finite: member"]
    clear = claim_of("beats", 0.02 + SPREAD, preconditions=(met,))
    first, decided, *others = decide([withheld, clear, few, broken])
    assert decided == decide([clear])[0]
    for decision in (first, *others):
        p_values = (decision.p, decision.p_against, decision.p_signs, decision.p_signs_against)
        assert (decision.verdict, *p_values) == ("withheld", None, None, None, None)
    assert first.difference == mean_interval(0.02 + SPREAD)
    assert others[0].difference == mean_interval(few.differences["member"])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12).filter(lambda values: np.std(values) > 1e-3))
def test_the_interval_is_that_of_the_one_sample_t_test(values):
    estimate = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (estimate.mean, estimate.count) == (pytest.approx(np.mean(values)), len(values))
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


def test_the_stored_points_of_students_t_are_scipys():
    for count in (*range(2, 36), 100):
        values = np.arange(count, dtype=float)
        half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)
        assert mean_interval(values).high - values.mean() == pytest.approx(half, rel=1e-12)
    assert mean_interval([0.3]) == Estimate(mean=0.3, low=None, high=None, count=1)


def test_pooled_bins_are_those_of_all_rows_together():
    random = np.random.default_rng(0)
    log_probs, labels = log_probabilities(2 * random.normal(size=(300, 3))), random.integers(0, 3, 300)
    parts = [slice(0, 20), slice(20, 120), slice(120, 300)]
    pooled = pool_bins([reliability_record(log_probs[part], labels[part]) for part in parts])
    for name, whole in reliability_record(log_probs, labels).items():
        np.testing.assert_allclose(pooled[name], np.array(whole, dtype=float))  # NaN where a bin is empty
