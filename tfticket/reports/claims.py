"""Whether results decide a claim: one rule for every table.

The unit is the IMP seed: each brings its own mask and the arms that belong to it, so that a claim is about means of
differences paired by seed; replicates of one seed are averaged first. ``beats``: the mean is above 0, by a one-sided
paired t-test. ``matches``: it lies within the margin, by two one-sided tests (Schuirmann 1987). ``reaches``: it is
above minus the margin, one-sided. The opposite: below 0, outside the margin, below minus the margin.

A claim may have several members: it is true if each of them is. It holds where every member's test rejects, so that
its p value is the largest of theirs (Berger 1982). It is contradicted where the opposite test of any member rejects:
there p is their number times the smallest (Bonferroni), at most 1.

Each test is at 5 %, Holm-adjusted over the claims that are tested together, and the opposites' among themselves: so
the probability that any false claim is said to hold is at most 5 %, and that any true one is said to be contradicted
too, if seeds are independent and differences normal. With five seeds normality cannot be checked. So a verdict also
needs a sign-flip test of the deciding member, which assumes symmetry alone, at 5 % and unadjusted: of five seeds its
smallest p is 1/32, which no adjustment for several claims would let pass. It is a veto, which can only make verdicts
rarer, and no second guarantee: where a few large differences speak against the claim and the many small ones for it,
both tests err more often than 5 % (of five differences 1 - Exp(1), 16 % by t alone and 10 % by both). Where neither
the claim nor its opposite passes both tests, it is not decided.

A claim is withheld, and not tested, where a precondition fails: too few seeds, trainings that still rise, networks
outside the paper's claim. What was measured is shown all the same. Preconditions do not look at the sign or size of
the differences. A withheld claim weighs on no other.

Assumed besides: the number of seeds is chosen beforehand: who adds seeds until a claim is decided errs more often. One
split of the data serves all seeds: what is decided is decided for that split, and nothing is chosen on the rows that
the metric is computed on.

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
"""What differences are told in: points and % are hundredths, rho is a rank correlation."""
Verdict = Literal["holds", "contradicted", "not decided", "withheld"]

_DIGITS = 1e-12
"""Means that differ by less differ by their last digits only."""


@dataclass(frozen=True)
class Scope:
    """What a claim is about.

    Attributes:
        paper: Networks, data, densities, draws that the paper makes the claim of.
        here: Those that it is tested on.
    """

    paper: str = ""
    here: str = ""


@dataclass(frozen=True)
class Precondition:
    """Something that a verdict needs.

    Attributes:
        needs: What: 'trainings no longer rise'.
        failure: Why it is not so here, with the number; empty where it is.
    """

    needs: str
    failure: str = ""


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
        scope: What it is about, and what it is tested on.
        preconditions: What a verdict needs beside seeds.
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
        """What the differences are multiplied by to be in their unit."""
        return 100 if self.unit in ("points", "%") else 1

    @property
    def needs(self) -> tuple[Precondition, ...]:
        """Every precondition of a verdict, seeds and finite differences among them."""
        seeds = fewest_seeds(self)
        few = f"{counted(seeds, 'seed')}; {FEWEST_SEEDS} needed" if seeds < FEWEST_SEEDS else ""
        broken = [label for label, values in self.differences.items() if not np.isfinite(values).all()]
        return (
            *self.preconditions,
            Precondition(f"{FEWEST_SEEDS} seeds", few),
            Precondition("finite differences", f"not finite: {', '.join(broken)}" if broken else ""),
        )

    @property
    def reasons(self) -> list[str]:
        """Why no verdict is given; empty where one is."""
        return [one.failure for one in self.needs if one.failure]


@dataclass(frozen=True)
class Decision:
    """What the rule says of a claim.

    Attributes:
        comparison: The claim.
        verdict: holds, contradicted, not decided, or withheld: see ``Comparison.reasons``.
        member: Which member decides: the one that speaks most clearly against a contradicted claim, or else least
            clearly for it; of a withheld claim, of those with the fewest seeds.
        difference: The member's mean and unadjusted 95 % interval over seeds.
        p: Adjusted p value of the claim's t-test; None if withheld.
        p_against: Adjusted p value of its opposite's t-test; None if withheld.
        p_signs: Unadjusted p value of the claim's sign-flip test, the largest of its members; None if withheld.
        p_signs_against: Of its opposite's, of the member that speaks most clearly against it; None if withheld.
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
    """Decide claims together, one decision a claim, in their order."""
    tests = {index: _test(one) for index, one in enumerate(comparisons) if not one.reasons}
    adjusted = [holm([getattr(test, side) for test in tests.values()]) for side in ("p", "p_against")]
    p_values = dict(zip(tests, np.transpose(adjusted).tolist(), strict=True))
    return [
        _decision(one, tests[index], *p_values[index]) if index in tests else _withheld(one)
        for index, one in enumerate(comparisons)
    ]


def _decision(one: Comparison, test: "_Test", p: float, p_against: float) -> Decision:
    verdict: Verdict = "not decided"
    if p_against <= LEVEL and test.signs_against <= LEVEL:
        verdict = "contradicted"
    elif p <= LEVEL and test.signs <= LEVEL:
        verdict = "holds"
    member = test.against if verdict == "contradicted" else test.weakest
    difference = mean_interval(one.differences[member])
    return Decision(one, verdict, member, difference, p, p_against, test.signs, test.signs_against)


def _withheld(one: Comparison) -> Decision:
    member = _nearest_to_fail(one)
    return Decision(one, "withheld", member, mean_interval(one.differences[member]), None, None)


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
    signs: float
    signs_against: float


def _test(one: Comparison) -> _Test:
    """Every member's test must reject; of the opposite's, any."""
    members = {label: _p_values(one.kind, values, one.margin) for label, values in one.differences.items()}
    weakest = max(members, key=lambda label: members[label][0])
    against = min(members, key=lambda label: members[label][1])
    signs = max(sign_flip_p(shifted) for values in one.differences.values() for shifted in _sides(one, values))
    # Outside the margin on the side that t speaks of: a veto needs no doubling for two sides.
    opposite = min(sign_flip_p(-shifted) for shifted in _sides(one, one.differences[against]))
    bonferroni = min(1.0, len(members) * members[against][1])
    return _Test(members[weakest][0], weakest, bonferroni, against, signs, opposite)


def _sides(one: Comparison, differences: Sequence[float]) -> list[np.ndarray]:
    """What must lie above 0 for the claim: distances to its bound, or to both bounds of a match."""
    values = np.asarray(differences, dtype=float)
    bound = 0.0 if one.kind == "beats" else -one.margin
    sides = [values - bound, *([one.margin - values] if one.kind == "matches" else [])]
    return [np.where(np.abs(side) < _DIGITS, 0.0, side) for side in sides]


def _nearest_to_fail(one: Comparison) -> str:
    """Of the members with the fewest seeds, the one whose mean speaks least for the claim."""

    def support(values: Sequence[float]) -> float:
        mean = float(np.mean(values))
        return -abs(mean) if one.kind == "matches" else mean

    return min(one.differences, key=lambda label: (len(one.differences[label]), support(one.differences[label])))


def _p_values(kind: Kind, differences: Sequence[float], margin: float) -> tuple[float, float]:
    """P values of one member's t-test and of its opposite's."""
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
