"""The tickets of a run, from its folders. No TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.errors import InputError
from tfticket.runs.run_folder import RunFolder, inputs_of
from tfticket.runs.step_files import read_config


@dataclass(frozen=True)
class RunTicket:
    """A ticket that a run has trained and evaluated.

    Attributes:
        label: The run's label: arm, seed, level, density, and others that distinguish it.
        ticket: Folder of the step that made it.
        trained: Folder of its training.
        before: Folder of the training from which its mask was chosen; None if it was not pruned.
    """

    label: Mapping[str, Any]
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
        return ", ".join(self.words)


def tickets_of(run: RunFolder) -> list[RunTicket]:
    """Return the tickets of a run's finished evaluations, in its order."""
    tickets = []
    for step in run.steps("evaluate"):
        with step.advice():
            ticket, trained = _inputs(step.path, "ticket", "trained")
            before = None
            if read_config(ticket)["kind"] == "prune":
                (before,) = _inputs(ticket, "trained")
        tickets.append(RunTicket(step.label, ticket, trained, before))
    return tickets


def _inputs(step: Path, *names: str) -> list[Path]:
    inputs = inputs_of(step)
    if not set(names) <= set(inputs):
        raise InputError(f"{step} does not name its inputs {', '.join(names)}.")
    return [inputs[name] for name in names]
