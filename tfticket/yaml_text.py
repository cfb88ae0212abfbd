"""Read and write YAML so that every value means what it says.

YAML 1.1, as most Python programs read it, takes ``017`` for 15, ``1:30`` for 90, ``2026-11-30`` for a date and ``1e3``
for a text, and a key that stands twice loses its first value. Here a number is a decimal number, a key is a text that
stands once, and whatever is ambiguous is a text. Depth and size are bounded, since files come from anybody.
"""

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tfticket.errors import InputError, shortened

DEEPEST = 40
"""Lists and tables within one another."""
LARGEST = 2**20
"""Bytes of a text."""
MOST = 100_000
"""Values, those that aliases repeat included."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the faster one, where PyYAML was built with it
_WORDS = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys((word for one in ("true", "yes", "on") for word in (one, one.title(), one.upper())), True)
_WORDS |= dict.fromkeys((word for one in ("false", "no", "off") for word in (one, one.title(), one.upper())), False)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,999})")  # Python converts up to 4,300 digits
_WHOLE, _POWER = r"(?:0|[1-9][0-9]*)", r"[eE][-+]?[0-9]+"
_FLOAT = re.compile(rf"[-+]?(?:(?:{_WHOLE}\.[0-9]*|\.[0-9]+)(?:{_POWER})?|{_WHOLE}{_POWER})")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def load_yaml(text: str | bytes, where: str) -> Any:
    """Read YAML as plain values.

    Args:
        text: One document; bytes are UTF-8, or UTF-16 if they begin with its mark.
        where: The file or option that holds it, for the message; '' for none.
    """
    try:
        if len(text) > LARGEST:
            raise _Refused(f"more than {LARGEST:,} bytes; expected a configuration")
        builder = _Builder()
        for event in yaml.parse(text, Loader=_PARSER):
            builder.take(event)
        return builder.value
    except _Refused as refused:
        place, reason = refused.place, str(refused)
    except UnicodeError:
        place, reason = "", "not readable as YAML: it is not text in UTF-8"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {min(mark.line + 1, max(1, len(text.splitlines())))}: " if mark else ""  # the end is on the last
        reason = f"not readable as YAML: {getattr(error, 'problem', None) or getattr(error, 'reason', None) or error}"
    prefix = f"{where}: " if where else ""
    raise InputError(f"{prefix}{place}{reason}.")


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain values."""
    try:
        if not path.is_file():  # a pipe or a device may never end
            raise InputError(f"{path} is not a file." if path.exists() else f"There is no file {path}.")
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{shortened(str(path))} cannot be read: {why}.") from None
    return load_yaml(text, str(path))


def scalar(text: str) -> Any:
    """Return the value of a text that stands without quotes: null, true or false, a decimal number, or the text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


def write_yaml(values: Any, **options: Any) -> str:
    """Write plain values as YAML; texts that some reader takes for something else are in quotes."""
    text: str = yaml.dump(values, Dumper=_Writer, sort_keys=False, **options)
    return text


class _Writer(yaml.SafeDumper):
    """Quotes what YAML 1.1 or ``scalar`` reads as a number, a date and the like."""


_Writer.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


class _Refused(Exception):
    """YAML that a configuration does not hold."""

    def __init__(self, reason: str, event: Any = None) -> None:
        super().__init__(reason)
        self.place = "" if event is None else f"line {event.start_mark.line + 1}: "


@dataclass
class _Open:
    """A list or table whose end is still to come.

    Attributes:
        value: What it holds so far.
        anchor: Its name for aliases.
        wants_key: Whether the next value is a key.
        key: The key that the next value belongs to; None for '<<'.
        lines: Key -> the line in which it stands.
        merged: Tables that '<<' lays under this one.
        size: Values in it, itself included.
        height: Lists and tables within one another, itself included.
    """

    value: Any
    anchor: str | None = None
    wants_key: bool = False
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)
    merged: list[dict[str, Any]] = field(default_factory=list)
    size: int = 1
    height: int = 1


class _Builder:
    """Plain values from the events of a parser, without recursion."""

    def __init__(self) -> None:
        self._open = [_Open([])]
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._documents = 0
        self._total = 0

    @property
    def value(self) -> Any:
        """The document's value; null where there is none."""
        return next(iter(self._open[0].value), None)

    def take(self, event: Any) -> None:
        """Take the next event."""
        if getattr(event, "tag", None) is not None:
            tag = shortened(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise _Refused(f"the tag {tag} has no meaning here; write the value alone", event)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _Refused("a second document begins (---); expected one", event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)
            case yaml.ScalarEvent() if self._open[-1].wants_key:
                self._take_key(event)
            case yaml.ScalarEvent():
                value = scalar(event.value) if event.implicit[0] else event.value
                self._count(1, 0, event)
                self._add(value, 1, 0, event.anchor, event)
            case yaml.AliasEvent():
                self._repeat(event)

    def _begin(self, event: Any) -> None:
        if self._open[-1].wants_key:
            raise _Refused("a list or table stands as a key; expected a string", event)
        self._count(1, 1, event)
        is_table = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Open({} if is_table else [], event.anchor, wants_key=is_table))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        value = done.value
        for table in done.merged:
            value = {**table, **value}
        self._add(value, done.size, done.height, done.anchor, event)

    def _take_key(self, event: Any) -> None:
        """Take a key as it is written, whatever it looks like."""
        table, line = self._open[-1], event.start_mark.line + 1
        if event.value in table.lines:
            first = table.lines[event.value]
            raise _Refused(f"the key '{shortened(event.value)}' stands twice, first in line {first}; keep one", event)
        table.lines[event.value] = line
        table.key = None if event.value == "<<" and event.implicit[0] else event.value
        table.wants_key = False

    def _repeat(self, event: Any) -> None:
        """Add what an alias stands for once more."""
        if event.anchor not in self._anchors or self._open[-1].wants_key:
            raise _Refused(f"*{event.anchor} stands before its value, or as a key", event)
        value, size, height = self._anchors[event.anchor]
        self._count(size, height, event)
        self._add(copy.deepcopy(value), size, height, None, event)

    def _count(self, size: int, height: int, event: Any) -> None:
        """Refuse what makes the whole too large or too deep."""
        self._total += size
        if self._total > MOST:
            raise _Refused(f"more than {MOST:,} values; expected a configuration", event)
        if len(self._open) - 1 + height > DEEPEST:
            raise _Refused(f"lists and tables more than {DEEPEST} deep in one another", event)

    def _add(self, value: Any, size: int, height: int, anchor: str | None, event: Any) -> None:
        """Put a value in the list or table that is open."""
        holder = self._open[-1]
        holder.size += size
        holder.height = max(holder.height, 1 + height)
        if anchor:
            self._anchors[anchor] = (value, size, height)
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is not None:
            holder.value[holder.key] = value
        else:
            tables = value if isinstance(value, list) else [value]
            if not all(isinstance(table, dict) for table in tables):
                raise _Refused("<< takes a table, or a list of tables, whose keys are laid under these", event)
            holder.merged += tables
        holder.wants_key = isinstance(holder.value, dict)
