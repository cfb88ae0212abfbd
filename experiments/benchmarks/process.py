"""Settings and measurements of the process that a benchmark runs in."""

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable

KERNEL_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def peak_memory() -> float:
    """Return the peak resident memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KERNEL_UNIT / 1e9


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def without_op_determinism() -> None:
    """Import the backend with ``enable_op_determinism`` replaced by a no-op."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism = lambda: None
    importlib.import_module("tfticket.backend")
