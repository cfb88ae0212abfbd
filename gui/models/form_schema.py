"""The form of a configuration, read from its class; and its values, one a field."""

import functools
from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from tfticket.config.schema import Config, config_classes
from tfticket.errors import unknown

from .form_fields import MISSING, Choice, Field, Group, default_of, field_of, join, label_of


@functools.lru_cache(maxsize=64)
def read_schema(cls: type[Config], kinds: tuple[tuple[str, str], ...]) -> Group:
    """The form of a configuration.

    Args:
        cls: The configuration's class.
        kinds: Which kind each table of several kinds is, (path, name).
    """
    return _group(cls, "", cls.__name__, (cls.__doc__ or "").partition("\n")[0], dict(kinds))


def flatten(
    cls: type[Config], values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...], list[str]]:
    """A tree of plain values as one value a field, the default where there is none.

    Returns:
        Path -> value; which kind each table of several kinds is; what was not understood, in words.
    """
    flat: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    problems: list[str] = []
    _flatten(cls, values, "", flat, kinds, problems)
    return flat, tuple(kinds.items()), problems


def sections(root: Group) -> list[Group]:
    """The outermost sections: what stands in no group is in one of its own, where it stands."""
    found: list[Group] = []
    for part in root.parts:
        if isinstance(part, Group):
            found.append(part)
            continue
        label = "Experiment" if any(group.path for group in found) else "Run"
        of_label = next((group for group in found if not group.path and group.label == label), None)
        about = root.description if label == "Experiment" else "Which experiment, and what the run is called"
        group = Group("", label, about, (*(of_label.parts if of_label else ()), part))
        found = [group if one is of_label else one for one in found] if of_label else [*found, group]
    return found


def _flatten(
    cls: type[Config], values: Mapping[str, Any], path: str, flat: dict[str, Any], kinds: dict[str, str], bad: list[str]
) -> None:
    bad += [
        unknown("key", join(path, str(key)), [join(path, name) for name in cls.model_fields])
        for key in values
        if key not in cls.model_fields
    ]
    for name, info in cls.model_fields.items():
        spot = join(path, name)
        value = values.get(name, MISSING)
        value = default_of(info) if value is MISSING else value
        options = _tables(info)
        if not options:
            flat[spot] = value
        elif value is not MISSING and not isinstance(value, dict):
            bad.append(f"{spot}: expected keys and values such as '{next(iter(_first(options).model_fields))}: ...'.")
        else:
            chosen = _chosen(options, info, {} if value is MISSING else value, spot, kinds, bad)
            _flatten(chosen, {} if value is MISSING else value, spot, flat, kinds, bad)


def _chosen(
    options: dict[str, type[Config]],
    info: FieldInfo,
    value: Mapping[str, Any],
    spot: str,
    kinds: dict[str, str],
    bad: list[str],
) -> type[Config]:
    """Which class a table is of."""
    if not info.discriminator:
        return _first(options)
    name = value.get(str(info.discriminator), next(iter(options)))
    if not isinstance(name, str) or name not in options:
        bad.append(f"{spot}.{info.discriminator}: " + unknown("kind", name, options))
        return _first(options)
    kinds[spot] = name
    return options[name]


def _first(options: Mapping[str, type[Config]]) -> type[Config]:
    return next(iter(options.values()))


def _tables(info: FieldInfo) -> dict[str, type[Config]]:
    """The classes of a nested configuration by the name of the kind; none for a value."""
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
        spot = join(path, name)
        options = _tables(info)
        if choose is not None and spot == choose.path:
            parts.append(choose)
        elif not options:
            parts.append(field_of(cls, name, path))
        elif not info.discriminator:
            parts.append(_group(_first(options), spot, label_of(name), info.description or "", kinds))
        else:
            chosen = options[kinds[spot]]
            switch = _switch(chosen, str(info.discriminator), spot, options)
            parts.append(_group(chosen, spot, label_of(name), info.description or "", kinds, switch))
    parts.sort(key=lambda part: part.path == "execution")
    return Group(path, label, description, tuple(parts), tagged=choose is not None)


def _switch(chosen: type[Config], name: str, path: str, options: Mapping[str, type[Config]]) -> Field:
    """The field that says of which kind a table is."""
    choices = tuple(Choice(tag, (cls.__doc__ or "").partition("\n")[0]) for tag, cls in options.items())
    return field_of(chosen, name, path, choices)
