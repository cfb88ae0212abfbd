"""The command line. Thin: each command reads its arguments, calls the library, and shows what came out.

TensorFlow is imported by ``run``, ``branch``, ``inspect``, ``export``, ``mc-fit``, ``mc-ticket`` and ``doctor``, and
where data are downloaded; never for a help text, nor before the arguments are checked that can be checked without it.
"""

import io
import os
import sys

from tfticket.cli import run, results, inspect_command, mc_commands, browse  # noqa: F401  # isort: skip -- in the order of the help text
from tfticket.cli.console import bound_columns, say
from tfticket.cli.options import Options, app
from tfticket.errors import InputError, Stopped, TfticketError

__all__ = ["Options", "app", "main"]


def main() -> None:
    """Run the command line; errors become one message and an exit code: 1 failed, 2 bad input, 130 stopped."""
    _open_what_is_closed()
    bound_columns()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs
    try:
        app()
    except SystemExit as end:
        if end.code == Stopped.exit_code:  # typer's way of a Ctrl-C that no run was there to hear
            say("Stopped; nothing was written.", err=True)
        raise
    except Exception as error:
        if Options.debug:
            raise
        code = error.exit_code if isinstance(error, TfticketError) else 1
        if code == Stopped.exit_code:
            message = f"{str(error).replace('stopped', 'Stopped', 1)}. Run the same command again to go on."
        elif isinstance(error, TfticketError | OSError):
            message = f"{'Error' if code == InputError.exit_code else 'Failed'}: {error}"
        else:
            message = f"Failed because of a bug in tfticket: {type(error).__name__}: {error} (--debug shows where)"
        say(message, err=True)
        sys.exit(code)


def _open_what_is_closed() -> None:
    """Let no file or pipe of ours have the number of a standard stream that was closed, as by `0<&-` in a shell."""
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
