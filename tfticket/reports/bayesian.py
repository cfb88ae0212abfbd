"""The claims of paper B, "Bayesian Lottery Ticket Hypothesis", about variational networks.

By test accuracy unless something else is said; "Bayesian tickets" are those by signal-to-noise ratio, as in the paper.
Every claim but B9 is withheld where trainings still rise, or more than a tenth of the deviations end at the optimiser's
bound.

- B1 (section 5): Bayesian tickets against their dense network, at every level that keeps 10 % or more. ``reaches``: the
  paper has them "matching and surpassing" it; a ticket may be up to half a point below. Withheld where no level comes
  near 10 %.
- B2a: tickets by abs(mu), and deterministic ones by magnitude, against Bayesian tickets at every level that keeps 5 %
  or more. ``matches``. The paper itself sees the deterministic ones fall behind above 98 % sparsity. Withheld where no
  level comes near 5 %. B2b: tickets by signal-to-noise ratio and by abs(mu) against those by the square score, at the
  last level that has both. ``beats``. Of ResNets at 2 %, and of ViTs; of VGGs the paper sees no difference.
- B3: MACE of the dense Bayesian network less that of its sparsest ticket. For ResNets and ViTs ``beats``
  (it falls at high sparsity: 2 %), for VGGs ``matches`` (it is flat).
- B4a (section 6): Spearman's correlation of a layer's place with the share pruned in it, over the layers that may be
  pruned, at the last level. ``beats`` 0, deterministic tickets too. B4b: that of Bayesian tickets less that of
  deterministic ones, at the last level that has both. ``beats``. Withheld of networks of fewer than five such layers.
- B8 (section 8), of ResNets and VGGs: transplanted start weights against Bayesian tickets, at every level that has
  both. ``matches``; of ViTs the deterministic ticket against the transplant, which falls short of it. ``beats``. Where
  tickets are rewound to a later moment, the transplant trains longer than they by so much.
- B9 (table 1): how many times as long an iteration of a Bayesian training takes as one of a deterministic one, mean
  over the pruned levels, less 5: within 2 of it, so 3 to 7 times. The number of draws decides it: withheld but for the
  paper's 10. A training that was computed earlier has the time that it took then.
- B10 (appendix B): learning-rate rewinding against rewinding weights, of Bayesian tickets and of deterministic
  ones, at the last level that has both. ``reaches``. At high sparsity: 2 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from tfticket.arms import TICKET, Arm, Trunk
from tfticket.reports.claims import Comparison
from tfticket.reports.preconditions import (
    Check,
    Member,
    Members,
    comparison,
    down_to,
    enough_layers,
    in_scope,
    recorded,
    row_of,
    sound,
    ten_draws,
)
from tfticket.reports.tables import Seeds, density_of, paired

B1 = "B1: Bayesian tickets match or surpass their dense network down to 10 % of the weights, within half a point"
B2A = "B2a: signal-to-noise ratio, abs(mu) and magnitude agree, within half a point"
B2B = "B2b: the square score is worse"
B3_FALLS = "B3: MACE falls at high sparsity (ResNet, ViT)"
B3_FLAT = "B3: MACE is flat (VGG), within half a point"
B4A = "B4a: deeper layers are pruned more (rank correlation)"
B4B = "B4b: more so in Bayesian networks (rank correlation)"
B8 = "B8: transplants match Bayesian tickets, within half a point"
B8_SHORT = "B8: transplants fall short of deterministic tickets (ViT)"
B9 = "B9: a Bayesian training costs 3 to 7 times a deterministic one (times - 5)"
B10 = "B10: learning-rate rewinding is at least rewinding, within half a point"

BAYESIAN = Arm(trunk=Trunk(variational=True, score="snr"))
"""Arm of the tickets that the paper calls Bayesian."""
_BY_MU = Arm(trunk=Trunk(variational=True, score="mu"))
_BY_SQUARE = Arm(trunk=Trunk(variational=True, score="square"))
_TRANSPLANT = Arm("transplant-start")

Groups = Mapping[tuple[int, Arm], Seeds]
"""(level, arm) -> seed -> rows."""


def bayesian_claims(groups: Groups, network: str) -> list[Comparison]:
    """The claims that a run's groups speak to; those without a member are left out."""

    def both(ours: Arm, theirs: Arm, metric: str = "accuracy") -> list[Members]:
        """A member each pruned level that has both arms: ours - theirs."""
        return [found for level in pruned if (found := _minus(groups, (level, ours), (level, theirs), metric))]

    pruned = sorted({level for level, _ in groups if level})
    levels = [level for level in pruned if (level, BAYESIAN) in groups]
    reached = min((density_of(seeds) for (level, _), seeds in groups.items() if level), default=1.0)
    family = network.partition("-")[0]
    high, tenth, twentieth = (down_to(density, reached) for density in (0.02, 0.1, 0.05))
    dense = _kept(_all(_minus(groups, (level, BAYESIAN), (0, BAYESIAN)) for level in levels), 0.1)
    scores = _kept(_all([*both(_BY_MU, BAYESIAN), *both(TICKET, BAYESIAN)]), 0.05)
    square = _all(found for arm in (BAYESIAN, _BY_MU) for found in both(arm, _BY_SQUARE)[-1:])
    sparse_square = () if family == "vit" else (high,)
    depths = _depths(groups, [(level, arm) for level in levels[-1:] for arm in (BAYESIAN, TICKET)])
    deeper = _all(both(BAYESIAN, TICKET, "depth")[-1:])
    rewound = _all(found for arm, whose in _REWOUND for found in both(arm, whose)[-1:])
    times = _times(groups, levels)
    scope = in_scope(network, "resnet", "vit")
    return [
        *comparison(B1, "reaches", dense, _about("down to 10 %"), tenth, sound),
        *comparison(B2A, "matches", scores, _about("down to 5 %"), twentieth, sound),
        *comparison(B2B, "beats", square, _about("2 %, of ViT-tiny all levels"), scope, *sparse_square, sound),
        *_calibration(
            _all(_minus(groups, (0, BAYESIAN), (level, BAYESIAN), "mace") for level in levels[-1:]), network, high
        ),
        *comparison(B4A, "beats", depths, _about("1.2 %"), enough_layers, sound, unit="rho"),
        *comparison(B4B, "beats", deeper, _about("1.2 %"), enough_layers, sound, unit="rho"),
        *_transplants(_all(both(_TRANSPLANT, BAYESIAN)), _all(both(TICKET, _TRANSPLANT)), network),
        *comparison(B9, "matches", times, _about("all levels"), ten_draws, margin=2.0, unit="times"),
        *comparison(B10, "reaches", rewound, _about("2 %"), high, sound),
    ]


def _about(densities: str) -> str:
    return f"ResNet-18, VGG-11, ViT-tiny on CIFAR-10; {densities} of the weights; 10 draws"


def _calibration(members: Members, network: str, high: Check) -> list[Comparison]:
    """B3: of VGGs that MACE is flat, of any other network that it falls."""
    if network.startswith("vgg"):
        return comparison(B3_FLAT, "matches", members, _about("all levels"), sound)
    return comparison(B3_FALLS, "beats", members, _about("2 %"), in_scope(network, "resnet", "vit"), high, sound)


def _transplants(moved: Members, short: Members, network: str) -> list[Comparison]:
    """B8: of ViTs that transplants fall short, of any other network that they match."""
    if network.startswith("vit"):
        return comparison(B8_SHORT, "beats", short, _about("all levels"), sound)
    return comparison(B8, "matches", moved, _about("all levels"), in_scope(network, "resnet", "vgg"), sound)


_REWOUND = (
    (Arm(trunk=Trunk(variational=True, score="snr", rewinds_rate=True)), BAYESIAN),
    (Arm(trunk=Trunk(variational=False, score="magnitude", rewinds_rate=True)), TICKET),
)
"""Learning-rate rewinding's arm, and the arm of the same pruning that rewinds weights."""


def _kept(members: Members, density: float) -> Members:
    """Members that keep a density or more, where a target is met but for rounding; if none does, the densest."""
    if not members:
        return {}
    sparsest = {label: min(density_of(arm) for arm in one.arms) for label, one in members.items()}
    bound = min(0.999 * density, max(sparsest.values()))
    return {label: one for label, one in members.items() if sparsest[label] >= bound}


def _minus(groups: Groups, ours: tuple[int, Arm], theirs: tuple[int, Arm], metric: str = "accuracy") -> Members:
    """One member: by seed, ours - theirs; none where an arm is not there, or does not know the metric."""
    if not {ours, theirs} <= groups.keys():
        return {}
    if not all(
        metric in row.test or metric in row.beside for key in (ours, theirs) for (row, *_) in groups[key].values()
    ):
        return {}
    differences = paired(groups[ours], groups[theirs], metric)
    names = ["its dense network" if key[0] == 0 else row_of(groups[key]).name for key in (ours, theirs)]
    sparsest = min(density_of(groups[key]) for key in (ours, theirs))
    label = f"{' - '.join(names)} at {100 * sparsest:.3g} %"
    return {label: Member(differences, (groups[ours], groups[theirs]))} if differences else {}


def _all(members: Iterable[Members]) -> Members:
    """Members of one claim together."""
    return {label: one for member in members for label, one in member.items()}


def _depths(groups: Groups, keys: Sequence[tuple[int, Arm]]) -> Members:
    """A member each arm: the rank correlation of place and share pruned, by seed."""
    found = {}
    for key in keys:
        if key in groups and (ranks := recorded(groups[key], "depth")):
            found[row_of(groups[key]).name] = Member(ranks, (groups[key],))
    return found


def _times(groups: Groups, levels: Sequence[int]) -> Members:
    """By seed: the mean over levels of a Bayesian iteration's seconds over those of a deterministic one, less 5."""
    found: dict[int, list[float]] = {}
    arms: list[Seeds] = []
    for level in levels:
        ours, theirs = groups.get((level, BAYESIAN), {}), groups.get((level, TICKET), {})
        arms += [arm for arm in (ours, theirs) if arm]
        for seed in ours.keys() & theirs.keys():
            seconds = [recorded({seed: each[seed]}, "seconds") for each in (ours, theirs)]
            if all(each and each[0] > 0 for each in seconds):
                found.setdefault(seed, []).append(seconds[0][0] / seconds[1][0])
    draws = {int(value) for level in levels for value in recorded(groups.get((level, BAYESIAN), {}), "draws")}
    said = f"Bayesian ({', '.join(map(str, sorted(draws)))} draws) / deterministic - 5"
    return {said: Member([mean(found[seed]) - 5 for seed in sorted(found)], tuple(arms))} if found else {}
