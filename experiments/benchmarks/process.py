"""What a benchmark's subprocess does to itself, and what it tells of itself."""

import importlib
import os
import resource
import sys

KERNEL_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def peak_memory() -> float:
    """Highest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KERNEL_UNIT / 1e9


def without_op_determinism() -> None:
    """Import the backend with its call of ``enable_op_determinism`` made to do nothing."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism = lambda: None
    importlib.import_module("tfticket.backend")
