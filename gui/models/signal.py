"""How a model tells whoever looks at it that it changed, without Qt."""

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls what is connected, in the order of connection."""

    def __init__(self) -> None:
        self._called: list[Callable[..., Any]] = []

    def connect(self, called: Callable[..., Any]) -> None:
        """Call this at every ``emit``; twice connected it is called once."""
        if called not in self._called:
            self._called.append(called)

    def disconnect(self, called: Callable[..., Any]) -> None:
        """Call this no more; it may never have been connected."""
        if called in self._called:
            self._called.remove(called)

    def emit(self, *values: Any) -> None:
        """Call everything connected, also what is disconnected meanwhile."""
        for called in tuple(self._called):
            called(*values)
