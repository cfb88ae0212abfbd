"""Controls: a ticket altered on purpose, to see what of it matters. Pure and seeded."""

from dataclasses import replace

from tfticket import seeds
from tfticket.models import initial_weights, model_from_spec
from tfticket.tickets.ticket import Ticket


def reinitialise(ticket: Ticket, seed: int) -> Ticket:
    """Keep the mask, draw the weights anew from the layers' own initialisers.

    References:
        Frankle and Carbin (2019), section 2, "random reinitialization".
    """
    # A seed of its own: the plain one would give the ticket's initialisation back.
    weights = initial_weights(model_from_spec(ticket.model), seeds.derive(seed, "reinitialise"))
    return replace(
        ticket,
        start=weights,
        initial=weights,
        iteration=0,
        provenance=ticket.provenance | {"control": "reinitialise", "control_seed": seed},
    )


def random_mask(ticket: Ticket, seed: int) -> Ticket:
    """Keep the start and each layer's number of survivors, choose the survivors at random.

    References:
        "Layerwise shuffle" of Frankle et al. (2021), "Pruning Neural Networks at Initialization".
    """
    mask = {
        path: seeds.generator(seed, "random mask", path).permutation(kept.ravel()).reshape(kept.shape)
        for path, kept in ticket.mask.items()
    }
    return replace(ticket, mask=mask, provenance=ticket.provenance | {"control": "random-mask", "control_seed": seed})
