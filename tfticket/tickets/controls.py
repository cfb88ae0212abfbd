"""Controls: a ticket altered on purpose, to see what of it matters. Pure and seeded."""

from dataclasses import replace

from tfticket import seeds
from tfticket.models import initial_weights, model_from_spec
from tfticket.models.variables import counted_anew
from tfticket.tickets.ticket import Ticket


def reinitialise(ticket: Ticket, seed: int) -> Ticket:
    """Keep the mask, draw the weights anew from the layers' own initialisers; constants stay the ticket's.

    References:
        Frankle and Carbin (2019), section 2, "random reinitialization".
    """
    model = replace(ticket, start=ticket.initial).build_model()
    # A seed of its own: the plain one would give the ticket's initialisation back.
    weights = initial_weights(model, seeds.derive(seed, "reinitialise"))
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
    own = "keras" in ticket.model
    names = counted_anew(model_from_spec(ticket.model)) if own else {path: path for path in ticket.mask}
    mask = {
        path: seeds.generator(seed, "random mask", names[path]).permutation(kept.ravel()).reshape(kept.shape)
        for path, kept in ticket.mask.items()
    }
    start, iteration = ticket.start, ticket.iteration
    if ticket.provenance.get("rewind") == "none":
        start, iteration = ticket.initial, 0
    provenance = ticket.provenance | {"control": "random-mask", "control_seed": seed}
    return replace(ticket, mask=mask, start=start, iteration=iteration, provenance=provenance)
