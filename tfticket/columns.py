"""A table for the terminal: its columns give way in a fixed order where there is no room, and none is lost.

First the widest columns break between words, then text and names anywhere, numbers never. Where not even that is
enough, each row becomes a block with a line for each column.
"""

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfticket.text import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

_LEAST_TEXT = 12
"""Characters that a column of text keeps; a narrower one is not read any more."""
LEAST_WIDTH = 24
"""Columns of the narrowest terminal that is written for."""


def layout(header: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> "RenderableType":
    """Return a table, or a block for each row, that is no wider than the terminal."""
    texts = [[f"{value:,}" if type(value) is int else str(value) for value in row] for row in rows]
    cells = [[plain(text.replace("\n", " ")) for text in row] for row in texts]
    columns = list(zip(*cells, strict=True))
    numeric = [all(text[:1] in "+-<0123456789" for text in column if text) for column in columns]
    paths = [any(os.sep in text for text in column) for column in columns]
    width = max(width, LEAST_WIDTH)
    spare = width - 2 * len(header)  # a space and a divider or an edge each
    widths = _widths(header, columns, numeric, spare)
    if widths is None:
        return _blocks(header, cells, width)
    right = [is_number and not is_path for is_number, is_path in zip(numeric, paths, strict=True)]
    return _table(header, cells, widths, right)


def _widths(
    header: Sequence[str], columns: Sequence[Sequence[str]], numeric: Sequence[bool], spare: int
) -> list[int] | None:
    """The columns' widths; None where there is no room for them."""
    from rich.cells import cell_len

    texts = [[*name.split("\n"), *column] for name, column in zip(header, columns, strict=True)]
    widest = [max(map(cell_len, column)) for column in texts]
    words = [max(cell_len(word) for text in column for word in text.split() or [""]) for column in texts]
    narrow = [word if is_number else min(word, _LEAST_TEXT) for word, is_number in zip(words, numeric, strict=True)]
    for least in (words, narrow):
        if sum(least) <= spare:
            return _shrunk(widest, least, spare)
    return None


def _shrunk(widths: Sequence[int], least: Sequence[int], spare: int) -> list[int]:
    """Widths that fit: the widest column that still can gives way."""
    shrunk = list(widths)
    while sum(shrunk) > spare:
        number = max((n for n in range(len(shrunk)) if shrunk[n] > least[n]), key=lambda n: shrunk[n])
        shrunk[number] -= 1
    return shrunk


def _table(
    header: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]
) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, width, is_right in zip(header, widths, right, strict=True):
        table.add_column(Text(plain(name)), justify="right" if is_right else "left", width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _blocks(header: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> "RenderableType":
    from rich.text import Text

    names = [plain(name.replace("\n", " ")) for name in header]
    indent = min(max(map(len, names)) + 2, width // 2)
    lines = []
    for row in cells:
        for name, text in zip(names, row, strict=True):
            first = f"{textwrap.shorten(name, indent - 1, placeholder='…'):{indent}}"
            lines += textwrap.wrap(text, width, initial_indent=first, subsequent_indent=" " * indent) or [first]
        lines.append("")
    return Text("\n".join(lines[:-1]), no_wrap=True)
