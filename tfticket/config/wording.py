"""Messages about wrong values, in place of pydantic's."""

from collections.abc import Mapping
from typing import Any

from tfticket.errors import InputError, shortened, unknown

_WHOLE = "expected an integer, such as 128"
_TRUTHS = "; YAML reads yes and on as true, no and off as false"
_QUOTES = "; in YAML, put it in quotes"
_SCALARS = ("int_type", "float_type", "string_type")
_MISSING, _EMPTY = "needed, but missing", "needed, but empty"

_WORDS = {
    "missing": _MISSING,
    "extra_forbidden": "unknown key",
    "string_too_short": _EMPTY,
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "too_short": "needs at least {min_length}, has {actual_length}",
    "too_long": "takes at most {max_length}, has {actual_length}",
    "string_too_long": "must be at most {max_length} characters long",
    **dict.fromkeys(
        ("int_parsing", "int_parsing_size", "int_type", "int_from_float"), "expected an integer, such as 128"
    ),
    **dict.fromkeys(("float_parsing", "float_type"), "expected a number, such as 0.1 or 1e-3"),
    "finite_number": "expected a finite number",
    **dict.fromkeys(("bool_parsing", "bool_type"), "expected true or false"),
    "string_type": "expected a string",
    "string_unicode": "expected a string that UTF-8 can hold",
    "invalid_key": "expected a string as key",
    "literal_error": "expected {expected}",
    **dict.fromkeys(("tuple_type", "list_type"), "expected a list such as 0, 1, 2"),
    "dict_type": "expected names and values such as dense_1: 0.2, dense_3: 0.1",
    **dict.fromkeys(("model_type", "model_attributes_type"), "expected a table of fields"),
    "string_pattern_mismatch": "not allowed here; the pattern is {pattern}",
    "union_tag_not_found": "needs {discriminator}, which says what kind it is",
}
"""Kind of pydantic's error -> what a person is told; bounds and lengths are filled in."""


def problem_words(problem: Mapping[str, Any], *, yaml: bool) -> str:
    """Return what was expected, in words."""
    kind, context, value = str(problem["type"]), problem.get("ctx", {}), problem.get("input")
    if kind in ("value_error", "assertion_error"):
        return str(context["error"]) + (_yaml_hint(kind, value) if yaml else "")
    if value is None and kind.endswith("_type"):
        return _EMPTY
    if problem["loc"] and problem["loc"][-1] == "[key]":
        kind = "invalid_key"
    if kind == "union_tag_invalid":
        return str(_unknown_tag(context))
    words = _WORDS.get(kind, "not a value that this field takes").format(**context)
    return words + (_yaml_hint(kind, value) if yaml else "")


def field_error(field: str, message: str) -> ValueError:
    """Return what the validator of a whole configuration raises about one of its fields."""
    return ValueError(InputError(message, field=field))


def cause_of(problem: Mapping[str, Any]) -> InputError | None:
    """Return the error that knows the field or the name that was probably meant; None if there is none."""
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        return _unknown_tag(context)
    causes = getattr(context.get("error"), "args", ())
    return causes[0] if causes and isinstance(causes[0], InputError) else None


def _unknown_tag(context: Mapping[str, Any]) -> InputError:
    return unknown("kind", context["tag"], [tag.strip(" '") for tag in context["expected_tags"].split(",")])


def _yaml_hint(kind: str, value: Any) -> str:
    """Say how YAML came to read a text as something else, where that may be the reason."""
    if kind == "value_error" and isinstance(value, list | tuple) and any(isinstance(item, bool) for item in value):
        return f"{_TRUTHS}: put them in quotes"
    if kind not in _SCALARS or not isinstance(value, bool):
        return ""
    return (_QUOTES if kind == "string_type" else "") + _TRUTHS


def given(value: Any) -> str:
    """Return a value as a message quotes it."""
    try:
        return shortened(repr(list(value) if isinstance(value, tuple) else value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"


def is_key(part: int | str) -> bool:
    """Return True if part of a location is a number or a key, not pydantic's name of a type."""
    return isinstance(part, int) or not part.startswith(("constrained-", "dict[", "list[", "tuple[", "function-", "["))
