"""Observer pattern without Qt: models emit signals, views connect to them."""

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls the connected functions, in the order of connection."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call a function at every ``emit``, once even if it is connected twice."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Remove a function; one that is not connected is ignored."""
        if slot in self._slots:
            self._slots.remove(slot)

    def emit(self, *values: Any) -> None:
        """Call every function that is connected now, even if one of them disconnects another."""
        for slot in tuple(self._slots):
            slot(*values)
