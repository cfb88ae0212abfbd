"""Limits on the size of networks built from untrusted descriptions."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tfticket.backend import keras, tf
from tfticket.errors import InputError
from tfticket.sizes import most_weights
from tfticket.types import Spec

_EXTRA = 10_000
"""Numbers that a network may have besides the weights of its ticket, such as counters; or a twentieth as many."""
_LARGEST_OUTPUT = 2**28
"""Size of a layer's output for one image: 1 GB."""


@contextmanager
def limit_variables(spec: Spec) -> Iterator[None]:
    """Refuse, within the context, variables beyond the number of weights in the network's ticket."""
    held = most_weights(spec)
    if held is None:
        yield
        return
    limit, declared = held + max(_EXTRA, held // 20), 0

    def create(create_next: Callable[..., Any], **options: Any) -> Any:
        nonlocal declared
        declared += math.prod(options.get("shape") or ())
        if declared > limit:
            raise MemoryError
        return create_next(**options)

    try:
        with tf.variable_creator_scope(create):
            yield
    except Exception:
        if declared <= limit:
            raise
        raise InputError(
            f"The ticket describes a network of {declared:,} weights or more, but holds {held:,}. It is damaged or "
            "made to fill the memory."
        ) from None


def check_outputs(model: keras.Model) -> None:
    """Check that no layer's output fills the memory."""
    for layer in model._flatten_layers():
        for node in layer._inbound_nodes:
            for tensor in tf.nest.flatten(node.outputs):
                size = math.prod(size for size in tensor.shape[1:] if size) if tensor.shape.rank else 0
                if size > _LARGEST_OUTPUT:
                    raise InputError(
                        f"The model's layer {layer.name} gives {size:,} numbers for one image; expected at most "
                        f"{_LARGEST_OUTPUT:,}."
                    )
