"""Tickets of a run with their weights."""

from tfticket.inspection.run_tickets import RunTicket
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights
from tfticket.types import Weights


def load(run_ticket: RunTicket) -> tuple[Ticket, Weights, Weights | None]:
    """Load the arguments of ``inspect_ticket``: ticket, trained weights, and those from which its mask was chosen.

    Args:
        run_ticket: One of ``tickets_of(run)``.

    Raises:
        InputError: An artefact is missing or damaged.
    """
    ticket = Ticket.load(run_ticket.ticket / TICKET)
    trained, _ = load_weights(run_ticket.trained / WEIGHTS)
    before = None if run_ticket.before is None else load_weights(run_ticket.before / WEIGHTS)[0]
    return ticket, trained, before
