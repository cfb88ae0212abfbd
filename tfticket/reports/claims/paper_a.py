"""The claims of paper A, "Bayes Always Wins the Lottery in Monte Carlo", by test accuracy.

What each compares, and when, is in ``docs/howto/read-results.md``. A1 to A4, A6 and A8 are of table 1, A7 of section 6.
A5 is about the sparsest level with its control, since the paper's claim is about its highest sparsity. One population
tunes the KL weights for all seeds, on the first seed's ticket, as in the paper: seeds repeat the trainings, not the
tuning.
"""

from tfticket.arms import SAMPLERS, TICKET, Arm
from tfticket.reports.claims.decision import Comparison
from tfticket.reports.claims.members import Groups, controls_in, pairwise, sparsest_density, sparsest_only, ticket_minus
from tfticket.reports.claims.preconditions import (
    Check,
    as_long_as_paper_a,
    comparison,
    converged,
    down_to,
    in_scope,
    inferred_as_paper_a,
    sound,
    sound_on,
)

A1 = "A1-A3: {} reaches or beats the ticket, within half a point"
A4 = "A4: {} beats random initialisations"
A5 = "A5: the ticket's initialisation beats random ones"
A6 = "A6: tuned SVI matches the ticket, within half a point"
A7 = "A7: tuned KL weights beat default ones"
A8 = "A8: SVI beats the ticket"

_CHAINS = [Arm(method) for method in SAMPLERS]
_REINITIALISED, _SVI, _TUNED = Arm(control="reinitialise"), Arm("svi"), Arm("svi-tuned")
_NETWORKS = "LeNet-300-100 and LeNet-5 on MNIST and CIFAR-10, ResNet-18 on CIFAR-10"
_LENETS = "LeNet-300-100 on MNIST and CIFAR-10, LeNet-5 on MNIST"


def chain_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about chains on tickets' masks, by each sampler, at the last level that it has sampled."""
    samplers = {arm: max(at for at, other in groups if other == arm) for _, arm in groups if arm in _CHAINS}
    return [claim for arm, level in samplers.items() for claim in _chain_claims(groups, network, arm, level)]


def _chain_claims(groups: Groups, network: str, arm: Arm, level: int) -> list[Comparison]:
    sparse = down_to(*_densities(groups, network))
    data = sound_on("mnist") if network == "lenet-5" else sound
    lenets = in_scope(network, "lenet-300-100", "lenet-5")
    checks: tuple[Check, ...] = (lenets, sparse, as_long_as_paper_a, converged, data)
    chains = [groups[level, arm]]
    over_ticket = pairwise(chains, [groups[level, TICKET]] if (level, TICKET) in groups else [])
    reinitialised = [key for key in groups if key[0] == level and key[1].kind == _REINITIALISED]
    over_reinitialised = pairwise(chains, [groups[key] for key in reinitialised])
    return [
        *comparison(A1.format(arm.name), "reaches", over_ticket, f"{_LENETS}; 1 % of the weights", *checks),
        *comparison(A4.format(arm.name), "beats", over_reinitialised, f"{_LENETS}; 1 % of the weights", *checks),
    ]


def _densities(groups: Groups, network: str) -> tuple[float, float]:
    """Return the density of table 1, and the sparsest of this run."""
    return (0.08 if network == "resnet-18" else 0.01), sparsest_density(groups)


def initialisation_claims(groups: Groups) -> list[Comparison]:
    """Return the claim about tickets' initialisation."""
    reinitialised = sparsest_only([key for key in controls_in(groups) if key[1].kind == _REINITIALISED])
    return comparison(A5, "beats", ticket_minus(groups, reinitialised), f"{_NETWORKS}; 1 % of the weights", sound)


def svi_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about variational inference on tickets' masks, at the last level that has it.

    The network decides between A6 and A8; for one that neither names it is A6.
    """
    level = max((level for level, arm in groups if arm == _TUNED), default=None)
    if level is None:
        return []
    tuned, default, ticket = ([groups[level, arm]] if (level, arm) in groups else [] for arm in (_TUNED, _SVI, TICKET))
    over_ticket, over_default = pairwise(tuned, ticket), pairwise(tuned, default)
    data = {"resnet-18": sound_on("cifar-10"), "lenet-5": sound_on("mnist")}.get(network, sound)
    checks: tuple[Check, ...] = (as_long_as_paper_a, inferred_as_paper_a, data)
    sparse = down_to(*_densities(groups, network))
    beats = network in ("lenet-5", "resnet-18")
    lenet = in_scope(network, "lenet-300-100")
    a6, a8 = "LeNet-300-100 on MNIST and CIFAR-10", "LeNet-5 on MNIST, ResNet-18 on CIFAR-10"
    return [
        *comparison(A6, "matches", {} if beats else over_ticket, f"{a6}; 1 % of the weights", lenet, sparse, *checks),
        *comparison(A7, "beats", over_default, a6, lenet, *checks),
        *comparison(A8, "beats", over_ticket if beats else {}, a8, sparse, *checks),
    ]
