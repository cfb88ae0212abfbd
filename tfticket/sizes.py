"""The number of weights of this process's tickets: no larger network is built."""

import json

from tfticket.errors import InputError
from tfticket.types import Spec, Weights

_HELD: dict[str, int] = {}
"""A network's description -> how many weights the largest of its tickets has."""


def remember(spec: Spec, weights: Weights) -> None:
    """Note how many weights a ticket of a network holds."""
    key = _key(spec)
    _HELD[key] = max(_HELD.get(key, 0), sum(array.size for array in weights.values()))


def most_weights(spec: Spec) -> int | None:
    """Return how many weights a network may have at most; None where no ticket of it was made or read here."""
    return _HELD.get(_key(spec))


def _key(spec: Spec) -> str:
    try:
        return json.dumps(
            {name: value for name, value in spec.items() if name != "variational"}, sort_keys=True, default=str
        )
    except RecursionError:
        raise InputError("The ticket's model is nested too deep. The file is damaged.") from None
