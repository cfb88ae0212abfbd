"""Export of a trained or sampled ticket as one C file."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.models import model_from_spec, normalisation_of
from tfticket.runs.files import atomic_write, check_writable
from tfticket.runs.run_folder import inputs_of
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.sparse.build import compile_ticket
from tfticket.sparse.c_source import c_source
from tfticket.sparse.layout import Layout
from tfticket.sparse.reader import CannotRun
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

ROWS = 64
"""Rows that are computed together."""


def trained_weights(ticket: Path, trained: Path) -> tuple[Ticket, np.ndarray]:
    """Return a ticket and its trained weights, theta float32 [1, size], from the folders of their steps."""
    loaded, (weights, _) = Ticket.load(ticket / TICKET), load_weights(trained / WEIGHTS)
    return loaded, _compile(loaded)[0].pack(weights)[None].astype(np.float32)


def drawn_weights(chains: Sequence[Sequence[Path]], most: int) -> tuple[Ticket, np.ndarray]:
    """Return a ticket and draws of its weights, evenly spaced and equally many of each chain, float32 [draws, size].

    Args:
        chains: Folders of the parts of each chain.
        most: Largest number of draws.
    """
    from tfticket.sampling.chain_files import read_draws_of_parts

    each = max(1, most // len(chains))
    draws = [read_draws_of_parts(parts) for parts in chains]
    spaced = [of_chain[np.linspace(0, len(of_chain) - 1, min(each, len(of_chain))).astype(int)] for of_chain in draws]
    return Ticket.load(inputs_of(chains[0][0])["ticket"] / TICKET), np.concatenate(spaced)


def write_c(ticket: Ticket, thetas: np.ndarray, path: Path) -> int:
    """Write a C file, atomically; return its size in bytes. See ``tfticket.sparse.c_source``.

    Args:
        ticket: The ticket, whose network is a chain of layers that the sparse engine supports.
        thetas: Its weights, float [draws, size]; the file predicts the mean over draws of the probabilities.
        path: The file.

    Raises:
        InputError: A network that the sparse engine does not support, or a file that cannot be written.
    """
    check_writable(path.absolute().parent, "--out")
    _, compiled = _compile(ticket)
    shape = model_from_spec(ticket.model).input_shape[1:]
    weights = f"{len(thetas):,} draws of the weights" if len(thetas) > 1 else "trained weights"
    about = (
        f"{ticket.model.get('name', 'A network')}, level {ticket.level}: {ticket.density:.3%} of the prunable weights. "
        f"{weights[:1].upper()}{weights[1:]}. Written by tfticket {version('tfticket')}."
    )
    source = c_source(compiled, thetas, normalisation_of(ticket.model).dtype, int(np.prod(shape)), about)
    atomic_write(path, lambda file: file.write_text(source, encoding="ascii", errors="replace"))
    return len(source)


def _compile(ticket: Ticket) -> tuple[Layout, Any]:
    try:
        return compile_ticket(ticket.model, ticket.mask, ROWS)
    except CannotRun as error:
        raise InputError(
            f"This ticket cannot be written as C: {error.reason}. Expected a chain of Dense, Conv2D, pooling, Flatten, "
            "ReLU and tanh layers.",
            field="--format",
        ) from None
