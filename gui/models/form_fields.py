"""Fields and groups of a form, read from the configuration's class."""

import functools
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from tfticket.config.names import OneOf, Suggested
from tfticket.config.schema import Config, config_classes

Kind = Literal["text", "integer", "number", "switch", "choice", "list", "table", "configs", "path", "yaml"]
"""Editor of a field: 'table' holds keys and values, 'configs' a list of names with options, 'yaml' any value."""

_STRICT = ConfigDict(strict=Config.model_config["strict"], allow_inf_nan=Config.model_config["allow_inf_nan"])
"""Validation of a single value, as strict as that of its configuration."""

MISSING: Any = object()
"""Value of a required field that has none."""


@dataclass(frozen=True)
class Choice:
    """One of the values to choose from, and one line about it."""

    value: Any
    about: str = ""


@dataclass(frozen=True, eq=False)
class Field:
    """One value of a configuration.

    Attributes:
        path: 'train.optimiser.learning_rate'.
        group: Path of its group, '' for the outermost.
        kind: Editor of the field.
        allows_other: Whether texts other than the choices are valid.
        bounds: Range of numbers, in words; '' for any.
        minimum: Smallest whole number; None for any.
        default: Plain value; MISSING if the field is required.
        is_discriminator: Whether the value selects the kind of its group, and thereby the group's fields.
        adapter: Validates a single value.
    """

    path: str
    group: str
    label: str
    description: str
    kind: Kind
    choices: tuple[Choice, ...]
    allows_other: bool
    optional: bool
    null_meaning: str
    bounds: str
    minimum: int | None
    default: Any
    is_discriminator: bool
    read_only: bool
    adapter: TypeAdapter[Any]


@dataclass(frozen=True, eq=False)
class Group:
    """A nested configuration, or the whole.

    Attributes:
        path: 'train.optimiser'; '' for the whole.
        parts: Fields and groups, in the order of the class; 'execution' comes last.
        tagged: Whether a discriminator selects its kind.
    """

    path: str
    label: str
    description: str
    parts: tuple["Field | Group", ...]
    tagged: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, including those of nested groups."""
        return tuple(field for part in self.parts for field in (part.fields if isinstance(part, Group) else (part,)))

    @property
    def groups(self) -> tuple["Group", ...]:
        """This group and all nested groups."""
        return (self, *(group for part in self.parts if isinstance(part, Group) for group in part.groups))


def join_path(path: str, name: str) -> str:
    """Return the path of a name in a group."""
    return f"{path}.{name}" if path else name


def default_of(info: FieldInfo) -> Any:
    """Return a field's default as a plain value; MISSING if it is required."""
    if info.is_required():
        return MISSING
    return to_jsonable_python(info.get_default(call_default_factory=True, validated_data={}))


@functools.lru_cache(maxsize=1024)
def field_of(cls: type[Config], name: str, path: str, switch: tuple[Choice, ...] = ()) -> Field:
    """Return a field of the configuration at ``path``; with ``switch``, the discriminator of its kinds."""
    info = cls.model_fields[name]
    plain, metadata, optional = _peel(info.annotation, tuple(info.metadata))
    kind: Kind = "choice" if switch else _kind(plain, name, metadata)
    choices = switch or _choices(plain, metadata)
    null = _null(info.description or "") if optional else ""
    if optional and kind == "choice":
        choices = (Choice(None, null), *choices)
    minimums = [m.ge for m in metadata if hasattr(m, "ge")] + [m.gt + 1 for m in metadata if hasattr(m, "gt")]
    return Field(
        path=join_path(path, name),
        group=path,
        label=label_of(name),
        description="Selects the kind." if switch else info.description or "",
        kind=kind,
        choices=choices,
        allows_other=any(isinstance(item, Suggested) for item in metadata),
        optional=optional,
        null_meaning=null,
        bounds=_bounds(metadata),
        minimum=minimums[0] if minimums and kind == "integer" else None,
        default=default_of(info),
        is_discriminator=bool(switch),
        read_only=path == "" and name == "experiment",
        adapter=TypeAdapter(Annotated[info.annotation, info], config=_STRICT),  # type: ignore[arg-type]
    )


def _peel(annotation: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], bool]:
    """Return a type without annotations and null, its annotations, and whether it may be null."""
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*metadata, *more)
        elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
            optional = True
            rest = tuple(part for part in get_args(annotation) if part is not type(None))
            annotation = Union[rest]  # noqa: UP007 - of a tuple
        else:
            return annotation, tuple(_unpacked(metadata)), optional


def _unpacked(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """Yield annotations, including those within a ``Field(...)``."""
    for item in metadata:
        yield from _unpacked(tuple(item.metadata)) if isinstance(item, FieldInfo) else (item,)


def _kind(plain: Any, name: str, metadata: tuple[Any, ...]) -> Kind:
    simple: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number", Path: "path"}
    if plain in simple:
        return simple[plain]
    if plain is str:
        return "path" if name == "path" else "choice" if _names(metadata) is not None else "text"
    origin = get_origin(plain)
    if origin is Literal:
        return "choice"
    if origin in (tuple, list):
        return "configs" if config_classes(plain) else "list"
    return "table" if origin is dict else "yaml"


def _names(metadata: tuple[Any, ...]) -> Mapping[str, object] | None:
    """Return the table of names that a text must or may be one of."""
    for item in metadata:
        if isinstance(item, Suggested):
            return item.table
        if isinstance(item, AfterValidator) and isinstance(item.func, OneOf):
            return item.func.table
    return None


def _choices(plain: Any, metadata: tuple[Any, ...]) -> tuple[Choice, ...]:
    if get_origin(plain) is Literal:
        return tuple(Choice(value) for value in get_args(plain))
    if get_origin(plain) in (tuple, list) and (inner := config_classes(plain)):
        named = inner[0].model_fields.get("name")
        return _choices(str, tuple(named.metadata)) if named else ()
    table = _names(metadata)
    return tuple(Choice(name, getattr(entry, "about", "")) for name, entry in (table or {}).items())


def _bounds(metadata: tuple[Any, ...]) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join(
        f"{word} {getattr(item, name):g}" for item in metadata for name, word in words.items() if hasattr(item, name)
    )


def _null(description: str) -> str:
    """Return the meaning of null according to a description: 'null: by name', 'if empty, by name'."""
    match = re.search(r"(?:null:|if empty,) ([^;]+)", description, re.IGNORECASE)
    return match.group(1).strip() if match else "none"


def label_of(name: str) -> str:
    """Return a name as a label: 'Learning rate'."""
    return name.replace("_", " ").capitalize()
