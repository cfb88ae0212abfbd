"""The base of all configurations: frozen, strictly typed, without unknown keys."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from tfticket.config.wording import cause_of, field_error, given, is_key, problem_words
from tfticket.errors import InputError, shortened, unknown
from tfticket.yaml_text import read_yaml

__all__ = [
    "MOST",
    "Config",
    "check_seed",
    "config_classes",
    "explained",
    "field_names",
    "plain",
    "read_yaml",
    "validate",
]

ConfigType = TypeVar("ConfigType", bound="Config")

MOST = 10_000
"""Of levels, replicates, chains, threads and the like."""
LARGEST_INTEGER, LARGEST_SEED = 2**63 - 1, 2**128 - 1
"""Of any field, and of a seed: steps' seeds are derived ones of 128 bits."""


class Config(BaseModel):
    """The parent of every configuration: immutable, an unknown key is an error, and no type stands for another.

    A number is no text and no truth value; lists, and the scalars and arrays of NumPy, are as good as Python's own.

    Raises:
        InputError: A wrong value, where it is made by calling its class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    former_names: ClassVar[dict[str, str]] = {}
    """Field -> the name that it had before, which is read, too, and by which fingerprints go on to hash it."""

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise explained(type(self), error, type(self).__name__) from None

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # else it is also called for nested ones

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Fields that differ from their defaults, for a short repr."""
        fields = type(self).model_fields
        return ((name, value) for name, value in super().__repr_args__() if value != fields[str(name)].default)

    def __str__(self) -> str:
        return repr(self)

    def __setattr__(self, name: str, value: Any) -> None:
        raise InputError(f"A {type(self).__name__} does not change once it is made. Make another, with {name}=...")

    def __hash__(self) -> int:
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))  # some hold dictionaries

    @model_validator(mode="before")
    @classmethod
    def _take_lists_and_numpy(cls, values: Any) -> Any:
        values = plain(values)
        for name, former in cls.former_names.items() if isinstance(values, dict) else ():
            if former in values and name in values:
                raise field_error(name, f"{former} is the former name of {name}: give one of them")
            values = {name if key == former else key: value for key, value in values.items()}
        return values

    @field_validator("*", mode="after")
    @classmethod
    def _check_size(cls, value: Any, info: ValidationInfo) -> Any:
        value = _without_minus_zero(value)
        limit = LARGEST_SEED if "seed" in (info.field_name or "") else LARGEST_INTEGER
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, int) and abs(item) > limit:
                raise ValueError(f"must be at most {limit:,}")
        return value


def current_names(cls: type[Config], values: dict[str, Any]) -> dict[str, Any]:
    """Return values of a configuration under the present names of its fields, at any depth, before they are checked."""
    current = {former: name for name, former in cls.former_names.items() if name not in values}
    renamed = {current.get(key, key): value for key, value in values.items()}
    for name, value in renamed.items():
        classes = config_classes(cls.model_fields[name].annotation) if name in cls.model_fields else []
        if isinstance(value, dict) and len(classes) == 1:
            renamed[name] = current_names(classes[0], value)
    return renamed


def plain(value: Any) -> Any:
    """Return tuples for lists, and Python's numbers and texts for NumPy's, at any depth."""
    if isinstance(value, BaseModel):  # most fields of a step's configuration are; planning makes thousands
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return tuple(plain(item) for item in value) if isinstance(value, list | tuple) else value


def _without_minus_zero(value: Any) -> Any:
    """Return 0.0 for -0.0, at any depth: one meaning, one fingerprint."""
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {key: _without_minus_zero(item) for key, item in value.items()}
    return tuple(map(_without_minus_zero, value)) if isinstance(value, tuple) else value


def validate(cls: type[ConfigType], values: Any, where: str, *, yaml: bool = False) -> ConfigType:
    """Build a configuration from plain values."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise explained(cls, error, where, yaml=yaml) from None


def check_seed(seed: Any) -> int:
    """Return a root seed that a function was given, as Python's integer."""
    value = plain(seed)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_SEED:
        raise InputError(f"The seed is {given(seed)}; expected an integer from 0 to 2^128 - 1.", field="seed")
    return value


def explained(cls: type["Config"], error: ValidationError, where: str, *, yaml: bool = False) -> InputError:
    """Return the error for values of a configuration, with a line for each: field, what was expected, the value."""
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
    places = [tuple(problem["loc"]) for problem in problems]
    problems = [problem for problem in problems if not _counts_refused(problem, places)]
    lines = [_refusal(cls, problem, yaml) for problem in problems]
    message = "\n".join(dict.fromkeys(str(line).removeprefix(": ") for line in lines))
    return InputError(f"{where}: {message}", field=lines[0].field, suggestion=lines[0].suggestion)


def _counts_refused(problem: dict[str, Any], places: list[tuple[int | str, ...]]) -> bool:
    """Return True if a list is called too short only because pydantic does not count items that it refused."""
    here = tuple(problem["loc"])
    return problem["type"] == "too_short" and any(place[: len(here)] == here != place for place in places)


def _refusal(cls: type["Config"], problem: dict[str, Any], yaml: bool) -> InputError:
    """Return the error for one problem of pydantic's; its message is one line."""
    kind, location, value = str(problem["type"]), tuple(problem["loc"]), problem["input"]
    path, holders = _place(cls, location)
    if kind == "extra_forbidden":
        last = str(location[-1])
        return unknown("key", last, _keys(holders), field=path, prefix=path.removesuffix(last))
    _, held = _place(cls, (*location, ""))
    got = "" if isinstance(value, dict) and kind not in ("string_type", "tuple_type") else _got(value)
    if kind in ("model_type", "model_attributes_type") and held:
        keys = _keys(held)
        words = f"expected a table such as {{{keys[0]}: ...}}, or {{}} for the defaults"
        return InputError(f"{path}: {words}{_got(value)}. Keys: {', '.join(keys)}.", field=path)
    if kind == "union_tag_not_found":
        tag = problem["ctx"]["discriminator"].strip("'")
        tags = [str(name) for option in held for name in get_args(option.model_fields[tag].annotation)]
        return InputError(f"{path}: needs {tag}, which says what kind it is; expected {' or '.join(tags)}.", field=path)
    if kind == "union_tag_invalid":
        path += f".{str(problem['ctx']['discriminator']).strip(chr(39))}"
    if kind == "tuple_type":
        return InputError(f"{path}: expected a list{_example(held, value)}{got}.", field=path)
    words = problem_words(problem, yaml=yaml)
    end = "" if words.endswith(".") else "." if value is None else f"{got}."
    cause = cause_of(problem)
    field = ".".join(part for part in (path, cause.field if cause else None) if part)
    return InputError(f"{path}: {words}{end}", field=field or None, suggestion=cause.suggestion if cause else None)


def _got(value: Any) -> str:
    return " (it is empty)" if value is None else f" (got {given(value)})"


def _example(held: list[type[Config]], value: Any) -> str:
    """Return an example of a list, made from the given value if that is allowed in it."""
    scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
    if scalar and (not held or any(_is_one(known, value) for known in held)):
        return f" such as [{shortened(value) if isinstance(value, str) else given(value)}]"
    return f" of tables, such as [{{{_keys(held)[0]}: ...}}]" if held else ""


def _is_one(cls: type[Config], value: Any) -> bool:
    """Return True if a value is a configuration of a class, or a name for one such as `keep-signs`."""
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
    for part in (str(part) for part in location[:-1] if is_key(part)):
        fields = [option.model_fields[part] for option in options if part in option.model_fields]
        tagged = [o for o in options if "name" in o.model_fields and o.model_fields["name"].get_default() == part]
        if not fields and tagged:
            options = tagged
            continue
        written.append(part)
        if fields:
            options = [known for field in fields for known in config_classes(field.annotation)]
    return ".".join([*written, *(str(part) for part in location[-1:] if is_key(part))]), options


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
