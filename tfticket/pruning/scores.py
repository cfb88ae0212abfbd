"""Scores: what ranks weights, the lowest go first. (trained weights, mask, seed) -> kernel path -> array."""

from collections.abc import Mapping

import numpy as np

from tfticket import seeds
from tfticket.types import Mask

Scores = dict[str, np.ndarray]


def magnitude(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """Absolute value of the trained weight (Han et al., 2015; Frankle and Carbin, 2019)."""
    return {path: np.abs(weights[path]) for path in mask}


def random(weights: Mapping[str, np.ndarray], mask: Mask, seed: int) -> Scores:
    """A uniform draw, the control of every other score."""
    return {path: seeds.generator(seed, "random score", path).random(kept.shape) for path, kept in mask.items()}
