"""Iterative pruning, the procedure that finds lottery tickets.

References:
    Frankle and Carbin (2019), "The Lottery Ticket Hypothesis", strategy 1; Frankle et al. (2020), "Linear
    Mode Connectivity and the Lottery Ticket Hypothesis" (rewinding to iteration k); Renda et al. (2020),
    "Comparing Rewinding and Fine-tuning" (learning-rate rewinding).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from tfticket import seeds
from tfticket.config import PruneStep
from tfticket.config.durations import rewinds_later
from tfticket.pruning.selection import prune_mask
from tfticket.registry import SCORES, resolve
from tfticket.tickets.ticket import Ticket
from tfticket.types import Weights

AnyTicket = TypeVar("AnyTicket")
AnyTrained = TypeVar("AnyTrained")


def iterative_pruning(
    ticket: AnyTicket,
    levels: int,
    train: Callable[[AnyTicket], AnyTrained],
    prune: Callable[[AnyTicket, AnyTrained], AnyTicket],
) -> Iterator[AnyTicket]:
    """Train, prune the lowest-scoring survivors, rewind the rest, repeat.

    Tickets may be objects in memory or handles of a lab: the result of ``train`` is only passed on to ``prune``.

    Args:
        ticket: The dense ticket, level 0.
        levels: Rounds of pruning.
        train: Trains a ticket from its own start.
        prune: Returns the next level's ticket, rewound, from a ticket and its training.

    Yields:
        The tickets of levels 0 to ``levels``.
    """
    yield ticket
    for _ in range(levels):
        trained = train(ticket)
        ticket = prune(ticket, trained)
        yield ticket


def needs_rewinding(ticket: Ticket, rewind: str) -> bool:
    """Return True if pruning this ticket moves its start to later weights of its own training.

    True only at level 0 with rewinding to iteration k > 0; later levels keep that start.
    """
    return ticket.level == 0 and rewinds_later(rewind)


def prune_ticket(
    ticket: Ticket, trained: Weights, config: PruneStep, rewound: tuple[Weights, int] | None = None
) -> Ticket:
    """Return the next level's ticket: prune the mask by the trained weights' scores, rewind the survivors."""
    level_seed = seeds.derive(config.seed, "prune", ticket.level)
    mask = prune_mask(
        ticket.mask,
        resolve(SCORES[config.score].target)(trained, ticket.mask, level_seed),
        config.rate,
        scope=config.scope,
        exempt=config.exempt,
        rates=config.rates,
        allow_empty=config.allow_empty,
        seed=level_seed,
    )
    options = config.model_dump(mode="json", exclude={"seed"}) | {"prune_seed": config.seed}
    pruned = replace(ticket, mask=mask, level=ticket.level + 1, provenance=ticket.provenance | options)
    if config.rewind == "none":
        return replace(pruned, start=trained, iteration=0)
    if rewound is not None:
        weights, iteration = rewound
        return replace(pruned, start=weights, iteration=iteration)
    return pruned
