"""Read a run's ticket with its weights."""

from tfticket.inspection.run_tickets import RunTicket
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights
from tfticket.types import Weights


def load(found: RunTicket) -> tuple[Ticket, Weights, Weights | None]:
    """A ticket, its trained weights, and those from which its mask was chosen: what ``inspect_ticket`` takes.

    Args:
        found: One of ``tickets_of(run)``.

    Raises:
        InputError: An artefact is not there or damaged.
    """
    ticket = Ticket.load(found.ticket / TICKET)
    trained, _ = load_weights(found.trained / WEIGHTS)
    before = None if found.before is None else load_weights(found.before / WEIGHTS)[0]
    return ticket, trained, before
