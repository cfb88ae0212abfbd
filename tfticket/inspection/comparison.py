"""Compare tickets of one network."""

import itertools
from collections.abc import Mapping

import numpy as np

from tfticket.errors import InputError
from tfticket.inspection.result import TicketComparison
from tfticket.pruning.algebra import Overlap, total
from tfticket.pruning.mask import layer_of
from tfticket.tickets import Ticket

Overlaps = dict[str, Overlap]
"""Kernel path -> what two masks share there."""


def compare_tickets(named: Mapping[str, Ticket]) -> TicketComparison:
    """How far tickets of one network keep the same weights, pair by pair, in each layer and in all.

    Args:
        named: Name -> ticket, in the order of the result.

    Raises:
        InputError: No ticket, or tickets of different networks.
    """
    _check(named)
    tickets = list(named.values())
    paths = list(tickets[0].mask)
    packed = [{path: np.packbits(kept) for path, kept in ticket.mask.items()} for ticket in tickets]
    survivors = [ticket.survivors for ticket in tickets]
    sizes = {path: kept.size for path, kept in tickets[0].mask.items()}
    layers = np.empty((len(MEASURES), len(paths), len(tickets), len(tickets)))
    totals = np.empty((len(MEASURES), len(tickets), len(tickets)))
    for one, other in itertools.combinations_with_replacement(range(len(tickets)), 2):
        pair = {
            path: Overlap(
                survivors[one][path],
                survivors[other][path],
                int(np.bitwise_count(packed[one][path] & packed[other][path]).sum()),
                size,
            )
            for path, size in sizes.items()
        }
        counted = _counted(pair, tickets[one], tickets[other])
        for number, measure in enumerate(MEASURES):
            each = [measure({path: overlap}) for path, overlap in pair.items()]
            layers[number, :, one, other] = layers[number, :, other, one] = each
            totals[number, one, other] = totals[number, other, one] = measure(counted)
    densities = np.array([[one[path] / size for path, size in sizes.items()] for one in survivors])
    return TicketComparison(tuple(named), tuple(paths), densities, *layers, *totals)


def _check(named: Mapping[str, Ticket]) -> None:
    if not named:
        raise InputError("There is no ticket to compare.")
    shapes = {name: {path: kept.shape for path, kept in ticket.mask.items()} for name, ticket in named.items()}
    (first, expected), *others = shapes.items()
    for name, found in others:
        if found != expected:
            raise InputError(
                f"{first} and {name} are tickets of different networks: their kernels are "
                f"{', '.join(f'{path} {shape}' for path, shape in expected.items())} and "
                f"{', '.join(f'{path} {shape}' for path, shape in found.items())}. Take tickets of one network."
            )


def _counted(pair: Overlaps, one: Ticket, other: Ticket) -> Overlaps:
    """The layers that count in the total: not those that pruning spared on purpose."""
    exempt = {*map(str, one.provenance.get("exempt", ())), *map(str, other.provenance.get("exempt", ()))}
    return {
        path: overlap
        for path, overlap in pair.items()
        if layer_of(path) not in exempt or min(overlap.first, overlap.second) < overlap.size
    }


def _jaccard(pair: Overlaps) -> float:
    return total(pair).jaccard


def _jaccard_by_chance(pair: Overlaps) -> float:
    both = total(pair)
    shared = _shared_by_chance(pair)
    either = both.first + both.second - shared
    return shared / either if either else 1.0


def _coefficient(pair: Overlaps) -> float:
    return total(pair).coefficient


def _over_chance(pair: Overlaps) -> float:
    shared = _shared_by_chance(pair)
    return total(pair).shared / shared if shared else 1.0


def _shared_by_chance(pair: Overlaps) -> float:
    return sum(overlap.expected_overlap for overlap in pair.values())


MEASURES = (_jaccard, _jaccard_by_chance, _coefficient, _over_chance)
"""In the order of ``TicketComparison``."""
