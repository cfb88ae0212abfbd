"""Readers of raw data, one format a file; ``read`` finds out by content which it is. Nothing is written to disk."""

from tfticket.data.formats.detect import read
from tfticket.data.formats.raw import Raw

__all__ = ["Raw", "read"]
