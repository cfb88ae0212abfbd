"""Names that a configuration may hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import AfterValidator

from tfticket.errors import unknown


@dataclass(frozen=True, eq=False)
class OneOf:
    """Takes the names of a table alone, and suggests the nearest."""

    what: str
    table: Mapping[str, object]

    def __call__(self, name: str) -> str:
        if name not in self.table:
            raise ValueError(unknown(self.what, name, self.table))
        return name


def known(what: str, table: Mapping[str, object]) -> AfterValidator:
    """A validator that takes the names of a table alone; forms find the table as ``.func.table``."""
    return AfterValidator(OneOf(what, table))


@dataclass(frozen=True, eq=False)
class Suggested:
    """Beside a text's type: names that a form offers, where others are taken too. It checks nothing."""

    table: Mapping[str, object]
