"""Inspection of a ticket."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.inspection.graph import graph_of, network_for_inspection
from tfticket.inspection.operations import Operation
from tfticket.inspection.paths import Graph, Reach, count_dense_paths, count_paths, reach
from tfticket.inspection.pictures import histogram, picture, receptive_fields
from tfticket.inspection.result import Histogram, Inspection, KernelInspection, ReceptiveFields
from tfticket.inspection.run_tickets import RunTicket
from tfticket.models import named_variables
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights
from tfticket.types import Mask, Weights


def load(run_ticket: RunTicket) -> tuple[Ticket, Weights, Weights | None]:
    """Load the arguments of ``inspect_ticket``: ticket, trained weights, and those from which its mask was chosen.

    Args:
        run_ticket: One of ``tickets_of(run)``.

    Raises:
        InputError: An artefact is missing or damaged.
    """
    ticket = Ticket.load(run_ticket.ticket / TICKET)
    trained, _ = load_weights(run_ticket.trained / WEIGHTS)
    before = None if run_ticket.before is None else load_weights(run_ticket.before / WEIGHTS)[0]
    return ticket, trained, before


def inspect_ticket(ticket: Ticket, trained: Weights | None = None, before: Weights | None = None) -> Inspection:
    """Inspect a ticket: its survivors, those that lie on a path, its costs, the distribution of its weights.

    Multiplications are those of prunable kernels: biases, normalisation, attention's products of activations and other
    layers are left out.

    Args:
        ticket: The ticket.
        trained: Path -> array, the weights that training gave this ticket.
        before: Path -> array, the trained weights from which its mask was chosen. Weights pruned in earlier
            levels are 0 there and do not count.

    Returns:
        The inspection. If the network has unknown layers, or too many paths for float64, its notes say so, and what
        depends on paths is None.

    Raises:
        InputError: Weights of another network.
    """
    for name, weights in (("trained", trained), ("before", before)):
        if weights is not None:
            _check_weights(ticket, name, weights)
    model = network_for_inspection(ticket.model)
    graph = graph_of(model)
    on_path, notes = _on_path(graph, ticket.mask)
    if len(graph.shapes[graph.image]) == 1:
        notes.append("The inputs are features, not images: there is no figure of receptive fields.")
    paths = dense_paths = input_paths = None
    if on_path is not None:
        input_paths, paths = _finite(count_paths(graph, ticket.mask), "The ticket", notes)
        shapes = {path: kept.shape for path, kept in ticket.mask.items()}
        _, dense_paths = _finite(count_dense_paths(graph, shapes), "The dense network", notes)
    trainable = {id(variable) for variable in model.trainable_weights}
    parameters = sum(
        math.prod(variable.shape)
        for path, (_, variable) in named_variables(model).items()
        if id(variable) in trainable or path in ticket.mask
    )
    return Inspection(
        network=ticket.name,
        level=ticket.level,
        density=ticket.density,
        exempt=tuple(map(str, ticket.provenance.get("exempt", ()))),
        parameters=parameters,
        surviving_parameters=parameters
        - sum(kept.size for kept in ticket.mask.values())
        + sum(ticket.survivors.values()),
        paths=paths,
        dense_paths=dense_paths,
        input_paths=input_paths,
        dead_inputs=None if on_path is None else ~on_path.inputs,
        receptive_fields=_receptive_fields(graph, ticket.mask),
        kernels=_kernels(ticket, graph, on_path, trained, before),
        notes=tuple(notes),
    )


def _check_weights(ticket: Ticket, name: str, weights: Weights) -> None:
    for path, kept in ticket.mask.items():
        if path not in weights or weights[path].shape != kept.shape:
            shape = weights[path].shape if path in weights else "missing"
            raise InputError(
                f"{path} is {shape} in the weights '{name}'; the ticket's is {kept.shape}. Give weights of its "
                "network.",
                field=name,
            )


def _on_path(graph: Graph, mask: Mask) -> tuple[Reach | None, list[str]]:
    """Return what lies on paths; None and a note if there are unknown layers."""
    if not graph.unknown:
        return reach(graph, mask), []
    layers = ", ".join(dict.fromkeys(f"{call.layer} ({call.kind})" for call in graph.unknown))
    return None, [
        f"Paths, live survivors, dead units and dead inputs are unknown: tfticket has no rule for the layers {layers}."
    ]


def _finite(inputs: np.ndarray, network: str, notes: list[str]) -> tuple[np.ndarray | None, float | None]:
    """Return paths from each input, and their sum; None and a note if they are too many."""
    with np.errstate(over="ignore"):
        total = float(inputs.sum())
    if math.isfinite(total):
        return np.ascontiguousarray(inputs), total
    notes.append(f"{network} has more paths than the largest float64, 1.8e308; they are not counted.")
    return None, None


def _receptive_fields(graph: Graph, mask: Mask) -> ReceptiveFields | None:
    """Return those of the first kernel applied to the image itself, perhaps padded or reshaped."""
    images = {graph.image}
    for call in graph.calls:
        if call.inputs[0] not in images:
            continue
        if call.kernel is not None:
            return receptive_fields(call.kernel, mask[call.kernel], graph.shapes[graph.image])
        if isinstance(call.operation, Operation) and call.operation.keeps_image:
            images.add(call.output)
    return None


def _kernels(
    ticket: Ticket, graph: Graph, on_path: Reach | None, trained: Weights | None, before: Weights | None
) -> tuple[KernelInspection, ...]:
    kinds, position_counts = {}, dict.fromkeys(ticket.mask, 0)
    for call in graph.calls:
        if call.kernel is not None:
            kinds[call.kernel] = call.kind
            position_counts[call.kernel] += math.prod(graph.shapes[call.output]) // ticket.mask[call.kernel].shape[-1]

    def inspect_kernel(path: str) -> KernelInspection:
        kept = ticket.mask[path]
        return KernelInspection(
            path=path,
            kind=kinds.get(path, ""),
            shape=kept.shape,
            survivors=int(np.count_nonzero(kept)),
            multiplies=position_counts[path] * kept.size,
            histograms=_histograms(ticket, path, trained, before),
            picture=picture(kept),
            **_live_fields(path, on_path),
        )

    with ThreadPoolExecutor() as pool:  # NumPy releases the GIL
        return tuple(pool.map(inspect_kernel, ticket.mask))


def _live_fields(path: str, on_path: Reach | None) -> dict[str, Any]:
    if on_path is None:
        return {"live": None, "dead_units": None, "fed_inputs": None, "used_inputs": None}
    live = on_path.live[path]
    pairs: np.ndarray = np.any(live.reshape(-1, *live.shape[-2:]), axis=0)
    return {
        "live": int(np.count_nonzero(live)),
        "dead_units": ~np.any(pairs, axis=0),
        "fed_inputs": int(np.count_nonzero(on_path.fed[path])),
        "used_inputs": int(np.count_nonzero(np.any(pairs, axis=1))),
    }


def _histograms(ticket: Ticket, path: str, trained: Weights | None, before: Weights | None) -> dict[str, Histogram]:
    kept, initial, start = ticket.mask[path], ticket.initial[path], ticket.start[path]
    histograms = {"initial": histogram(initial, kept)}
    if start is not initial and not np.array_equal(start, initial):
        histograms["start"] = histogram(start, kept, _not_pruned_earlier(start, kept))
    if trained is not None:
        histograms["trained"] = histogram(trained[path], kept, kept)
    if before is not None:
        histograms["before"] = histogram(before[path], kept, _not_pruned_earlier(before[path], kept))
    return histograms


def _not_pruned_earlier(weights: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return which trained weights count: those pruned in an earlier level are 0 and do not."""
    return np.asarray(kept | (weights != 0))
