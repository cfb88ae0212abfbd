"""What there is to say of a run that has nothing to show."""

from pathlib import Path

from tfticket.runs.run_folder import STATUS, state_of
from tfticket.runs.summary import facts_of, status_facts

_ENDED = {
    "failed": "This run failed before it measured anything: {said}",
    "stopped": "This run was stopped before it measured anything. Resume goes on with it.",
    "killed": "This run's process ended, without a word, before it measured anything. Resume goes on with it.",
    "done": "This run is done, and measured nothing on its way.",
}
UNREADABLE = "This run cannot be read: {why}"


def why_empty(state: str, said: str, waiting: str) -> str:
    """Why a run has nothing to show.

    Args:
        state: Of the run.
        said: What it said when it failed; ''.
        waiting: What is said of one that goes on.
    """
    return _ENDED.get(state, waiting).format(said=said or "it does not say why")


def why_folder_is_empty(run: Path, waiting: str) -> str:
    """The same of a run's folder, as its status says it now."""
    status = facts_of(status_facts, run, STATUS)
    if "damaged" in status:
        return UNREADABLE.format(why=status["damaged"])
    return why_empty(state_of(run, status["state"]), status["message"], waiting)
