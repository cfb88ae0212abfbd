"""The errors a user can meet. Each carries the exit code of the command line."""

import difflib
from collections.abc import Iterable


class TfticketError(Exception):
    """A run failed after it began; finished steps are kept (exit code 1)."""

    exit_code = 1


class InputError(TfticketError):
    """Bad input: the message says what happened, what was expected, how to mend it (exit code 2)."""

    exit_code = 2


class Stopped(TfticketError):
    """The user asked a run to stop; it resumes from its last checkpoint (exit code 130)."""

    exit_code = 130


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """A message for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"Unknown {what} '{name}'.{hint} Known: {', '.join(names)}."
