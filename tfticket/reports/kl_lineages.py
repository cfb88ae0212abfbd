"""Lineages of the populations that tune KL weights: members, their parents, KL weights and validation metrics."""

import math
from dataclasses import dataclass
from typing import Any

from tfticket.evaluation.metrics import ranking
from tfticket.runs.run_folder import RunFolder

_MEMBER_LABELS = ("arm", "member", "generation", "parent", "weights", "metric")
"""Labels of a step that belong to the member; the others belong to its population."""


@dataclass(frozen=True)
class Member:
    """A member in a generation.

    Attributes:
        generation, member: Numbers from 0.
        parent: The member of the previous generation whose state it continues; None in the first.
        weights: Layer -> KL weight.
        validation: Metric -> value at the generation's end; empty if the member diverged.
    """

    generation: int
    member: int
    parent: int | None
    weights: dict[str, float]
    validation: dict[str, float]

    def score(self, metric: str) -> float:
        """Return a metric's value; NaN if the member diverged."""
        return self.validation.get(metric, math.nan)


@dataclass(frozen=True)
class Lineage:
    """A population, as far as it is finished.

    Attributes:
        label: The run's label: seed, level, density, ...
        metric: The metric that ranks its members: 'nll' or 'accuracy'.
        size: Members of a complete generation.
        members: Finished members by number, one dictionary a generation.
    """

    label: dict[str, Any]
    metric: str
    size: int
    members: list[dict[int, Member]]

    @property
    def layers(self) -> list[str]:
        """The layers whose KL weights evolve."""
        return list(next(iter(self.members[0].values())).weights)

    @property
    def best_first(self) -> list[Member]:
        """The members of the last complete generation, the winner first; [] before the first is complete."""
        complete = [list(members.values()) for members in self.members if len(members) == self.size]
        members = complete[-1] if complete else []
        return [members[place] for place in ranking([member.score(self.metric) for member in members], self.metric)]

    def ancestry(self, member: Member) -> list[Member]:
        """Return a member's ancestors from the first generation on; the member itself is the last."""
        ancestors = [member]
        while ancestors[0].parent is not None:
            ancestors.insert(0, self.members[ancestors[0].generation - 1][ancestors[0].parent])
        return ancestors


def lineages_of(run: RunFolder) -> list[Lineage]:
    """Return the populations of a run, in its order."""
    lineages: dict[str, Lineage] = {}
    for step in run.steps("member"):
        label = step.label
        population = {name: value for name, value in label.items() if name not in _MEMBER_LABELS}
        size = run.config["svi"]["population"]["members"]
        lineage = lineages.setdefault(str(population), Lineage(population, label["metric"], size, []))
        member = Member(
            **{name: label[name] for name in ("generation", "member", "parent", "weights")},
            validation=step.result["validation"],
        )
        lineage.members.extend({} for _ in range(member.generation + 1 - len(lineage.members)))
        lineage.members[member.generation][member.member] = member
    return list(lineages.values())
