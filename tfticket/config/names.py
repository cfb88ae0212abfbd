"""Names that a configuration may hold."""

from collections.abc import Mapping

from pydantic import AfterValidator

from tfticket.errors import unknown


def known(what: str, table: Mapping[str, object]) -> AfterValidator:
    """A validator that takes the names of a table alone, and suggests the nearest."""

    def check(name: str) -> str:
        if name not in table:
            raise ValueError(unknown(what, name, table))
        return name

    return AfterValidator(check)
