"""Noise of weight draws at surviving positions alone: the numbers of ``tfticket.variational.noise``, by Numba.

References:
    Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", Philox4x32-10; Box and Muller (1958).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import float32, uint32, uint64

from tfticket.sparse.compiling import compiled, inlined
from tfticket.sparse.layout import Layout
from tfticket.variational.noise import BIAS, KERNEL

_TAYLOR = np.array([(-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(6)], np.float32)


def noise_places(layout: Layout, places: Mapping[str, int]) -> np.ndarray:
    """Return where each weight's noise comes from: int64 [size, 4].

    Columns: the last word of the counter, the number of the pair, the number of pairs, and 1 for the second of a pair.

    Args:
        layout: Of the means.
        places: Layer's path -> its place among the variational layers.
    """
    parts = []
    for path, entries in layout.indices.items():
        layer, _, name = path.rpartition("/")
        size = int(np.prod(layout.shapes[path], dtype=int))
        pairs = (size + 1) // 2
        word = 8 * places[layer] + (KERNEL if name == "kernel" else BIAS)
        second = entries >= pairs
        columns = (np.full(len(entries), word), entries - pairs * second, np.full(len(entries), pairs), second)
        parts.append(np.stack(columns, axis=1).astype(np.int64))
    return np.concatenate(parts)


@inlined
def _philox(key: Any, index: Any, word: Any, position: Any) -> Any:
    """Return number ``position`` of the stream of uint32 that belongs to a draw and a word."""
    mask = uint64(0xFFFFFFFF)
    group = uint64(position) >> uint64(2)
    a, b, c, d = group & mask, group >> uint64(32), uint64(index), uint64(word)
    low, high = uint64(key[0]), uint64(key[1])
    for _ in range(10):
        first, second = uint64(0xD2511F53) * a, uint64(0xCD9E8D57) * c
        a, b, c, d = (second >> uint64(32)) ^ b ^ low, second & mask, (first >> uint64(32)) ^ d ^ high, first & mask
        low, high = (low + uint64(0x9E3779B9)) & mask, (high + uint64(0xBB67AE85)) & mask
    lane = position & 3
    return uint32(a if lane == 0 else b if lane == 1 else c if lane == 2 else d)


@inlined
def _sine(turns: Any) -> Any:
    """Return sin(2 pi turns) for -1/4 <= turns <= 1/4."""
    squared = turns * turns
    total = _TAYLOR[5]
    for k in range(4, -1, -1):
        total = total * squared + _TAYLOR[k]
    return total * turns


@compiled
def draw_normals(places: Any, key: Any, index: int, normals: Any) -> None:
    """Write the standard normals of a draw.

    Args:
        places: As ``noise_places`` returns them.
        key: uint32 [2], the seed of the iteration.
        index: Number of the draw.
        normals: float32 [size].
    """
    unit = float32(2.0**-24)
    for k in range(len(places)):
        word, pair, pairs, second = places[k]
        radius_bits, angle_bits = _philox(key, index, word, pair), _philox(key, index, word, pairs + pair)
        radius = np.sqrt(float32(-2.0) * np.log(float32(radius_bits >> uint32(8)) * unit + unit))
        turns = float32(angle_bits >> uint32(8)) * unit - float32(0.5)
        away = abs(turns)
        if second:
            normals[k] = radius * _sine(np.sign(turns) * (float32(0.25) - abs(away - float32(0.25))))
        else:
            normals[k] = radius * _sine(float32(0.25) - away)
