"""A member of a population in one generation: part of a training, from a ticket's start or another member's state."""

from dataclasses import replace
from typing import Any

from tfticket.config import MemberStep
from tfticket.data import load_dataset
from tfticket.errors import Diverged, InputError
from tfticket.runs.step import CHECKPOINT, STATE, TICKET, StepContext
from tfticket.tickets.ticket import Ticket
from tfticket.training.checkpoints import checkpoint_hooks, load_checkpoint, read_checkpoint, write_checkpoint
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Checkpoint


def member(context: StepContext, config: MemberStep) -> dict[str, Any]:
    """Train for one generation: inputs 'ticket' and, after the first, 'parent' -> state.safetensors; resumes.

    A member that diverges leaves no state; its result holds the reason in place of metrics.
    """
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    parent = None
    if "parent" in context.inputs:
        parent, _ = read_checkpoint(context.inputs["parent"] / STATE)
    iteration = ticket.iteration if parent is None else parent.iteration
    if iteration != config.first:
        raise InputError(
            f"The member's state is of iteration {iteration:,}; expected {config.first:,}, the generation's first."
        )
    checkpoint, environments = load_checkpoint(context)
    resume = checkpoint or parent
    context.events.write("begin", iteration=config.first if resume is None else resume.iteration)
    context.events.first -= config.first  # progress counts this generation alone

    def save(checkpoint: Checkpoint) -> None:
        name = STATE if checkpoint.iteration == config.last else CHECKPOINT
        write_checkpoint(context.folder / name, checkpoint, environments)

    hooks = replace(
        checkpoint_hooks(context, resume, environments),
        checkpoint=save,
        progress=lambda done, total: context.progress(done - config.first, total - config.first),
    )
    result = {"density": ticket.density, "iterations": config.last, "environments": environments}
    try:
        trained = train_weights(
            ticket.model,
            ticket.mask,
            ticket.start,
            data,
            config.train,
            config.seed,
            first_iteration=config.first,
            until=config.last,
            hooks=hooks,
        )
    except Diverged as error:
        context.events.write("diverged", reason=str(error))
        return result | {"diverged": str(error), "validation": {}}
    last = trained.history[-1]
    metrics = {name: value for name, value in last.items() if name not in ("iteration", "loss", "test")}
    history = [row for row in trained.history if row["iteration"] > config.first]
    return result | {"validation": metrics, "history": history, "seconds": trained.seconds, "jit": trained.jit}
