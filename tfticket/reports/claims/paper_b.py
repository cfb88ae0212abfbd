"""The claims of paper B, "Bayesian Lottery Ticket Hypothesis", about variational networks and about controls.

What each compares, and when, is in ``docs/howto/read-results.md``. By test accuracy unless stated otherwise; "Bayesian
tickets" are those by signal-to-noise ratio, as in the paper. B1 is of section 5, B4a of section 6, B5 and B6 of section
7, B8 of section 8, B9 of table 1, B10 of appendix B. Where the paper says otherwise of some networks:

- B2a: its deterministic tickets fall behind above 98 % sparsity. B2b: of VGGs it finds no difference.
- B3 is MACE of the dense Bayesian network less that of its sparsest ticket.
- B6b: of ViTs it claims the opposite. That the shuffled tickets "lose every advantage" is not tested.
- B8: where tickets are rewound to a later iteration, the transplant trains that much longer than they do.
- B9 is the time of an iteration of a Bayesian training over that of a deterministic one, mean over the pruned levels,
  less 5: within 2 of it. A training that was computed earlier keeps its former time.
"""

from collections.abc import Collection, Iterable, Sequence
from statistics import mean

from tfticket.arms import TICKET, Arm, Trunk
from tfticket.reports.claims.decision import Comparison
from tfticket.reports.claims.members import (
    Groups,
    Member,
    Members,
    controls_in,
    first_row,
    pairwise,
    recorded,
    sparsest_density,
    ticket_minus,
)
from tfticket.reports.claims.preconditions import comparison, down_to, enough_layers, in_scope, sound, ten_draws
from tfticket.reports.grouping import Seeds, density_of, paired

B1 = "B1: Bayesian tickets match or surpass their dense network down to 10 % of the weights, within half a point"
B2A = "B2a: signal-to-noise ratio, abs(mu) and magnitude agree, within half a point"
B2B = "B2b: the square score is worse"
B3_FALLS = "B3: MACE falls at high sparsity (ResNet, ViT)"
B3_FLAT = "B3: MACE is flat (VGG), within half a point"
B4A = "B4a: deeper layers are pruned more (rank correlation)"
B4B = "B4b: more so in Bayesian networks (rank correlation)"
B5 = "B5: the IMP ticket is the ceiling of all controls, within half a point"
B6A = "B6a: even and global shuffles fall behind layerwise ones and re-initialisation"
B6B = "B6b: layerwise shuffles and re-initialisation come close to the ticket (ResNet, VGG), within half a point"
B8 = "B8: transplants match Bayesian tickets, within half a point"
B8_SHORT = "B8: transplants fall short of deterministic tickets (ViT)"
B9 = "B9: a Bayesian training costs 3 to 7 times a deterministic one (times - 5)"
B10 = "B10: learning-rate rewinding is at least rewinding, within half a point"

BAYESIAN = Arm(trunk=Trunk(variational=True, score="snr"))
"""Arm of the tickets that the paper calls Bayesian."""
_BY_MU = Arm(trunk=Trunk(variational=True, score="mu"))
_BY_SQUARE = Arm(trunk=Trunk(variational=True, score="square"))
_TRANSPLANT = Arm("transplant-start")

_KEPT, _LOST = ("reinitialise", "shuffle-layerwise"), ("shuffle-even", "shuffle-global")
"""Controls that keep each layer's density, and controls that do not."""
_NETWORKS = "ResNet-18, VGG-11, ViT-tiny on CIFAR-10"


def control_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about tickets' controls."""
    controls = controls_in(groups)
    tickets = dict.fromkeys(arm.ticket for _, arm in controls)
    by_ticket = [[key for key in controls if key[1].ticket == ticket] for ticket in tickets]
    close = [key for keys in by_ticket for key in _of_level_with_all(keys, _KEPT)]
    kept, lost = (
        [[groups[key] for key in _of_level_with_all(keys, names)] for keys in by_ticket] for names in (_KEPT, _LOST)
    )
    kept_minus_lost = _merged(map(pairwise, kept, lost))
    scope = in_scope(network, "resnet", "vgg")
    return [
        *comparison(B5, "reaches", ticket_minus(groups, controls), f"{_NETWORKS}; all levels", sound),
        *comparison(B6A, "beats", kept_minus_lost, f"{_NETWORKS}; all levels", sound),
        *comparison(B6B, "matches", ticket_minus(groups, close), "ResNet-18, VGG-11 on CIFAR-10", scope, sound),
    ]


def _of_level_with_all(controls: Sequence[tuple[int, Arm]], names: Collection[str]) -> list[tuple[int, Arm]]:
    """Return the controls of these names, at the sparsest level that has all four."""
    by_level = {level: {arm.control for other, arm in controls if other == level} for level, _ in controls}
    last = max((level for level, arms in by_level.items() if arms.issuperset(_KEPT + _LOST)), default=None)
    return [(level, arm) for level, arm in controls if level == last and arm.control in names]


def variational_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about variational networks; those without a member are left out."""

    def both(ours: Arm, theirs: Arm, metric: str = "accuracy") -> list[Members]:
        """Return a member for each pruned level that has both arms: ours - theirs."""
        return [member for level in pruned if (member := _minus(groups, (level, ours), (level, theirs), metric))]

    pruned = sorted({level for level, _ in groups if level})
    levels = [level for level in pruned if (level, BAYESIAN) in groups]
    family = network.partition("-")[0]
    high, tenth, twentieth = (down_to(density, sparsest_density(groups)) for density in (0.02, 0.1, 0.05))
    dense = _down_to(_merged(_minus(groups, (level, BAYESIAN), (0, BAYESIAN)) for level in levels), 0.1)
    scores = _down_to(_merged([*both(_BY_MU, BAYESIAN), *both(TICKET, BAYESIAN)]), 0.05)
    square = _merged(members for arm in (BAYESIAN, _BY_MU) for members in both(arm, _BY_SQUARE)[-1:])
    sparse_square = () if family == "vit" else (high,)
    depths = _depths(groups, [(level, arm) for level in levels[-1:] for arm in (BAYESIAN, TICKET)])
    deeper = _merged(both(BAYESIAN, TICKET, "depth")[-1:])
    rewound = _merged(members for arm, rewinding in _REWOUND for members in both(arm, rewinding)[-1:])
    times = _times(groups, levels)
    scope = in_scope(network, "resnet", "vit")
    mace = _merged(_minus(groups, (0, BAYESIAN), (level, BAYESIAN), "mace") for level in levels[-1:])
    moved, short = _merged(both(_TRANSPLANT, BAYESIAN)), _merged(both(TICKET, _TRANSPLANT))
    calibration = comparison(B3_FALLS, "beats", mace, _scope("2 %"), scope, high, sound)
    if family == "vgg":
        calibration = comparison(B3_FLAT, "matches", mace, _scope("all levels"), sound)
    transplants = comparison(B8, "matches", moved, _scope("all levels"), in_scope(network, "resnet", "vgg"), sound)
    if family == "vit":
        transplants = comparison(B8_SHORT, "beats", short, _scope("all levels"), sound)
    return [
        *comparison(B1, "reaches", dense, _scope("down to 10 %"), tenth, sound),
        *comparison(B2A, "matches", scores, _scope("down to 5 %"), twentieth, sound),
        *comparison(B2B, "beats", square, _scope("2 %, of ViT-tiny all levels"), scope, *sparse_square, sound),
        *calibration,
        *comparison(B4A, "beats", depths, _scope("1.2 %"), enough_layers, sound, unit="rho"),
        *comparison(B4B, "beats", deeper, _scope("1.2 %"), enough_layers, sound, unit="rho"),
        *transplants,
        *comparison(B9, "matches", times, _scope("all levels"), ten_draws, margin=2.0, unit="times"),
        *comparison(B10, "reaches", rewound, _scope("2 %"), high, sound),
    ]


def _scope(densities: str) -> str:
    return f"{_NETWORKS}; {densities} of the weights; 10 draws"


_REWOUND = (
    (Arm(trunk=Trunk(variational=True, score="snr", rewinds_rate=True)), BAYESIAN),
    (Arm(trunk=Trunk(variational=False, score="magnitude", rewinds_rate=True)), TICKET),
)
"""Learning-rate rewinding's arm, and the arm of the same pruning that rewinds weights."""


def _down_to(members: Members, density: float) -> Members:
    """Return the members that keep a density or more, up to rounding; if none does, the densest."""
    if not members:
        return {}
    sparsest = {label: min(density_of(arm) for arm in member.arms) for label, member in members.items()}
    bound = min(0.999 * density, max(sparsest.values()))
    return {label: member for label, member in members.items() if sparsest[label] >= bound}


def _minus(groups: Groups, ours: tuple[int, Arm], theirs: tuple[int, Arm], metric: str = "accuracy") -> Members:
    """Return one member: ours - theirs, by seed; {} where an arm is missing or has no such metric."""
    if not {ours, theirs} <= groups.keys():
        return {}
    if not all(
        metric in row.test or metric in row.extra_metrics
        for key in (ours, theirs)
        for (row, *_) in groups[key].values()
    ):
        return {}
    differences = paired(groups[ours], groups[theirs], metric)
    names = ["its dense network" if key[0] == 0 else first_row(groups[key]).name for key in (ours, theirs)]
    sparsest = min(density_of(groups[key]) for key in (ours, theirs))
    label = f"{' - '.join(names)} at {100 * sparsest:.3g} %"
    return {label: Member(differences, (groups[ours], groups[theirs]))} if differences else {}


def _merged(members: Iterable[Members]) -> Members:
    return {label: member for some in members for label, member in some.items()}


def _depths(groups: Groups, keys: Sequence[tuple[int, Arm]]) -> Members:
    """Return a member for each arm: the rank correlation of place and share pruned, by seed."""
    members = {}
    for key in keys:
        if key in groups and (ranks := recorded(groups[key], "depth")):
            members[first_row(groups[key]).name] = Member(ranks, (groups[key],))
    return members


def _times(groups: Groups, levels: Sequence[int]) -> Members:
    """Return the seconds of a Bayesian iteration over those of a deterministic one, mean over levels, less 5."""
    ratios: dict[int, list[float]] = {}
    arms: list[Seeds] = []
    for level in levels:
        ours, theirs = groups.get((level, BAYESIAN), {}), groups.get((level, TICKET), {})
        arms += [arm for arm in (ours, theirs) if arm]
        for seed in ours.keys() & theirs.keys():
            bayesian, deterministic = (recorded({seed: arm[seed]}, "seconds") for arm in (ours, theirs))
            if bayesian and deterministic and bayesian[0] > 0 and deterministic[0] > 0:
                ratios.setdefault(seed, []).append(bayesian[0] / deterministic[0])
    draws = {int(value) for level in levels for value in recorded(groups.get((level, BAYESIAN), {}), "draws")}
    label = f"Bayesian ({', '.join(map(str, sorted(draws)))} draws) / deterministic - 5"
    return {label: Member([mean(ratios[seed]) - 5 for seed in sorted(ratios)], tuple(arms))} if ratios else {}
