"""Whether results decide a claim: one rule for every table.

The unit is the IMP seed: each brings its own mask and the arms that belong to it, so that a claim is about means of
differences paired by seed; replicates of one seed are averaged first. ``beats``: the mean is above 0, by a one-sided
paired t-test. ``matches``: it lies within the margin, by two one-sided tests (Schuirmann 1987). ``reaches``: it is
above minus the margin, one-sided. The opposite: below 0, outside the margin, below minus the margin.

A claim may have several members: it is true if each of them is. It holds where every member's test rejects, so that
its p value is the largest of theirs (Berger 1982). It is contradicted where the opposite test of any member rejects:
there p is their number times the smallest (Bonferroni), at most 1.

Each test is at 5 %, Holm-adjusted over the claims that are decided together, and the opposites' among themselves: so
the probability that any false claim is said to hold is at most 5 %, and that any true one is said to be contradicted
too. With a member of fewer than five seeds, or where neither rejects, a claim is not decided.

Assumed: seeds are independent, and the differences normal. With five seeds the second cannot be checked; t-tests err
little where the differences are symmetric. The number of seeds is chosen beforehand: who adds seeds until a claim is
decided errs more often. One split of the data serves all seeds: what is decided is decided for that split, and nothing
is chosen on the rows that the metric is computed on.

References:
    Berger (1982), "Multiparameter hypothesis testing and acceptance sampling": the intersection-union test.
    Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfticket.reports.statistics import Estimate, mean_interval

LEVEL = 0.05
MARGIN = 0.005
"""Half a point of accuracy."""
FEWEST_SEEDS = 5

Kind = Literal["beats", "matches", "reaches"]
Unit = Literal["points", "%", "times", "rho"]
"""What differences are told in: points and % are hundredths, rho is a rank correlation."""
Verdict = Literal["holds", "contradicted", "not decided"]

_DIGITS = 1e-12
"""Means that differ by less differ by their last digits only."""


@dataclass(frozen=True)
class Comparison:
    """A claim and what speaks to it.

    Attributes:
        claim: Its name and text: 'A5: the ticket beats ...'.
        kind: What is claimed of each member's mean difference.
        differences: What a member compares, e.g. 're-initialised at 10.0 %' -> one difference an IMP seed, at least
            one: larger is better for the arm that the claim is about.
        margin: What counts as the same, as the differences are given: of points and %, a fraction.
        unit: What the differences are told in.
    """

    claim: str
    kind: Kind
    differences: Mapping[str, Sequence[float]]
    margin: float = MARGIN
    unit: Unit = "points"

    @property
    def factor(self) -> float:
        """What the differences are multiplied by to be in their unit."""
        return 100 if self.unit in ("points", "%") else 1


@dataclass(frozen=True)
class Decision:
    """What the rule says of a claim.

    Attributes:
        comparison: The claim.
        verdict: holds, contradicted, or not decided.
        member: Which member decides: the one that speaks most clearly against a contradicted claim, or else least
            clearly for it; among too few seeds, of those with the fewest.
        difference: The member's mean and unadjusted 95 % interval over seeds.
        p: Adjusted p value of the claim's test; None with too few seeds.
        p_against: Adjusted p value of its opposite's test; None with too few seeds.
    """

    comparison: Comparison
    verdict: Verdict
    member: str
    difference: Estimate
    p: float | None
    p_against: float | None


def decide(comparisons: Sequence[Comparison]) -> list[Decision]:
    """Decide claims together, one decision a claim, in their order."""
    tested = {index: _test(one) for index, one in enumerate(comparisons) if fewest_seeds(one) >= FEWEST_SEEDS}
    adjusted = [holm([getattr(test, side) for test in tested.values()]) for side in ("p", "p_against")]
    p_values = dict(zip(tested, np.transpose(adjusted).tolist(), strict=True))
    decisions = []
    for index, one in enumerate(comparisons):
        p, p_against = p_values.get(index, (None, None))
        verdict: Verdict = "not decided"
        if p is None:
            member = _nearest_to_fail(one)
        elif p_against <= LEVEL:
            verdict, member = "contradicted", tested[index].against
        else:
            verdict, member = "holds" if p <= LEVEL else "not decided", tested[index].weakest
        decisions.append(Decision(one, verdict, member, mean_interval(one.differences[member]), p, p_against))
    return decisions


def fewest_seeds(one: Comparison) -> int:
    """The number of seeds of the member that has the fewest."""
    return min(map(len, one.differences.values()))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P values adjusted for their number, in their order.

    References:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    given = np.asarray(p_values, dtype=float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    result = np.empty_like(given)
    result[order] = np.minimum(stepped, 1.0)
    return result


@dataclass(frozen=True)
class _Test:
    """Unadjusted p values of a claim and of its opposite, and the members that they come from."""

    p: float
    weakest: str
    p_against: float
    against: str


def _test(one: Comparison) -> _Test:
    """Every member's test must reject; of the opposite's, any."""
    members = {label: _p_values(one.kind, values, one.margin) for label, values in one.differences.items()}
    weakest = max(members, key=lambda label: members[label][0])
    against = min(members, key=lambda label: members[label][1])
    return _Test(members[weakest][0], weakest, min(1.0, len(members) * members[against][1]), against)


def _nearest_to_fail(one: Comparison) -> str:
    """Of the members with the fewest seeds, the one whose mean speaks least for the claim."""

    def support(values: Sequence[float]) -> float:
        mean = float(np.mean(values))
        return -abs(mean) if one.kind == "matches" else mean

    return min(one.differences, key=lambda label: (len(one.differences[label]), support(one.differences[label])))


def _p_values(kind: Kind, differences: Sequence[float], margin: float) -> tuple[float, float]:
    """P values of one member's test and of its opposite's."""
    values = np.asarray(differences, dtype=float)
    if kind == "matches":
        inside = max(_above(values, -margin), _above(-values, -margin))
        outside = min(1.0, 2.0 * min(_above(values, margin), _above(-values, margin)))
        return inside, outside
    bound = 0.0 if kind == "beats" else -margin
    return _above(values, bound), _above(-values, -bound)


def _above(values: np.ndarray, bound: float) -> float:
    """P value of the one-sided t-test that the mean is above a bound."""
    from scipy.stats import t  # a second to import

    distance = values.mean() - bound
    if np.ptp(values) < _DIGITS:  # no spread: as the sign test, which assumes less
        return 2.0 ** -len(values) if distance > _DIGITS else 1.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(t.sf(distance / error, len(values) - 1))
