"""The errors a user can meet. Each carries the exit code of the command line.

Whatever takes something of a user may raise ``InputError``; docstrings of internal functions do not repeat that.
"""

import difflib
from collections.abc import Iterable


class TfticketError(Exception):
    """A run failed after it began; finished steps are kept (exit code 1)."""

    exit_code = 1


class InputError(TfticketError):
    """Bad input (exit code 2).

    Args:
        message: What happened, what was expected, how to mend it.
        field: The field, argument or option that is wrong: 'train.epochs', 'x_train'; the first if several are.
        suggestion: What to write instead, where one name or value is likely to be meant.
    """

    exit_code = 2

    def __init__(self, message: str, *, field: str | None = None, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.suggestion = suggestion


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


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a wrong one was probably meant to be."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def unknown(
    what: str,
    name: object,
    known: Iterable[str],
    *,
    field: str | None = None,
    where: str = "",
    advice: str = "",
    prefix: str = "",
) -> InputError:
    """Return the error for a name that is not among the known ones, with the nearest of them.

    All known names are listed if they are not many.

    Args:
        what: The kind of thing that has the name, 'model'.
        name: What was given.
        known: The names that are taken.
        field: See ``InputError``.
        where: The message's beginning, such as a file's name.
        advice: Its end.
        prefix: What all names begin with: shown, not compared.
    """
    short = sorted(known)
    names = [prefix + name for name in short]
    near = [prefix + match for match in difflib.get_close_matches(shortened(str(name)), short, n=4, cutoff=0.5)]
    hint = f" Did you mean '{near[0]}'?" if near else ""
    others = f" Near it: {', '.join(near[1:])}." if near[1:] else ""
    rest = f" Known: {', '.join(names)}." if len(names) <= MANY else f"{others} There are {len(names)}."
    suggestion = near[0] if near else None
    begin, end = f"{where}: " if where else "", f" {advice}" if advice else ""
    message = f"{begin}Unknown {what} '{shortened(f'{prefix}{name}')}'.{hint}{rest}{end}"
    return InputError(message, field=field, suggestion=suggestion)
