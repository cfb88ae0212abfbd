"""What is wrong with a configuration's values, in words, and at which field."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tfticket.config.schema import plain
from tfticket.config.wording import is_key, problem_words

from .form_fields import Field, Group, join


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
        return field.adapter.dump_python(field.adapter.validate_python(plain(value)), mode="json"), ""
    except ValidationError as error:
        said = dict.fromkeys(in_words(problem, problem["loc"]) for problem in error.errors())
        return value, "; ".join(said)


def in_words(problem: Mapping[str, Any], within: tuple[int | str, ...] = ()) -> str:
    """What is wrong, for a person.

    Args:
        problem: As pydantic tells it.
        within: Where in the field's value: the number in a list, or a key.
    """
    numbers = [f"number {part + 1}" if isinstance(part, int) else part for part in within if is_key(part)]
    return "".join(f"{part}: " for part in numbers) + problem_words(problem, yaml=True)


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
