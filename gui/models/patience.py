"""When to look again at what could not be read."""

import time

FIRST, LONGEST = 2.0, 60.0
"""Seconds."""


class Patience:
    """After a failure it is time again in 2 s, then in twice as long each time, at most in a minute."""

    def __init__(self) -> None:
        self._pause = FIRST
        self._next = float("inf")

    @property
    def is_over(self) -> bool:
        """Whether it is time to try again what failed."""
        return time.monotonic() >= self._next

    def tried(self, failed: bool) -> None:
        """Note how a try went."""
        if not failed:
            self._pause, self._next = FIRST, float("inf")
        else:
            self._next = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST)
