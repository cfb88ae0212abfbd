"""Controls: a ticket altered on purpose, to see what of it matters. Pure and seeded.

A shuffle moves survivors about, in the layers that are pruned; exempt ones stay as they are. Each control keeps the
ticket's number of survivors exactly, but for ``random_mask``, which is told how many, and ``own_mask``. Where the
ticket's start is 0 off its mask, after learning-rate rewinding, a control with another mask starts from the initial
weights.
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
from tfticket.pruning.shuffles import chosen, even_counts, global_counts, survivors_at
from tfticket.tickets.ticket import Ticket
from tfticket.types import Mask, Weights


def reinitialise(ticket: Ticket, seed: int, initialiser: str | None = None) -> Ticket:
    """Keep the mask, draw the weights anew; constants stay the ticket's.

    All levels of a seed have the same new weights, as they had the same initial ones.

    Args:
        ticket: Of any level.
        seed: Of the draws.
        initialiser: Distribution of the kernels, as in a network's configuration; None is each layer's own.

    Raises:
        InputError: A layer of an own network names no initialiser.

    References:
        Frankle and Carbin (2019), section 2, "random reinitialization".
    """
    return _with_weights(ticket, _drawn(ticket, seed, "reinitialise", initialiser), "reinitialise", seed, initialiser)


def keep_signs(ticket: Ticket, seed: int, initialiser: str | None = None) -> Ticket:
    """Keep the mask and the signs of the kernels' start weights, draw all else anew.

    Args:
        ticket: Of any level.
        seed: Of the draws.
        initialiser: As for ``reinitialise``; of it the magnitudes are taken.

    Raises:
        InputError: As ``reinitialise``.

    References:
        Zhou et al. (2019), "Deconstructing lottery tickets", section 4.
    """
    drawn = _drawn(ticket, seed, "keep signs", initialiser)
    signed = {path: np.copysign(drawn[path], ticket.start[path]) for path in ticket.mask}
    return _with_weights(ticket, drawn | signed, "keep-signs", seed, initialiser)


def shuffle_global(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Permute the survivors over all layers together: each layer has the mean density, but for chance.

    Args:
        ticket: Of any level.
        seed: Of the permutation.
        allow_empty: Let a layer lose its last weight; the ticket's provenance says which did.

    Raises:
        InputError: A layer was emptied, and may not be.

    References:
        "Bayesian lottery ticket hypothesis", section 7; Frankle et al. (2021), "Pruning neural networks at
        initialization: why are we missing the mark?", section 5.
    """
    mask = _shuffled_part(ticket)
    mask = chosen(
        mask, global_counts(mask, seed, ticket.level), seed, "shuffle global", ticket.level, stream_names(ticket)
    )
    return _with_mask(ticket, mask, "shuffle-global", seed, allow_empty)


def shuffle_even(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Choose each layer's survivors at random, all layers at the mean density.

    A layer's number is rounded, up for those with the largest remainder, so that the sum is the ticket's.

    Args, Raises, References: as ``shuffle_global``.
    """
    mask = _shuffled_part(ticket)
    mask = chosen(mask, even_counts(mask), seed, "shuffle even", ticket.level, stream_names(ticket))
    return _with_mask(ticket, mask, "shuffle-even", seed, allow_empty)


def shuffle_layerwise(ticket: Ticket, seed: int, allow_empty: bool = True) -> Ticket:
    """Permute each layer's mask: as many survivors in each layer as the ticket has.

    It empties no layer; ``allow_empty`` is there so that all shuffles are called alike.

    Args, References: as ``shuffle_global``.
    """
    mask = _shuffled_part(ticket)
    mask = chosen(mask, survivors(mask), seed, "shuffle layerwise", ticket.level, stream_names(ticket))
    return _with_mask(ticket, mask, "shuffle-layerwise", seed, allow_empty)


def random_mask(ticket: Ticket, seed: int, densities: float | Mapping[str, float], allow_empty: bool = True) -> Ticket:
    """Choose survivors at random at given densities, whatever the ticket's are.

    Args:
        ticket: Of any level.
        seed: Of the choice.
        densities: Fraction of each layer that survives, in [0, 1]: one for all that are pruned, or by the layer's
            name; a layer that is not named keeps its mask. Each leaves round(density x weights).
        allow_empty: As for ``shuffle_global``.

    Raises:
        InputError: A density outside [0, 1], a layer that there is not or that is exempt, or a layer emptied that
            may not be.
    """
    wanted = survivors_at(ticket.mask, densities, ticket.provenance.get("exempt", ()))
    told = {path: ticket.mask[path] for path in wanted}
    mask = chosen(told, wanted, seed, "random mask", ticket.level, stream_names(ticket))
    return _with_mask(ticket, mask, "random-mask", seed, allow_empty)


def own_mask(ticket: Ticket, seed: int, path: str, allow_empty: bool = True) -> Ticket:
    """Put a mask of the user's own on the ticket's weights.

    Args:
        ticket: Of any level.
        seed: There is no draw: all seeds have the same mask.
        path: See ``tfticket.pruning.mask_files.read_mask``.
        allow_empty: As for ``shuffle_global``.

    Raises:
        InputError: A file that does not fit, or a layer emptied that may not be.
    """
    return _with_mask(ticket, read_mask(path, ticket.mask), "own-mask", seed, allow_empty)


def _shuffled_part(ticket: Ticket) -> Mask:
    return prunable_part(ticket.mask, ticket.provenance.get("exempt", ()))


def stream_names(ticket: Ticket) -> dict[str, str]:
    """Kernel path -> the name of its stream: automatic names of an own network's layers are counted anew."""
    return (
        canonical_names(model_from_spec(ticket.model))
        if "keras" in ticket.model
        else {path: path for path in ticket.mask}
    )


def _with_mask(ticket: Ticket, part: Mask, control: str, seed: int, allow_empty: bool) -> Ticket:
    """The ticket with other masks in some layers; layers without a survivor that had one are reported or refused."""
    mask = ticket.mask | part
    emptied = collapsed_layers(ticket.mask, mask)
    if emptied and not allow_empty:
        raise InputError(
            f"The control {control} (seed {seed}) leaves no weight in {', '.join(emptied)}. Set allow_empty, as the "
            "papers have it, or take a denser ticket."
        )
    start = ticket.unmasked_start
    iteration = ticket.iteration if start is ticket.start else 0
    said = _said(ticket, control, seed, **({"emptied": emptied} if emptied else {}))
    return replace(ticket, mask=mask, start=start, iteration=iteration, provenance=said)


def _drawn(ticket: Ticket, seed: int, what: str, initialiser: str | None) -> Weights:
    model = replace(ticket, start=ticket.initial).build_model()
    # A seed of its own: the plain one would give the ticket's initialisation back.
    return initial_weights(model, seeds.derive(seed, what), initialiser)


def _with_weights(ticket: Ticket, weights: Weights, control: str, seed: int, initialiser: str | None) -> Ticket:
    said = _said(ticket, control, seed, **({"initialiser": initialiser} if initialiser else {}))
    return replace(ticket, start=weights, initial=weights, iteration=0, provenance=said)


def _said(ticket: Ticket, control: str, seed: int, **how: object) -> dict[str, Any]:
    """A ticket's provenance with one more control."""
    controls = [*ticket.provenance.get("controls", ()), {"control": control, "seed": seed, **how}]
    return ticket.provenance | {"controls": controls}
