"""Build the posterior of a ticket, given data."""

from typing import Any

from tfticket.backend import has_gpu, keras
from tfticket.config import SampleConfig
from tfticket.config.experiment import usable_cpus
from tfticket.data import Dataset
from tfticket.errors import InputError
from tfticket.inspection.graph import graph_of
from tfticket.inspection.paths import unused_units
from tfticket.models import kernel_shapes, model_from_spec, named_variables, normalisation_of
from tfticket.models.variables import constraints, trained_paths
from tfticket.network import MaskedNetwork
from tfticket.pruning.mask import dense_mask, density
from tfticket.sampling.keras_engine import KerasEngine
from tfticket.sampling.posterior import Engine, Posterior
from tfticket.sampling.priors import Prior
from tfticket.sampling.sparse_engine import SparseEngine
from tfticket.sparse.layout import Layout
from tfticket.sparse.program import compile_network
from tfticket.sparse.reader import CannotRun, sparse_layers
from tfticket.tickets.ticket import Ticket, check_class_names

BATCH_NORMALISATION = keras.layers.BatchNormalization.__base__
"""Base class of the layer, of its synchronised variant and of the one in ``tf.compat.v1``."""

DENSE_FROM = 1 / 3
"""Density above which dense arithmetic is faster than sums over surviving weights (``benchmarks/nuts_gradient``)."""


def build_posterior(ticket: Ticket, data: Dataset, config: SampleConfig, threads: int | None = None) -> Posterior:
    """Return the posterior of a ticket's surviving weights, given the training rows.

    Args:
        ticket: Of any method; only its mask and the weights that are not sampled are used.
        data: Its training rows are conditioned on.
        config: Priors, likelihood power, engine.
        threads: Of the sparse engine; None: all CPUs that this process may use.

    Raises:
        InputError: No weight survives; a model with batch statistics that are not frozen, or with constraints on
            weights; data of other shapes; an engine that cannot run the model.
    """
    model = model_from_spec(ticket.model)
    _check_model(model, config.freeze_batch_norm)
    normalisation = normalisation_of(ticket.model)
    network = MaskedNetwork(model, normalisation)
    network.check_data(data)
    check_class_names(ticket, data)
    layout = Layout.of(ticket.start, ticket.mask, trained_paths(model))
    prior = Prior.of(layout, config.prior, config.other_prior)
    fixed = {
        path: array * ticket.mask[path] if path in ticket.mask else array
        for path, array in ticket.start.items()
        if path not in layout.shapes
    }
    engine: Engine
    chosen, reason = choose_engine(config.engine, model, layout, density(ticket.mask))
    if chosen == "sparse":
        image, layers = sparse_layers(model, layout)
        compiled = compile_network(image, layers, normalisation)
        engine = SparseEngine(compiled, layout.size, data.x_train, data.y_train, threads or usable_cpus())
    else:
        engine = KerasEngine(network, layout, ticket.start, data.x_train, data.y_train)
    unused = layout.of_units(unused_units(graph_of(model), ticket.mask))
    return Posterior(engine, layout, prior, config.likelihood_power, fixed, reason, unused)


def check_engine(model: Any, config: SampleConfig, kept: float) -> str:
    """Refuse a model that cannot be sampled; return which engine computes its gradients, and why.

    Args:
        model: A ``tf_keras`` model.
        config: Engine and batch statistics.
        kept: Density of the planned ticket.

    Raises:
        InputError: Batch statistics, constraints on weights, or an engine that cannot run the model.
    """
    _check_model(model, config.freeze_batch_norm)
    weights = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
    layout = Layout.of(weights, dense_mask(kernel_shapes(model)), trained_paths(model))
    return choose_engine(config.engine, model, layout, kept)[1]


def choose_engine(requested: str, model: Any, layout: Layout, kept: float) -> tuple[str, str]:
    """Choose the engine that computes gradients; return its name and the reason.

    Args:
        requested: 'sparse', 'keras', or 'auto'.
        model: A ``tf_keras`` model.
        layout: Of the sampled weights.
        kept: Density of the mask.

    Raises:
        InputError: The sparse engine is requested and cannot run the model.
    """
    dense = "Gradients by Keras, dense and masked"
    if requested == "keras":
        return "keras", f"{dense}, as requested."
    if requested == "auto" and has_gpu():
        return "keras", f"{dense}, on the GPU."
    try:
        sparse_layers(model, layout)
    except CannotRun as error:
        if requested == "sparse":
            raise CannotRun(error.reason, "sample.engine") from None
        return "keras", f"{dense}. {error}"
    if requested == "auto" and kept > DENSE_FROM:
        return "keras", f"{dense}: at {kept:.0%} of the weights this is faster than over the surviving weights alone."
    return "sparse", "Gradients over the surviving weights alone, on the CPU."


def _check_model(model: Any, frozen: bool) -> None:
    """Refuse a model that has no posterior to sample."""
    layers = [layer.name for layer in model.submodules if isinstance(layer, BATCH_NORMALISATION)]
    if layers and not frozen:
        more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
        raise InputError(
            f"{model.name} normalises by the statistics of a batch ({layers[0]}{more}): rows "
            "have no likelihoods of their own. Take a network without batch normalisation, or set freeze_batch_norm: "
            "true to keep the statistics of the ticket's start.",
            field="sample.freeze_batch_norm",
            suggestion="true",
        )
    if constrained := constraints(model):
        listed = ", ".join(f"{path} ({constraint})" for path, constraint in constrained.items())
        raise InputError(
            f"{model.name} has constraints on weights, which a chain would ignore: {listed}. Remove them from the "
            "layers; a prior such as uniform(-1, 1) bounds weights.",
            field="model",
        )
