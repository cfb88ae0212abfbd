"""Whether results decide a claim: one rule for every table.

The unit is the IMP seed: each brings its own mask and the arms that belong to it, so that a claim is about the mean of
differences paired by seed. ``beats``: the mean is above 0, by a one-sided paired t-test. ``matches``: it lies within
the margin, by two one-sided tests (Schuirmann 1987). ``reaches``: it is above minus the margin, one-sided. A claim is
contradicted where the test of its opposite rejects: below 0, outside the margin, below minus the margin.

Each test is at 5 %, Holm-adjusted over the claims that are decided together, and the opposites' among themselves: so
the probability that any false claim is said to hold is at most 5 %, and that any true one is said to be contradicted
too. With fewer than five seeds, or where neither rejects, a claim is not decided.

Assumed: seeds are independent, and the differences normal. With five seeds the second cannot be checked; t-tests err
little where the differences are symmetric. One split of the data serves all seeds: what is decided is decided for that
split, and nothing is chosen on the rows that the metric is computed on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfticket.reports.statistics import Estimate, mean_interval

LEVEL = 0.05
MARGIN = 0.005
"""Half a point of accuracy."""
FEWEST_SEEDS = 5

Kind = Literal["beats", "matches", "reaches"]
Verdict = Literal["holds", "contradicted", "not decided"]


@dataclass(frozen=True)
class Comparison:
    """A claim and what speaks to it.

    Attributes:
        claim: Its name and text.
        kind: What is claimed of the mean difference.
        differences: One an IMP seed: larger is better for the arm that the claim is about.
        margin: What counts as the same, in the metric's unit.
    """

    claim: str
    kind: Kind
    differences: Sequence[float]
    margin: float = MARGIN


@dataclass(frozen=True)
class Decision:
    """What the rule says of a claim.

    Attributes:
        comparison: The claim.
        verdict: holds, contradicted, or not decided.
        difference: Mean and unadjusted 95 % interval over seeds.
        p: Adjusted p value of the claim's test.
        p_against: Adjusted p value of its opposite's test.
    """

    comparison: Comparison
    verdict: Verdict
    difference: Estimate
    p: float
    p_against: float


def decide(comparisons: Sequence[Comparison]) -> list[Decision]:
    """Decide claims together, one decision a claim, in their order."""
    enough = [len(one.differences) >= FEWEST_SEEDS for one in comparisons]
    tested = [_p_values(one) if there else (1.0, 1.0) for one, there in zip(comparisons, enough, strict=True)]
    adjusted = np.ones((len(comparisons), 2))
    chosen = np.flatnonzero(enough)
    for side in (0, 1):
        adjusted[chosen, side] = holm([tested[index][side] for index in chosen])
    decisions = []
    for one, (p, p_against) in zip(comparisons, adjusted.tolist(), strict=True):
        verdict: Verdict = "holds" if p <= LEVEL else "contradicted" if p_against <= LEVEL else "not decided"
        decisions.append(Decision(one, verdict, mean_interval(one.differences), p, p_against))
    return decisions


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


def _p_values(one: Comparison) -> tuple[float, float]:
    """P values of the claim's test and of its opposite's."""
    differences = np.asarray(one.differences, dtype=float)
    if one.kind == "matches":
        inside = max(_above(differences, -one.margin), _above(-differences, -one.margin))
        outside = min(1.0, 2.0 * min(_above(differences, one.margin), _above(-differences, one.margin)))
        return inside, outside
    bound = 0.0 if one.kind == "beats" else -one.margin
    return _above(differences, bound), _above(-differences, -bound)


def _above(values: np.ndarray, bound: float) -> float:
    """P value of the one-sided t-test that the mean is above a bound."""
    from scipy.stats import t  # a second to import

    if np.ptp(values) == 0:  # no spread: the mean is known
        return 0.0 if values[0] > bound else 1.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(t.sf((values.mean() - bound) / error, len(values) - 1))
