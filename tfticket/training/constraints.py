"""Checks of constraints, which are the user's code and may return anything."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfticket.errors import InputError, shortened
from tfticket.network import MaskedNetwork
from tfticket.types import Mask, Weights


def check_constraints(network: MaskedNetwork) -> None:
    """Check that each constraint returns a tensor of its weights' shape.

    Raises:
        InputError: A constraint fails, or returns something else.
    """
    for path, variable in _constrained(network):
        expected = f"expected a tensor of the weights' shape, {tuple(variable.shape)}. Mend the constraint."
        constraint = f"{type(variable.constraint).__name__}, the constraint of {path},"
        try:
            returned = variable.constraint(variable)
        except Exception as error:  # the user's code
            raise InputError(
                f"{constraint} fails with {type(error).__name__}: {shortened(str(error), 200)}; {expected}"
            ) from None
        if returned is None:
            raise InputError(f"{constraint} returned None; {expected}")
        if np.shape(returned) != tuple(variable.shape):
            raise InputError(f"{constraint} returned the shape {np.shape(returned)}; {expected}")


def undefined_constraints(network: MaskedNetwork, mask: Mask, weights: Weights) -> list[str]:
    """Return the paths whose constraint maps finite surviving weights to infinity or NaN.

    Args:
        network: The network.
        mask: Kernel path -> boolean array.
        weights: Path -> array, finite.
    """
    undefined = []
    for path, variable in _constrained(network):
        variable.assign(weights[path])
        survivors = np.asarray(variable.constraint(variable))[mask.get(path, np.ones(variable.shape, bool))]
        if not np.all(np.isfinite(survivors)):
            undefined.append(path)
    return undefined


def _constrained(network: MaskedNetwork) -> Iterator[tuple[str, Any]]:
    return ((path, variable) for path, variable in network.variables.items() if variable.constraint is not None)
