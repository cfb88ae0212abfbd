"""Text of a form's fields: parsed to values, and written so that it parses back."""

import re
from collections.abc import Mapping
from typing import Any

from tfticket.errors import InputError
from tfticket.yaml_text import load_yaml, scalar
from tfticket.yaml_text import write_yaml as dump_yaml

from .form_fields import MISSING, Field


def read_text(field: Field, text: str) -> tuple[Any, str]:
    """Parse the text of a field.

    Returns:
        The value (the text itself if it is not a number), and an error message or ''.
    """
    stripped = text.strip()
    if not stripped and (field.optional or field.kind not in ("list", "table", "configs")):
        return None, ""
    if field.kind in ("list", "table"):
        opening, closing = _BRACKETS[field.kind]
        enclosed = stripped if stripped.startswith(opening) else f"{opening}{stripped}{closing}"
        return _read(enclosed, _EXPECTED[field.kind])
    if field.kind == "configs":
        return _read_lines(stripped)
    if field.kind in ("integer", "number", "switch"):
        return scalar(stripped), ""
    return _read(stripped, _EXPECTED["yaml"]) if field.kind == "yaml" else (stripped, "")


def write_text(field: Field, value: Any) -> str:
    """Return a value as text that can be typed; '' for null."""
    if value is None or value is MISSING:
        return ""
    if field.kind == "configs" and isinstance(value, list):
        return "\n".join(map(_flow, value))
    if field.kind in ("list", "table") and isinstance(value, list | dict):
        return _flow(value)[1:-1]
    if field.kind == "yaml":
        return _flow(value)
    return format_number(value) if isinstance(value, float) else str(value)


def format_number(number: float) -> str:
    """Return a number with all its digits: 0.0012, 1e-7, 30."""
    if number.is_integer() and abs(number) < 1e9:
        return str(int(number))
    return re.sub(r"e([+-])0*", r"e\1", repr(number)).replace("e+", "e")


def describe(field: Field, value: Any) -> str:
    """Return a value in words."""
    if value is None or value is MISSING:
        return field.null_meaning or "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    return write_text(field, value).replace("\n", ", ") or "nothing"


def write_yaml(tree: Mapping[str, Any]) -> str:
    """Return a configuration as YAML, one line per field."""
    return "".join(_lines(tree, ""))


def read_yaml(text: str) -> tuple[dict[str, Any], str]:
    """Parse YAML; return the values, and an error message or ''."""
    try:
        values = load_yaml(text, "")
    except InputError as error:
        message = str(error)
        return {}, message[:1].upper() + message[1:]
    if not isinstance(values, dict):
        return {}, "Expected keys and values such as 'name: my-run'."
    return values, ""


class Table(dict[str, Any]):
    """Keys and values of a single field, as opposed to a group of fields."""


_BRACKETS = {"list": ("[", "]"), "table": ("{", "}")}

_EXPECTED = {
    "list": "expected a list such as 0, 1, 2",
    "table": "expected names and values such as dense_1: 0.2, dense_3: 0.1",
    "configs": "expected one per line: a name, or {name: ..., option: ...}",
    "yaml": "invalid; put texts with colons or brackets in quotes",
}


def _read(text: str, expected: str) -> tuple[Any, str]:
    try:
        return load_yaml(text, ""), ""
    except InputError:
        return text, expected


def _read_lines(text: str) -> tuple[Any, str]:
    """Parse one item per line, or a YAML list."""
    if text.startswith(("[", "- ")):
        return _read(text, _EXPECTED["configs"])
    items = [_read(line, _EXPECTED["configs"]) for line in text.splitlines() if line.strip()]
    problem = next((f"line {number}: {error}" for number, (_, error) in enumerate(items, 1) if error), "")
    return (text, problem) if problem else ([value for value, _ in items], "")


def _flow(value: Any) -> str:
    text = dump_yaml(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _lines(tree: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict) and not isinstance(value, Table):
            lines += [f"{indent}{key}:\n", *_lines(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{key}: {_flow(dict(value) if isinstance(value, Table) else value)}\n")
    return lines
