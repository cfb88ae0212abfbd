"""Lengths of training: '40ep' is 40 passes over the training rows, '2000it' is 2,000 iterations."""

import itertools
import re
from typing import Annotated

from pydantic import BeforeValidator

from tfticket.errors import InputError


def _duration(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a duration such as '40ep' (epochs) or '2000it' (iterations)")
    text = f"{value}ep" if isinstance(value, int) or value.isdecimal() else value
    if not re.fullmatch(r"[0-9]+(ep|it)", text):
        raise ValueError(f"'{value}' is not a duration; write '40ep' (epochs) or '2000it' (iterations)")
    return f"{int(text[:-2])}{text[-2:]}"


Duration = Annotated[str, BeforeValidator(_duration)]
"""A length of training: '40ep' is 40 passes over the training rows, '2000it' is 2,000 iterations; 40 is '40ep'."""


def _rewind(value: object) -> object:
    """'0ep' is '0it': one meaning, one fingerprint."""
    text = value if value == "none" else _duration(value)
    return "0it" if text == "0ep" else text


Rewind = Annotated[str, BeforeValidator(_rewind)]
"""Where survivors start again: a duration from the start of training, or 'none' to keep the trained weights."""


def iterations_in(duration: str, rows: int, batch_size: int) -> int:
    """How many iterations a duration is.

    An epoch is rows / batch_size iterations, a fraction where the batch does not divide the rows, and k
    epochs are that times k, rounded: batches are cut from one stream of permutations (see
    ``tfticket.training.order``), so none is short.

    Args:
        duration: '40ep' or '2000it'.
        rows: Training rows after the split.
        batch_size: Rows per iteration.
    """
    count, unit = int(duration[:-2]), duration[-2:]
    return count if unit == "it" else round(count * rows / batch_size)


def rewinds_later(rewind: str) -> bool:
    """Whether survivors start again from weights of an iteration k > 0."""
    return rewind not in ("none", "0it")


def moments_in(duration: str, rows: int, batch_size: int, total: int) -> list[int]:
    """The iterations at which something that recurs falls due: every ``duration``, and the last one.

    Args:
        duration: '1ep' or '500it'.
        rows: Training rows after the split.
        batch_size: Rows per iteration.
        total: Iterations in all.

    Returns:
        Ascending iterations in 1 .. total; total is the last.
    """
    count, unit = int(duration[:-2]), duration[-2:]
    multiples = (iterations_in(f"{times * count}{unit}", rows, batch_size) for times in itertools.count(1))
    due = itertools.takewhile(lambda moment: moment < total, multiples)
    return sorted({max(1, moment) for moment in due} | {total})


def generation_bounds(first: int, last: int, generations: int) -> list[tuple[int, int]]:
    """First and last iteration of each generation, of as equal lengths as can be.

    Args:
        first: Where the schedule begins: k for a ticket rewound to iteration k.
        last: Where it ends.
        generations: How many.

    Raises:
        InputError: Fewer iterations than generations.
    """
    if last - first < generations:
        raise InputError(
            f"{last - first} iterations cannot be cut in {generations} generations. Train longer, or take fewer."
        )
    ends = [first + round(part * (last - first) / generations) for part in range(generations + 1)]
    return list(itertools.pairwise(ends))
