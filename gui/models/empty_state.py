"""Messages in place of a plot while a run has nothing to show."""

from pathlib import Path

from tfticket.runs.run_folder import STATUS, state_of
from tfticket.runs.summary import facts_of, status_facts

_MESSAGES = {
    "failed": "This run failed before it measured anything: {reason}",
    "stopped": "This run was stopped before it measured anything. Resume continues it.",
    "killed": "This run's process ended without a message before it measured anything. Resume continues it.",
    "done": "This run is done and measured nothing.",
}
NO_RUN = "Select a run in the list, or start one."
UNREADABLE = "This run cannot be read: {why}"


def empty_message(state: str, reason: str, waiting: str) -> str:
    """Return why a run has nothing to show.

    Args:
        state: State of the run.
        reason: Error message of a failed run; '' if it left none.
        waiting: Message for a run that still computes.
    """
    return _MESSAGES.get(state, waiting).format(reason=reason or "no reason was recorded")


def empty_folder_message(run: Path, waiting: str) -> str:
    """Return ``empty_message`` for a run folder, from its present status."""
    status = facts_of(status_facts, run, STATUS)
    if "damaged" in status:
        return UNREADABLE.format(why=status["damaged"])
    return empty_message(state_of(run, status["state"]), status["message"], waiting)
