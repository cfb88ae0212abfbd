"""Comparison of tickets of one network."""

import itertools
from collections.abc import Mapping

import numpy as np

from tfticket.errors import InputError
from tfticket.inspection.result import TicketComparison
from tfticket.pruning.algebra import Overlap, total
from tfticket.pruning.mask import layer_of
from tfticket.tickets import Ticket

Overlaps = dict[str, Overlap]
"""Kernel path -> overlap of two masks in that kernel."""


def compare_tickets(named: Mapping[str, Ticket]) -> TicketComparison:
    """Compare which weights tickets of one network keep, pair by pair, in each layer and in the whole network.

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
    layers = np.empty((4, len(paths), len(tickets), len(tickets)))
    totals = np.empty((4, len(tickets), len(tickets)))
    for i, j in itertools.combinations_with_replacement(range(len(tickets)), 2):
        pair = {}
        for path, size in sizes.items():
            shared = int(np.bitwise_count(packed[i][path] & packed[j][path]).sum())
            pair[path] = Overlap(survivors[i][path], survivors[j][path], shared, size)
        by_layer = np.transpose([_measures({path: overlap}) for path, overlap in pair.items()])
        layers[:, :, i, j] = layers[:, :, j, i] = by_layer
        totals[:, i, j] = totals[:, j, i] = _measures(_in_total(pair, tickets[i], tickets[j]))
    densities = np.array([[counts[path] / size for path, size in sizes.items()] for counts in survivors])
    return TicketComparison(tuple(named), tuple(paths), densities, *layers, *totals)


def _check(named: Mapping[str, Ticket]) -> None:
    if not named:
        raise InputError("There is no ticket to compare. Name at least one.")
    shapes = {name: {path: kept.shape for path, kept in ticket.mask.items()} for name, ticket in named.items()}
    (first, expected), *others = shapes.items()
    for name, kernels in others:
        if kernels != expected:
            raise InputError(
                f"{first} and {name} are tickets of different networks: their kernels are "
                f"{', '.join(f'{path} {shape}' for path, shape in expected.items())} and "
                f"{', '.join(f'{path} {shape}' for path, shape in kernels.items())}. Take tickets of one network."
            )


def _in_total(pair: Overlaps, first: Ticket, second: Ticket) -> Overlaps:
    """Return the layers that count in the total: all but those that are dense and exempt from pruning."""
    exempt = {str(layer) for ticket in (first, second) for layer in ticket.provenance.get("exempt", ())}
    return {
        path: overlap
        for path, overlap in pair.items()
        if layer_of(path) not in exempt or min(overlap.first, overlap.second) < overlap.size
    }


def _measures(pair: Overlaps) -> tuple[float, float, float, float]:
    """Return the measures of overlap in the order of ``TicketComparison``."""
    both = total(pair)
    by_chance = sum(overlap.expected_overlap for overlap in pair.values())
    either = both.first + both.second - by_chance
    jaccard_by_chance = by_chance / either if either else 1.0
    return both.jaccard, jaccard_by_chance, both.coefficient, both.shared / by_chance if by_chance else 1.0
