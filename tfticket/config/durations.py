"""Lengths of training: '40ep' is 40 passes over the training rows, '2000it' is 2,000 iterations."""

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from tfticket.config.wording import given
from tfticket.errors import InputError

LONGEST = 2**31 - 1
"""Iterations of a training, and epochs."""


def _duration(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a duration such as '40ep' (epochs) or '2000it' (iterations)")
    match = re.fullmatch(r"([0-9]{1,1000})(ep|it)?", value) if isinstance(value, str) else None
    if isinstance(value, int) and value >= 0:
        count, unit = value, "ep"
    elif match is not None:
        count, unit = int(match[1]), match[2] or "ep"
    else:
        raise ValueError(f"{given(value)} is not a duration; write '40ep' (epochs) or '2000it' (iterations)")
    if count > LONGEST:
        raise ValueError(f"must be at most {LONGEST:,} epochs or iterations")
    return f"{count}{unit}"


Duration = Annotated[str, BeforeValidator(_duration)]
"""A length of training: '40ep' is 40 passes over the training rows, '2000it' is 2,000 iterations; 40 is '40ep'."""


def _rewind(value: object) -> object:
    """'0ep' is '0it': one meaning, one fingerprint."""
    text = value if value == "none" else _duration(value)
    return "0it" if text == "0ep" else text


Rewind = Annotated[str, BeforeValidator(_rewind)]
"""Where survivors start again: a duration from the start of training, or 'none' to keep the trained weights."""


def iterations_in(duration: str, rows: int, batch_size: int, *, field: str | None = None) -> int:
    """Return a duration in iterations.

    An epoch is rows / batch_size iterations, a fraction where the batch does not divide the rows, and k
    epochs are that times k, rounded: batches are cut from one stream of permutations (see
    ``tfticket.training.batches``), so none is short.
    """
    iterations = _multiple(duration, 1, rows, batch_size)
    if iterations > LONGEST:
        raise InputError(
            f"{duration} of {rows:,} rows in batches of {batch_size:,} is {iterations:,} iterations; expected at most "
            f"{LONGEST:,}. Take a shorter one.",
            field=field,
        )
    return iterations


def _multiple(duration: str, times: int, rows: int, batch_size: int) -> int:
    count, unit = times * int(duration[:-2]), duration[-2:]
    return count if unit == "it" else round(count * rows / batch_size)


def rewinds_later(rewind: str) -> bool:
    """Return True if survivors are rewound to an iteration k > 0."""
    return rewind not in ("none", "0it")


@dataclass(frozen=True)
class Moments(Collection[int]):
    """The iterations at which something that recurs falls due: every ``duration``, and the last one.

    They are computed when they are asked for, however many there are.

    Attributes:
        duration: '1ep' or '500it'.
        rows: Training rows after the split.
        batch_size: Rows per iteration.
        total: Iterations in all.
    """

    duration: str
    rows: int
    batch_size: int
    total: int

    def after(self, iteration: int) -> int:
        """The first moment after an iteration that is not the last."""
        return min(self.total, _multiple(self.duration, self._times_beyond(iteration), self.rows, self.batch_size))

    def __contains__(self, iteration: object) -> bool:
        return isinstance(iteration, int) and 1 <= iteration <= self.total and self.after(iteration - 1) == iteration

    def __iter__(self) -> Iterator[int]:
        moment = 0
        while moment < self.total:
            moment = self.after(moment)
            yield moment

    def __len__(self) -> int:
        return self.total if self._step < 1 else self._times_beyond(self.total - 1)

    @property
    def longest(self) -> int:
        """The most iterations from one moment, or from the start, to the next."""
        most = last = 0
        for moment in self:
            most, last = max(most, moment - last), moment
            if most >= self._step:  # rounded up, it is the most
                break
        return most

    @property
    def _step(self) -> float:
        """The duration in iterations, not rounded."""
        count = int(self.duration[:-2])
        return count if self.duration.endswith("it") else count * self.rows / self.batch_size

    def _times_beyond(self, iteration: int) -> int:
        """Return how many durations, at least one, end after an iteration."""
        times = max(1, int((iteration + 0.5) / self._step) - 2)
        while _multiple(self.duration, times, self.rows, self.batch_size) <= iteration:
            times += 1
        return times


def generation_bounds(first: int, last: int, generations: int) -> list[tuple[int, int]]:
    """First and last iteration of each generation, of as equal lengths as can be."""
    if last - first < generations:
        raise InputError(
            f"{last - first:,} iterations cannot be cut in {generations:,} generations. Train longer, or take fewer.",
            field="population.generations",
        )
    ends = [first + round(part * (last - first) / generations) for part in range(generations + 1)]
    return list(itertools.pairwise(ends))
