"""Compile a ticket's network."""

import functools
import json
from typing import Any

from tfticket.config.training import CONV_DENSE_FROM, DENSE_FROM
from tfticket.models import model_from_spec, named_variables, normalisation_of
from tfticket.models.variables import trained_paths
from tfticket.sparse.layout import Layout
from tfticket.sparse.program import WIDEST, Compiled, compile_network
from tfticket.sparse.reader import sparse_layers
from tfticket.types import Mask, Spec


def compile_ticket(spec: Spec, mask: Mask, most_rows: int = WIDEST) -> tuple[Layout, Compiled]:
    """Return the layout of a ticket's trained weights, and its compiled network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        most_rows: Number of rows that are computed together.

    Raises:
        CannotRun: The network has layers that the tables do not support.
        InputError: No weight survives.
    """
    model = plain_model(spec)
    layout = layout_of(model, mask)
    return layout, compile_network(*sparse_layers(model, layout), normalisation_of(spec), most_rows)


def dense_from(mask: Mask) -> float:
    """Return the density above which a network is computed faster dense than over surviving weights, on a CPU."""
    has_convolutions = any(kept.ndim > 2 for kept in mask.values())
    return CONV_DENSE_FROM if has_convolutions else DENSE_FROM


def plain_model(spec: Spec) -> Any:
    """Return the model of a spec, without wrappers, to be read only; the last four stay built."""
    return _model(json.dumps(spec, sort_keys=True))


@functools.lru_cache(maxsize=4)
def _model(spec: str) -> Any:
    return model_from_spec(json.loads(spec))


def of_means(spec: Spec) -> Spec:
    """Return the network of a variational network's means; a deterministic one unchanged."""
    return {name: value for name, value in spec.items() if name != "variational"}


def layout_of(model: Any, mask: Mask) -> Layout:
    """Return the layout of a network's trained weights."""
    weights = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
    return Layout.of(weights, mask, trained_paths(model))
