"""What a data set holds, before any split."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfticket.config import DataConfig
from tfticket.data.formats import read
from tfticket.data.known import check_contents, class_names_of, identify, locate, source_of, source_with
from tfticket.registry import DATA_SETS
from tfticket.schema import validate


@dataclass(frozen=True)
class Summary:
    """A data set before any split.

    Attributes:
        name: In configurations.
        label: What figures call it.
        path: Where it was read.
        train_rows: How many training images.
        test_rows: How many test images.
        shape: Of one image, (height, width, channels).
        train_counts: Class name -> training images.
        test_counts: Class name -> test images.
        contents: SHA-256 of its images and labels, whatever their format and order.
        known_as: The registered data set that is known to have these contents; None for any other.
        licence: Whose it is; None where we do not know.
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

    def __str__(self) -> str:
        def split(rows: int, counts: dict[str, int]) -> str:
            low, high = min(counts.values()), max(counts.values())
            return f"{rows:7,} images, {low:,}{f' to {high:,}' if high > low else ''} of each class"

        lines = [
            f"{self.name}: {self.label}" + (f" ({self.licence})" if self.licence else ""),
            f"  file      {self.path}",
            f"  images    {'x'.join(map(str, self.shape))}, {len(self.train_counts)} classes",
            f"  training  {split(self.train_rows, self.train_counts)}",
            f"  test      {split(self.test_rows, self.test_counts)}",
            f"  SHA-256   {self.contents}",
            f"            {f'as known of {self.known_as}' if self.known_as else 'of no data set that we know'}",
        ]
        return "\n".join(lines)


def summary(name_or_path: str) -> Summary:
    """Read a data set, by name or from a file or folder, and say what it holds.

    Args:
        name_or_path: A registered name; else what exists or looks like a path is one.

    Raises:
        InputError: It is not there, cannot be read, or is not what its name says.
    """
    text = os.path.expanduser(name_or_path)
    looks = bool(text) and (os.sep in text or bool(Path(text).suffix) or Path(text).exists())
    by_path = name_or_path not in DATA_SETS and looks
    name = validate(DataConfig, {"path": text}, where="data").name if by_path else name_or_path
    path = Path(text) if by_path else locate(name)
    raw = read(path)
    contents = identify(raw).contents
    if not by_path:
        check_contents(name, raw, contents, str(path))
    known = source_with(contents)
    source = known or (None if by_path else source_of(name))
    names = class_names_of(raw, contents)

    def counts(labels: np.ndarray) -> dict[str, int]:
        return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))

    return Summary(
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
    )
