"""Stop requests: SIGTERM, SIGINT, SIGHUP or a file STOP in the run's folder."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STREAMS = (0, 1, 2)
"""File descriptors of standard input, output and error."""


@contextmanager
def stop_requests(folder: Path) -> Iterator[Callable[[], bool]]:
    """Listen for stop requests; yields a function that says whether one has come.

    The work looks at it between segments, checkpoints and ends. A second SIGTERM or SIGINT ends the process at once;
    the last checkpoint stands. A second SIGHUP does not: a terminal that closes sends two, its shell's and its own.
    Where SIGHUP is ignored, as under nohup, it stays ignored.
    """
    file = folder / "STOP"
    file.unlink(missing_ok=True)
    asked = False
    terminals = [stream for stream in STREAMS if os.isatty(stream)]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _leave_closed(terminals)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    old = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield lambda: asked or file.exists()
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _leave_closed(terminals: Sequence[int]) -> None:
    """Let nothing fail because it writes to a terminal that has closed."""
    closed = [stream for stream in terminals if not os.isatty(stream)]
    if closed:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in closed:
            os.dup2(null, stream)
        os.close(null)
