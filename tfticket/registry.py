"""What there is by name. Literal tables name -> 'module:function', resolved when used.

Listing and checking a name imports nothing, so that help and forms stay quick.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tfticket.errors import InputError, unknown


class Entry(NamedTuple):
    """Where a named thing lives, and one line about it."""

    target: str
    about: str


class StepKind(NamedTuple):
    """Where a step's function lives, and its version: raise it when the step's bits change."""

    target: str
    version: int


EXPERIMENTS = {
    "quickstart": Entry("experiments.quickstart:main", "tickets by iterative pruning, trained beside their controls"),
}

DATA_SETS = {
    "mnist": Entry("tfticket.data.sources:mnist", "28x28 grey digits, 60,000 + 10,000 rows, bundled"),
}

MODELS = {
    "lenet-300-100": Entry("tfticket.models.lenet:lenet_300_100", "two hidden dense layers, 266,610 on MNIST"),
}

SCORES = {
    "magnitude": Entry("tfticket.pruning.scores:magnitude", "absolute value of the trained weight"),
    "random": Entry("tfticket.pruning.scores:random", "a seeded uniform draw, the control"),
}

CONTROLS = {
    "reinitialise": Entry("tfticket.tickets.controls:reinitialise", "the mask kept, weights drawn anew"),
    "random-mask": Entry("tfticket.tickets.controls:random_mask", "the start kept, each layer's mask permuted"),
}

STEPS = {
    "start": StepKind("tfticket.steps:start", 1),
    "train": StepKind("tfticket.steps:train", 1),
    "prune": StepKind("tfticket.steps:prune", 1),
    "control": StepKind("tfticket.steps:control", 1),
    "evaluate": StepKind("tfticket.steps:evaluate", 1),
}


def check_name(what: str, name: str, table: Mapping[str, object]) -> str:
    """The name itself if the table has it.

    Raises:
        InputError: It has not; the message names the nearest.
    """
    if name not in table:
        raise InputError(unknown(what, name, table))
    return name


def resolve(target: str) -> Callable[..., Any]:
    """Import 'module:function' and return the function."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
