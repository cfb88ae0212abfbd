"""How pixels become a network's input: the one place that says so."""

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from tfticket.schema import Config

Number = Annotated[float, Field(strict=True)]
TILE = 1000
"""Rows that are counted at once."""


class Normalisation(Config):
    """A channel c of the input is pixel x scale[c] + shift[c], for pixels 0 to 255; tickets store it.

    Attributes:
        scale: One number a channel; a single one holds for all.
        shift: As ``scale``.
    """

    scale: tuple[Number, ...] = (1.0 / 255.0,)
    shift: tuple[Number, ...] = (0.0,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.scale) != len(self.shift) or not self.scale:
            raise ValueError("scale and shift must have one number a channel")
        return self


UNIT = Normalisation()
"""Pixels / 255."""


def standard(images: np.ndarray) -> Normalisation:
    """Mean 0 and standard deviation 1 in each channel over these images; a constant channel is only shifted.

    Args:
        images: uint8 [rows, height, width, channels].
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for begin in range(0, len(images), TILE):
        tile = images[begin : begin + TILE].reshape(-1, channels)
        counts += [np.bincount(tile[:, channel], minlength=256) for channel in range(channels)]
    values, pixels = np.arange(256), counts.sum(axis=1)
    first, second = (counts * values).sum(axis=1), (counts * values**2).sum(axis=1)  # exact, in any order
    squares = pixels.astype(object) * second - first.astype(object) ** 2  # beyond int64 for MNIST
    mean, deviation = first / pixels, np.sqrt(squares.astype(np.float64)) / pixels
    scale = 1.0 / np.where(deviation > 0, deviation, 255.0)
    return Normalisation(scale=tuple(scale.tolist()), shift=tuple((-mean * scale).tolist()))
