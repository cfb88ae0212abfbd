"""Tickets: the artefact, and the procedures that find, draw, alter and evaluate it, one per file."""

from tfticket.tickets.ticket import Ticket

__all__ = ["Ticket"]
