"""Tables of test cases, written as lines of a text, and tables of values."""

from typing import Any


def rows(text: str, width: int) -> list[tuple[str, ...]]:
    """Return the cells of each line, which '|' separates; missing ones are empty."""
    cells = [tuple(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines()]
    return [(*row, *[""] * (width - len(row))) for row in cells]


def refusals(text: str) -> list[tuple[str, str | None, str | None, tuple[str, ...]]]:
    """Return what is refused, and what ``tests.refusals.refused`` takes, of lines 'input | field | suggestion | facts'.

    An empty field is the key of an input 'key=value', and '-' is none; facts are separated by '; '.
    """
    table = []
    for given, field, suggestion, facts in rows(text, 4):
        meant = None if field == "-" else field or given.partition("=")[0]
        table.append((given, meant, suggestion or None, tuple(facts.split("; "))))
    return table


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested values by their dotted keys."""
    leaves = {}
    for key, value in values.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return leaves
