"""The context that the lab gives a step: its folder, its inputs' folders, and callbacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tfticket.config import Execution
from tfticket.runs.events import EventWriter

TICKET = "ticket.safetensors"
WEIGHTS = "weights.safetensors"
SAMPLER = "sampler.json"
"""What steps that make a ticket, trainings, and fits to a ticket leave in their folders."""

CHECKPOINT = "checkpoint.safetensors"
"""Where a long step keeps what it needs to go on; the lab removes it once the result is written."""

CHAIN = "chain.safetensors"
"""What a finished chain has found, but for its draws."""

STATE = "state.safetensors"
"""What a member of a population, or a part of a chain, leaves to go on from: a checkpoint that stays."""


def chain_input(chain: int, first: int) -> str:
    """Return the name under which a step that pools chains has a part of one: 'chain 0', 'chain 0 from 200'."""
    return f"chain {chain}" + f" from {first}" * (first > 0)


def chains_of(inputs: Mapping[str, Path]) -> list[list[Path]]:
    """Return the folders of each chain's parts among the inputs of a step that pools them."""
    chains: dict[str, list[Path]] = {}
    for name, folder in inputs.items():
        if name.startswith("chain "):
            chains.setdefault(name.partition(" from ")[0], []).append(folder)
    return list(chains.values())


@dataclass(frozen=True)
class StepContext:
    """Handed to a step's function beside its configuration.

    Attributes:
        folder: The step's own folder, to write in.
        inputs: Name -> folder of a finished step.
        events: The step's diary.
        execution: Threads and how often to checkpoint.
        should_stop: True once the user has asked to stop: checkpoint and raise ``Stopped``.
        progress: Called with (iterations done, iterations in all).
        note: Called with something that a user should know of the step.
    """

    folder: Path
    inputs: Mapping[str, Path]
    events: EventWriter
    execution: Execution
    should_stop: Callable[[], bool]
    progress: Callable[[int, int], None]
    note: Callable[[str], None] = lambda _: None
