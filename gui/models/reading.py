"""Reading the folder of a run that may be incomplete, damaged or gone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfticket.arms import Arm
from tfticket.errors import InputError
from tfticket.reports.rows import name_in
from tfticket.runs.run_folder import STATUS, read_configuration, state_of
from tfticket.runs.summary import facts_of, last_change, status_facts

READ_ERRORS = (InputError, OSError, KeyError, TypeError, ValueError, AttributeError)
NO_RUN = "Select a run in the list, or start one."
UNREADABLE = "This run cannot be read: {why}"
GONE = "The run's folder is gone."
_MESSAGES = {
    "failed": "This run failed before it measured anything: {reason}",
    "stopped": "This run was stopped before it measured anything. Resume continues it.",
    "killed": "This run's process ended without a message before it measured anything. Resume continues it.",
    "done": "This run is done and measured nothing.",
}
_FIRST_RETRY, _LAST_RETRY = 2.0, 60.0
"""Seconds before a file that could not be read is tried again; every delay is twice the one before."""


class ArmNames:
    """Names of a run's arms by its configuration, which is read once; the arms' own names where it cannot be read."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._configuration: dict[str, Any] | None = None

    def __call__(self, arm: Arm) -> str:
        """Return the display name of an arm, as in the run's report."""
        try:
            if self._configuration is None:
                self._configuration = read_configuration(self._run)
            return name_in(self._configuration, arm)
        except (InputError, KeyError, AttributeError):
            return arm.name


class ChangingFiles:
    """Files of a run's folder that are read again when one of them changes, or some time after they could not be.

    Args:
        read: Reads them; returns a problem, or ''. It is kept as ``problem``.
    """

    def __init__(self, run: Path, names: tuple[str, ...], read: Callable[[], str]) -> None:
        self.problem = ""
        self._run, self._names, self._read = run, names, read
        self._stamps: Any = None
        self._delay, self._retry = _FIRST_RETRY, float("inf")

    def poll(self) -> None:
        """Read the files if that is due."""
        stamps = [last_change(f"{self._run}/{name}") for name in self._names] if self._run.is_dir() else GONE
        if stamps == self._stamps and time.monotonic() < self._retry:
            return
        self._stamps = stamps
        try:
            self.problem = GONE if stamps == GONE else self._read()
        except READ_ERRORS as error:
            self.problem = UNREADABLE.format(why=error)
        if self.problem:
            self._retry = time.monotonic() + self._delay
            self._delay = min(2 * self._delay, _LAST_RETRY)
        else:
            self._delay, self._retry = _FIRST_RETRY, float("inf")


def empty_message(state: str, reason: str, waiting: str) -> str:
    """Return why a run of this state has nothing to show: its error message, or ``waiting`` while it computes."""
    return _MESSAGES.get(state, waiting).format(reason=reason or "no reason was recorded")


def empty_folder_message(run: Path, waiting: str) -> str:
    """Return ``empty_message`` for a run folder, from its present status."""
    status = facts_of(status_facts, run, STATUS)
    if "damaged" in status:
        return UNREADABLE.format(why=status["damaged"])
    return empty_message(state_of(run, status["state"]), status["message"], waiting)
