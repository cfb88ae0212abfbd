"""Transplants: a ticket's mask, and its weights if wanted, carried to another network with the same kernels.

From a deterministic to a variational network, weights become posterior means, and standard deviations stay at their
initialisation. In the other direction, means become weights.

References:
    "Bayesian lottery ticket hypothesis", section 8; "Bayes always wins the lottery in Monte Carlo", section 4 (masks
    alone, trained by variational inference from random initialisations).
"""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from tfticket.config import Carried
from tfticket.errors import InputError, unknown
from tfticket.tickets.ticket import Ticket, check_ticket
from tfticket.types import Spec, Weights


def transplant(ticket: Ticket, onto: Ticket, carried: Carried = "start", trained: Weights | None = None) -> Ticket:
    """Carry a ticket's mask and weights to another network, whose other weights stay at their own start.

    Args:
        ticket: Of any level.
        onto: The unpruned network that receives them, e.g. ``Ticket.dense(to_variational(model))``.
        carried: 'mask', 'start' or 'trained'.
        trained: For 'trained': the ticket's trained weights.

    Returns:
        A ticket of ``onto``'s network at iteration 0.

    Raises:
        InputError: Another architecture (the message names the first difference); ``onto`` is pruned; not tickets, or
            trained weights of another network.
    """
    check_ticket(ticket, "transplant")
    check_ticket(onto, "transplant")
    if carried not in get_args(Carried):
        raise unknown("weights to carry", str(carried), get_args(Carried), field="carried")
    check_same_architecture(ticket, onto)
    if not all(kept.all() for kept in onto.mask.values()):
        raise InputError(
            "The network to transplant onto is pruned; give the unpruned one, Ticket.dense(model).", field="onto"
        )
    if carried != "trained" and trained is not None:
        raise InputError(
            f"Trained weights are carried by 'trained' alone, not by '{carried}'. Leave them out, or say 'trained'.",
            field="trained",
        )
    if carried == "trained" and not isinstance(trained, Mapping):
        raise InputError(
            "To carry trained weights, give them: transplant(ticket, onto, 'trained', trained.weights).",
            field="trained",
        )
    weights = {"mask": {}, "start": ticket.start, "trained": trained or {}}[carried]
    for path, array in plain_weights(ticket).items() if weights else ():
        if path not in weights or np.shape(weights[path]) != array.shape:
            problem = f"of shape {np.shape(weights[path])}, not {array.shape}" if path in weights else "missing"
            raise InputError(
                f"The trained weights are not of {ticket.name}: {path} is {problem}. Give those of the ticket.",
                field="trained",
            )
    start = {path: weights.get(path, array) for path, array in onto.start.items()}
    provenance = onto.provenance | {"transplanted": carried, "from": ticket.provenance}
    if "exempt" in ticket.provenance:
        provenance["exempt"] = ticket.provenance["exempt"]
    initial = start
    if carried == "trained" or (carried == "start" and ticket.unmasked_start is not ticket.start):
        provenance["rewind"] = "none"  # as after learning-rate rewinding, the start is trained weights
        initial = {path: ticket.initial.get(path, array) for path, array in onto.start.items()}
    return replace(onto, mask=ticket.mask, start=start, initial=initial, level=ticket.level, provenance=provenance)


def check_same_architecture(ticket: Ticket, onto: Ticket) -> None:
    """Check that networks differ at most in standard deviations, initialisers and names of layers without weights."""
    first, second = ({path: array.shape for path, array in plain_weights(t).items()} for t in (ticket, onto))
    for path in [*first, *second]:
        if first.get(path) != second.get(path):
            here, there = (f"shape {shapes[path]}" if path in shapes else "missing" for shapes in (first, second))
            raise InputError(
                f"A ticket of {ticket.name} cannot be transplanted onto {onto.name}: {path} is {here} in the first and "
                f"{there} in the second. Take two networks of one architecture.",
                field="onto",
            )
    if list(ticket.mask) != list(onto.mask):
        raise InputError(
            f"{ticket.name} and {onto.name} do not prune the same layers, so no mask fits both.", field="onto"
        )
    if difference := _first_difference(ticket.model, onto.model):
        raise InputError(
            f"A ticket of {ticket.name} cannot be transplanted onto {onto.name}: {difference}. Take two networks of "
            "one architecture, for data normalised alike.",
            field="onto",
        )


def _first_difference(first: Spec, second: Spec) -> str:
    """Describe the first difference in the computations of two networks with the same weights; '' if none."""
    from tfticket.models import describe_shape, model_from_spec
    from tfticket.models.variables import layers_by_path

    specs = [_without(spec, "variational", "initialiser") for spec in (first, second)]
    if specs[0] == specs[1]:
        return ""
    constants = [spec.get("normalisation", "pixels / 255") for spec in specs]
    if constants[0] != constants[1]:
        here, there = (textwrap.shorten(str(constant), 120, placeholder=" ...") for constant in constants)
        return f"the inputs' normalisation is {here} in the first and {there} in the second"
    models = [model_from_spec(spec) for spec in specs]
    if models[0].input_shape != models[1].input_shape:
        sizes = [describe_shape(model.input_shape[1:]) for model in models]
        return f"inputs are {sizes[0]} in the first and {sizes[1]} in the second"
    for (path, layer), (_, other) in zip(*map(layers_by_path, models), strict=False):  # further ones have no weights
        if type(layer) is not type(other):
            return f"{path} is {type(layer).__name__} in the first and {type(other).__name__} in the second"
        options, others = layer.get_config(), other.get_config()
        for key in options:
            if key != "name" and not key.endswith("_initializer") and options[key] != others.get(key):
                return f"{key} of {path} is {options[key]} in the first and {others.get(key)} in the second"
    return ""


def _without(spec: Spec, *keys: str) -> Spec:
    return {key: value for key, value in spec.items() if key not in keys}


def plain_weights(ticket: Ticket) -> Weights:
    """Return the start weights without those that only a variational network has."""
    return {path: array for path, array in ticket.start.items() if not is_rho(ticket.model, path)}


def is_rho(spec: Spec, path: str) -> bool:
    """Return True if a weight determines a posterior's standard deviation."""
    return "variational" in spec and path.endswith(("/kernel_rho", "/bias_rho"))


def to_deterministic(ticket: Ticket) -> Ticket:
    """Return the ticket of the network of means; a deterministic network's ticket unchanged.

    Chains, survival models and exports take it: they use weights, not their distributions.

    Raises:
        InputError: Not a ticket.
    """
    check_ticket(ticket, "to_deterministic")
    if "variational" not in ticket.model:
        return ticket
    start, initial = (
        {path: array for path, array in weights.items() if not is_rho(ticket.model, path)}
        for weights in (ticket.start, ticket.initial)
    )
    return replace(
        ticket,
        model=_without(ticket.model, "variational"),
        start=start,
        initial=start if ticket.initial is ticket.start else initial,
    )
