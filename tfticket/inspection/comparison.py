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
    layers = np.empty((len(MEASURES), len(paths), len(tickets), len(tickets)))
    totals = np.empty((len(MEASURES), len(tickets), len(tickets)))
    for i, j in itertools.combinations_with_replacement(range(len(tickets)), 2):
        pair = {}
        for path, size in sizes.items():
            shared = int(np.bitwise_count(packed[i][path] & packed[j][path]).sum())
            pair[path] = Overlap(survivors[i][path], survivors[j][path], shared, size)
        in_total = _in_total(pair, tickets[i], tickets[j])
        for number, measure in enumerate(MEASURES):
            by_layer = [measure({path: overlap}) for path, overlap in pair.items()]
            layers[number, :, i, j] = layers[number, :, j, i] = by_layer
            totals[number, i, j] = totals[number, j, i] = measure(in_total)
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
"""Measures of overlap, in the order of ``TicketComparison``."""
