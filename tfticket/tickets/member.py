"""A member of a population: a part of a training, from a ticket's start or from where another member was."""

from dataclasses import replace
from typing import Any

from tfticket import backend
from tfticket.config import MemberStep
from tfticket.data import load_dataset
from tfticket.errors import Diverged, InputError
from tfticket.runs.step import CHECKPOINT, STATE, TICKET, StepContext
from tfticket.tickets.ticket import Ticket
from tfticket.training.checkpoints import checkpoint_hooks, load_checkpoint, read_checkpoint, write_checkpoint
from tfticket.training.gradient import Checkpoint, train_weights


def member(context: StepContext, config: MemberStep) -> dict[str, Any]:
    """Train for one generation: inputs 'ticket' and, after the first, 'parent' -> state.safetensors; resumes.

    One that diverges ends there: it leaves no state, and its result says why in place of metrics.

    Raises:
        InputError: The parent, or the ticket where there is none, is not of the first iteration, or left no state.
    """
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    parent = None
    if "parent" in context.inputs:
        parent, _ = read_checkpoint(context.inputs["parent"] / STATE)
    _check_first(config, ticket.iteration if parent is None else parent.iteration)
    own, environments = load_checkpoint(context)
    resume = own or parent
    context.events.write("begin", iteration=config.first if resume is None else resume.iteration)
    context.events.first -= config.first  # how far it is, is told of this generation alone

    def keep(checkpoint: Checkpoint) -> None:
        name = STATE if checkpoint.iteration == config.last else CHECKPOINT
        write_checkpoint(context.folder / name, checkpoint, environments)

    hooks = replace(
        checkpoint_hooks(context, resume, environments),
        checkpoint=keep,
        progress=lambda done, total: context.progress(done - config.first, total - config.first),
    )
    found = {"density": ticket.density, "iterations": config.last, "environments": environments}
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
        return found | {"diverged": str(error), "validation": {}}
    beside = ("iteration", "loss", "test")
    metrics = {name: value for name, value in trained.history[-1].items() if name not in beside}
    its_own = [row for row in trained.history if row["iteration"] > config.first]
    return found | {"validation": metrics, "history": its_own, "seconds": trained.seconds, "jit": trained.jit}


def _check_first(config: MemberStep, there: int) -> None:
    if there != config.first:
        raise InputError(f"A member is to go on at iteration {config.first:,} from a state of iteration {there:,}.")
