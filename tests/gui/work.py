"""How much work something is, on whichever machine."""

import sys
from collections.abc import Callable


def calls_in(what: Callable[[], object]) -> int:
    """How many functions it calls, of Python and of C: ten thousand take about 10 ms."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        what()
    finally:
        sys.setprofile(before)
    return count
