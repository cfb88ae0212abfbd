"""Stop requests: SIGTERM, SIGINT or a file STOP in the run's folder."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def stop_requests(folder: Path) -> Iterator[Callable[[], bool]]:
    """Listen for stop requests; yields a function that says whether one has come.

    The work looks at it between segments, checkpoints and ends. A second signal ends the process at once;
    the last checkpoint stands.
    """
    file = folder / "STOP"
    file.unlink(missing_ok=True)
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked or file.exists()
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
