"""The claims of paper A, "Bayes Always Wins the Lottery in Monte Carlo", by test accuracy.

- A1 to A3 (table 1, one for each network), of LeNets: NUTS on the ticket's mask against the ticket, at the sparsest
  level that was sampled. ``reaches``: NUTS may be up to half a point below. Withheld unless that level keeps 1 %, the
  ticket is trained for the paper's epochs, and the chains have converged.
- A4 (table 1): NUTS against the mask with re-initialised weights, there. ``beats``. Withheld as A1.
- A5 (training by gradients): the ticket against its mask with re-initialised weights, at the sparsest level that has
  this control, since the paper's claim is about its highest sparsity. ``beats``.
- A6 (table 1), of LeNet-300-100: variational inference with tuned KL weights on the ticket's mask against the ticket,
  at the sparsest level that has it. ``matches``. A7 (section 6): tuned KL weights against weights of 1. ``beats``. A8
  (table 1), of LeNet-5 and ResNet-18: as A6. ``beats``. One population tunes the weights for all seeds, on the first
  seed's ticket, as in the paper: seeds repeat the trainings, not the tuning. Withheld unless trainings have the paper's
  epochs and population, and means begin as the deterministic network's do.
"""

from tfticket.arms import TICKET, Arm
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

A1 = "A1-A3: NUTS reaches or beats the ticket, within half a point"
A4 = "A4: NUTS beats random initialisations"
A5 = "A5: the ticket's initialisation beats random ones"
A6 = "A6: tuned SVI matches the ticket, within half a point"
A7 = "A7: tuned KL weights beat default ones"
A8 = "A8: SVI beats the ticket"

_REINITIALISED, _NUTS, _SVI, _TUNED = Arm(control="reinitialise"), Arm("nuts"), Arm("svi"), Arm("svi-tuned")
_NETWORKS = "LeNet-300-100 and LeNet-5 on MNIST and CIFAR-10, ResNet-18 on CIFAR-10"
_LENETS = "LeNet-300-100 on MNIST and CIFAR-10, LeNet-5 on MNIST"


def chain_claims(groups: Groups, network: str) -> list[Comparison]:
    """Return the claims about chains on tickets' masks, at the last level that was sampled."""
    level = max((level for level, arm in groups if arm == _NUTS), default=None)
    if level is None:
        return []
    sparse = down_to(*_densities(groups, network))
    data = sound_on("mnist") if network == "lenet-5" else sound
    lenets = in_scope(network, "lenet-300-100", "lenet-5")
    checks: tuple[Check, ...] = (lenets, sparse, as_long_as_paper_a, converged, data)
    nuts = [groups[level, _NUTS]]
    over_ticket = pairwise(nuts, [groups[level, TICKET]] if (level, TICKET) in groups else [])
    reinitialised = [key for key in groups if key[0] == level and key[1].kind == _REINITIALISED]
    over_reinitialised = pairwise(nuts, [groups[key] for key in reinitialised])
    return [
        *comparison(A1, "reaches", over_ticket, f"{_LENETS}; 1 % of the weights", *checks),
        *comparison(A4, "beats", over_reinitialised, f"{_LENETS}; 1 % of the weights", *checks),
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
