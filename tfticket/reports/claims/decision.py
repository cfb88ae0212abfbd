"""The rule that decides claims, the same for every table; ``docs/howto/read-results.md`` explains it to readers.

A claim is about means of differences paired by IMP seed; replicates of one seed are averaged first. ``beats``: the mean
is above 0, by a one-sided paired t-test. ``matches``: it lies within the margin, by two one-sided tests. ``reaches``:
it is above minus the margin, one-sided. The opposite: below 0, outside the margin, below minus the margin.

A claim with several members is true if each of them is. It holds where every member's test rejects: its p value is the
largest of theirs. It is contradicted where the opposite test of any member rejects: p is then their number times the
smallest (Bonferroni), at most 1. Each test is at 5 %, Holm-adjusted over the claims that are tested together, and
separately over their opposites. A verdict also needs an unadjusted sign-flip test of the deciding member at 5 %, a
veto.

A claim is withheld, and not tested, where a precondition fails; its differences are shown all the same. Preconditions
ignore the sign and size of the differences. A withheld claim does not enter the adjustment of the others.

References:
    Berger (1982), "Multiparameter hypothesis testing and acceptance sampling": the intersection-union test.
    Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfticket.reports.statistics import Estimate, mean_interval, sign_flip_p
from tfticket.text import counted

LEVEL = 0.05
MARGIN = 0.005
"""Half a point of accuracy."""
FEWEST_SEEDS = 5

Kind = Literal["beats", "matches", "reaches"]
Unit = Literal["points", "%", "times", "rho"]
"""Unit of differences: points and % are hundredths, rho is a rank correlation."""
Verdict = Literal["holds", "contradicted", "not decided", "withheld"]

_DIGITS = 1e-12
"""Means that differ by less are equal up to rounding."""


@dataclass(frozen=True)
class Scope:
    """Scope of a claim. The fields are keys of claims.json.

    Attributes:
        paper: Networks, data, densities and draws of the paper's claim.
        here: Those of the test.
    """

    paper: str = ""
    here: str = ""


@dataclass(frozen=True)
class Precondition:
    """A precondition of a verdict. The fields are keys of claims.json.

    Attributes:
        needs: The precondition: 'trainings no longer rise'.
        failure: The reason why it fails, with the number; '' if it is met.
    """

    needs: str
    failure: str = ""


@dataclass(frozen=True)
class Comparison:
    """A claim and the differences that it is tested on.

    Attributes:
        claim: Its name and text: 'A5: the ticket beats ...'.
        kind: The claim about each member's mean difference.
        differences: Name of a member, e.g. 're-initialised at 10.0 %' -> one difference an IMP seed, at least one:
            larger is better for the arm that the claim is about.
        margin: Largest difference that counts as equal, in the unit of ``differences``: of points and %, a fraction.
        unit: Unit of the differences in tables.
        scope: The paper's scope, and that of the test.
        preconditions: Preconditions besides seeds.
    """

    claim: str
    kind: Kind
    differences: Mapping[str, Sequence[float]]
    margin: float = MARGIN
    unit: Unit = "points"
    scope: Scope = Scope()
    preconditions: tuple[Precondition, ...] = ()

    @property
    def factor(self) -> float:
        """Factor that converts differences to their unit."""
        return 100 if self.unit in ("points", "%") else 1

    @property
    def needs(self) -> tuple[Precondition, ...]:
        """Every precondition of a verdict, seeds and finite differences among them."""
        seeds = min(map(len, self.differences.values()))
        few = f"{counted(seeds, 'seed')}; {FEWEST_SEEDS} needed" if seeds < FEWEST_SEEDS else ""
        broken = [label for label, values in self.differences.items() if not np.isfinite(values).all()]
        return (
            *self.preconditions,
            Precondition(f"{FEWEST_SEEDS} seeds", few),
            Precondition("finite differences", f"not finite: {', '.join(broken)}" if broken else ""),
        )

    @property
    def reasons(self) -> list[str]:
        """Reasons why the verdict is withheld; [] if it is not."""
        return [precondition.failure for precondition in self.needs if precondition.failure]


@dataclass(frozen=True)
class Decision:
    """The verdict on a claim.

    Attributes:
        comparison: The claim.
        verdict: holds, contradicted, not decided, or withheld: see ``Comparison.reasons``.
        member: The deciding member: of a contradicted claim, the strongest evidence against it; otherwise the weakest
            evidence for it; of a withheld claim, among the members with the fewest seeds.
        difference: The member's mean and unadjusted 95 % interval over seeds.
        p: Adjusted p value of the claim's t-test; None if withheld.
        p_against: Adjusted p value of the opposite's t-test; None if withheld.
        p_signs: Unadjusted p value of the claim's sign-flip test, the largest of its members; None if withheld.
        p_signs_against: Unadjusted p value of the opposite's sign-flip test, of the member with the strongest evidence
            against the claim; None if withheld.
    """

    comparison: Comparison
    verdict: Verdict
    member: str
    difference: Estimate
    p: float | None
    p_against: float | None
    p_signs: float | None = None
    p_signs_against: float | None = None


def decide(comparisons: Sequence[Comparison]) -> list[Decision]:
    """Decide claims together: return one decision for each, in their order."""
    tests = {index: _test(comparison) for index, comparison in enumerate(comparisons) if not comparison.reasons}
    adjusted = [holm([getattr(test, side) for test in tests.values()]) for side in ("p", "p_against")]
    p_values = dict(zip(tests, np.transpose(adjusted).tolist(), strict=True))
    return [
        _decision(comparison, tests[index], *p_values[index])
        if index in tests
        else Decision(comparison, "withheld", *_weakest_member(comparison), None, None)
        for index, comparison in enumerate(comparisons)
    ]


def _decision(comparison: Comparison, test: "_Test", p: float, p_against: float) -> Decision:
    verdict: Verdict = "not decided"
    if p_against <= LEVEL and test.signs_against <= LEVEL:
        verdict = "contradicted"
    elif p <= LEVEL and test.signs <= LEVEL:
        verdict = "holds"
    member = test.against if verdict == "contradicted" else test.weakest
    difference = mean_interval(comparison.differences[member])
    return Decision(comparison, verdict, member, difference, p, p_against, test.signs, test.signs_against)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return Holm-adjusted p values, in their order.

    References:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    unadjusted = np.asarray(p_values, dtype=float)
    order = np.argsort(unadjusted)
    stepped = np.maximum.accumulate(unadjusted[order] * np.arange(len(unadjusted), 0, -1))
    adjusted = np.empty_like(unadjusted)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True)
class _Test:
    """Unadjusted p values of a claim and of its opposite, and the members that have them."""

    p: float
    weakest: str
    p_against: float
    against: str
    signs: float
    signs_against: float


def _test(comparison: Comparison) -> _Test:
    """Test every member: all tests of the claim must reject, of its opposite any."""
    differences = comparison.differences
    members = {label: _p_values(comparison.kind, values, comparison.margin) for label, values in differences.items()}
    weakest = max(members, key=lambda label: members[label][0])
    against = min(members, key=lambda label: members[label][1])
    signs = max(sign_flip_p(shifted) for values in differences.values() for shifted in _sides(comparison, values))
    # Outside the margin on the side of the t-test: a veto needs no doubling for two sides.
    opposite = min(sign_flip_p(-shifted) for shifted in _sides(comparison, differences[against]))
    bonferroni = min(1.0, len(members) * members[against][1])
    return _Test(members[weakest][0], weakest, bonferroni, against, signs, opposite)


def _sides(comparison: Comparison, differences: Sequence[float]) -> list[np.ndarray]:
    """Return the distances to the claim's bound, or to both bounds of a match: the claim puts their means above 0."""
    values = np.asarray(differences, dtype=float)
    bound = 0.0 if comparison.kind == "beats" else -comparison.margin
    sides = [values - bound, *([comparison.margin - values] if comparison.kind == "matches" else [])]
    return [np.where(np.abs(side) < _DIGITS, 0.0, side) for side in sides]


def _weakest_member(comparison: Comparison) -> tuple[str, Estimate]:
    """Return the member whose mean supports the claim least, among those with the fewest seeds, and its mean."""

    def support(values: Sequence[float]) -> float:
        mean = float(np.mean(values))
        return -abs(mean) if comparison.kind == "matches" else mean

    differences = comparison.differences
    member = min(differences, key=lambda label: (len(differences[label]), support(differences[label])))
    return member, mean_interval(differences[member])


def _p_values(kind: Kind, differences: Sequence[float], margin: float) -> tuple[float, float]:
    """Return the p values of one member's t-test and of its opposite's."""
    values = np.asarray(differences, dtype=float)
    if kind == "matches":
        inside = max(_above(values, -margin), _above(-values, -margin))
        outside = min(1.0, 2.0 * min(_above(values, margin), _above(-values, margin)))
        return inside, outside
    bound = 0.0 if kind == "beats" else -margin
    return _above(values, bound), _above(-values, -bound)


def _above(values: np.ndarray, bound: float) -> float:
    from scipy.stats import t  # a second to import

    distance = values.mean() - bound
    if np.ptp(values) < _DIGITS:  # no spread: the sign test, which assumes less
        return 2.0 ** -len(values) if distance > _DIGITS else 1.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(t.sf(distance / error, len(values) - 1))
