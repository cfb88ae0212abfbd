"""Names of validation rows in files and folders."""

import re
from collections.abc import Collection
from typing import Never

from tfticket.errors import InputError

VALIDATION = ("val", "valid", "validation")
"""Names that are read."""

_WORD = re.compile(
    r"(x|y|images?|labels?|data|my)?"
    r"(val|valid|validate|validating|validation|dev|development|eval|evaluate|evaluation|holdout|heldout)"
    r"(set|split|rows|images?|labels?|data|x|y)?"
)


def means_validation(name: str) -> bool:
    """Return True if a word of a name, in any spelling, stands for validation rows."""
    words = re.findall("[a-z]+", re.sub("(?<=hold|held)[-_ ](?=out)", "", name.lower()))
    return any(map(_WORD.fullmatch, words))


def refuse_unread(where: object, names: Collection[str], expected: str) -> Never:
    """Refuse files, folders or arrays of rows that would be left out in silence."""
    listed = ", ".join(sorted(names)[:8])
    raise InputError(f"{where} has {listed}, which would not be read; expected {expected}. Rename or remove it.")
