"""Tickets of a run, read from its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfticket.arms import TICKET, Arm
from tfticket.runs.run_folder import Step, read_steps

from .reading import READ_ERRORS


@dataclass(frozen=True)
class TicketEntry:
    """A ticket of a run.

    Attributes:
        arm, seed, replicate, level: Identity of the ticket within the run.
        density: Surviving fraction of the prunable weights.
    """

    arm: Arm
    seed: int
    replicate: int
    level: int
    density: float
    folder: Path

    @property
    def group(self) -> tuple[Arm, int, int]:
        """Arm, seed and replicate."""
        return self.arm, self.seed, self.replicate


def read_tickets(run: Path, known: Mapping[str, TicketEntry]) -> tuple[dict[str, TicketEntry], int]:
    """Return step -> ticket in the run's order, and the number of unreadable steps; those ``known`` are not read again.

    Raises:
        InputError: The manifest cannot be read.
    """
    tickets: dict[str, TicketEntry] = {}
    damaged = 0
    for step in read_steps(run):
        try:
            entry = known.get(step.path.name) or _entry(step)
        except READ_ERRORS:
            damaged += 1
            continue
        if entry is not None:
            tickets[step.path.name] = entry
    return tickets, damaged


def _entry(step: Step) -> TicketEntry | None:
    """Return the ticket that a step evaluates or creates; tickets of further arms are listed by their evaluations."""
    label = step.label
    if step.kind == "evaluate":
        folder = step.inputs["ticket"]
        return TicketEntry(
            label["arm"], label["seed"], label.get("replicate", 0), label["level"], label["density"], folder
        )
    if step.kind in ("start", "prune") and "arm" not in label:
        level, density = step.result.get("level", 0), step.result.get("density", 1.0)
        return TicketEntry(TICKET, label["seed"], 0, level, density, step.path)
    return None
