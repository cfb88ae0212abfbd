"""Summary of a data set before any split."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfticket.config import DataConfig
from tfticket.config.schema import validate
from tfticket.data.dataset import size_of
from tfticket.data.formats import read
from tfticket.data.identity import check_contents, class_names_of, identify, locate, source_by_contents, source_by_name
from tfticket.registry import DATA_SETS

TILE = 1000
"""Rows that are examined at once."""


@dataclass(frozen=True)
class DatasetSummary:
    """Sizes, classes and identity of a data set before any split.

    Attributes:
        name: Name in configurations.
        label: Name in figures.
        path: Its file or folder.
        train_rows: Number of training rows.
        test_rows: Number of test rows.
        shape: Of one row: (height, width, channels) of an image, (features,) of a table.
        train_counts: Class name -> training rows.
        test_counts: Class name -> test rows.
        contents: SHA-256 of its rows and labels, independent of format and order.
        known_as: The registered data set with these contents, or None.
        licence: Licence and authors; None if unknown.
        dtype: 'uint8' or 'float32'.
        validation_rows: Number of its own validation rows; 0 if they are taken from the training rows.
        validation_counts: Class name -> validation rows of its own.
        note: Advice about its values, or None.
    """

    name: str
    label: str
    path: Path
    train_rows: int
    test_rows: int
    shape: tuple[int, ...]
    train_counts: dict[str, int]
    test_counts: dict[str, int]
    contents: str
    known_as: str | None
    licence: str | None
    dtype: str
    validation_rows: int
    validation_counts: dict[str, int]
    note: str | None

    def __str__(self) -> str:
        images = len(self.shape) > 1

        def split(rows: int, counts: dict[str, int]) -> str:
            low, high = min(counts.values()), max(counts.values())
            per_class = f"{low:,}{f' to {high:,}' if high > low else ''} of each class"
            return f"{rows:7,} {'images' if images else 'rows'}, {per_class}"

        floats = f" of {self.dtype}" if self.dtype != "uint8" else ""
        own = [f"  validation{split(self.validation_rows, self.validation_counts)}"] if self.validation_rows else []
        lines = [
            f"{self.name}: {self.label}" + (f" ({self.licence})" if self.licence else ""),
            f"  file      {self.path}",
            f"  {'images' if images else 'rows  '}    {size_of(self.shape)}{floats}, {len(self.train_counts)} classes",
            f"  training  {split(self.train_rows, self.train_counts)}",
            *own,
            f"  test      {split(self.test_rows, self.test_counts)}",
            f"  SHA-256   {self.contents}",
            f"            {f'as known of {self.known_as}' if self.known_as else 'of no data set that we know'}",
            *([f"  note      {self.note}"] if self.note else []),
        ]
        return "\n".join(lines)


def summary(name_or_path: str) -> DatasetSummary:
    """Summarise a data set, by name or from a file or folder."""
    text = os.path.expanduser(name_or_path)
    like_path = bool(text) and (os.sep in text or bool(Path(text).suffix) or Path(text).exists())
    by_path = name_or_path not in DATA_SETS and like_path
    name = validate(DataConfig, {"path": text}, where="data").name if by_path else name_or_path
    path = Path(text) if by_path else locate(name)
    raw = read(path)
    contents = identify(raw).contents
    if not by_path:
        check_contents(name, raw, contents, str(path))
    known = source_by_contents(contents)
    source = known or (None if by_path else source_by_name(name))
    names = class_names_of(raw, contents)

    def counts(labels: np.ndarray) -> dict[str, int]:
        return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))

    return DatasetSummary(
        name=name,
        label=name if source is None else source.label,
        path=path,
        train_rows=len(raw.x_train),
        test_rows=len(raw.x_test),
        shape=tuple(raw.x_train.shape[1:]),
        train_counts=counts(raw.y_train),
        test_counts=counts(raw.y_test),
        contents=contents,
        known_as=None if known is None else known.name,
        licence=None if source is None else source.licence,
        dtype=str(raw.x_train.dtype),
        validation_rows=0 if raw.x_validation is None else len(raw.x_validation),
        validation_counts={} if raw.y_validation is None else counts(raw.y_validation),
        note=_note(raw.x_train),
    )


def _note(rows: np.ndarray) -> str | None:
    """Return advice if images of floats are pixels that uint8 holds without loss."""
    if rows.dtype == np.uint8 or rows.ndim < 4:
        return None
    for factor, convert in ((1, "x.astype(np.uint8)"), (255, "np.rint(255 * x).astype(np.uint8)")):
        if all(_are_pixels(rows[begin : begin + TILE], factor) for begin in range(0, len(rows), TILE)):
            return f"these floats are pixels: {convert} loses nothing and takes a quarter of the memory"
    return None


def _are_pixels(rows: np.ndarray, factor: int) -> bool:
    """Return True if all values, times the factor, are 0 to 255, up to float32 rounding."""
    pixels = np.rint(rows * np.float32(factor))
    if pixels.min() < 0 or pixels.max() > 255:
        return False
    return bool(np.allclose(pixels / np.float32(factor), rows, rtol=1e-6, atol=0))
