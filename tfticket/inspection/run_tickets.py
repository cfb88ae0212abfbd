"""Which tickets a run has, from its folders. No TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tfticket.errors import InputError
from tfticket.runs.step_files import read_config

_ANEW = "`tfticket run` with the run's config.yaml computes it anew."


class RunFolder(Protocol):
    """What is read of a ``tfticket.reports.rows.Run``."""

    @property
    def folder(self) -> Path:
        """Where it lies, in a workspace."""

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The manifest's entries."""


@dataclass(frozen=True)
class RunTicket:
    """A ticket that a run has trained and evaluated.

    Attributes:
        label: What the run calls it: arm, seed, level, density, and whatever else tells it from others.
        ticket: The folder of the step that made it.
        trained: The folder of its training.
        before: The folder of the training from which its mask was chosen; None where no pruning made it.
    """

    label: dict[str, Any]
    ticket: Path
    trained: Path
    before: Path | None

    @property
    def words(self) -> tuple[str, ...]:
        """The label in words, e.g. 'ticket', 'seed 0', 'level 3'; the density is left out."""
        rest = (f"{name} {value}" for name, value in self.label.items() if name not in ("arm", "density"))
        return (self.label["arm"].key, *rest)

    @property
    def name(self) -> str:
        """Its words in one: 'ticket, seed 0, level 3'."""
        return ", ".join(self.words)


def tickets_of(run: RunFolder) -> list[RunTicket]:
    """The tickets of a run's finished evaluations, in its order.

    Args:
        run: A ``tfticket.reports.rows.Run``.

    Raises:
        InputError: A step's folder is not whole.
    """
    steps = run.folder.parents[1] / "steps"
    found = []
    for entry in run.steps:
        if entry["kind"] == "evaluate":
            inputs = _inputs(steps / entry["folder"], "ticket", "trained")
            ticket = steps / inputs["ticket"]
            before = None
            if read_config(ticket)["kind"] == "prune":
                before = steps / _inputs(ticket, "trained")["trained"]
            found.append(RunTicket(entry["label"], ticket, steps / inputs["trained"], before))
    return found


def _inputs(step: Path, *names: str) -> dict[str, str]:
    """A step's inputs, name -> name of a folder."""
    inputs = read_config(step)["inputs"]
    if not set(names) <= set(inputs):
        raise InputError(f"{step} does not name its inputs {', '.join(names)}. {_ANEW}")
    return inputs
