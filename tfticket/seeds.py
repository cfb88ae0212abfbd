"""Named seeds: every random draw of the program comes from (root seed, name, ...) and from nothing else.

Two draws with different names are independent; a draw depends on its name and, where it repeats, on its
index (epoch, iteration, draw), never on how the work was cut into segments.
"""

import hashlib
import json

import numpy as np


def derive(root: int, *names: str | int) -> int:
    """The 128-bit integer that belongs to this root seed and these names.

    Args:
        root: The user's seed, any integer >= 0.
        *names: What the draw is for, e.g. ``"initial", "dense_1/kernel"`` or ``"order", 3``.
    """
    text = json.dumps([int(root), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def generator(root: int, *names: str | int) -> np.random.Generator:
    """A NumPy Philox generator for this root seed and these names.

    References:
        Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """
    return np.random.Generator(np.random.Philox(key=derive(root, *names)))
