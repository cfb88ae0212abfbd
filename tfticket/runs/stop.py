"""Stop requests: SIGTERM, SIGINT, SIGHUP or a file STOP in the run's folder."""

import ctypes
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

STREAMS = (0, 1, 2)
"""File descriptors of standard input, output and error."""


AT_ONCE: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""Signals that end the process at once when they come second, and how."""
SAME_REQUEST = 2.0
"""Seconds in which a second signal of the kind is the same request: `timeout` signals a process, and then its group."""


@contextmanager
def stop_requests(folder: Path, on_request: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Listen for stop requests; yields a function that says whether one has come.

    The work looks at it between segments, checkpoints and ends. A second SIGTERM or SIGINT ends the process at once,
    unless it is the same request; the last checkpoint stands. A second SIGHUP does not: a terminal that closes sends
    two, its shell's and its own. Where SIGHUP is ignored, as under nohup, it stays ignored.
    """
    file = folder / "STOP"
    file.unlink(missing_ok=True)
    first: float | None = None
    terminals = [stream for stream in STREAMS if os.isatty(stream)]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            for other, action in AT_ONCE.items():
                if other != number:
                    signal.signal(other, action)
            _leave_closed(terminals)
        elif number in AT_ONCE and time.monotonic() - first > SAME_REQUEST:
            signal.signal(number, AT_ONCE[number])
            signal.raise_signal(number)

    numbers = [*AT_ONCE]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    with _watched(numbers, on_request):
        old = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield lambda: first is not None or file.exists()
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


@contextmanager
def _watched(numbers: Sequence[int], on_request: Callable[[], None]) -> Iterator[None]:
    """Watch for signals in a thread: Python's handlers wait for the end of compiled work."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    thread = threading.Thread(target=_watch, args=(reading, numbers, on_request), daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)
        thread.join()
        os.close(reading)


def _watch(pipe: int, numbers: Sequence[int], on_request: Callable[[], None]) -> None:
    """Report the first of some signals, whose numbers come through a pipe, and let a later SIGTERM end the process."""
    number = -1
    while number not in numbers:
        if not (read := os.read(pipe, 1)):
            return
        number = read[0]
    with suppress(OSError):  # the terminal has closed
        on_request()
    end = time.monotonic() + SAME_REQUEST
    while (left := end - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0] and not os.read(pipe, 100):
            return
    if number == signal.SIGTERM:
        libc = ctypes.CDLL(None)  # in Python, the main thread alone may do so, and it may be in compiled work
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        libc.signal(signal.SIGTERM, None)


def _leave_closed(terminals: Sequence[int]) -> None:
    """Let nothing fail because it writes to a terminal that has closed."""
    closed = [stream for stream in terminals if not os.isatty(stream)]
    if closed:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in closed:
            os.dup2(null, stream)
        os.close(null)
