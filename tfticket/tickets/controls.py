"""Controls: tickets altered on purpose, to find out which of their properties matter. Pure and seeded.

A shuffle moves survivors within the layers that are pruned; exempt layers stay unchanged. Each control keeps the
number of survivors exactly, except ``random_mask``, which is given densities, and ``own_mask``. After learning-rate
rewinding a ticket's start is 0 off its mask; a control with another mask then starts from the initial weights.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.errors import InputError
from tfticket.models import initial_weights, model_from_spec
from tfticket.models.variables import canonical_names
from tfticket.pruning.mask import collapsed_layers, prunable_part, survivors
from tfticket.pruning.mask_files import read_mask
from tfticket.pruning.shuffles import draw_survivors, even_counts, global_counts, survivors_at
from tfticket.tickets.ticket import Ticket
from tfticket.types import Mask, Weights


def reinitialise(ticket: Ticket, seed: int, initialiser: str | None = None) -> Ticket:
    """Keep the mask, redraw the weights; constants stay the ticket's.

    All levels of a seed get the same new weights, as they had the same initial ones.

    Args:
        ticket: Of any level.
        seed: Of the draws.
        initialiser: Distribution of the kernels, as in a network's configuration; None: each layer's own.

    References:
        Frankle and Carbin (2019), section 2, "random reinitialization".
    """
    weights = _redraw_weights(ticket, seed, "reinitialise", initialiser)
    return _with_weights(ticket, weights, "reinitialise", seed, initialiser)


def keep_signs(ticket: Ticket, seed: int, initialiser: str | None = None) -> Ticket:
    """Keep the mask and the signs of the kernels' start weights, redraw everything else.

    Args:
        ticket: Of any level.
        seed: Of the draws.
        initialiser: As for ``reinitialise``; only the magnitudes of its draws are used.

    References:
        Zhou et al. (2019), "Deconstructing lottery tickets", section 4.
    """
    weights = _redraw_weights(ticket, seed, "keep signs", initialiser)
    signed = {path: np.copysign(weights[path], ticket.start[path]) for path in ticket.mask}
    return _with_weights(ticket, weights | signed, "keep-signs", seed, initialiser)


def shuffle_global(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Permute the survivors over all layers together: each layer's expected density is the ticket's.

    Args:
        ticket: Of any level.
        seed: Of the permutation.
        allow_empty: Let a layer lose its last weight; the ticket's provenance lists such layers.

    References:
        "Bayesian lottery ticket hypothesis", section 7; Frankle et al. (2021), "Pruning neural networks at
        initialization: why are we missing the mark?", section 5.
    """
    counts = global_counts(_prunable_mask(ticket), seed, ticket.level)
    return _with_mask(ticket, _redraw_mask(ticket, counts, seed, "shuffle global"), "shuffle-global", seed, allow_empty)


def shuffle_even(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Choose each layer's survivors at random, all layers at the mean density.

    Counts are rounded; those with the largest remainder are rounded up, so that the sum is the ticket's.

    Args, Raises, References: as ``shuffle_global``.
    """
    counts = even_counts(_prunable_mask(ticket))
    return _with_mask(ticket, _redraw_mask(ticket, counts, seed, "shuffle even"), "shuffle-even", seed, allow_empty)


def shuffle_layerwise(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Permute each layer's mask: the number of survivors of each layer is the ticket's.

    No layer collapses; ``allow_empty`` gives all shuffles the same signature.

    Args, References: as ``shuffle_global``.
    """
    mask = _redraw_mask(ticket, survivors(_prunable_mask(ticket)), seed, "shuffle layerwise")
    return _with_mask(ticket, mask, "shuffle-layerwise", seed, allow_empty)


def random_mask(ticket: Ticket, seed: int, densities: float | Mapping[str, float], allow_empty: bool = True) -> Ticket:
    """Choose survivors at random at given densities, independent of the ticket's.

    Args:
        ticket: Of any level.
        seed: Of the choice.
        densities: Fraction of each layer that survives, in [0, 1]: one for all layers that are pruned, or by the
            layer's name; other layers keep their mask. round(density x weights) survive.
        allow_empty: As for ``shuffle_global``.
    """
    counts = survivors_at(ticket.mask, densities, ticket.provenance.get("exempt", ()))
    return _with_mask(ticket, _redraw_mask(ticket, counts, seed, "random mask"), "random-mask", seed, allow_empty)


def own_mask(ticket: Ticket, seed: int, path: str, allow_empty: bool = True) -> Ticket:
    """Replace the mask by the user's, read from a file.

    Args:
        ticket: Of any level.
        seed: Unused, since nothing is drawn: all seeds have the same mask.
        path: See ``tfticket.pruning.mask_files.read_mask``.
        allow_empty: As for ``shuffle_global``.
    """
    return _with_mask(ticket, read_mask(path, ticket.mask), "own-mask", seed, allow_empty)


def stream_names(ticket: Ticket) -> dict[str, str]:
    """Return kernel path -> name of its random stream; automatic layer names in it are renumbered."""
    return (
        canonical_names(model_from_spec(ticket.model))
        if "keras" in ticket.model
        else {path: path for path in ticket.mask}
    )


def _prunable_mask(ticket: Ticket) -> Mask:
    return prunable_part(ticket.mask, ticket.provenance.get("exempt", ()))


def _redraw_mask(ticket: Ticket, counts: Mapping[str, int], seed: int, stream: str) -> Mask:
    part = {path: ticket.mask[path] for path in counts}
    return draw_survivors(part, counts, seed, stream, ticket.level, stream_names(ticket))


def _with_mask(ticket: Ticket, part: Mask, control: str, seed: int, allow_empty: bool) -> Ticket:
    """Return the ticket with other masks in some layers; report or refuse layers that collapsed."""
    mask = ticket.mask | part
    collapsed = collapsed_layers(ticket.mask, mask)
    if collapsed and not allow_empty:
        raise InputError(
            f"The control {control} (seed {seed}) leaves no weight in {', '.join(collapsed)}. Set allow_empty, as the "
            "papers have it, or take a denser ticket.",
            field="allow_empty",
        )
    start = ticket.unmasked_start
    iteration = ticket.iteration if start is ticket.start else 0
    provenance = _add_control(ticket, control, seed, **({"emptied": collapsed} if collapsed else {}))
    return replace(ticket, mask=mask, start=start, iteration=iteration, provenance=provenance)


def _redraw_weights(ticket: Ticket, seed: int, stream: str, initialiser: str | None) -> Weights:
    model = replace(ticket, start=ticket.initial).build_model()
    # A derived seed: the plain one would return the ticket's own initialisation.
    return initial_weights(model, seeds.derive(seed, stream), initialiser)


def _with_weights(ticket: Ticket, weights: Weights, control: str, seed: int, initialiser: str | None) -> Ticket:
    provenance = _add_control(ticket, control, seed, **({"initialiser": initialiser} if initialiser else {}))
    return replace(ticket, start=weights, initial=weights, iteration=0, provenance=provenance)


def _add_control(ticket: Ticket, control: str, seed: int, **options: object) -> dict[str, Any]:
    """Return a ticket's provenance with one more control."""
    controls = [*ticket.provenance.get("controls", ()), {"control": control, "seed": seed, **options}]
    return ticket.provenance | {"controls": controls}
