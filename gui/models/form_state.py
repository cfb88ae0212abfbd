"""The values of a form at one moment, and the moments that follow from it. Nothing here changes a state."""

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tfticket.config.schema import Config
from tfticket.errors import InputError
from tfticket.presets import merge

from .form_errors import errors_by_path, own_error
from .form_fields import MISSING, Field
from .form_schema import flatten, read_schema
from .form_text import Table, read_text

Kinds = tuple[tuple[str, str], ...]
"""Which kind each table of several kinds is, (path, name)."""


@dataclass(frozen=True)
class Entry:
    """A field's value; the text, where it was typed; why that was not understood; what is wrong with the value."""

    value: Any
    text: str | None = None
    unread: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class State:
    """All entries, path -> entry, in the order of the form."""

    entries: dict[str, Entry]
    kinds: Kinds

    @functools.cached_property
    def tree(self) -> dict[str, Any]:
        """Nested values; a field's own keys and values are a ``Table``."""
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
        """Nested values, for whoever may change them."""
        return _plain(self.tree)


@dataclass(frozen=True)
class Draft:
    """What a form holds at one moment.

    Attributes:
        config_class: The configuration's class.
        state: The values.
        base: The preset's values, that marks and resets compare with.
        has_preset: Whether these are a preset's, and not the defaults.
        origin: Where the draft came from, in words.
    """

    config_class: type[Config]
    state: State
    base: State
    has_preset: bool
    origin: str


def draft_of(cls: type[Config], values: Mapping[str, Any], base: Mapping[str, Any] | None, origin: str) -> Draft:
    """A draft that begins with these values.

    Raises:
        InputError: Keys that are not known.
    """
    return Draft(cls, state_of(cls, values), state_of(cls, base or {}), base is not None, origin)


def typed_entry(field: Field, text: str) -> Entry:
    """What a text makes of a field."""
    value, unread = read_text(field, text)
    value, wrong = (value, "") if unread else own_error(field, value)
    return Entry(value, text, unread, wrong)


def entry_of(field: Field, value: Any) -> Entry:
    """What a value makes of a field."""
    known, wrong = own_error(field, None if value is MISSING else value)
    return Entry(MISSING if value is MISSING else known, None, "", wrong)


def state_of(cls: type[Config], values: Mapping[str, Any]) -> State:
    """The state of these values, with what a configuration works out by itself, if they make one.

    Raises:
        InputError: Keys that are not known.
    """
    with contextlib.suppress(ValidationError):  # those are shown at the fields
        values = cls.model_validate(values).model_dump(mode="json")
    flat, kinds, problems = flatten(cls, values)
    if problems:
        raise InputError("\n".join(problems))
    return entries_of(cls, flat, kinds)


def entries_of(cls: type[Config], flat: Mapping[str, Any], kinds: Kinds) -> State:
    """The state of one value a field."""
    return State({field.path: entry_of(field, flat[field.path]) for field in read_schema(cls, kinds).fields}, kinds)


def kept(old: State, new: State, but: str | None = None) -> State:
    """The new state, where what did not change stays as it was typed, but for the fields of one group."""
    entries = {}
    for path, entry in new.entries.items():
        before = old.entries.get(path)
        same = before is not None and before.value == entry.value and (but is None or not within(path, but))
        entries[path] = before if before is not None and same else entry
    return State(entries, new.kinds)


def restored(cls: type[Config], state: State, base: State, group: str) -> State:
    """With all values of a group as the preset has them; what it does not say stays."""
    kinds = {path: kind for path, kind in state.kinds if not within(path, group)}
    kinds |= {path: kind for path, kind in base.kinds if within(path, group)}
    entries = {}
    for field in read_schema(cls, tuple(kinds.items())).fields:
        there = base.entries.get(field.path) if within(field.path, group) else None
        entries[field.path] = state.entries[field.path] if there is None or there.value is MISSING else there
    return State(entries, tuple(kinds.items()))


def switched(cls: type[Config], state: State, base: State, field: Field, kind: Any) -> State:
    """With a table made another kind. It keeps nothing of the old one: it has the preset's values, or its defaults."""
    if dict(base.kinds).get(field.group) == kind:
        return restored(cls, state, base, field.group)
    tree = state.plain
    node = tree
    *above, last = field.group.split(".")
    for part in above:
        node = node[part]
    node[last] = {field.path.rpartition(".")[2]: kind}
    flat, kinds, problems = flatten(cls, tree)
    if problems:
        raise InputError("\n".join(problems))
    return kept(state, entries_of(cls, flat, kinds), but=field.group)


def dropped(state: State, path: str, value: Any) -> list[str]:
    """The fields that go when a file is laid over these values which says this one alone."""
    above = functools.reduce(lambda inner, part: {part: inner}, reversed(path.split(".")), value)
    if not isinstance(above, dict):
        return []
    laid = merge(state.plain, above)
    group, _, _ = path.rpartition(".")
    beside = [spot for spot in state.entries if spot.rpartition(".")[0] == group and spot != path]
    return [spot for spot in beside if _has(state.plain, spot) and not _has(laid, spot)]


def reference_of(field: Field, state: State, base: State) -> Any:
    """The preset's value of a field; the default where the preset has a table of another kind."""
    here, there = dict(state.kinds), dict(base.kinds)
    around = [path for path in here if within(field.group, path)]
    if not field.switches and any(here[path] != there.get(path) for path in around):
        return own_error(field, field.default)[0]
    entry = base.entries.get(field.path)
    return MISSING if entry is None else entry.value


def errors_of(cls: type[Config], state: State) -> dict[str, str]:
    """What is wrong: path of a field or a group -> words, groups first."""
    entries, root = state.entries, read_schema(cls, state.kinds)
    found = {path: entry.unread for path, entry in entries.items() if entry.unread}
    try:
        cls.model_validate(state.tree)
    except ValidationError as error:
        said = errors_by_path(error, root)
        groups = [path for path in said if path not in entries]
        hidden = {  # a group that is refused as a whole says nothing of its fields
            path: entry.wrong
            for path, entry in entries.items()
            if entry.wrong and any(within(path, group) for group in groups)
        }
        found = hidden | said | found
    return {path: found[path] for path in (*(group.path for group in root.groups), *entries) if path in found}


def within(path: str, group: str) -> bool:
    """Whether a path is a group's, or of something in it."""
    return not group or path == group or path.startswith(f"{group}.")


def _has(values: Any, path: str) -> bool:
    for part in path.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) if isinstance(value, dict) else value for key, value in tree.items()}
