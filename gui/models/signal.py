"""Observer pattern without Qt: models emit signals, views connect to them; and what the models of tabs share."""

from collections.abc import Callable
from typing import Any

from tfticket.arms import Arm


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


class PlotModel:
    """Model of a tab.

    Attributes:
        changed: Emitted when anything shown is new.
        hidden: Arms that are not shown.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        self.hidden: set[Arm] = set()

    def set_options(self, **options: Any) -> None:
        """Set attributes of these names."""
        for name, value in options.items():
            setattr(self, name, value)
        self.changed.emit()

    def set_hidden(self, arm: Arm, hidden: bool) -> None:
        """Hide or show an arm."""
        (self.hidden.add if hidden else self.hidden.discard)(arm)
        self.changed.emit()
