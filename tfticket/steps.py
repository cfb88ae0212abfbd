"""The lab's steps: from a configuration and input folders to one folder of results.

Each step reads artefacts, calls the library, writes artefacts, and returns the content of ``result.json``. A change
that alters a step's bits raises its version in ``tfticket.registry.STEPS``.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from tfticket import seeds
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
from tfticket.config.durations import iterations_in
from tfticket.data import load_dataset
from tfticket.errors import Stopped
from tfticket.evaluation.connectivity import over_passes
from tfticket.evaluation.posterior_summary import share_at_bound
from tfticket.models import network_of_config
from tfticket.pruning.mask import collapsed_layers, dense_mask, layer_of
from tfticket.registry import CONTROLS, resolve
from tfticket.runs.step import SAMPLER, TICKET, WEIGHTS, StepContext
from tfticket.tickets import Ticket
from tfticket.tickets.controls import shuffle_layerwise
from tfticket.tickets.evaluation import evaluate_weights, evaluation_record, predict_splits
from tfticket.tickets.iterative import needs_rewinding, prune_ticket
from tfticket.tickets.monte_carlo_tickets import draw_mc_ticket, fit_survival_model, histograms, layer_features
from tfticket.tickets.survival_model import SurvivalModel, subsample_images
from tfticket.tickets.ticket import check_class_names
from tfticket.tickets.transplant import transplant as transplant_ticket
from tfticket.tickets.weight_files import load_weights, save_weights
from tfticket.training.checkpoints import checkpoint_hooks, load_checkpoint
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import TrainingResult
from tfticket.training.optimisers import learning_rates


def start(context: StepContext, config: StartStep) -> dict[str, Any]:
    """Build the dense ticket of a seed -> ticket.safetensors."""
    data = load_dataset(config.data)
    model = network_of_config(config.model, data)
    return _write_ticket(context, Ticket.dense(model, config.seed, config.model.start, data))


def prune(context: StepContext, config: PruneStep) -> dict[str, Any]:
    """Prune one level: inputs 'ticket' and 'trained' -> ticket.safetensors."""
    ticket = _ticket(context)
    folder = context.inputs["trained"]
    trained, _ = load_weights(folder / WEIGHTS)
    rewound = load_weights(folder / _kept_name(config.rewind)) if needs_rewinding(ticket, config.rewind) else None
    return _write_ticket(context, prune_ticket(ticket, trained, config, rewound))


def control(context: StepContext, config: ControlStep) -> dict[str, Any]:
    """Make a control of a ticket: input 'ticket' -> ticket.safetensors."""
    ticket = _ticket(context)
    variant = resolve(CONTROLS[config.control.name].target)(ticket, config.seed, **config.control.options)
    return _write_ticket(context, variant) | {"emptied": collapsed_layers(ticket.mask, variant.mask)}


def transplant(context: StepContext, config: TransplantStep) -> dict[str, Any]:
    """Carry a ticket to another network: inputs 'ticket', 'onto', and 'trained' if needed -> ticket.safetensors."""
    ticket, onto = _ticket(context), _ticket(context, "onto")
    trained = load_weights(context.inputs["trained"] / WEIGHTS)[0] if config.carried == "trained" else None
    return _write_ticket(context, transplant_ticket(ticket, onto, config.carried, trained))


def fit(context: StepContext, config: FitStep) -> dict[str, Any]:
    """Fit a ticket's survival model: input 'ticket' -> sampler.json."""
    ticket = _ticket(context)
    data = load_dataset(config.data)
    hooks: dict[str, Any] = {"on_progress": over_passes(context.progress, 2), "should_stop": context.should_stop}
    images = subsample_images(data, config.images, config.seed)
    features = layer_features(ticket, images, **hooks)
    model = fit_survival_model(ticket, data, config.images, config.seed, features)
    model.save(context.folder / SAMPLER)
    dense = dense_mask({path: kept.shape for path, kept in ticket.mask.items()})
    uniform = layer_features(shuffle_layerwise(ticket, config.seed), images, **hooks)
    return {
        "level": ticket.level,
        "density": ticket.density,
        "fits": {family: {name: vars(fit) for name, fit in models.items()} for family, models in model.fits.items()},
        "relative_magnitude": {layer_of(path): layer.relative_magnitude for path, layer in model.layers.items()},
        "histograms": {
            "dense": histograms(replace(features, mask=dense)),
            "ticket": histograms(features),
            "uniform": histograms(uniform),
        },
    }


def draw(context: StepContext, config: DrawStep) -> dict[str, Any]:
    """Draw a Monte Carlo ticket: inputs 'sampler' and the unpruned 'ticket' to be masked -> ticket.safetensors."""
    dense = _ticket(context)
    model = SurvivalModel.load(context.inputs["sampler"] / SAMPLER)
    options = config.draw
    drawn = draw_mc_ticket(
        model,
        dense,
        load_dataset(config.data),
        config.seed,
        connectivity=options.connectivity,
        as_printed=options.as_printed,
        images=options.images,
        on_progress=over_passes(context.progress, len(dense.mask) if options.connectivity else 1),
        should_stop=context.should_stop,
    )
    record = drawn.provenance["monte_carlo"]
    statistics = {name: record[name] for name in ("layers", "histograms")}
    return _write_ticket(context, drawn) | statistics | {"emptied": record.get("emptied", [])}


def train(context: StepContext, config: TrainStep) -> dict[str, Any]:
    """Train a ticket from its own start: input 'ticket' -> weights.safetensors; resumes from its checkpoint."""
    ticket = _ticket(context)
    data = load_dataset(config.data)
    check_class_names(ticket, data)
    resume, environments = load_checkpoint(context)
    context.events.write("begin", iteration=ticket.iteration if resume is None else resume.iteration)
    trained = train_weights(
        ticket.model,
        ticket.mask,
        ticket.start,
        data,
        config.train.model_copy(update={"engine": config.engine}),
        config.seed,
        first_iteration=ticket.iteration,
        keep=config.keep,
        hooks=checkpoint_hooks(context, resume, environments),
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
        "engine": trained.engine,
        "jit": trained.jit,
    }
    if "variational" in ticket.model:
        result["deviations_at_bound"] = _deviations_at_bound(ticket, trained, config.train, len(data.x_train))
    return result


def _deviations_at_bound(ticket: Ticket, trained: TrainingResult, config: TrainConfig, rows: int) -> float:
    """Return ``share_at_bound``; 0 for SGD, whose steps have no such bound."""
    if not isinstance(config.optimiser, Adam):
        return 0.0
    bound = float(learning_rates(config, rows, ticket.iteration, trained.iterations).sum(dtype=np.float64))
    return share_at_bound(ticket.mask, ticket.start, trained.weights, bound)


def evaluate(context: StepContext, config: EvaluateStep) -> dict[str, Any]:
    """Evaluate trained weights on validation and test rows: inputs 'ticket' and 'trained'."""
    ticket = _ticket(context)
    weights, _ = load_weights(context.inputs["trained"] / WEIGHTS)
    outside = config.out_of_distribution

    def on_progress(done: int, total: int) -> None:
        context.progress(done, total)
        if done < total and context.should_stop():
            raise Stopped("stopped; the evaluation starts over")

    data, outside_data = load_dataset(config.data), None if outside is None else load_dataset(outside)
    return evaluate_weights(ticket, weights, data, config, outside_data, on_progress)


def ensemble(context: StepContext, config: EnsembleStep) -> dict[str, Any]:
    """Average the predictions of replicates' trainings: inputs 'ticket' (the first's), 'member 0', 'member 1', ..."""
    ticket = _ticket(context)
    data = load_dataset(config.data)
    members = [folder for name, folder in context.inputs.items() if name != "ticket"]
    log_probs = []
    for number, folder in enumerate(members):
        weights, _ = load_weights(folder / WEIGHTS)
        # Replicates of a shuffle have their own masks, off which weights or means are 0.
        member = replace(ticket, mask={path: weights[path] != 0 for path in ticket.mask})
        log_probs.append(
            predict_splits(member, weights, data, config.draws, seeds.derive(config.seed, "member", number))
        )
    means = {
        split: np.logaddexp.reduce([member[split] for member in log_probs]) - np.log(len(members))
        for split in log_probs[0]
    }
    return evaluation_record(ticket, data, means) | {"members": len(members)}


def _ticket(context: StepContext, name: str = "ticket") -> Ticket:
    return Ticket.load(context.inputs[name] / TICKET)


def _write_ticket(context: StepContext, ticket: Ticket) -> dict[str, Any]:
    ticket.save(context.folder / TICKET)
    return {"density": ticket.density, "level": ticket.level, "survivors": ticket.survivors}


def _kept_name(moment: str) -> str:
    return f"weights-{moment}.safetensors"
