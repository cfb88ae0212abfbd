"""Limits of what a stranger's description may make this process build."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tfticket.backend import keras, tf
from tfticket.errors import InputError
from tfticket.sizes import most_weights
from tfticket.types import Spec

_BESIDE = 10_000
"""Numbers that a network may have beside the weights of its ticket, such as counters; or a twentieth as many."""
_LARGEST_OUTPUT = 2**28
"""Numbers of a layer's output for one image: 1 GB."""


@contextmanager
def no_larger_than_its_ticket(spec: Spec) -> Iterator[None]:
    """Build within it: no variable is allocated beyond the number of weights that the network's ticket holds.

    Raises:
        InputError: The network is larger.
    """
    most = most_weights(spec)
    if most is None:
        yield
        return
    limit, declared = most + max(_BESIDE, most // 20), 0

    def create(make: Callable[..., Any], **options: Any) -> Any:
        nonlocal declared
        declared += math.prod(options.get("shape") or ())
        if declared > limit:
            raise MemoryError
        return make(**options)

    try:
        with tf.variable_creator_scope(create):
            yield
    except Exception:
        if declared <= limit:
            raise
        raise InputError(
            f"The ticket describes a network of {declared:,} weights or more, but holds {most:,}. It is damaged or "
            "made to fill the memory."
        ) from None


def check_outputs(model: keras.Model) -> None:
    """See that no layer's output fills the memory.

    Raises:
        InputError: One does; the message names the layer.
    """
    for layer in model._flatten_layers():
        for node in layer._inbound_nodes:
            for tensor in tf.nest.flatten(node.outputs):
                size = math.prod(size for size in tensor.shape[1:] if size) if tensor.shape.rank else 0
                if size > _LARGEST_OUTPUT:
                    raise InputError(
                        f"The model's layer {layer.name} gives {size:,} numbers for one image; expected at most "
                        f"{_LARGEST_OUTPUT:,}."
                    )
