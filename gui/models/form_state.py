"""Immutable states of a form, and pure functions from one state to the next."""

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tfticket.config.schema import Config, plain
from tfticket.config.wording import is_key, problem_words
from tfticket.errors import InputError
from tfticket.presets import merge

from .form_fields import MISSING, Field, Group, join_path
from .form_schema import flatten, read_schema
from .form_text import Table, read_text

Kinds = tuple[tuple[str, str], ...]
"""(path, name of the kind) for every table of several kinds."""


@dataclass(frozen=True)
class Entry:
    """Content of a field.

    Attributes:
        text: Typed text; None if the value was not typed.
        parse_error: Why the text was not understood; ''.
        value_error: Why the value is invalid; ''.
    """

    value: Any
    text: str | None = None
    parse_error: str = ""
    value_error: str = ""


@dataclass(frozen=True)
class State:
    """All entries, path -> entry, in form order."""

    entries: dict[str, Entry]
    kinds: Kinds

    @functools.cached_property
    def tree(self) -> dict[str, Any]:
        """Nested values; keys and values of a single field are a ``Table``."""
        tree: dict[str, Any] = {}
        for path, entry in self.entries.items():
            if entry.value is not MISSING:
                *above, name = path.split(".")
                node = tree
                for part in above:
                    node = node.setdefault(part, {})
                node[name] = Table(entry.value) if isinstance(entry.value, dict) else entry.value
        return tree

    @property
    def plain(self) -> dict[str, Any]:
        """Nested values, copied."""
        return _plain(self.tree)


@dataclass(frozen=True)
class Snapshot:
    """Content of a form, as undo keeps it.

    Attributes:
        base: Values of the preset, with which marks and resets compare.
        has_preset: Whether ``base`` is a preset, not the defaults.
        origin: Source of the values, in words.
    """

    config_class: type[Config]
    state: State
    base: State
    has_preset: bool
    origin: str


def make_snapshot(
    cls: type[Config], values: Mapping[str, Any], base: Mapping[str, Any] | None, origin: str
) -> Snapshot:
    """Return a snapshot of these values.

    Raises:
        InputError: A key is unknown.
    """
    return Snapshot(cls, make_state(cls, values), make_state(cls, base or {}), base is not None, origin)


def parse_entry(field: Field, text: str) -> Entry:
    """Return the entry of a field for a typed text."""
    value, parse_error = read_text(field, text)
    value, value_error = (value, "") if parse_error else check_value(field, value)
    return Entry(value, text, parse_error, value_error)


def make_entry(field: Field, value: Any) -> Entry:
    """Return the entry of a field for a value."""
    checked, value_error = check_value(field, None if value is MISSING else value)
    return Entry(MISSING if value is MISSING else checked, None, "", value_error)


def make_state(cls: type[Config], values: Mapping[str, Any]) -> State:
    """Return the state of nested values, with derived values if they are a valid configuration.

    Raises:
        InputError: A key is unknown.
    """
    with contextlib.suppress(ValidationError):  # shown at the fields
        values = cls.model_validate(values).model_dump(mode="json")
    flat, kinds, problems = flatten(cls, values)
    if problems:
        raise InputError("\n".join(problems))
    return make_state_from_flat(cls, flat, kinds)


def make_state_from_flat(cls: type[Config], flat: Mapping[str, Any], kinds: Kinds) -> State:
    """Return the state of one value per field."""
    return State({field.path: make_entry(field, flat[field.path]) for field in read_schema(cls, kinds).fields}, kinds)


def keep_typed_text(old: State, new: State, but: str | None = None) -> State:
    """Return the new state with the typed text of unchanged fields, except in the group ``but``."""
    entries = {}
    for path, entry in new.entries.items():
        before = old.entries.get(path)
        same = before is not None and before.value == entry.value and (but is None or not is_within(path, but))
        entries[path] = before if before is not None and same else entry
    return State(entries, new.kinds)


def restore_group(cls: type[Config], state: State, base: State, group: str) -> State:
    """Return a state with a group reset to the preset; values that the preset lacks stay."""
    kinds = {path: kind for path, kind in state.kinds if not is_within(path, group)}
    kinds |= {path: kind for path, kind in base.kinds if is_within(path, group)}
    entries = {}
    for field in read_schema(cls, tuple(kinds.items())).fields:
        preset = base.entries.get(field.path) if is_within(field.path, group) else None
        entries[field.path] = state.entries[field.path] if preset is None or preset.value is MISSING else preset
    return State(entries, tuple(kinds.items()))


def switch_kind(cls: type[Config], state: State, base: State, field: Field, kind: Any) -> State:
    """Return a state with another kind of table. It takes the preset's values or the defaults."""
    if dict(base.kinds).get(field.group) == kind:
        return restore_group(cls, state, base, field.group)
    tree = state.plain
    node = tree
    *above, last = field.group.split(".")
    for part in above:
        node = node[part]
    node[last] = {field.path.rpartition(".")[2]: kind}
    flat, kinds, problems = flatten(cls, tree)
    if problems:
        raise InputError("\n".join(problems))
    return keep_typed_text(state, make_state_from_flat(cls, flat, kinds), but=field.group)


def displaced_fields(state: State, path: str, value: Any) -> list[str]:
    """Return the fields that disappear when this value is merged into the configuration."""
    change = functools.reduce(lambda inner, part: {part: inner}, reversed(path.split(".")), value)
    if not isinstance(change, dict):
        return []
    merged = merge(state.plain, change)
    group, _, _ = path.rpartition(".")
    siblings = [other for other in state.entries if other.rpartition(".")[0] == group and other != path]
    return [other for other in siblings if _has(state.plain, other) and not _has(merged, other)]


def reference_value(field: Field, state: State, base: State) -> Any:
    """Return the preset's value of a field; the default if the preset has another kind of table."""
    kinds, base_kinds = dict(state.kinds), dict(base.kinds)
    enclosing = [path for path in kinds if is_within(field.group, path)]
    if not field.is_discriminator and any(kinds[path] != base_kinds.get(path) for path in enclosing):
        return check_value(field, field.default)[0]
    entry = base.entries.get(field.path)
    return MISSING if entry is None else entry.value


def find_errors(cls: type[Config], state: State) -> dict[str, str]:
    """Return the errors: path of a field or group -> message, groups first."""
    entries, root = state.entries, read_schema(cls, state.kinds)
    errors = {path: entry.parse_error for path, entry in entries.items() if entry.parse_error}
    try:
        cls.model_validate(state.tree)
    except ValidationError as error:
        reported = _errors_by_path(error, root)
        groups = [path for path in reported if path not in entries]
        hidden = {  # pydantic reports no field of a group that it refuses as a whole
            path: entry.value_error
            for path, entry in entries.items()
            if entry.value_error and any(is_within(path, group) for group in groups)
        }
        errors = hidden | reported | errors
    return {path: errors[path] for path in (*(group.path for group in root.groups), *entries) if path in errors}


def is_within(path: str, group: str) -> bool:
    """Return True if a path is a group's or lies in it."""
    return not group or path == group or path.startswith(f"{group}.")


def _has(values: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _errors_by_path(error: ValidationError, root: Group) -> dict[str, str]:
    """Return path -> message; conflicts between the fields of a group are under the group's path."""
    groups = {group.path: group for group in root.groups}
    messages: dict[str, list[str]] = {}
    for problem in error.errors():
        path, within = _locate(problem["loc"], groups)
        messages.setdefault(path, []).append(_describe_problem(problem, within))
    return {path: "; ".join(dict.fromkeys(texts)) for path, texts in messages.items()}


def check_value(field: Field, value: Any) -> tuple[Any, str]:
    """Return a value as in the configuration and '', or the unchanged value and its error."""
    try:
        return field.adapter.dump_python(field.adapter.validate_python(plain(value)), mode="json"), ""
    except ValidationError as error:
        return value, "; ".join(dict.fromkeys(_describe_problem(problem, problem["loc"]) for problem in error.errors()))


def _describe_problem(problem: Mapping[str, Any], within: tuple[int | str, ...] = ()) -> str:
    """Return one of pydantic's errors in words, with its location within the field's value."""
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
