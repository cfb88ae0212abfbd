"""Fields in which the configurations of several runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfticket.text import one_line


def differences(configurations: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return (dotted field, its value in every configuration) for the fields that are not equal in all.

    Args:
        configurations: Name -> plain values.
    """
    flat = [_flat(values) for values in configurations.values()]
    fields = dict.fromkeys(field for values in flat for field in values)
    rows = [(one_line(field), [_text(values.get(field)) for values in flat]) for field in fields]
    return [(field, texts) for field, texts in rows if len(set(texts)) > 1]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(name)}: {_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_text, value)) + "]"
    return one_line(value)
