"""Text from files and users, made safe to show: on a terminal, in the window, in figures, in CSV."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from typing import TextIO

_JOINERS = "\u200c\u200d"
"""Invisible characters that words of some languages, and emoji, are written with."""
_FORMULA = re.compile(r"[\t=+\-@].")
"""What a spreadsheet takes for the beginning of a formula, which may hold a link."""


def plain(text: object) -> str:
    r"""Return a text whose control characters are spelt out, as in ``\x1b``; line breaks and tabs stay.

    Control characters are those of C0 and C1 (a terminal obeys them), marks that turn the direction of writing, other
    invisible characters, separators of lines, and halves of surrogate pairs.
    """
    text = str(text)
    if text.isascii() and text.isprintable():  # nearly always
        return text
    return "".join(
        letter.encode("unicode_escape", "surrogatepass").decode("ascii") if _is_control(letter) else letter
        for letter in text
    )


def one_line(text: object, most: int | None = None) -> str:
    """Return ``plain`` text in one line, cut to a number of characters."""
    line = plain(" ".join(str(text).split()))
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def counted(number: int, word: str) -> str:
    """Return a number and what it counts: '1 feature', '1,000 features'."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def for_figure(text: object) -> str:
    """Return ``plain`` text that matplotlib takes for no formula."""
    return plain(text).replace("$", r"\$")


def for_csv(value: object) -> object:
    """Return a cell that a spreadsheet takes for no formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


class CsvWriter:
    """Writes rows of cells that are ``for_csv``."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write a row."""
        self._writer.writerow(map(for_csv, cells))


def _is_control(letter: str) -> bool:
    return letter not in f"\n\t{_JOINERS}" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
