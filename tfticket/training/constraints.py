"""Checks of constraints, which are the user's code and may return anything."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tfticket.backend import own_settings, tf
from tfticket.errors import InputError, shortened
from tfticket.network import MaskedNetwork
from tfticket.types import Mask, Weights

CALLS = 3
"""Calls of a constraint before training, which calls it more than once when it compiles."""


@own_settings()
def check_constraints(network: MaskedNetwork) -> None:
    """Check that each constraint, compiled as in training, returns a tensor of its weights' shape and type."""
    for path, variable in _constrained(network):
        constraint = f"{type(variable.constraint).__name__}, the constraint of {path},"
        for _ in range(CALLS):
            compiled = tf.function(partial(_call, variable, constraint), autograph=False, jit_compile=network.jit)
            try:
                returned = compiled()
            except InputError:
                raise
            except Exception as error:  # the user's code
                reason = f"{type(error).__name__}: {shortened(str(error), 200)}"
                raise InputError(f"{constraint} fails with {reason}; {_expected(variable)}", field="model") from None
        if np.shape(returned) != tuple(variable.shape):
            raise InputError(
                f"{constraint} returned the shape {np.shape(returned)}; {_expected(variable)}", field="model"
            )


def _call(variable: Any, constraint: str) -> Any:
    """Call a variable's constraint while TensorFlow compiles."""
    returned = variable.constraint(variable)
    kind = type(returned).__name__
    if returned is None:
        raise InputError(f"{constraint} returned None; {_expected(variable)}", field="model")
    if not isinstance(returned, tf.Tensor | tf.Variable):
        raise InputError(f"{constraint} returned {kind}; {_expected(variable)}", field="model")
    if returned.dtype.base_dtype != variable.dtype.base_dtype:
        raise InputError(
            f"{constraint} returned {returned.dtype.base_dtype.name}; {_expected(variable)}", field="model"
        )
    if not returned.shape.is_compatible_with(variable.shape):
        raise InputError(
            f"{constraint} returned the shape {tuple(returned.shape)}; {_expected(variable)}", field="model"
        )
    return tf.convert_to_tensor(returned)


def _expected(variable: Any) -> str:
    expected = f"{variable.dtype.base_dtype.name} {tuple(variable.shape)}"
    return (
        f"expected a tensor of the weights' type and shape, {expected}, at each call. Fix the constraint; training "
        "compiles it, so write it in TensorFlow's functions, such as tf.clip_by_value and tf.where, without NumPy, "
        ".numpy() or an if about weights."
    )


def undefined_constraints(network: MaskedNetwork, mask: Mask, weights: Weights) -> list[str]:
    """Return the paths whose constraint maps finite surviving weights to infinity or NaN."""
    undefined = []
    for path, variable in _constrained(network):
        variable.assign(weights[path])
        survivors = np.asarray(variable.constraint(variable))[mask.get(path, np.ones(variable.shape, bool))]
        if not np.all(np.isfinite(survivors)):
            undefined.append(path)
    return undefined


def _constrained(network: MaskedNetwork) -> Iterator[tuple[str, Any]]:
    return ((path, variable) for path, variable in network.variables.items() if variable.constraint is not None)
