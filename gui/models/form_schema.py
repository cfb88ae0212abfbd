"""The form of a configuration, read from its class, and its values by field."""

import functools
from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from tfticket.config.schema import Config, config_classes
from tfticket.errors import unknown

from .form_fields import MISSING, Choice, Field, Group, default_of, field_of, join_path, label_of


@functools.lru_cache(maxsize=64)
def read_schema(cls: type[Config], kinds: tuple[tuple[str, str], ...]) -> Group:
    """Return the form of a configuration, with (path, name of the kind) for every table of several kinds."""
    return _group(cls, "", cls.__name__, (cls.__doc__ or "").partition("\n")[0], dict(kinds))


def flatten(
    cls: type[Config], values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...], list[str]]:
    """Flatten nested values to one value per field, with defaults for missing ones.

    Returns:
        Path -> value; (path, kind) of the tables of several kinds; error messages.
    """
    flat: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    problems: list[str] = []
    _flatten(cls, values, "", flat, kinds, problems)
    return flat, tuple(kinds.items()), problems


def sections(root: Group) -> list[Group]:
    """Return the top-level sections; fields without a group form sections of their own."""
    groups: list[Group] = []
    for part in root.parts:
        if isinstance(part, Group):
            groups.append(part)
            continue
        label = "Experiment" if any(group.path for group in groups) else "Run"
        same_label = next((group for group in groups if not group.path and group.label == label), None)
        about = root.description if label == "Experiment" else "Experiment, and name of the run"
        group = Group("", label, about, (*(same_label.parts if same_label else ()), part))
        groups = [group if other is same_label else other for other in groups] if same_label else [*groups, group]
    return groups


def closeness(field: Field, value: str, text: str) -> int | None:
    """Return how closely a field, with its value as text, matches the words of a search text.

    Returns:
        0 if the text is the field's label or name, 1 if it is the beginning of one, 2 if the label contains every
        word, 3 if label and path do, 4 if these and the help do, 5 if these and the value do; None for no match.
    """
    words = text.casefold().split()
    query, label, path = " ".join(words), field.label.casefold(), field.path.casefold()
    names = (label, path.rpartition(".")[2], path)
    if query in names:
        return 0
    if any(name.startswith(query) for name in names):
        return 1
    searched = label
    for rank, more in enumerate((path, field.description.casefold(), value.casefold(), ""), 2):
        if all(word in searched for word in words):
            return rank
        searched = f"{searched} {more}"
    return None


def _flatten(
    cls: type[Config], values: Mapping[str, Any], path: str, flat: dict[str, Any], kinds: dict[str, str], bad: list[str]
) -> None:
    bad += [
        str(unknown("key", join_path(path, str(key)), [join_path(path, name) for name in cls.model_fields]))
        for key in values
        if key not in cls.model_fields
    ]
    for name, info in cls.model_fields.items():
        child = join_path(path, name)
        value = values.get(name, MISSING)
        value = default_of(info) if value is MISSING else value
        options = _tables(info)
        if not options:
            flat[child] = value
        elif value is not MISSING and not isinstance(value, dict):
            example = next(iter(_first(options).model_fields))
            bad.append(f"{child}: expected keys and values such as '{example}: ...'.")
        else:
            chosen = _chosen(options, info, {} if value is MISSING else value, child, kinds, bad)
            _flatten(chosen, {} if value is MISSING else value, child, flat, kinds, bad)


def _chosen(
    options: dict[str, type[Config]],
    info: FieldInfo,
    value: Mapping[str, Any],
    child: str,
    kinds: dict[str, str],
    bad: list[str],
) -> type[Config]:
    if not info.discriminator:
        return _first(options)
    name = value.get(str(info.discriminator), next(iter(options)))
    if not isinstance(name, str) or name not in options:
        bad.append(str(unknown("kind", name, options, where=f"{child}.{info.discriminator}")))
        return _first(options)
    kinds[child] = name
    return options[name]


def _first(options: Mapping[str, type[Config]]) -> type[Config]:
    return next(iter(options.values()))


def _tables(info: FieldInfo) -> dict[str, type[Config]]:
    """Return kind -> class of a nested configuration; {} for a plain value."""
    annotation = info.annotation
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return {"": annotation}
    if not isinstance(info.discriminator, str):
        return {}
    tags = {cls: get_args(cls.model_fields[info.discriminator].annotation) for cls in config_classes(annotation)}
    return {str(tag): cls for cls, names in tags.items() for tag in names}


def _group(
    cls: type[Config], path: str, label: str, description: str, kinds: Mapping[str, str], choose: Field | None = None
) -> Group:
    parts: list[Field | Group] = []
    for name, info in cls.model_fields.items():
        child = join_path(path, name)
        options = _tables(info)
        if choose is not None and child == choose.path:
            parts.append(choose)
        elif not options:
            parts.append(field_of(cls, name, path))
        elif not info.discriminator:
            parts.append(_group(_first(options), child, label_of(name), info.description or "", kinds))
        else:
            chosen = options[kinds[child]]
            choices = tuple(Choice(tag, (other.__doc__ or "").partition("\n")[0]) for tag, other in options.items())
            switch = field_of(chosen, str(info.discriminator), child, choices)
            parts.append(_group(chosen, child, label_of(name), info.description or "", kinds, switch))
    parts.sort(key=lambda part: part.path == "execution")
    return Group(path, label, description, tuple(parts), tagged=choose is not None)
