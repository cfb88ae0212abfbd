"""Which fields of several runs' configurations differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfticket.text import one_line


def differences(configurations: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Dotted field -> what each configuration says, of the fields that are not the same in all.

    Args:
        configurations: Name -> plain values.
    """
    flat = [_flat(values) for values in configurations.values()]
    fields = list(dict.fromkeys(field for each in flat for field in each))
    found = [(field, [_text(each.get(field)) for each in flat]) for field in fields]
    return [(one_line(field), said) for field, said in found if len(set(said)) > 1]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(name)}: {_text(one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_text, value)) + "]"
    return one_line(value)
