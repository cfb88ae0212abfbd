"""What a form of a configuration holds: fields in groups. A field is read from the configuration's class."""

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
"""How a field is edited: 'table' is keys and values, 'configs' a list of names with options, 'yaml' any value."""

_STRICT = ConfigDict(strict=Config.model_config["strict"], allow_inf_nan=Config.model_config["allow_inf_nan"])
"""A value alone is taken as in its configuration."""

MISSING: Any = object()
"""Where a value is needed and none is given."""


@dataclass(frozen=True)
class Choice:
    """A value to choose, and one line about it."""

    value: Any
    about: str = ""


@dataclass(frozen=True, eq=False)
class Field:
    """One value of a configuration.

    Attributes:
        path: 'train.optimiser.learning_rate'.
        group: The path of the group that it is in, '' for the outermost.
        label: 'Learning rate'.
        description: Its help.
        kind: How it is edited.
        choices: What there is to choose; of 'configs' the names that can be added.
        others: Whether a text beside the choices is taken too.
        optional: Whether it may be null.
        null: What null means, in words.
        bounds: The numbers it takes, in words; '' for any.
        lowest: The least whole number it takes; None: there is none.
        default: As a plain value; MISSING where there is none.
        switches: Whether it says which kind of table its group is, and so which fields stand beside it.
        fixed: Whether it is shown only.
        adapter: Checks a value of it alone.
    """

    path: str
    group: str
    label: str
    description: str
    kind: Kind
    choices: tuple[Choice, ...]
    others: bool
    optional: bool
    null: str
    bounds: str
    lowest: int | None
    default: Any
    switches: bool
    fixed: bool
    adapter: TypeAdapter[Any]


@dataclass(frozen=True, eq=False)
class Group:
    """A configuration within the configuration, or the whole.

    Attributes:
        path: 'train.optimiser'; '' for the whole.
        label: 'Optimiser'.
        description: Its help.
        parts: Fields and groups, in the order of the class; 'execution' comes last.
        tagged: Whether it is one of several kinds.
    """

    path: str
    label: str
    description: str
    parts: tuple["Field | Group", ...]
    tagged: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields, and those of the groups in it."""
        return tuple(field for part in self.parts for field in (part.fields if isinstance(part, Group) else (part,)))

    @property
    def groups(self) -> tuple["Group", ...]:
        """It, and the groups in it."""
        return (self, *(group for part in self.parts if isinstance(part, Group) for group in part.groups))


def join(path: str, name: str) -> str:
    """The path of what has this name in the group of this path."""
    return f"{path}.{name}" if path else name


def default_of(info: FieldInfo) -> Any:
    """A field's default as a plain value; MISSING where there is none."""
    if info.is_required():
        return MISSING
    return to_jsonable_python(info.get_default(call_default_factory=True, validated_data={}))


@functools.lru_cache(maxsize=1024)
def field_of(cls: type[Config], name: str, path: str, switch: tuple[Choice, ...] = ()) -> Field:
    """The field of this name of a configuration at ``path``; with choices, one that says which kind that is."""
    info = cls.model_fields[name]
    plain, metadata, optional = _peel(info.annotation, tuple(info.metadata))
    kind: Kind = "choice" if switch else _kind(plain, name, metadata)
    choices = switch or _choices(plain, metadata)
    null = _null(info.description or "") if optional else ""
    if optional and kind == "choice":
        choices = (Choice(None, null), *choices)
    lowest = [each.ge for each in metadata if hasattr(each, "ge")] + [
        each.gt + 1 for each in metadata if hasattr(each, "gt")
    ]
    return Field(
        path=join(path, name),
        group=path,
        label=label_of(name),
        description="Which of these kinds." if switch else info.description or "",
        kind=kind,
        choices=choices,
        others=any(isinstance(each, Suggested) for each in metadata),
        optional=optional,
        null=null,
        bounds=_bounds(metadata),
        lowest=lowest[0] if lowest and kind == "integer" else None,
        default=default_of(info),
        switches=bool(switch),
        fixed=path == "" and name == "experiment",
        adapter=TypeAdapter(Annotated[info.annotation, info], config=_STRICT),  # type: ignore[arg-type]
    )


def _peel(annotation: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], bool]:
    """A type without its annotations and without null; the annotations; whether it may be null."""
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
    """Annotations, and those within a ``Field(...)`` among them."""
    for each in metadata:
        yield from _unpacked(tuple(each.metadata)) if isinstance(each, FieldInfo) else (each,)


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
    """The table whose names a text takes or is offered."""
    for each in metadata:
        if isinstance(each, Suggested):
            return each.table
        if isinstance(each, AfterValidator) and isinstance(each.func, OneOf):
            return each.func.table
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
    said = (
        f"{word} {getattr(each, name):g}" for each in metadata for name, word in words.items() if hasattr(each, name)
    )
    return ", ".join(said)


def _null(description: str) -> str:
    """What a description says that null means."""
    found = re.search(r"null: ([^;]+)", description)
    return found.group(1).strip() if found else "none"


def label_of(name: str) -> str:
    """A name as a label: 'Learning rate'."""
    return name.replace("_", " ").capitalize()
