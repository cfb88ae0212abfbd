"""Named seeds: every random draw of the program depends on (root seed, name, ...) and on nothing else.

Draws with different names are independent. A repeated draw also depends on its index (epoch, iteration, draw), never
on how the work was cut into segments.
"""

import hashlib
import json

import numpy as np


def derive(root: int, *names: str | int) -> int:
    """Return the 128-bit integer of a root seed and names.

    Args:
        root: The user's seed, any integer >= 0.
        *names: Purpose of the draw, e.g. ``"initial", "dense_1/kernel"`` or ``"order", 3``.
    """
    text = json.dumps([int(root), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def generator(root: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy Philox generator of a root seed and names.

    References:
        Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """
    return np.random.Generator(np.random.Philox(key=derive(root, *names)))
