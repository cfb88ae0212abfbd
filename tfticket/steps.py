"""The lab's steps: from a configuration and input folders to one folder of results.

Each reads artefacts, calls the library, writes artefacts, and returns what ``result.json`` is to hold. A change
that alters a step's bits raises its version in ``tfticket.registry.STEPS``.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from tfticket import backend, seeds
from tfticket.config import (
    Adam,
    ControlStep,
    DrawStep,
    EnsembleStep,
    EvaluateStep,
    FitStep,
    PruneStep,
    StartStep,
    TrainConfig,
    TrainStep,
    TransplantStep,
)
from tfticket.data import load_dataset
from tfticket.durations import iterations_in
from tfticket.errors import Stopped
from tfticket.evaluation.connectivity import over_passes
from tfticket.evaluation.posterior_summary import share_at_bound
from tfticket.models import network_of_config
from tfticket.pruning.mask import dense_mask, emptied_layers, layer_of
from tfticket.registry import CONTROLS, resolve
from tfticket.runs.step import SAMPLER, TICKET, WEIGHTS, StepContext
from tfticket.tickets import Ticket
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.evaluation import evaluate_weights, evaluation_of, predictions_of
from tfticket.tickets.iterative import needs_rewinding, prune_ticket
from tfticket.tickets.monte_carlo import draw_ticket, fit_sampler, histograms, see
from tfticket.tickets.sampler import Sampler, rows_of
from tfticket.tickets.ticket import check_class_names
from tfticket.tickets.transplant import transplant as transplanted
from tfticket.tickets.weights import load_weights, save_weights
from tfticket.training.checkpoints import found_checkpoint, hooks_of
from tfticket.training.gradient import Trained, train_weights
from tfticket.training.optimisers import learning_rates


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


def transplant(context: StepContext, config: TransplantStep) -> dict[str, Any]:
    """A ticket's mask on another network: inputs 'ticket', 'onto', and 'trained' if asked for -> ticket.safetensors."""
    backend.configure(context.execution.threads)
    ticket, onto = (Ticket.load(context.inputs[name] / TICKET) for name in ("ticket", "onto"))
    trained = load_weights(context.inputs["trained"] / WEIGHTS)[0] if config.carried == "trained" else None
    return _write_ticket(context, transplanted(ticket, onto, config.carried, trained))


def fit(context: StepContext, config: FitStep) -> dict[str, Any]:
    """What a ticket is like: input 'ticket' -> sampler.json."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    hooks: dict[str, Any] = {"on_progress": over_passes(context.progress, 2), "should_stop": context.should_stop}
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
        on_progress=over_passes(context.progress, len(dense.mask) if how.connectivity else 1),
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
    check_class_names(ticket, data)
    resume, environments = found_checkpoint(context)
    context.events.write("begin", iteration=ticket.iteration if resume is None else resume.iteration)
    trained = train_weights(
        ticket.model,
        ticket.mask,
        ticket.start,
        data,
        config.train,
        config.seed,
        first_iteration=ticket.iteration,
        keep=config.keep,
        hooks=hooks_of(context, resume, environments),
    )
    for moment in config.keep:
        iteration = iterations_in(moment, len(data.x_train), config.train.batch_size)
        save_weights(context.folder / _kept_name(moment), trained.kept[iteration], iteration)
    save_weights(context.folder / WEIGHTS, trained.weights, trained.iterations)
    result = {
        "density": ticket.density,
        "iterations": trained.iterations,
        "history": trained.history,
        "seconds": trained.seconds,
        "environments": environments,
        "jit": trained.jit,
    }
    if "variational" in ticket.model:
        result["deviations_at_bound"] = _deviations_at_bound(ticket, trained, config.train, len(data.x_train))
    return result


def _deviations_at_bound(ticket: Ticket, trained: Trained, config: TrainConfig, rows: int) -> float:
    """See ``share_at_bound``; 0 of SGD, whose steps have no such bound."""
    if not isinstance(config.optimiser, Adam):
        return 0.0
    bound = float(learning_rates(config, rows, ticket.iteration, trained.iterations).sum(dtype=np.float64))
    return share_at_bound(ticket.mask, ticket.start, trained.weights, bound)


def evaluate(context: StepContext, config: EvaluateStep) -> dict[str, Any]:
    """Metrics and reliability of trained weights on validation and test rows: inputs 'ticket' and 'trained'."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    weights, _ = load_weights(context.inputs["trained"] / WEIGHTS)
    others = config.out_of_distribution

    def tell(done: int, total: int) -> None:
        context.progress(done, total)
        if done < total and context.should_stop():
            raise Stopped("stopped; the evaluation begins anew")

    return evaluate_weights(
        ticket, weights, load_dataset(config.data), config, None if others is None else load_dataset(others), tell
    )


def ensemble(context: StepContext, config: EnsembleStep) -> dict[str, Any]:
    """The mean prediction of replicates' trainings: inputs 'ticket', of the first, and 'member 0', 'member 1', ..."""
    backend.configure(context.execution.threads)
    ticket = Ticket.load(context.inputs["ticket"] / TICKET)
    data = load_dataset(config.data)
    members = [folder for name, folder in context.inputs.items() if name != "ticket"]
    found = []
    for number, folder in enumerate(members):
        weights, _ = load_weights(folder / WEIGHTS)
        # Replicates of a shuffle have a mask each, off which their weights, or means, are 0.
        own = replace(ticket, mask={path: weights[path] != 0 for path in ticket.mask})
        found.append(predictions_of(own, weights, data, config.draws, seeds.derive(config.seed, "member", number)))
    means = {split: np.logaddexp.reduce([one[split] for one in found]) - np.log(len(found)) for split in found[0]}
    return evaluation_of(ticket, data, means) | {"members": len(found)}


def _write_ticket(context: StepContext, ticket: Ticket) -> dict[str, Any]:
    ticket.save(context.folder / TICKET)
    return {"density": ticket.density, "level": ticket.level, "survivors": ticket.survivors}


def _kept_name(moment: str) -> str:
    return f"weights-{moment}.safetensors"
