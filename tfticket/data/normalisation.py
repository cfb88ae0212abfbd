"""Normalisation of pixels or features to a network's input."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tfticket.config.float32 import LARGEST, SMALLEST
from tfticket.config.schema import Config
from tfticket.errors import InputError

Number = Annotated[float, Field(strict=True)]
TILE = 1000
"""Rows that are counted at once."""
FLOAT_TILE = 2**16
"""Vectors of channels or features that are squared at once."""


class Normalisation(Config):
    """Affine map (x - offset[c]) * scale[c] + shift[c], with c along the last axis; stored in tickets.

    Attributes:
        scale: One number per channel or feature, or one for all.
        shift: As ``scale``.
        dtype: Of the data: 'uint8' for pixels 0 to 255, 'float32' for floats.
        offset: As ``scale``; 0 for uint8. Subtracted first, so that a mean far above the standard deviation costs
            no digits.
    """

    scale: tuple[Number, ...] = (1.0 / 255.0,)
    shift: tuple[Number, ...] = (0.0,)
    dtype: Literal["uint8", "float32"] = "uint8"
    offset: tuple[Number, ...] = (0.0,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.scale) != len(self.shift) or not self.scale:
            raise ValueError("scale and shift must have one number a channel")
        if len(self.offset) not in (1, len(self.scale)):
            raise ValueError("offset must have one number, or one a channel")
        if self.dtype == "uint8" and any(self.offset):
            raise ValueError("offset must be 0 for uint8, whose mean is in shift")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Omit the fields for floats for uint8, so that tickets of pixels stay unchanged."""
        values: dict[str, Any] = dump(self)
        return values if self.dtype == "float32" else {name: values[name] for name in ("scale", "shift")}


UNIT = Normalisation()
"""Pixels / 255."""
IDENTITY = Normalisation(dtype="float32", scale=(1.0,))
"""Unchanged floats."""


def standard(images: np.ndarray) -> Normalisation:
    """Fit mean 0 and standard deviation 1 in each channel of images; constant channels are only shifted.

    Args:
        images: uint8 [rows, height, width, channels].
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for begin in range(0, len(images), TILE):
        tile = images[begin : begin + TILE].reshape(-1, channels)
        counts += [np.bincount(tile[:, channel], minlength=256) for channel in range(channels)]
    values, pixels = np.arange(256), counts.sum(axis=1)
    first, second = (counts * values).sum(axis=1), (counts * values**2).sum(axis=1)  # exact integers
    squares = pixels.astype(object) * second - first.astype(object) ** 2  # beyond int64 for MNIST
    mean, deviation = first / pixels, np.sqrt(squares.astype(np.float64)) / pixels
    scale = 1.0 / np.where(deviation > 0, deviation, 255.0)
    return Normalisation(scale=tuple(scale.tolist()), shift=tuple((-mean * scale).tolist()))


def standard_floats(rows: np.ndarray) -> Normalisation:
    """Fit mean 0 and standard deviation 1 in each channel or feature of rows; constant ones are only shifted.

    Args:
        rows: float32 [rows, ..., channels or features].
    """
    columns = rows.reshape(-1, rows.shape[-1])
    low, high = columns.min(axis=0), columns.max(axis=0)
    mean = np.where(low == high, low, columns.mean(axis=0, dtype=np.float64))
    squares = np.zeros(columns.shape[1])
    for begin in range(0, len(columns), FLOAT_TILE):
        squares += ((columns[begin : begin + FLOAT_TILE] - mean) ** 2).sum(axis=0)
    scale = 1.0 / np.where(low == high, 1.0, np.sqrt(squares / len(columns)))
    return Normalisation(
        dtype="float32", offset=tuple(mean.tolist()), scale=tuple(scale.tolist()), shift=(0.0,) * len(scale)
    )


def normalisation_for(word: str, rows: np.ndarray, name: str) -> tuple[str, Normalisation]:
    """Return the name and the constants of a configured normalisation."""
    pixels = rows.dtype == np.uint8
    if word == "auto":
        word = "unit" if pixels else "standard"
    if word == ("none" if pixels else "unit"):
        raise InputError(
            f"{name}: normalise: {word} is for {'floats' if pixels else 'uint8 pixels, which it divides by 255'}, and "
            f"the rows are {rows.dtype}. Take standard, or {'unit' if pixels else 'none'}.",
            field="data.normalise",
            suggestion="standard",
        )
    if word == "standard":
        return word, standard(rows) if pixels else standard_floats(rows)
    return word, UNIT if pixels else IDENTITY


def check_constants(normalisation: Normalisation) -> None:
    """Check that float32 holds the constants of a normalisation read from a file."""
    for name in ("scale", "shift", "offset"):
        for number in getattr(normalisation, name):
            if abs(number) > LARGEST or (name == "scale" and abs(number) < SMALLEST):
                raise InputError(
                    f"The ticket's normalisation: {name} holds {number:g}; expected at most {LARGEST:.2g} as float32 "
                    f"has it, and of a scale at least {SMALLEST:.2g}. Make the ticket anew, for data as load_data "
                    "returns them.",
                    field=f"normalisation.{name}",
                )


def check_overflow(normalisation: Normalisation, rows: np.ndarray, name: str, feature_names: tuple[str, ...]) -> None:
    """Check that every normalised input is within float32."""
    if normalisation.dtype == "uint8":
        return
    columns = rows.reshape(-1, rows.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        offset, scale = (np.asarray(part, np.float32) for part in (normalisation.offset, normalisation.scale))
        ends = (np.stack([columns.min(axis=0), columns.max(axis=0)]) - offset) * scale
    if not np.isfinite(ends).all():
        column = int(np.isfinite(ends).all(axis=0).argmin())
        title = f" ({feature_names[column]!r})" if feature_names else ""
        raise InputError(
            f"{name}: column {column}{title} leaves float32 when it is scaled to deviation 1 over the training rows. "
            "Scale it, or take its logarithm; or leave it out.",
            field="data.normalise",
        )
