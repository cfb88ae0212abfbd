"""What is wrong with a configuration's values, in words, and at which field."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from gui.models.form_fields import Field, Group, join


def errors_by_path(error: ValidationError, root: Group) -> dict[str, str]:
    """Path of a field, or of a group where the fault is in how its fields go together -> what is wrong."""
    groups = {group.path: group for group in root.groups}
    found: dict[str, list[str]] = {}
    for problem in error.errors():
        path, within = _placed(problem["loc"], groups)
        found.setdefault(path, []).append(in_words(problem, within))
    return {path: "; ".join(dict.fromkeys(said)) for path, said in found.items()}


def own_error(field: Field, value: Any) -> tuple[Any, str]:
    """The value as the configuration would hold it, and what is wrong with it or ''; then it is as it was."""
    try:
        return field.adapter.dump_python(field.adapter.validate_python(value), mode="json"), ""
    except ValidationError as error:
        said = dict.fromkeys(in_words(problem, problem["loc"]) for problem in error.errors())
        return value, "; ".join(said)


def in_words(problem: Mapping[str, Any], within: tuple[int | str, ...] = ()) -> str:
    """What is wrong, for a person.

    Args:
        problem: As pydantic tells it.
        within: Where in the field's value: the number in a list, or a key.
    """
    numbers = [f"number {part + 1}" if isinstance(part, int) else part for part in within if _is_written(part)]
    where = "".join(f"{part}: " for part in numbers)
    return where + _said(str(problem["type"]), problem.get("ctx", {}), problem)


def _said(kind: str, bounds: Mapping[str, Any], problem: Mapping[str, Any]) -> str:
    if (problem.get("input") is None and kind.endswith("_type")) or kind in ("missing", "string_too_short"):
        return "needed; nothing stands here"
    if kind in _WORDS:
        return _WORDS[kind].format(**bounds)
    return str(problem["msg"]).removeprefix("Value error, ")


_WORDS = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "too_short": "needs at least {min_length}, has {actual_length}",
    "int_parsing": "expected a whole number, such as 128",
    "int_type": "expected a whole number, such as 128",
    "int_from_float": "expected a whole number, such as 128",
    "float_parsing": "expected a number, such as 0.1 or 1e-3",
    "float_type": "expected a number, such as 0.1 or 1e-3",
    "finite_number": "expected a finite number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected a text; in YAML, put it in quotes",
    "literal_error": "expected one of {expected}",
    "tuple_type": "expected a list such as 0, 1, 2",
    "list_type": "expected a list such as 0, 1, 2",
    "dict_type": "expected names and values such as dense_1: 0.2, dense_3: 0.1",
    "string_pattern_mismatch": "not allowed here; the pattern is {pattern}",
}


def _is_written(part: int | str) -> bool:
    """Whether part of a location is a number or a key, and not pydantic's name of a type."""
    return isinstance(part, int) or not part.startswith(("constrained-", "dict[", "list[", "tuple[", "function-"))


def _placed(location: tuple[int | str, ...], groups: Mapping[str, Group]) -> tuple[str, tuple[int | str, ...]]:
    """The field or group that a location lies in, and the rest of the location."""
    path, tag_left = "", False
    for number, part in enumerate(location):
        if path not in groups:
            return path, location[number:]
        if tag_left:
            tag_left = False
            continue
        path = join(path, str(part))
        tag_left = path in groups and groups[path].tagged
    return path, ()
