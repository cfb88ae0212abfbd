"""Members of a claim: the differences between two arms, paired by seed, and the metrics of their rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tfticket.arms import TICKET, Arm
from tfticket.reports.grouping import Seeds, density_of, paired
from tfticket.reports.rows import Row

Groups = Mapping[tuple[int, Arm], Seeds]
"""(level, arm) -> seed -> rows, of one run."""


@dataclass(frozen=True)
class Member:
    """One comparison of a claim.

    Attributes:
        differences: One an IMP seed.
        arms: The rows of the arms that are compared.
    """

    differences: Sequence[float]
    arms: tuple[Seeds, ...]


Members = Mapping[str, Member]
"""Label -> member."""


def arms_of(members: Members) -> list[Seeds]:
    """Return every arm that a claim compares, once."""
    return list({id(arm): arm for member in members.values() for arm in member.arms}.values())


def first_row(seeds: Seeds) -> Row:
    """Return one row of an arm, for the fields that all its rows share."""
    return next(iter(seeds.values()))[0]


def rows_in(seeds: Seeds) -> list[Row]:
    """Return every replicate of every seed."""
    return [row for replicates in seeds.values() for row in replicates]


def recorded(seeds: Seeds, name: str) -> list[float]:
    """Return an extra metric of every row that has it."""
    return [row.extra_metrics[name] for row in rows_in(seeds) if name in row.extra_metrics]


def label_at(seeds: Seeds, text: str) -> str:
    """Return a label with the density of an arm: 're-initialised at 10.0 %'."""
    return f"{text} at {100 * density_of(seeds):.1f} %"


def pairwise(
    ours: Iterable[Seeds],
    theirs: Sequence[Seeds],
    compare: Callable[[Seeds, Seeds], Sequence[float]] = partial(paired, metric="accuracy"),  # noqa: B008 -- constant
) -> Members:
    """Return a member for each pair of arms that have differences: ours - theirs, by seed."""
    members = {}
    for our in ours:
        for their in theirs:
            if differences := compare(our, their):
                other = first_row(their)
                name = "unpruned" if (other.level, other.arm) == (0, TICKET) else other.name
                label = label_at(our, f"{first_row(our).name} - {name}")
                members[label] = Member(differences, (our, their))
    return members


def ticket_minus(groups: Groups, controls: Iterable[tuple[int, Arm]]) -> Members:
    """Return a member for each control: 're-initialised at 10.0 %' -> ticket - control, by seed."""
    members = {}
    for level, arm in controls:
        control, ticket = groups[level, arm], groups[level, arm.ticket]
        label = label_at(control, first_row(control).name)
        if label in members:  # two levels of nearly one density
            label += f" (level {level})"
        members[label] = Member(paired(ticket, control, "accuracy"), (ticket, control))
    return members


ROUNDING = 0.01
"""Largest relative difference between a control's density and its ticket's; random masks may have their own density."""


def controls_in(groups: Groups) -> list[tuple[int, Arm]]:
    """Return the controls of pruned tickets with as many weights as their ticket."""
    return [(level, arm) for level, arm in groups if level > 0 and _is_control(groups, level, arm)]


def _is_control(groups: Groups, level: int, arm: Arm) -> bool:
    if arm.is_ticket or arm.method != "train" or arm.control in ("monte-carlo", "own-mask"):
        return False
    ticket, control = groups.get((level, arm.ticket), {}), groups[level, arm]
    has_pairs = not ticket.keys().isdisjoint(control)
    return has_pairs and abs(density_of(control) / density_of(ticket) - 1.0) <= ROUNDING


def sparsest_only(keys: Sequence[tuple[int, Arm]]) -> list[tuple[int, Arm]]:
    """Return the keys of the last level."""
    last = max((level for level, _ in keys), default=0)
    return [key for key in keys if key[0] == last]


def sparsest_density(groups: Groups) -> float:
    """Return the density of the sparsest pruned arm of a run; 1 if none is pruned."""
    return min((density_of(seeds) for (level, _), seeds in groups.items() if level), default=1.0)
