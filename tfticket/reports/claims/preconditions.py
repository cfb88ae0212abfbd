"""Preconditions of verdicts on the arms that a claim compares, each with the reason if it fails.

A value that was not recorded fails too: a verdict rests on nothing unknown.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tfticket.arms import SVI, Arm
from tfticket.reports.claims.decision import MARGIN, Comparison, Kind, Precondition, Scope, Unit
from tfticket.reports.claims.members import Members, arms_of, first_row, recorded, rows_in
from tfticket.reports.extra_metrics import FEWEST_EVALUATIONS
from tfticket.reports.grouping import Seeds, density_of
from tfticket.reports.rows import Row
from tfticket.text import counted

LARGEST_RISE = 0.0025
"""Largest rise of the validation accuracy over the last quarter of a training that has reached a plateau."""
MOST_AT_BOUND = 0.1
"""Largest share of deviations at the optimiser's bound."""
FEWEST_LAYERS = 5
"""Fewest layers of a rank correlation."""
ONE_LEVEL = 0.8
"""Share that a level of the papers' pruning keeps: a run within one level of a density has reached it."""
_ROUNDING = 1.01

FAMILIES = {
    **{"resnet": "ResNets", "vgg": "VGGs", "vit": "ViTs", "resnet-18": "ResNet-18"},
    **{"lenet-300-100": "LeNet-300-100", "lenet-5": "LeNet-5"},
    **{"conv-2": "Conv-2", "conv-4": "Conv-4", "conv-6": "Conv-6"},
}
"""Network, or prefix of networks' names -> name in texts."""


Check = Callable[[Members], tuple[Precondition, ...]]


def comparison(
    claim: str,
    kind: Kind,
    members: Members,
    paper: str,
    *checks: Check,
    margin: float = MARGIN,
    unit: Unit = "points",
) -> list[Comparison]:
    """Return a claim with its scope and preconditions; [] without a member."""
    if not members:
        return []
    preconditions = tuple(precondition for check in checks for precondition in check(members))
    differences = {label: member.differences for label, member in members.items()}
    scope = Scope(paper, _here(arms_of(members)))
    return [Comparison(claim, kind, differences, margin, unit, scope, preconditions)]


def _here(arms: Sequence[Seeds]) -> str:
    """Return network, data, densities and draws of the arms that are compared."""
    row = first_row(arms[0])
    densities = [density_of(arm) for arm in arms if first_row(arm).level] or [1.0]
    ends = dict.fromkeys(f"{100 * density:.3g} %" for density in (max(densities), min(densities)))
    parts = [f"{row.network or 'a network'} on {row.data}", f"{' to '.join(ends)} of the weights"]
    draws = sorted({int(value) for arm in arms for value in recorded(arm, "draws")})
    return "; ".join([*parts, *([f"{', '.join(map(str, draws))} draws"] if draws else [])])


def _is_recorded(arm: Seeds, name: str) -> bool:
    """Return True if every row of an arm has an extra metric."""
    return len(recorded(arm, name)) == len(rows_in(arm))


def name_of(seeds: Seeds) -> str:
    """Return 'IMP ticket at 1 %'; at level 0 'IMP ticket, dense'."""
    row = first_row(seeds)
    return f"{row.name} at {100 * density_of(seeds):.3g} %" if row.level else f"{row.name}, dense"


def trained_out(arms: Iterable[Seeds]) -> Precondition:
    """Require that trainings no longer rise.

    A training rises where its validation accuracy, mean over seeds, gains more than ``LARGEST_RISE`` over the last
    quarter (see ``tfticket.reports.extra_metrics.rise_of``), however much seeds scatter.
    """
    needs = "trainings no longer rise"
    trained = [arm for arm in arms if first_row(arm).convergence_problems is None]
    unknown = [arm for arm in trained if not _is_recorded(arm, "rise")]
    if unknown:
        few = f"fewer than {FEWEST_EVALUATIONS} evaluations of {name_of(unknown[0])}"
        return Precondition(needs, f"whether trainings still rise is not recorded: {few}")
    undefined = [arm for arm in trained if not np.isfinite(recorded(arm, "rise")).all()]
    if undefined:
        diverged = f"the validation accuracy of {name_of(undefined[0])} is not finite"
        return Precondition(needs, f"whether trainings still rise is not known: {diverged}")
    means = [
        np.mean([np.mean([row.extra_metrics["rise"] for row in rows]) for rows in arm.values()]) for arm in trained
    ]
    rises = sorted(zip(map(float, means), map(name_of, trained), strict=True), reverse=True)
    rising = [(mean, name) for mean, name in rises if mean > LARGEST_RISE]
    if not rising:
        return Precondition(needs)
    more = f", and {len(rising) - 1} more" if len(rising) > 1 else ""
    gain = f"{100 * rising[0][0]:.2g} points in the last quarter of {rising[0][1]}"
    return Precondition(needs, f"trainings still rise: {gain}{more}")


def free_deviations(arms: Iterable[Seeds]) -> Precondition:
    """Require that at most ``MOST_AT_BOUND`` of a variational network's deviations end at the optimiser's bound."""
    needs = f"at most {100 * MOST_AT_BOUND:.0f} % of the deviations at the optimiser's bound"
    variational = [arm for arm in arms if first_row(arm).arm.is_variational]
    unknown = [arm for arm in variational if not _is_recorded(arm, "at_bound")]
    if unknown:
        return Precondition(needs, f"deviations at the optimiser's bound: not recorded of {name_of(unknown[0])}")
    shares = {name_of(arm): float(np.mean(recorded(arm, "at_bound"))) for arm in variational}
    worst = max(shares, key=lambda name: shares[name], default="")
    failed = worst and shares[worst] > MOST_AT_BOUND
    return Precondition(
        needs, f"deviations at the optimiser's bound: {100 * shares[worst]:.0f} % of {worst}" if failed else ""
    )


def converged(members: Members) -> tuple[Precondition, ...]:
    """Require that chains have converged, and use no ticket's start."""
    sampled = [arm for arm in arms_of(members) if first_row(arm).convergence_problems is not None]
    problems = {
        row.seed: row.convergence_problems for arm in sampled for row in rows_in(arm) if row.convergence_problems
    }
    seeds = {row.seed for arm in sampled for row in rows_in(arm)}
    reasons = "; ".join(dict.fromkeys(reasons[0] for reasons in problems.values()))
    affected = f" (of {len(problems)} of {len(seeds)} seeds)" if len(seeds) > 1 else ""
    independent = [value for arm in sampled for value in recorded(arm, "independent_start")]
    start = "" if all(independent) else "chains begin at the ticket's start; the claim is about chains that need none"
    unknown = "" if sampled else "whether chains have converged is not recorded"
    return (
        Precondition("chains have converged", f"chains not converged: {reasons}{affected}" if problems else unknown),
        Precondition("chains begin at random, or where ascents from random weights end", start),
    )


def in_scope(network: str, *families: str) -> Check:
    """Require a network that the claim names."""
    about = _enumerate([FAMILIES[family] for family in families])
    inside = any(network == family or network.startswith(f"{family}-") for family in families)
    here = f"outside the paper's scope: here {network or 'another network'}; the claim is about {about}"
    preconditions = (Precondition(f"a network that the claim is about: {about}", "" if inside else here),)
    return lambda members: preconditions


_DATA = {"mnist": "MNIST", "cifar-10": "CIFAR-10"}


def on_data(*names: str) -> Check:
    """Require a data set that the claim names, with all its classes; re-encoded or reduced copies count."""
    about = _enumerate([_DATA[name] for name in names])
    needs = f"data that the claim is about: {about}"

    def check(members: Members) -> tuple[Precondition, ...]:
        row = first_row(arms_of(members)[0])
        inside = row.data_set.removesuffix("-jpeg").removesuffix("-small") in names
        here = f"outside the paper's scope: here {row.data}; the claim is about {about}"
        return (Precondition(needs, "" if inside else here),)

    return check


def _enumerate(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def sound_on(*names: str) -> Check:
    """Require what every claim about trained networks needs: its data, trainings on a plateau, free deviations."""
    data = on_data(*names)
    return lambda members: (*data(members), trained_out(arms_of(members)), free_deviations(arms_of(members)))


sound = sound_on(*_DATA)
"""Check of claims that are about any data of the papers."""


def down_to(density: float, reached: float) -> Check:
    """Require that the sparsest arm keeps this density, or one level more; the run's last level has ``reached``."""

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
    """Require that every variational training takes ten draws a batch, as in paper B."""
    needs, about = "10 draws", "the claim is about ten"
    variational = [arm for arm in arms_of(members) if first_row(arm).arm.is_variational]
    if not all(_is_recorded(arm, "draws") for arm in variational):
        return (Precondition(needs, f"draws not recorded; {about}"),)
    draws = sorted({int(value) for arm in variational for value in recorded(arm, "draws")})
    here = f"{', '.join(map(str, draws))} draw{'s' * (draws != [1])}"
    return (Precondition(needs, "" if draws == [10] else f"{here}; {about}"),)


def as_long_as_paper_a(members: Members) -> tuple[Precondition, ...]:
    """Require that gradient trainings are as long as in paper A, on its data."""
    trained = [arm for arm in arms_of(members) if first_row(arm).convergence_problems is None]
    paper = _paper_a_epochs(first_row(trained[0])) if trained else None
    if paper is None:
        return ()
    needs = f"trainings of the paper's {paper} epochs"
    if not all(_is_recorded(arm, "epochs") for arm in trained):
        return (Precondition(needs, f"epochs not recorded; the paper has {paper}"),)
    shortest = min(value for arm in trained for value in recorded(arm, "epochs"))
    too_short = f"{shortest:.3g} of the paper's {paper} epochs"
    return (Precondition(needs, too_short if shortest < 0.99 * paper else ""),)


def _paper_a_epochs(row: Row) -> int | None:
    """Return the epochs of section 4: 50 of MNIST, 100 of CIFAR-10, 200 of ResNet-18."""
    if row.network == "resnet-18":
        return 200
    return 100 if row.data_set.startswith("cifar-10") else 50 if row.data_set == "mnist" else None


def inferred_as_paper_a(members: Members) -> tuple[Precondition, ...]:
    """Require means initialised as a network, on the mask alone, and KL weights tuned by the paper's population."""
    svi = [arm for arm in arms_of(members) if first_row(arm).arm.method in SVI]
    own = all(_is_recorded(arm, "own_means") and all(recorded(arm, "own_means")) for arm in svi)
    tuned = [arm for arm in svi if first_row(arm).arm == Arm("svi-tuned")]
    fewest = int(min((value for arm in tuned for value in recorded(arm, "members")), default=0))
    few = f"{counted(fewest, 'member')} of the population; the paper has {_POPULATION}"
    means = "means do not begin as the gradient-trained network's, on the mask alone (means: own, carried: mask)"
    return (
        Precondition("means that begin as the network is initialised, on the mask alone", "" if own else means),
        Precondition(f"a population of {_POPULATION} members", few if fewest < _POPULATION else ""),
    )


_POPULATION = 50


def enough_layers(members: Members) -> tuple[Precondition, ...]:
    """Require at least ``FEWEST_LAYERS`` layers for a rank correlation."""
    needs = f"{FEWEST_LAYERS} layers that may be pruned"
    layers = [value for arm in arms_of(members) for value in recorded(arm, "layers")]
    if not layers:
        return (Precondition(needs, "the number of layers is not recorded"),)
    fewest = int(min(layers))
    network = first_row(arms_of(members)[0]).network or "the network"
    few = f"too few layers: {fewest} of {network} may be pruned; {FEWEST_LAYERS} needed"
    return (Precondition(needs, few if fewest < FEWEST_LAYERS else ""),)
