"""The one way to read the JSON files of runs and steps.

``read_record`` is strict, for work; ``record_or_problem`` is for lists and the window, where a damaged file is told and
the rest goes on. ``tfticket.runs.schemas`` says what each file must hold.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tfticket.errors import InputError
from tfticket.runs.files import MOST_BYTES, read_json
from tfticket.runs.schemas import MOST_COUNT, Lease, Manifest, ProgressRecord, Status, StepConfig, StepResult
from tfticket.text import one_line

_SHORT_FILE = 2**24
"""Bytes that no status, lease or progress has."""

Schema = TypeVar("Schema")

_MEND: dict[Any, str] = {
    Status: "`tfticket run` with the run's config.yaml writes it again; finished steps are kept.",
    Manifest: "`tfticket run` with the run's config.yaml writes it again; finished steps are kept.",
    StepConfig: "Delete the step's folder and run the same again.",
    StepResult: "Delete the step's folder and run the same again.",
    Lease: "If no process is running there, delete it.",
}
_MOST: dict[Any, int] = {Status: _SHORT_FILE, Lease: _SHORT_FILE, ProgressRecord: _SHORT_FILE}


def read_record(path: Path, schema: type[Schema]) -> Schema:
    """Read a JSON file of ours."""
    return checked(read_json(path, _MOST.get(schema, MOST_BYTES)), schema, str(path))


def record_or_problem(path: Path, schema: type[Schema]) -> tuple[Schema | None, str]:
    """Return what a JSON file of ours holds and '', or None and what is wrong with it."""
    try:
        return read_record(path, schema), ""
    except InputError as error:
        return None, str(error)


def checked(value: Any, schema: type[Schema], where: str) -> Schema:
    """Return a value that a schema allows."""
    try:
        valid: Schema = _ADAPTERS(schema).validate_python(value)
        return valid
    except ValidationError as error:
        problem = _in_words(error.errors(include_url=False)[0])
    except RecursionError:
        problem = "it is nested too deep"
    raise InputError(f"{where} is not as tfticket writes it: {problem}. {_MEND.get(schema, '')}".rstrip())


def is_one(value: Any, schema: type[Any]) -> bool:
    """Return True if a schema allows a value."""
    try:
        _ADAPTERS(schema).validate_python(value)
    except (ValidationError, RecursionError):
        return False
    return True


_ADAPTERS: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)
"""Schema -> what validates it."""

_EXPECTED = {
    "bool": "true or false",
    "dict": "a table, {...}",
    "finite": "a finite number",
    "float": "a number",
    "int": "an integer",
    "list": "a list, [...]",
    "string": "text",
    "is": "text",
    "too": "a list of two",
    "typed": "a table, {...}",
}
"""First word of a kind of error -> what was expected."""


def _in_words(error: ErrorDetails) -> str:
    """Say what is wrong with a value: where, what it is, what was expected."""
    place = ".".join(str(part) for part in error["loc"])
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "missing":
        around = place.rpartition(".")
        return f"there is no '{around[2]}'" + (f" in {around[0]}" if around[0] else "")
    first = kind.split("_")[0]
    if kind == "literal_error":
        expected = f"one of {limits['expected']}"
    elif kind == "value_error":
        expected = str(limits["error"])
    elif first in ("greater", "less"):
        (limit,) = (value for name, value in limits.items() if name in ("ge", "gt", "le", "lt"))
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        expected = f"{words[next(name for name in words if name in limits)]} {limit:,g}"
    else:
        expected = _EXPECTED.get(first, "another value")
    subject = f"'{place}' is" if place else "it is"
    return f"{subject} {_shown(error['input'])}; expected {expected}"


def _shown(value: Any) -> str:
    """A value in few words."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) > MOST_COUNT:
        return "a huge number"
    return one_line(repr(value), 40)
