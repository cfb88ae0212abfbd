"""The errors a user can meet. Each carries the exit code of the command line."""

import difflib
from collections.abc import Iterable


class TfticketError(Exception):
    """A run failed after it began; finished steps are kept (exit code 1)."""

    exit_code = 1


class InputError(TfticketError):
    """Bad input: the message says what happened, what was expected, how to mend it (exit code 2)."""

    exit_code = 2


class Diverged(TfticketError):
    """A training's loss, weights or predictions are no finite numbers any more (exit code 1)."""


class Stopped(TfticketError):
    """The user asked a run to stop; it resumes from its last checkpoint (exit code 130)."""

    exit_code = 130


MANY = 30
"""So many names fit in a message."""


def shortened(text: str, longest: int = 80) -> str:
    """Return a text as it fits in a message: on one line, and cut if it is long."""
    line = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[: longest + 1])
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """A message for a name that is not among the known ones, with the nearest of them, or all if they are not many."""
    names = sorted(known)
    name = shortened(str(name))
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    if len(names) <= MANY:
        return f"Unknown {what} '{name}'.{hint} Known: {', '.join(names)}."
    others = f" Near it: {', '.join(near[1:])}." if near[1:] else ""
    return f"Unknown {what} '{name}'.{hint}{others} There are {len(names)}."
