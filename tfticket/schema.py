"""What every configuration is: frozen, typed, and refused if it holds a key we do not know."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tfticket.errors import InputError, unknown

ConfigType = TypeVar("ConfigType", bound="Config")


class Config(BaseModel):
    """The parent of every configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What differs from the defaults, so that a configuration is told in a line."""
        fields = type(self).model_fields
        return ((name, value) for name, value in super().__repr_args__() if value != fields[str(name)].default)

    def __hash__(self) -> int:
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))  # some hold dictionaries


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast as Python's own, where PyYAML was built with it."""


def read_yaml(path: Path) -> Any:
    """A YAML file as plain values.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no text.
        YAMLError: It is no YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 -- a safe one


def validate(cls: type[ConfigType], values: Any, where: str) -> ConfigType:
    """Build a configuration from plain values.

    Args:
        cls: The configuration's class.
        values: Nested dictionaries, lists and scalars.
        where: The file or command that the values come from, for the message.

    Raises:
        InputError: Unknown key (with the nearest known one), wrong type or value.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path, holders = _place(cls, problem["loc"])
            if problem["type"] == "extra_forbidden":
                prefix = path.removesuffix(str(problem["loc"][-1]))
                lines.append(unknown("key", path, [prefix + name for name in _keys(holders)]))
                continue
            _, held = _place(cls, (*problem["loc"], ""))
            if problem["type"] in ("model_type", "model_attributes_type"):
                keys = _keys(held)
                mend = f"expected a table such as {{{keys[0]}: ...}}, or {{}} for the defaults"
                said = f"{mend} (got {problem['input']!r}). Keys: {', '.join(keys)}."
            elif problem["type"] == "tuple_type":
                said = f"expected a list{_example(held, problem['input'])} (got {problem['input']!r})."
            else:
                got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
                said = f"{problem['msg'].removeprefix('Value error, ')}{got}."
            lines.append(f"{path}: {said}".removeprefix(": "))
        raise InputError(f"{where}: " + "\n".join(lines)) from None


def _example(held: list[type[Config]], value: Any) -> str:
    """How a user writes a list: of what was given, if that may stand in it, or of the tables that it holds, if any."""
    scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
    if scalar and (not held or any(_is_one(known, value) for known in held)):
        return f" such as [{value}]"
    return f" of tables, such as [{{{_keys(held)[0]}: ...}}]" if held else ""


def _is_one(cls: type[Config], value: Any) -> bool:
    """Whether a value is a configuration of a class, a name for one (`keep-signs`) too."""
    try:
        cls.model_validate(value)
    except ValidationError:
        return False
    return True


def _keys(classes: list[type[Config]]) -> list[str]:
    """The keys of configurations that may stand in one place."""
    return list(dict.fromkeys(name for known in classes for name in known.model_fields))


def _place(cls: type[Config], location: tuple[int | str, ...]) -> tuple[str, list[type[Config]]]:
    """The dotted key as a user writes it, without the tag of a union, and the configurations that may hold it."""
    options: list[type[Config]] = [cls]
    written: list[str] = []
    for part in map(str, location[:-1]):
        fields = [option.model_fields[part] for option in options if part in option.model_fields]
        tagged = [o for o in options if "name" in o.model_fields and o.model_fields["name"].get_default() == part]
        if not fields and tagged:
            options = tagged
            continue
        written.append(part)
        if fields:
            options = [known for field in fields for known in config_classes(field.annotation)]
    return ".".join([*written, *map(str, location[-1:])]), options


def field_names(cls: type[Config]) -> list[str]:
    """Every field of a configuration as a user writes it, 'train.optimiser.learning_rate'."""
    names: list[str] = []
    for name, field in cls.model_fields.items():
        listed = get_origin(field.annotation) is tuple  # of which one cannot be named
        inner = [part for known in config_classes(field.annotation) if not listed for part in field_names(known)]
        whole = not inner or field.default is None  # one that may be null is also set as a whole
        names += [name] * whole + [f"{name}.{part}" for part in dict.fromkeys(inner)]
    return names


def config_classes(annotation: Any) -> list[type[Config]]:
    """The configurations among a field's types."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [known for part in get_args(annotation) for known in config_classes(part)]
