"""Preconditions of verdicts: what must be so of the arms that a claim compares, each with the reason if it is not.

What was not recorded is a reason too: a verdict rests on nothing that nobody knows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfticket.arms import SVI, Arm
from tfticket.reports.claims import MARGIN, Comparison, Kind, Precondition, Scope, Unit
from tfticket.reports.facts import FEWEST_EVALUATIONS
from tfticket.reports.rows import Row
from tfticket.reports.tables import Seeds, density_of
from tfticket.text import counted

LARGEST_RISE = 0.0025
"""Of the validation accuracy over the last quarter of a training that has come to a plateau: a quarter of a point."""
MOST_AT_BOUND = 0.1
"""Largest share of deviations at the optimiser's bound."""
FEWEST_LAYERS = 5
"""Of fewer layers a rank correlation says little."""
ONE_LEVEL = 0.8
"""What a level of the papers' pruning keeps: a run within one level of a density has reached it."""
_ROUNDING = 1.01

FAMILIES = {
    "resnet": "ResNets",
    "vgg": "VGGs",
    "vit": "ViTs",
    "lenet-300-100": "LeNet-300-100",
    "lenet-5": "LeNet-5",
    "resnet-18": "ResNet-18",
    "conv-2": "Conv-2",
    "conv-4": "Conv-4",
    "conv-6": "Conv-6",
}
"""What networks, or all whose names begin so, are called."""


@dataclass(frozen=True)
class Member:
    """One comparison of a claim.

    Attributes:
        differences: One an IMP seed.
        arms: What is compared: the arms' rows.
    """

    differences: Sequence[float]
    arms: tuple[Seeds, ...]


Members = Mapping[str, Member]
Check = Callable[[Members], tuple[Precondition, ...]]


def arms_of(members: Members) -> list[Seeds]:
    """Every arm that a claim compares, once."""
    return list({id(arm): arm for member in members.values() for arm in member.arms}.values())


def comparison(
    claim: str,
    kind: Kind,
    members: Members,
    paper: str,
    *checks: Check,
    margin: float = MARGIN,
    unit: Unit = "points",
) -> list[Comparison]:
    """A claim with what it is tested on and its preconditions; none without a member."""
    if not members:
        return []
    preconditions = tuple(one for check in checks for one in check(members))
    differences = {label: member.differences for label, member in members.items()}
    scope = Scope(paper, _here(arms_of(members)))
    return [Comparison(claim, kind, differences, margin, unit, scope, preconditions)]


def _here(arms: Sequence[Seeds]) -> str:
    """Network, data, densities and draws of the arms that are compared."""
    row = row_of(arms[0])
    densities = [density_of(arm) for arm in arms if row_of(arm).level] or [1.0]
    ends = dict.fromkeys(f"{100 * density:.3g} %" for density in (max(densities), min(densities)))
    parts = [f"{row.network or 'a network'} on {row.data}", f"{' to '.join(ends)} of the weights"]
    draws = sorted({int(value) for arm in arms for value in recorded(arm, "draws")})
    return "; ".join([*parts, *([f"{', '.join(map(str, draws))} draws"] if draws else [])])


def row_of(seeds: Seeds) -> Row:
    """One of them, for what they all share."""
    return next(iter(seeds.values()))[0]


def rows_in(seeds: Seeds) -> list[Row]:
    """Every replicate of every seed."""
    return [row for replicates in seeds.values() for row in replicates]


def recorded(seeds: Seeds, name: str) -> list[float]:
    """A fact of every row that has it."""
    return [row.beside[name] for row in rows_in(seeds) if name in row.beside]


def name_of(seeds: Seeds) -> str:
    """'IMP ticket at 1 %'; of level 0 'IMP ticket, dense'."""
    row = row_of(seeds)
    return f"{row.name} at {100 * density_of(seeds):.3g} %" if row.level else f"{row.name}, dense"


def trained_out(arms: Iterable[Seeds]) -> Precondition:
    """Trainings no longer rise.

    A training rises where its validation accuracy, mean over seeds, gains more than ``LARGEST_RISE`` over the last
    quarter (see ``tfticket.reports.facts.rise_of``). Noise is no excuse: where seeds scatter, a plateau is not shown.
    """
    needs = "trainings no longer rise"
    trained = [arm for arm in arms if row_of(arm).doubts is None]
    unknown = [arm for arm in trained if len(recorded(arm, "rise")) < len(rows_in(arm))]
    if unknown:
        few = f"fewer than {FEWEST_EVALUATIONS} evaluations of {name_of(unknown[0])}"
        return Precondition(needs, f"whether trainings still rise is not recorded: {few}")
    rises = sorted(((_rise(arm), name_of(arm)) for arm in trained), reverse=True)
    rising = [(mean, name) for mean, name in rises if mean > LARGEST_RISE]
    if not rising:
        return Precondition(needs)
    more = f", and {len(rising) - 1} more" if len(rising) > 1 else ""
    gain = f"{100 * rising[0][0]:.2g} points in the last quarter of {rising[0][1]}"
    return Precondition(needs, f"trainings still rise: {gain}{more}")


def _rise(arm: Seeds) -> float:
    """Mean over seeds of the rise."""
    return float(np.mean([np.mean([row.beside["rise"] for row in replicates]) for replicates in arm.values()]))


def free_deviations(arms: Iterable[Seeds]) -> Precondition:
    """Not more than ``MOST_AT_BOUND`` of a variational network's deviations end at the optimiser's bound."""
    needs = f"at most {100 * MOST_AT_BOUND:.0f} % of the deviations at the optimiser's bound"
    variational = [arm for arm in arms if row_of(arm).arm.is_variational]
    unknown = [arm for arm in variational if len(recorded(arm, "at_bound")) < len(rows_in(arm))]
    if unknown:
        return Precondition(needs, f"deviations at the optimiser's bound: not recorded of {name_of(unknown[0])}")
    shares = {name_of(arm): float(np.mean(recorded(arm, "at_bound"))) for arm in variational}
    worst = max(shares, key=lambda name: shares[name], default="")
    failed = worst and shares[worst] > MOST_AT_BOUND
    return Precondition(
        needs, f"deviations at the optimiser's bound: {100 * shares[worst]:.0f} % of {worst}" if failed else ""
    )


def converged(members: Members) -> tuple[Precondition, ...]:
    """Chains have converged, and begin at draws from the prior."""
    sampled = [arm for arm in arms_of(members) if row_of(arm).doubts is not None]
    doubts = {row.seed: row.doubts for arm in sampled for row in rows_in(arm) if row.doubts}
    seeds = {row.seed for arm in sampled for row in rows_in(arm)}
    said = "; ".join(dict.fromkeys(each[0] for each in doubts.values()))
    of = f" (of {len(doubts)} of {len(seeds)} seeds)" if len(seeds) > 1 else ""
    started = [value for arm in sampled for value in recorded(arm, "prior_start")]
    start = "" if all(started) else "chains begin at the ticket's start; the claim is about chains that need none"
    unknown = "" if sampled else "whether chains have converged is not recorded"
    return (
        Precondition("chains have converged", f"chains not converged: {said}{of}" if doubts else unknown),
        Precondition("chains begin at draws from the prior", start),
    )


def in_scope(network: str, *families: str) -> Check:
    """The network is one that the claim names."""
    about = _listed([FAMILIES[family] for family in families])
    inside = any(network == family or network.startswith(f"{family}-") for family in families)
    here = f"outside the paper's scope: here {network or 'another network'}; the claim is about {about}"
    found = (Precondition(f"a network that the claim is about: {about}", "" if inside else here),)
    return lambda members: found


_DATA = {"mnist": "MNIST", "cifar-10": "CIFAR-10"}


def on_data(*names: str) -> Check:
    """The data are a set that the claim names, all its classes; re-encoded or in part they are the same set."""
    about = _listed([_DATA[name] for name in names])
    needs = f"data that the claim is about: {about}"

    def check(members: Members) -> tuple[Precondition, ...]:
        row = row_of(arms_of(members)[0])
        inside = row.data_set.removesuffix("-jpeg").removesuffix("-small") in names
        here = f"outside the paper's scope: here {row.data}; the claim is about {about}"
        return (Precondition(needs, "" if inside else here),)

    return check


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def sound_on(*names: str) -> Check:
    """What every claim about trained networks needs: data that it names, trainings that ended, free deviations."""
    data = on_data(*names)
    return lambda members: (*data(members), trained_out(arms_of(members)), free_deviations(arms_of(members)))


sound = sound_on(*_DATA)
"""Of claims that are about any data of the papers."""


def down_to(density: float, reached: float) -> Check:
    """The sparsest arm that is compared keeps this density, or at most one level more.

    Args:
        density: What the claim is about.
        reached: Where the run stops.
    """

    def check(members: Members) -> tuple[Precondition, ...]:
        sparsest = min(density_of(arm) for arm in arms_of(members))
        stops = f"the run stops at {100 * reached:.3g} % of the weights"
        if reached < sparsest / _ROUNDING:
            stops = f"the sparsest comparison is at {100 * sparsest:.3g} % of the weights"
        failure = f"{stops}; the claim is about {100 * density:.3g} %"
        enough = sparsest <= _ROUNDING * density / ONE_LEVEL
        return (Precondition(f"a comparison at {100 * density:.3g} % of the weights", "" if enough else failure),)

    return check


def ten_draws(members: Members) -> tuple[Precondition, ...]:
    """Every variational training takes the ten draws a batch of paper B."""
    needs, about = "10 draws", "the claim is about ten"
    variational = [arm for arm in arms_of(members) if row_of(arm).arm.is_variational]
    if any(len(recorded(arm, "draws")) < len(rows_in(arm)) for arm in variational):
        return (Precondition(needs, f"draws not recorded; {about}"),)
    found = sorted({int(value) for arm in variational for value in recorded(arm, "draws")})
    here = f"{', '.join(map(str, found))} draw{'s' * (found != [1])}"
    return (Precondition(needs, "" if found == [10] else f"{here}; {about}"),)


def as_long_as_paper_a(members: Members) -> tuple[Precondition, ...]:
    """Gradient trainings are as long as paper A's, on its data."""
    trained = [arm for arm in arms_of(members) if row_of(arm).doubts is None]
    epochs = _paper_a_epochs(row_of(trained[0])) if trained else None
    if epochs is None:
        return ()
    needs = f"trainings of the paper's {epochs} epochs"
    found = [value for arm in trained for value in recorded(arm, "epochs")]
    if len(found) < sum(len(rows_in(arm)) for arm in trained):
        return (Precondition(needs, f"epochs not recorded; the paper has {epochs}"),)
    shortest = min(found)
    too_short = f"{shortest:.3g} of the paper's {epochs} epochs"
    return (Precondition(needs, too_short if shortest < 0.99 * epochs else ""),)


def _paper_a_epochs(row: Row) -> int | None:
    """Section 4: 50 epochs of MNIST, 100 of CIFAR-10, 200 of ResNet-18."""
    if row.network == "resnet-18":
        return 200
    return 100 if row.data_set.startswith("cifar-10") else 50 if row.data_set == "mnist" else None


def inferred_as_paper_a(members: Members) -> tuple[Precondition, ...]:
    """Variational inference on masks alone, from means as a network is initialised, tuned by the paper's population."""
    svi = [arm for arm in arms_of(members) if row_of(arm).arm.method in SVI]
    known = [arm for arm in svi if len(recorded(arm, "own_means")) == len(rows_in(arm))]
    own = len(known) == len(svi) and all(value for arm in svi for value in recorded(arm, "own_means"))
    tuned = [arm for arm in svi if row_of(arm).arm == Arm("svi-tuned")]
    members_of = [value for arm in tuned for value in recorded(arm, "members")]
    fewest = int(min(members_of, default=0))
    few = f"{counted(fewest, 'member')} of the population; the paper has {_POPULATION}"
    means = "means do not begin as the gradient-trained network's, on the mask alone (means: own, carried: mask)"
    return (
        Precondition("means that begin as the network is initialised, on the mask alone", "" if own else means),
        Precondition(f"a population of {_POPULATION} members", few if fewest < _POPULATION else ""),
    )


_POPULATION = 50


def enough_layers(members: Members) -> tuple[Precondition, ...]:
    """A rank over layers has ``FEWEST_LAYERS`` at least."""
    needs = f"{FEWEST_LAYERS} layers that may be pruned"
    layers = [value for arm in arms_of(members) for value in recorded(arm, "layers")]
    if not layers:
        return (Precondition(needs, "the number of layers is not recorded"),)
    fewest = int(min(layers))
    network = row_of(arms_of(members)[0]).network or "the network"
    few = f"too few layers: {fewest} of {network} may be pruned; {FEWEST_LAYERS} needed"
    return (Precondition(needs, few if fewest < FEWEST_LAYERS else ""),)
