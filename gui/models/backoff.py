"""Delay before a file that could not be read is tried again."""

import time

INITIAL, MAXIMUM = 2.0, 60.0
"""Seconds."""


class Backoff:
    """Exponential backoff: the first retry after 2 s, then twice as long each time, at most 60 s."""

    def __init__(self) -> None:
        self._delay = INITIAL
        self._next = float("inf")

    @property
    def is_due(self) -> bool:
        """True if the last attempt failed and the retry is due."""
        return time.monotonic() >= self._next

    def record(self, failed: bool) -> None:
        """Record the outcome of an attempt."""
        if not failed:
            self._delay, self._next = INITIAL, float("inf")
        else:
            self._next = time.monotonic() + self._delay
            self._delay = min(2 * self._delay, MAXIMUM)
