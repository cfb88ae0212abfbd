"""The claims of paper C, "Monte Carlo Winning Tickets", at the sparsest level with Monte Carlo tickets.

What each compares, and when, is in ``docs/howto/read-results.md``. Tickets drawn ``as_printed`` are left out. C1 to C4
are of table 1, C5 of figure 1, C6 of section 3: in the paper, performance is near-final after 10 to 20 of 300 to 500
epochs. C6 counts iterations from the beginning of the schedule also where tickets are rewound.
"""

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.reports.claims.decision import Comparison
from tfticket.reports.claims.members import ROUNDING, Groups, Member, label_at, pairwise, recorded, sparsest_only
from tfticket.reports.claims.preconditions import comparison, in_scope, sound_on
from tfticket.reports.grouping import Seeds, density_of

C1 = "C1: Monte Carlo tickets match IMP tickets, within half a point"
C2 = "C2: Monte Carlo tickets beat random masks"
C3 = "C3: Monte Carlo tickets exceed IMP tickets on Conv-4 and Conv-6"
C4 = "C4: connectivity adds little, within half a point"
C5 = "C5: tickets keep large initial weights (survivors' mean magnitude over all weights', less 1)"
C6 = "C6: Monte Carlo tickets learn faster (iterations to 97 % of the own plateau, share spared)"

_MONTE_CARLO = Arm(control="monte-carlo")
_RANDOM = (Arm(control="shuffle-layerwise"), Arm(control="random-mask"))
_PAPER = "Conv-2, Conv-4, Conv-6 on CIFAR-10; 20 % of the weights in every layer; 300 to 500 epochs"


def monte_carlo_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about Monte Carlo tickets, at the last level that has any."""
    drawn = sparsest_only(
        [key for key in groups if key[1].kind == _MONTE_CARLO and not key[1].has_option("as printed")]
    )
    if not drawn:
        return []
    level = drawn[0][0]
    ticket, density = groups[level, TICKET], density_of(groups[level, TICKET])
    random = [
        seeds
        for (other, arm), seeds in groups.items()
        if other == level and arm.kind in _RANDOM and abs(density_of(seeds) / density - 1.0) <= ROUNDING
    ]
    ours = [groups[key] for key in drawn]
    magnitude, connectivity = (
        [groups[key] for key in drawn if key[1].has_option(name)]  # of any number of images
        for name in ("magnitude", "connectivity")
    )
    dense = [groups[0, TICKET]] if (0, TICKET) in groups else []
    over_ticket, over_magnitude = pairwise(ours, [ticket]), pairwise(connectivity, magnitude)
    excess = [ratio - 1 for ratio in recorded(ticket, "relative_magnitude")]
    magnitudes = {label_at(ticket, "survivors / all - 1"): Member(excess, (ticket,))} if excess else {}
    checks = in_scope(network, "conv-2", "conv-4", "conv-6"), sound_on("cifar-10")
    larger = in_scope(network, "conv-4", "conv-6"), sound_on("cifar-10")
    return [
        *comparison(C1, "matches", over_ticket, _PAPER, *checks),
        *comparison(C2, "beats", pairwise(ours, random), _PAPER, *checks),
        *comparison(C3, "beats", over_ticket, f"{_PAPER} (Conv-4, Conv-6)", *larger),
        *comparison(C4, "matches", over_magnitude, _PAPER, *checks),
        *comparison(C5, "beats", magnitudes, _PAPER, *checks, unit="%"),
        *comparison(C6, "beats", pairwise(ours, dense + random, _iterations_saved), _PAPER, *checks, unit="%"),
    ]


def _iterations_saved(ours: Seeds, theirs: Seeds) -> list[float]:
    """Return the share of their iterations to the plateau that ours save, by seed."""
    settled, others = _settled(ours), _settled(theirs)
    return [1 - settled[seed] / others[seed] for seed in ours if seed in settled.keys() & others.keys()]


def _settled(arm: Seeds) -> dict[int, float]:
    """Return the mean iteration over replicates at which trainings have settled, by seed."""
    settled = {seed: recorded({seed: replicates}, "settled") for seed, replicates in arm.items()}
    return {seed: float(np.mean(values)) for seed, values in settled.items() if len(values) == len(arm[seed])}
