"""The papers' claims, as far as a run's rows decide them.

What decides which, all by test accuracy, the ticket's or control's minus the other's:

- A1 to A3 ("bayes-always-wins", table 1, one for each network): NUTS on the ticket's mask against the ticket, at the
  sparsest level that was sampled. ``reaches``: it may come up to half a point below.
- A4 ("bayes-always-wins", table 1): there, NUTS against the mask with weights drawn anew. ``beats``.
- A5 ("bayes-always-wins", of its training by gradients): the ticket against its mask with weights drawn anew, at the
  sparsest level that has such a control, since the paper speaks of its highest sparsity. ``beats``.
- A6 ("bayes-always-wins", table 1), LeNet-300-100 alone: variational inference with tuned KL weights on the ticket's
  mask against the ticket, at the sparsest level that has it. ``matches``. A7 (section 6): it against that with weights
  of 1. ``beats``. A8 (table 1), LeNet-5 and ResNet-18 alone: as A6. ``beats``. One population tunes the weights for all
  seeds, on the first one's ticket, as in the paper: seeds repeat the trainings, not the tuning.
- B5 ("bayesian-lth", section 7): the ticket against every control of as many weights, at every level that was pruned;
  where a run prunes in several ways, of each way. ``reaches``: a control may come up to half a point of accuracy above
  its ceiling, which the claim's text says.
- B6 ("bayesian-lth", section 7) says two things of the sparsest level that has all four controls, of each way of
  pruning. B6a: evenly and globally shuffled tickets fall behind re-initialised and layerwise shuffled ones, which keep
  each layer's density. ``beats``, of every pair. B6b: the latter two come close to the ticket. ``matches``; not of
  ViTs, of which the paper says the opposite. That the former "lose every advantage" has no test of its own here.

- C1 to C4 ("monte-carlo-tickets", table 1), at the sparsest level with Monte Carlo tickets, those ``as_printed`` left
  out. C1: each kind against the ticket. ``matches``. C2: each against the masks that are random in every layer, at the
  same density. ``beats``. C3, for Conv-4 and Conv-6 alone: each against the ticket. ``beats``. C4: with connectivity
  against magnitude alone. ``matches``.
- C5 ("monte-carlo-tickets", figure 1): the mean initial magnitude of the ticket's survivors over that of all weights,
  less 1, mean over the layers that were pruned. ``beats``.
- C6 ("monte-carlo-tickets", section 3): each kind against the unpruned network and random masks, by the mean validation
  accuracy over the evaluations of the training, that is the area under the learning curve. ``beats``. Where tickets are
  rewound to iteration k, evaluations before the first one after k count for none, the unpruned network among them.

Network, data and training are the run's, seldom the paper's: a verdict is about the claim as far as this run tests it.
Where the run rewinds to a later iteration, the weights of that moment stand for the initialisation.
The claims are about tickets by magnitude of deterministic networks: a run of other tickets decides none.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tfticket.reports.bayesian import bayesian_claims
from tfticket.reports.claims import Comparison, Decision, Kind, Unit, decide
from tfticket.reports.rows import ARM_NAMES, METHODS, Row, control_of, trunk_of
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
C6 = "C6: Monte Carlo tickets learn faster (mean validation accuracy over the training)"
B6B = "B6b: layerwise shuffles and re-initialisation come close to the ticket"

_KEPT, _LOST = ("reinitialise", "shuffle-layerwise"), ("shuffle-even", "shuffle-global")
"""Controls that keep each layer's density, and that do not."""

_ROUNDING = 0.01
"""Relative: so far may a control's density be from its ticket's. Random masks may have one of their own."""

_Groups = Mapping[tuple[int, str], Seeds]
"""(level, arm) -> seed -> rows."""


def decisions_of(rows: Sequence[Row]) -> dict[str, list[Decision]]:
    """Decide the claims of all runs of a report together: run -> decisions, of each run that speaks to a claim."""
    claims = {run: claims_of([row for row in rows if row.run == run]) for run in dict.fromkeys(row.run for row in rows)}
    decided = iter(decide([claim for each in claims.values() for claim in each]))
    return {run: [next(decided) for _ in each] for run, each in claims.items() if each}


def claims_of(rows: Sequence[Row]) -> list[Comparison]:
    """The claims that the rows of one run speak to: differences in accuracy, as fractions, of seeds that have both."""
    if any(row.arm == "ticket" and row.name != ARM_NAMES["ticket"] for row in rows):
        return []
    groups = {(level, arm): seeds for (_, level, arm), seeds in by_seed(rows).items()}
    controlled = [(level, arm) for level, arm in groups if level > 0 and _is_control(groups, level, arm)]
    drawn_anew = _at_the_last_level([key for key in controlled if control_of(key[1]) == "reinitialise"])
    network, trunks = rows[0].network, list(dict.fromkeys(trunk_of(arm) for _, arm in controlled))
    of_trunks = [[key for key in controlled if trunk_of(key[1]) == trunk] for trunk in trunks]
    close = [key for keys in of_trunks for key in _of_level_with_all(keys, _KEPT)]
    lost = [_densities_kept_minus_lost(groups, keys) for keys in of_trunks]
    members: list[tuple[str, Kind, dict[str, list[float]]]] = [
        (A1, "reaches", _sampled_minus(groups, lambda arm: arm == "ticket")),
        (A4, "beats", _sampled_minus(groups, lambda arm: control_of(arm) == "reinitialise")),
        (A5, "beats", _ticket_minus(groups, drawn_anew)),
        *_inferred(groups, network),
        (B5, "reaches", _ticket_minus(groups, controlled)),
        (B6A, "beats", {label: values for each in lost for label, values in each.items()}),
        (B6B, "matches", {} if network.startswith("vit") else _ticket_minus(groups, close)),
        *_monte_carlo(groups, network),
    ]
    units: dict[str, Unit] = {C5: "%"}
    found = [
        Comparison(claim, kind, differences, unit=units.get(claim, "points"))
        for claim, kind, differences in members
        if differences
    ]
    return found + bayesian_claims(groups, network)


def records(decisions: Mapping[str, list[Decision]]) -> list[dict[str, Any]]:
    """Decisions as plain values, one object a claim, for JSON."""
    return [
        {
            "run": run,
            "claim": one.comparison.claim,
            "kind": one.comparison.kind,
            "margin": one.comparison.margin,
            "unit": one.comparison.unit,
            "differences": {label: list(values) for label, values in one.comparison.differences.items()},
            "verdict": one.verdict,
            "member": one.member,
            "difference": vars(one.difference),
            "p": one.p,
            "p_against": one.p_against,
        }
        for run, each in decisions.items()
        for one in each
    ]


def _is_control(groups: _Groups, level: int, arm: str) -> bool:
    """Whether an arm is a control of as many weights as its ticket."""
    ticket = groups.get((level, trunk_of(arm)))
    if (
        arm == trunk_of(arm)
        or _control(arm) in (*METHODS, "monte-carlo", "own-mask")
        or not ticket
        or not paired(ticket, groups[level, arm], "accuracy")
    ):
        return False
    return abs(density_of(groups[level, arm]) / density_of(ticket) - 1.0) <= _ROUNDING


def _control(arm: str) -> str:
    """The control, of whichever way of pruning: 'reinitialise' of 'bayesian-snr reinitialise he_normal'."""
    return control_of(arm.removeprefix(f"{trunk_of(arm)} "))


def _sampled_minus(groups: _Groups, is_other: Callable[[str], bool]) -> dict[str, list[float]]:
    """A member each other arm: NUTS on the ticket's mask - the other, by seed, at the last level that was sampled."""
    level = max((level for level, arm in groups if arm == "nuts"), default=None)
    found = {}
    for each, arm in groups:
        if each != level or not is_other(arm):
            continue
        if differences := paired(groups[level, "nuts"], groups[level, arm], "accuracy"):
            found[_label(groups[level, arm], f"NUTS - {_row(groups[level, arm]).name}")] = differences
    return found


def _inferred(groups: _Groups, network: str) -> list[tuple[str, Kind, dict[str, list[float]]]]:
    """The claims about variational inference on tickets' masks, at the last level that has it."""
    level = max((level for level, arm in groups if arm == "svi-tuned"), default=None)
    if level is None:
        return []
    tuned, default, ticket = ([groups[level, arm]] if (level, arm) in groups else [] for arm in _SVI)
    against = _minus(tuned, ticket, "accuracy")
    return [
        (A6, "matches", against if network == "lenet-300-100" else {}),
        (A7, "beats", _minus(tuned, default, "accuracy")),
        (A8, "beats", against if network in ("lenet-5", "resnet-18") else {}),
    ]


_SVI = ("svi-tuned", "svi", "ticket")


def _monte_carlo(groups: _Groups, network: str) -> list[tuple[str, Kind, dict[str, list[float]]]]:
    """The claims about Monte Carlo tickets, at the last level that has some."""
    drawn = [(level, arm) for level, arm in groups if control_of(arm) == "monte-carlo" and "as printed" not in arm]
    last = _at_the_last_level(drawn)
    if not last:
        return []
    level = last[0][0]
    ticket, density = groups[level, "ticket"], density_of(groups[level, "ticket"])
    random = [
        seeds
        for (each, arm), seeds in groups.items()
        if each == level
        and control_of(arm) in ("shuffle-layerwise", "random-mask")
        and abs(density_of(seeds) / density - 1.0) <= _ROUNDING
    ]
    ours = [groups[key] for key in last]
    magnitude, connectivity = (
        [groups[key] for key in last if key[1].split(", ")[0] == f"monte-carlo {name}"]  # of however many images
        for name in ("magnitude", "connectivity")
    )
    dense = [groups[0, "ticket"]] if (0, "ticket") in groups else []
    large = [
        row.beside["relative_magnitude"] - 1 for (row, *_) in ticket.values() if "relative_magnitude" in row.beside
    ]
    against = _minus(ours, [ticket], "accuracy")
    return [
        (C1, "matches", against),
        (C2, "beats", _minus(ours, random, "accuracy")),
        (C3, "beats", against if network in ("conv-4", "conv-6") else {}),
        (C4, "matches", _minus(connectivity, magnitude, "accuracy")),
        (C5, "beats", {_label(ticket, "survivors / all - 1"): large} if large else {}),
        (C6, "beats", _minus(ours, dense + random, "learning")),
    ]


def _minus(ours: Sequence[Seeds], theirs: Sequence[Seeds], metric: str) -> dict[str, list[float]]:
    """A member each pair of arms: by seed, ours - theirs."""
    found = {}
    for one in ours:
        for other in theirs:
            known = all(
                metric in row.test or metric in row.beside for arm in (one, other) for (row, *_) in arm.values()
            )
            if known and (differences := paired(one, other, metric)):
                found[_label(one, f"{_row(one).name} - {_dense_or_name(other)}")] = differences
    return found


def _dense_or_name(seeds: Seeds) -> str:
    row = _row(seeds)
    return "unpruned" if (row.level, row.arm) == (0, "ticket") else row.name


def _at_the_last_level(keys: list[tuple[int, str]]) -> list[tuple[int, str]]:
    last = max((level for level, _ in keys), default=0)
    return [key for key in keys if key[0] == last]


def _of_level_with_all(controls: list[tuple[int, str]], names: Collection[str]) -> list[tuple[int, str]]:
    """The controls of these names, at the sparsest level that has all four."""
    there = {level: {_control(arm) for each, arm in controls if each == level} for level, _ in controls}
    last = max((level for level, arms in there.items() if arms.issuperset(_KEPT + _LOST)), default=None)
    return [(level, arm) for level, arm in controls if level == last and _control(arm) in names]


def _ticket_minus(groups: _Groups, controls: list[tuple[int, str]]) -> dict[str, list[float]]:
    """A member each control: 're-initialised at 10.0 %' -> ticket - control, by seed."""
    found = {}
    for level, arm in controls:
        label = _label(groups[level, arm], _row(groups[level, arm]).name)
        if label in found:  # two levels of nearly one density
            label += f" (level {level})"
        found[label] = paired(groups[level, trunk_of(arm)], groups[level, arm], "accuracy")
    return found


def _densities_kept_minus_lost(groups: _Groups, controls: list[tuple[int, str]]) -> dict[str, list[float]]:
    """A member each pair of a control that keeps the layers' densities and one that does not."""
    found = {}
    kept, lost = ([groups[key] for key in _of_level_with_all(controls, names)] for names in (_KEPT, _LOST))
    for ours in kept:
        for theirs in lost:
            if differences := paired(ours, theirs, "accuracy"):
                found[_label(ours, f"{_row(ours).name} - {_row(theirs).name}")] = differences
    return found


def _row(seeds: Seeds) -> Row:
    """One of them, for what they all share."""
    return next(iter(seeds.values()))[0]


def _label(seeds: Seeds, what: str) -> str:
    return f"{what} at {100 * density_of(seeds):.1f} %"
