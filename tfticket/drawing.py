"""matplotlib in the program's own style, whatever a matplotlibrc, a notebook or MPLBACKEND says."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tfticket.errors import InputError


def import_matplotlib() -> Any:
    """Import matplotlib, also where MPLBACKEND names no backend: figures are written to files."""
    first = "matplotlib" not in sys.modules
    backend = os.environ.pop("MPLBACKEND", None)  # matplotlib does not start where it names none
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(max(level, logging.ERROR))  # where it has no folder for its cache it works, and warns
    try:
        import matplotlib
        import matplotlib.font_manager
    except Exception as error:  # whatever its settings make it raise
        raise InputError(
            f"matplotlib does not start: {error}. Look for a file matplotlibrc in this folder, in $MATPLOTLIBRC or in "
            "~/.config/matplotlib, and mend or remove it."
        ) from None
    finally:
        logger.setLevel(level)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend is not None and first:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib


@contextmanager
def own_style() -> Iterator[None]:
    """Draw in matplotlib's default style; the caller's returns at the end."""
    matplotlib = import_matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
