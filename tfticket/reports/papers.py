"""The papers' claims, as far as a run's rows decide them.

What decides which, all by test accuracy, the ticket's or control's minus the other's. Every claim about trained
networks is withheld where trainings still rise, or where more than a tenth of a variational network's deviations end at
the optimiser's bound; see ``tfticket.reports.preconditions``.

- A1 to A3 (paper A, table 1, one for each network), of LeNets: NUTS on the ticket's mask against the ticket, at the
  sparsest level that was sampled. ``reaches``: it may come up to half a point below. Withheld unless that level keeps
  1 %, the ticket is trained for the paper's epochs, and the chains have converged.
- A4 (table 1): there, NUTS against the mask with weights drawn anew. ``beats``. Withheld as A1.
- A5 (of its training by gradients): the ticket against its mask with weights drawn anew, at the sparsest level that has
  such a control, since the paper speaks of its highest sparsity. ``beats``.
- A6 (table 1), of LeNet-300-100: variational inference with tuned KL weights on the ticket's mask against the ticket,
  at the sparsest level that has it. ``matches``. A7 (section 6): it against that with weights of 1. ``beats``. A8
  (table 1), of LeNet-5 and ResNet-18: as A6. ``beats``. One population tunes the weights for all seeds, on the first
  one's ticket, as in the paper: seeds repeat the trainings, not the tuning. Withheld unless trainings have the paper's
  epochs and its population, and means begin as the deterministic network's do.
- B5 (paper B, section 7): the ticket against every control of as many weights, at every level that was pruned; where a
  run prunes in several ways, of each way. ``reaches``: a control may come up to half a point of accuracy above its
  ceiling, which the claim's text says.
- B6 (section 7) says two things of the sparsest level that has all four controls, of each way of pruning. B6a: evenly
  and globally shuffled tickets fall behind re-initialised and layerwise shuffled ones, which keep each layer's density.
  ``beats``, of every pair. B6b: the latter two come close to the ticket. ``matches``; of ResNets and VGGs, since of
  ViTs the paper says the opposite. That the former "lose every advantage" has no test of its own here.

- C1 to C4 (paper C, table 1), at the sparsest level with Monte Carlo tickets, those ``as_printed`` left out. C1: each
  kind against the ticket. ``matches``. C2: each against the masks that are random in every layer, at the same density.
  ``beats``. C3, of Conv-4 and Conv-6: each against the ticket. ``beats``. C4: with connectivity against magnitude
  alone. ``matches``.
- C5 (figure 1): the mean initial magnitude of the ticket's survivors over that of all weights, less 1, mean over the
  layers that were pruned. ``beats``.
- C6 (section 3): how many iterations sooner each kind reaches 97 % of its own plateau than the unpruned network and
  random masks reach theirs, in per cent of the latter's. ``beats``. The paper speaks of near-final performance after 10
  to 20 of 300 to 500 epochs. Without a plateau there is no verdict. Where tickets are rewound, iterations are counted
  from the beginning of the schedule.

Network, data and training are the run's, seldom the paper's: a verdict is about the claim as far as this run tests it,
and its scope says both. Where the run rewinds to a later iteration, the weights of that moment stand for the
initialisation. The claims are about tickets by magnitude of deterministic networks: a run of other tickets decides
none.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.reports.bayesian import bayesian_claims
from tfticket.reports.claims import Comparison, Decision, decide
from tfticket.reports.preconditions import (
    Check,
    Member,
    Members,
    as_long_as_paper_a,
    comparison,
    converged,
    down_to,
    in_scope,
    inferred_as_paper_a,
    recorded,
    row_of,
    sound,
    sound_on,
)
from tfticket.reports.rows import Row
from tfticket.reports.tables import Seeds, by_seed, density_of, paired

A1 = "A1-A3: NUTS reaches or beats the ticket, within half a point"
A4 = "A4: NUTS beats random initialisations"
A5 = "A5: the ticket's initialisation beats random ones"
A6 = "A6: tuned SVI matches the ticket, within half a point"
A7 = "A7: tuned KL weights beat default ones"
A8 = "A8: SVI beats the ticket"
B5 = "B5: the IMP ticket is the ceiling of all controls, within half a point"
B6A = "B6a: even and global shuffles fall behind layerwise ones and re-initialisation"
C1 = "C1: Monte Carlo tickets match IMP tickets, within half a point"
C2 = "C2: Monte Carlo tickets beat random masks"
C3 = "C3: Monte Carlo tickets exceed IMP tickets on Conv-4 and Conv-6"
C4 = "C4: connectivity adds little, within half a point"
C5 = "C5: tickets keep large initial weights (survivors' mean magnitude over all weights', less 1)"
C6 = "C6: Monte Carlo tickets learn faster (iterations to 97 % of the own plateau, share spared)"
B6B = "B6b: layerwise shuffles and re-initialisation come close to the ticket (ResNet, VGG), within half a point"

_KEPT, _LOST = ("reinitialise", "shuffle-layerwise"), ("shuffle-even", "shuffle-global")
"""Controls that keep each layer's density, and that do not."""

_REINITIALISED, _MONTE_CARLO, _NUTS = Arm(control="reinitialise"), Arm(control="monte-carlo"), Arm("nuts")

_ROUNDING = 0.01
"""Relative: so far may a control's density be from its ticket's. Random masks may have one of their own."""

_Key = tuple[int, Arm]
_Groups = Mapping[_Key, Seeds]
"""(level, arm) -> seed -> rows."""


def decisions_of(rows: Sequence[Row]) -> dict[str, list[Decision]]:
    """Decide the claims of all runs of a report together: run -> decisions, of each run that speaks to a claim."""
    claims = {run: claims_of([row for row in rows if row.run == run]) for run in dict.fromkeys(row.run for row in rows)}
    decided = iter(decide([claim for each in claims.values() for claim in each]))
    return {run: [next(decided) for _ in each] for run, each in claims.items() if each}


def claims_of(rows: Sequence[Row]) -> list[Comparison]:
    """The claims that the rows of one run speak to: differences in accuracy, as fractions, of seeds that have both."""
    if any(row.arm == TICKET and row.name != TICKET.name for row in rows):
        return []
    groups = {(level, arm): seeds for (_, level, arm), seeds in by_seed(rows).items()}
    network = rows[0].network if rows else ""
    return [
        *_sampled(groups, network),
        *_controlled(groups, network),
        *_inferred(groups, network),
        *_monte_carlo(groups, network),
        *bayesian_claims(groups, network),
    ]


def _controlled(groups: _Groups, network: str) -> list[Comparison]:
    """The claims about tickets' controls."""
    controls = [(level, arm) for level, arm in groups if level > 0 and _is_control(groups, level, arm)]
    drawn_anew = _sparsest_only([key for key in controls if key[1].kind == _REINITIALISED])
    tickets = dict.fromkeys(arm.ticket for _, arm in controls)
    of_trunks = [[key for key in controls if key[1].ticket == ticket] for ticket in tickets]
    close = [key for keys in of_trunks for key in _of_level_with_all(keys, _KEPT)]
    lost = [_densities_kept_minus_lost(groups, keys) for keys in of_trunks]
    behind = {label: member for each in lost for label, member in each.items()}
    above, scope = _ticket_minus(groups, controls), in_scope(network, "resnet", "vgg")
    return [
        *comparison(A5, "beats", _ticket_minus(groups, drawn_anew), f"{_A}; 1 % of the weights", sound),
        *comparison(B5, "reaches", above, f"{_B}; all levels", sound),
        *comparison(B6A, "beats", behind, f"{_B}; all levels", sound),
        *comparison(B6B, "matches", _ticket_minus(groups, close), "ResNet-18, VGG-11 on CIFAR-10", scope, sound),
    ]


_A = "LeNet-300-100 and LeNet-5 on MNIST and CIFAR-10, ResNet-18 on CIFAR-10"
_B = "ResNet-18, VGG-11, ViT-tiny on CIFAR-10"
_C = "Conv-2, Conv-4, Conv-6 on CIFAR-10; 20 % of the weights in every layer; 300 to 500 epochs"


def records(decisions: Mapping[str, list[Decision]]) -> list[dict[str, Any]]:
    """Decisions as plain values, one object a claim, for JSON."""
    return [
        {
            "run": run,
            "claim": one.comparison.claim,
            "kind": one.comparison.kind,
            "margin": one.comparison.margin,
            "unit": one.comparison.unit,
            "scope": vars(one.comparison.scope),
            "preconditions": [vars(need) for need in one.comparison.needs],
            "differences": {label: list(values) for label, values in one.comparison.differences.items()},
            "verdict": one.verdict,
            "reasons": one.comparison.reasons,
            "member": one.member,
            "difference": vars(one.difference),
            "p": one.p,
            "p_against": one.p_against,
            "p_signs": one.p_signs,
            "p_signs_against": one.p_signs_against,
        }
        for run, each in decisions.items()
        for one in each
    ]


def _is_control(groups: _Groups, level: int, arm: Arm) -> bool:
    """Whether an arm is a control of as many weights as its ticket."""
    ticket = groups.get((level, arm.ticket))
    if (
        arm.is_ticket
        or arm.method != "train"
        or arm.control in ("monte-carlo", "own-mask")
        or not ticket
        or not paired(ticket, groups[level, arm], "accuracy")
    ):
        return False
    return abs(density_of(groups[level, arm]) / density_of(ticket) - 1.0) <= _ROUNDING


def _sampled(groups: _Groups, network: str) -> list[Comparison]:
    """The claims about chains on tickets' masks, at the last level that was sampled."""
    level = max((level for level, arm in groups if arm == _NUTS), default=None)
    if level is None:
        return []
    sparse = down_to(*_highest(groups, network))
    data = sound_on("mnist") if network == "lenet-5" else sound
    lenets = in_scope(network, "lenet-300-100", "lenet-5")
    checks: tuple[Check, ...] = (lenets, sparse, as_long_as_paper_a, converged, data)
    against = _sampled_minus(groups, level, lambda arm: arm == TICKET)
    drawn_anew = _sampled_minus(groups, level, lambda arm: arm.kind == _REINITIALISED)
    return [
        *comparison(A1, "reaches", against, f"{_LENETS}; 1 % of the weights", *checks),
        *comparison(A4, "beats", drawn_anew, f"{_LENETS}; 1 % of the weights", *checks),
    ]


_LENETS = "LeNet-300-100 on MNIST and CIFAR-10, LeNet-5 on MNIST"


def _highest(groups: _Groups, network: str) -> tuple[float, float]:
    """The density of paper A's table 1, and the sparsest of this run."""
    reached = min((density_of(seeds) for (level, _), seeds in groups.items() if level), default=1.0)
    return (0.08 if network == "resnet-18" else 0.01), reached


def _sampled_minus(groups: _Groups, level: int, is_other: Callable[[Arm], bool]) -> Members:
    """A member each other arm of a level: NUTS on the ticket's mask - the other, by seed."""
    found = {}
    for each, arm in groups:
        if each != level or not is_other(arm):
            continue
        arms = (groups[level, _NUTS], groups[level, arm])
        if differences := paired(*arms, "accuracy"):
            found[_label(arms[1], f"NUTS - {row_of(arms[1]).name}")] = Member(differences, arms)
    return found


def _inferred(groups: _Groups, network: str) -> list[Comparison]:
    """The claims about variational inference on tickets' masks, at the last level that has it.

    Which of A6 and A8 a network is in the scope of; of one that neither names, A6.
    """
    level = max((level for level, arm in groups if arm == Arm("svi-tuned")), default=None)
    if level is None:
        return []
    tuned, default, ticket = ([groups[level, arm]] if (level, arm) in groups else [] for arm in _SVI)
    against, tuning = _minus(tuned, ticket, "accuracy"), _minus(tuned, default, "accuracy")
    data = {"resnet-18": sound_on("cifar-10"), "lenet-5": sound_on("mnist")}.get(network, sound)
    checks: tuple[Check, ...] = (as_long_as_paper_a, inferred_as_paper_a, data)
    sparse = down_to(*_highest(groups, network))
    beats = network in ("lenet-5", "resnet-18")
    lenet = in_scope(network, "lenet-300-100")
    about, others = "LeNet-300-100 on MNIST and CIFAR-10", "LeNet-5 on MNIST, ResNet-18 on CIFAR-10"
    return [
        *comparison(A6, "matches", {} if beats else against, f"{about}; 1 % of the weights", lenet, sparse, *checks),
        *comparison(A7, "beats", tuning, about, lenet, *checks),
        *comparison(A8, "beats", against if beats else {}, others, sparse, *checks),
    ]


_SVI = (Arm("svi-tuned"), Arm("svi"), TICKET)


def _monte_carlo(groups: _Groups, network: str) -> list[Comparison]:
    """The claims about Monte Carlo tickets, at the last level that has some."""
    drawn = [key for key in groups if key[1].kind == _MONTE_CARLO and not key[1].has_option("as printed")]
    last = _sparsest_only(drawn)
    if not last:
        return []
    level = last[0][0]
    ticket, density = groups[level, TICKET], density_of(groups[level, TICKET])
    random = [
        seeds
        for (each, arm), seeds in groups.items()
        if each == level
        and arm.kind in (Arm(control="shuffle-layerwise"), Arm(control="random-mask"))
        and abs(density_of(seeds) / density - 1.0) <= _ROUNDING
    ]
    ours = [groups[key] for key in last]
    magnitude, connectivity = (
        [groups[key] for key in last if key[1].has_option(name)]  # of however many images
        for name in ("magnitude", "connectivity")
    )
    dense = [groups[0, TICKET]] if (0, TICKET) in groups else []
    against, adds = _minus(ours, [ticket], "accuracy"), _minus(connectivity, magnitude, "accuracy")
    large = [ratio - 1 for ratio in recorded(ticket, "relative_magnitude")]
    kept = {_label(ticket, "survivors / all - 1"): Member(large, (ticket,))} if large else {}
    checks = in_scope(network, "conv-2", "conv-4", "conv-6"), sound_on("cifar-10")
    larger = in_scope(network, "conv-4", "conv-6"), sound_on("cifar-10")
    return [
        *comparison(C1, "matches", against, _C, *checks),
        *comparison(C2, "beats", _minus(ours, random, "accuracy"), _C, *checks),
        *comparison(C3, "beats", against, f"{_C} (Conv-4, Conv-6)", *larger),
        *comparison(C4, "matches", adds, _C, *checks),
        *comparison(C5, "beats", kept, _C, *checks, unit="%"),
        *comparison(C6, "beats", _sooner(ours, dense + random), _C, *checks, unit="%"),
    ]


def _sooner(ours: Sequence[Seeds], theirs: Sequence[Seeds]) -> Members:
    """A member each pair of arms: by seed, the share of the other's iterations to its plateau that ours spares."""
    found = {}
    for one in ours:
        for other in theirs:
            settled = [_settled(arm) for arm in (one, other)]
            if shares := [
                1 - settled[0][seed] / settled[1][seed] for seed in one if seed in settled[0].keys() & settled[1].keys()
            ]:
                found[_label(one, f"{row_of(one).name} - {_dense_or_name(other)}")] = Member(shares, (one, other))
    return found


def _settled(arm: Seeds) -> dict[int, float]:
    """By seed, the mean over replicates of the iteration at which they have learnt."""
    known = {seed: recorded({seed: replicates}, "settled") for seed, replicates in arm.items()}
    return {seed: float(np.mean(values)) for seed, values in known.items() if len(values) == len(arm[seed])}


def _minus(ours: Sequence[Seeds], theirs: Sequence[Seeds], metric: str) -> Members:
    """A member each pair of arms: by seed, ours - theirs."""
    found = {}
    for one in ours:
        for other in theirs:
            if differences := paired(one, other, metric):
                found[_label(one, f"{row_of(one).name} - {_dense_or_name(other)}")] = Member(differences, (one, other))
    return found


def _dense_or_name(seeds: Seeds) -> str:
    row = row_of(seeds)
    return "unpruned" if (row.level, row.arm) == (0, TICKET) else row.name


def _sparsest_only(keys: list[_Key]) -> list[_Key]:
    last = max((level for level, _ in keys), default=0)
    return [key for key in keys if key[0] == last]


def _of_level_with_all(controls: list[_Key], names: Collection[str]) -> list[_Key]:
    """The controls of these names, at the sparsest level that has all four."""
    there = {level: {arm.control for each, arm in controls if each == level} for level, _ in controls}
    last = max((level for level, arms in there.items() if arms.issuperset(_KEPT + _LOST)), default=None)
    return [(level, arm) for level, arm in controls if level == last and arm.control in names]


def _ticket_minus(groups: _Groups, controls: list[_Key]) -> Members:
    """A member each control: 're-initialised at 10.0 %' -> ticket - control, by seed."""
    found = {}
    for level, arm in controls:
        label = _label(groups[level, arm], row_of(groups[level, arm]).name)
        if label in found:  # two levels of nearly one density
            label += f" (level {level})"
        arms = (groups[level, arm.ticket], groups[level, arm])
        found[label] = Member(paired(*arms, "accuracy"), arms)
    return found


def _densities_kept_minus_lost(groups: _Groups, controls: list[_Key]) -> Members:
    """A member each pair of a control that keeps the layers' densities and one that does not."""
    found = {}
    kept, lost = ([groups[key] for key in _of_level_with_all(controls, names)] for names in (_KEPT, _LOST))
    for ours in kept:
        for theirs in lost:
            if differences := paired(ours, theirs, "accuracy"):
                label = _label(ours, f"{row_of(ours).name} - {row_of(theirs).name}")
                found[label] = Member(differences, (ours, theirs))
    return found


def _label(seeds: Seeds, what: str) -> str:
    return f"{what} at {100 * density_of(seeds):.1f} %"
