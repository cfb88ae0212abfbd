"""The tickets of a run, from its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.runs.records import checked
from tfticket.runs.schemas import MadeTicket
from tfticket.runs.step_files import RESULT, read_config, read_result
from tfticket.runs.summary import read_manifest


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
    steps = run.resolve().parents[1] / "steps"
    found: dict[str, TicketEntry] = {}
    damaged = 0
    for step in read_manifest(run):
        try:
            entry = known.get(step["folder"]) or _entry(step, steps)
        except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
            damaged += 1
            continue
        if entry is not None:
            found[step["folder"]] = entry
    return found, damaged


def _entry(step: dict[str, Any], steps: Path) -> TicketEntry | None:
    """The ticket that a step evaluates or makes; what has an arm of its own is known by its evaluation only."""
    label = step["label"]
    if step["kind"] == "evaluate":
        folder = steps / read_config(steps / step["folder"])["inputs"]["ticket"]
        return TicketEntry(
            label["arm"], label["seed"], label.get("replicate", 0), label["level"], label["density"], folder
        )
    if step["kind"] in ("start", "prune") and "arm" not in label:
        path = steps / step["folder"]
        result = checked(read_result(path)["result"], MadeTicket, str(path / RESULT))
        whose = (TICKET, label["seed"], 0)
        return TicketEntry(*whose, result.get("level", 0), result.get("density", 1.0), path)
    return None
