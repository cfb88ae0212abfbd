"""Errors of a configuration's values, in words and by field."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tfticket.config.schema import plain
from tfticket.config.wording import is_key, problem_words

from .form_fields import Field, Group, join_path


def errors_by_path(error: ValidationError, root: Group) -> dict[str, str]:
    """Return path -> message; conflicts between the fields of a group are under the group's path."""
    groups = {group.path: group for group in root.groups}
    messages: dict[str, list[str]] = {}
    for problem in error.errors():
        path, within = _locate(problem["loc"], groups)
        messages.setdefault(path, []).append(describe_problem(problem, within))
    return {path: "; ".join(dict.fromkeys(texts)) for path, texts in messages.items()}


def check_value(field: Field, value: Any) -> tuple[Any, str]:
    """Return a value as in the configuration and '', or the unchanged value and its error."""
    try:
        return field.adapter.dump_python(field.adapter.validate_python(plain(value)), mode="json"), ""
    except ValidationError as error:
        return value, "; ".join(dict.fromkeys(describe_problem(problem, problem["loc"]) for problem in error.errors()))


def describe_problem(problem: Mapping[str, Any], within: tuple[int | str, ...] = ()) -> str:
    """Return a pydantic error in words.

    Args:
        problem: One of ``ValidationError.errors()``.
        within: Location within the field's value: indices of lists, and keys.
    """
    numbers = [f"number {part + 1}" if isinstance(part, int) else part for part in within if is_key(part)]
    return "".join(f"{part}: " for part in numbers) + problem_words(problem, yaml=True)


def _locate(location: tuple[int | str, ...], groups: Mapping[str, Group]) -> tuple[str, tuple[int | str, ...]]:
    """Return the field or group of a location, and the rest of the location."""
    path, is_tag = "", False
    for number, part in enumerate(location):
        if path not in groups:
            return path, location[number:]
        if is_tag:
            is_tag = False
            continue
        path = join_path(path, str(part))
        is_tag = path in groups and groups[path].tagged
    return path, ()
