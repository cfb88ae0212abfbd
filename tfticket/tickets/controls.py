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

    After learning-rate rewinding the start is 0 off the ticket's mask, where most random survivors would lie; the
    control then starts from the initial weights.
    """
    mask = {
        path: seeds.generator(seed, "random mask", path).permutation(kept.ravel()).reshape(kept.shape)
        for path, kept in ticket.mask.items()
    }
    start, iteration = ticket.start, ticket.iteration
    if ticket.provenance.get("rewind") == "none":
        start, iteration = ticket.initial, 0
    provenance = ticket.provenance | {"control": "random-mask", "control_seed": seed}
    return replace(ticket, mask=mask, start=start, iteration=iteration, provenance=provenance)
