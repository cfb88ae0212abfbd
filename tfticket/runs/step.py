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
"""What a member of a population leaves to go on from: a checkpoint that stays."""


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
