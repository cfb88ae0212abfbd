"""Checkpoints of trainings that are lab steps."""

from pathlib import Path
from typing import Any

from tfticket import backend
from tfticket.errors import InputError
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.step import CHECKPOINT, StepContext
from tfticket.training.hooks import Checkpoint, Hooks
from tfticket.training.segment import State
from tfticket.types import Weights

Environments = list[dict[str, Any]]
"""Devices, threads and versions a step was computed with so far."""


def load_checkpoint(context: StepContext) -> tuple[Checkpoint | None, Environments]:
    """Return the step's checkpoint, None if missing or damaged, and its environments with the present one."""
    path = context.folder / CHECKPOINT
    checkpoint: Checkpoint | None = None
    environments: Environments = []
    if path.exists():
        try:
            checkpoint, environments = read_checkpoint(path)
        except InputError as error:
            discard_checkpoint(context, error)
    environment = backend.environment()
    return checkpoint, environments + [environment] * (environment not in environments)


def discard_checkpoint(context: StepContext, error: InputError) -> None:
    """Record and announce that a step starts over because its checkpoint cannot be used."""
    context.events.write("checkpoint discarded", reason=str(error))
    context.note(f"starts over, since its checkpoint cannot be used: {getattr(error, 'problem', error)}")


def checkpoint_hooks(context: StepContext, resume: Checkpoint | None, environments: Environments) -> Hooks:
    """Return the hooks of a step: event log, checkpoints, progress, stop requests."""
    return Hooks(
        resume=resume,
        checkpoint=lambda checkpoint: write_checkpoint(context.folder / CHECKPOINT, checkpoint, environments),
        checkpoint_seconds=context.execution.checkpoint_seconds,
        segment_seconds=context.execution.segment_seconds,
        evaluated=lambda row: context.events.write("evaluation", **row),
        progress=context.progress,
        should_stop=context.should_stop,
    )


def write_checkpoint(path: Path, checkpoint: Checkpoint, environments: Environments) -> None:
    """Write a training's state, atomically."""
    tensors = {f"state/{name}": array for name, array in checkpoint.state.items()}
    for iteration, weights in checkpoint.kept.items():
        tensors |= {f"kept/{iteration}/{name}": array for name, array in weights.items()}
    metadata = {"iteration": checkpoint.iteration, "history": checkpoint.history, "losses": checkpoint.losses}
    save_tensors(path, "checkpoint", tensors, metadata | {"environments": environments})


def read_checkpoint(path: Path) -> tuple[Checkpoint, Environments]:
    """Read a file of ``write_checkpoint``."""
    tensors, header = load_tensors(path, "checkpoint")
    state: State = {}
    kept: dict[int, Weights] = {}
    for name, array in tensors.items():
        part, _, rest = name.partition("/")
        if part == "state":
            state[rest] = array
        else:
            iteration, _, weight = rest.partition("/")
            kept.setdefault(int(iteration), {})[weight] = array
    checkpoint = Checkpoint(header["iteration"], state, kept, header["history"], header["losses"])
    return checkpoint, header["environments"]
