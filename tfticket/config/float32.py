"""Numbers that TensorFlow computes with in float32, refused where they would be others there."""

import struct
from typing import Annotated

from pydantic import AfterValidator, Field

SMALLEST, LARGEST = 2.0**-126, (2.0 - 2.0**-23) * 2.0**127
"""Magnitudes of normal float32 numbers; smaller ones are flushed to 0, larger ones are infinite."""


def check_float32(value: float) -> float:
    """Return a number that is 0 or normal in float32.

    Raises:
        ValueError: It is too small or too large.
    """
    if value and not SMALLEST <= abs(value) <= LARGEST:
        size, becomes = ("large", "infinite") if abs(value) > LARGEST else ("small", "0")
        raise ValueError(f"too {size}: it would be {becomes} in float32; expected a magnitude from 1.2e-38 to 3.4e+38")
    return value


def _check_below_one(value: float) -> float:
    if struct.unpack("f", struct.pack("f", value))[0] >= 1:
        raise ValueError("too close to 1: it would be 1 in float32; expected at most 0.9999999")
    return value


Float32 = Annotated[float, AfterValidator(check_float32)]
"""A number that float32 neither makes 0 nor infinite."""
Decay = Annotated[Float32, Field(ge=0, lt=1), AfterValidator(_check_below_one)]
"""The decay of a running mean, which float32 does not make 1."""
