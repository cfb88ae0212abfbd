"""The lab's steps: from a configuration and input folders to one folder of results.

Each reads artefacts, calls the library, writes artefacts, and returns what ``result.json`` is to hold. A change
that alters a step's bits raises its version in ``tfticket.registry.STEPS``.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfticket import backend
from tfticket.config import ControlStep, DrawStep, EnsembleStep, EvaluateStep, FitStep, PruneStep, StartStep, TrainStep
from tfticket.data import load_dataset
from tfticket.durations import iterations_in
from tfticket.errors import InputError
from tfticket.models import network_of_config
from tfticket.pruning.mask import dense_mask, emptied_layers, layer_of
from tfticket.registry import CONTROLS, resolve
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.step import CHECKPOINT, SAMPLER, TICKET, WEIGHTS, StepContext
from tfticket.tickets import Ticket
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.evaluation import evaluation_of, predictions_of
from tfticket.tickets.iterative import needs_rewinding, prune_ticket
from tfticket.tickets.monte_carlo import draw_ticket, fit_sampler, histograms, rows_of, see
from tfticket.tickets.sampler import Sampler
from tfticket.tickets.weights import load_weights, save_weights
from tfticket.training.gradient import Checkpoint, Hooks, train_weights
from tfticket.training.loop import State
from tfticket.types import Weights


def start(context: StepContext, config: StartStep) -> dict[str, Any]:
    """The dense ticket of a seed -> ticket.safetensors."""
    backend.configure(context.execution.threads)
    data = load_dataset(config.data)
    model = network_of_config(config.model, data)
    return _write_ticket(context, Ticket.dense(model, config.seed, config.model.start, data))


def prune(context: StepContext, config: PruneStep) -> dict[str, Any]:
    """One level of pruning: inputs 'ticket' and 'trained' -> ticket.safetensors."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    folder = context.inputs["trained"]
    trained, _ = load_weights(folder / WEIGHTS)
    rewound = load_weights(folder / _kept_name(config.rewind)) if needs_rewinding(ticket, config.rewind) else None
    return _write_ticket(context, prune_ticket(ticket, trained, config, rewound))


def control(context: StepContext, config: ControlStep) -> dict[str, Any]:
    """A ticket altered on purpose: input 'ticket' -> ticket.safetensors."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    altered = resolve(CONTROLS[config.control.name].target)(ticket, config.seed, **config.control.options)
    return _write_ticket(context, altered) | {"emptied": emptied_layers(ticket.mask, altered.mask)}


def fit(context: StepContext, config: FitStep) -> dict[str, Any]:
    """What a ticket is like: input 'ticket' -> sampler.json."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    hooks: dict[str, Any] = {"tell": _passes(context, 2), "should_stop": context.should_stop}
    images = rows_of(data, config.images, config.seed)
    seen = see(ticket, images, **hooks)
    sampler = fit_sampler(ticket, data, config.images, config.seed, seen)
    sampler.save(context.folder / SAMPLER)
    uniform = see(shuffle_layerwise(ticket, config.seed), images, **hooks)
    return {
        "level": ticket.level,
        "density": ticket.density,
        "fits": {family: {name: vars(fit) for name, fit in models.items()} for family, models in sampler.fits.items()},
        "relative_magnitude": {layer_of(path): layer.relative_magnitude for path, layer in sampler.layers.items()},
        "histograms": {
            "dense": histograms(replace(seen, mask=dense_mask({path: kept.shape for path, kept in seen.mask.items()}))),
            "ticket": histograms(seen),
            "uniform": histograms(uniform),
        },
    }


def draw(context: StepContext, config: DrawStep) -> dict[str, Any]:
    """A Monte Carlo ticket: inputs 'sampler' and the unpruned 'ticket' to be masked -> ticket.safetensors."""
    backend.configure(context.execution.threads)
    dense = Ticket.load(context.inputs["ticket"] / TICKET)
    sampler = Sampler.load(context.inputs["sampler"] / SAMPLER)
    how = config.draw
    drawn = draw_ticket(
        sampler,
        dense,
        load_dataset(config.data),
        config.seed,
        connectivity=how.connectivity,
        as_printed=how.as_printed,
        images=how.images,
        tell=_passes(context, len(dense.mask) if how.connectivity else 1),
        should_stop=context.should_stop,
    )
    said = drawn.provenance["monte_carlo"]
    found = {name: said[name] for name in ("layers", "histograms")}
    return _write_ticket(context, drawn) | found | {"emptied": said.get("emptied", [])}


def train(context: StepContext, config: TrainStep) -> dict[str, Any]:
    """Train a ticket from its own start: input 'ticket' -> weights.safetensors; resumes from its checkpoint."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    path = context.folder / CHECKPOINT
    resume, environments = _resume(context, path)
    environment = backend.environment()
    environments += [environment] * (environment not in environments)
    context.events.write("begin", iteration=ticket.iteration if resume is None else resume.iteration)
    hooks = Hooks(
        resume=resume,
        checkpoint=lambda checkpoint: _write_checkpoint(path, checkpoint, environments),
        checkpoint_seconds=context.execution.checkpoint_seconds,
        segment_seconds=context.execution.segment_seconds,
        evaluated=lambda row: context.events.write("evaluation", **row),
        progress=context.progress,
        should_stop=context.should_stop,
    )
    trained = train_weights(
        ticket.model,
        ticket.mask,
        ticket.start,
        data,
        config.train,
        config.seed,
        first_iteration=ticket.iteration,
        keep=config.keep,
        hooks=hooks,
    )
    for moment in config.keep:
        iteration = iterations_in(moment, len(data.x_train), config.train.batch_size)
        save_weights(context.folder / _kept_name(moment), trained.kept[iteration], iteration)
    save_weights(context.folder / WEIGHTS, trained.weights, trained.iterations)
    return {
        "density": ticket.density,
        "iterations": trained.iterations,
        "history": trained.history,
        "seconds": trained.seconds,
        "environments": environments,
        "jit": trained.jit,
    }


def evaluate(context: StepContext, config: EvaluateStep) -> dict[str, Any]:
    """Metrics and reliability of trained weights on validation and test rows: inputs 'ticket' and 'trained'."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    weights, _ = load_weights(context.inputs["trained"] / WEIGHTS)
    data = load_dataset(config.data)
    return evaluation_of(ticket, data, predictions_of(ticket, weights, data))


def ensemble(context: StepContext, config: EnsembleStep) -> dict[str, Any]:
    """The mean prediction of replicates' trainings: inputs 'ticket', of the first, and 'member 0', 'member 1', ..."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    members = [folder for name, folder in context.inputs.items() if name != "ticket"]
    # Replicates of a shuffle have a mask each, off which their weights are 0: no mask is laid on them here.
    unmasked = replace(ticket, mask=dense_mask({path: kept.shape for path, kept in ticket.mask.items()}))
    found = [predictions_of(unmasked, load_weights(folder / WEIGHTS)[0], data) for folder in members]
    means = {split: np.logaddexp.reduce([one[split] for one in found]) - np.log(len(found)) for split in found[0]}
    return evaluation_of(ticket, data, means) | {"members": len(found)}


def _passes(context: StepContext, passes: int) -> Callable[[int, int], None]:
    """Tell how far several passes over images are."""
    done = 0

    def tell(images: int, of: int) -> None:
        nonlocal done
        context.progress(done * of + images, passes * of)
        done += images == of

    return tell


def _write_ticket(context: StepContext, ticket: Ticket) -> dict[str, Any]:
    ticket.save(context.folder / TICKET)
    return {"density": ticket.density, "level": ticket.level, "survivors": ticket.survivors}


def _kept_name(moment: str) -> str:
    return f"weights-{moment}.safetensors"


def _resume(context: StepContext, path: Path) -> tuple[Checkpoint | None, list[dict[str, Any]]]:
    """The step's checkpoint and the environments it was computed in so far; a damaged one counts as none."""
    if not path.exists():
        return None, []
    try:
        return _read_checkpoint(path)
    except InputError as error:
        context.events.write("checkpoint discarded", reason=str(error))
        return None, []


def _write_checkpoint(path: Path, checkpoint: Checkpoint, environments: list[dict[str, Any]]) -> None:
    tensors = {f"state/{name}": array for name, array in checkpoint.state.items()}
    for iteration, weights in checkpoint.kept.items():
        tensors |= {f"kept/{iteration}/{name}": array for name, array in weights.items()}
    metadata = {"iteration": checkpoint.iteration, "history": checkpoint.history, "losses": checkpoint.losses}
    metadata["environments"] = environments
    save_tensors(path, "checkpoint", tensors, metadata)


def _read_checkpoint(path: Path) -> tuple[Checkpoint, list[dict[str, Any]]]:
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
