"""Tickets: the artefact, and the procedures that make and alter it, one a file."""

from tfticket.tickets.ticket import Ticket

__all__ = ["Ticket"]
