"""The tickets of a run, from its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.runs.run_folder import Step, read_steps


@dataclass(frozen=True)
class TicketEntry:
    """A ticket of the run.

    Attributes:
        arm, seed, replicate, level: Which.
        density: Fraction of the prunable weights that survive.
        folder: Its step's.
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


def tickets_of(run: Path, known: Mapping[str, TicketEntry]) -> tuple[dict[str, TicketEntry], int]:
    """A run's tickets, and how many of its steps cannot be read.

    Args:
        run: Its folder.
        known: Step -> ticket, of those found before.

    Returns:
        Step -> ticket, in the run's order; the number of steps that cannot be read.

    Raises:
        InputError: The manifest cannot be read.
    """
    found: dict[str, TicketEntry] = {}
    damaged = 0
    for step in read_steps(run):
        try:
            entry = known.get(step.path.name) or _entry(step)
        except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
            damaged += 1
            continue
        if entry is not None:
            found[step.path.name] = entry
    return found, damaged


def _entry(step: Step) -> TicketEntry | None:
    """The ticket that a step evaluates or makes; what has an arm of its own is known by its evaluation only."""
    label = step.label
    if step.kind == "evaluate":
        folder = step.inputs["ticket"]
        return TicketEntry(
            label["arm"], label["seed"], label.get("replicate", 0), label["level"], label["density"], folder
        )
    if step.kind in ("start", "prune") and "arm" not in label:
        whose = (TICKET, label["seed"], 0)
        return TicketEntry(*whose, step.result.get("level", 0), step.result.get("density", 1.0), step.path)
    return None
