"""The one way in which tests expect bad input to be refused."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tfticket.errors import InputError


@contextmanager
def refused(
    field: str | None = None, suggestion: str | None = None, *mentions: str
) -> Iterator[pytest.ExceptionInfo[InputError]]:
    """Expect an ``InputError`` about a field, with a suggestion and with these facts (names, values) in its message."""
    with pytest.raises(InputError) as error:
        yield error
    actual = (error.value.field, error.value.suggestion)
    assert actual == (field, suggestion), f"{actual} of: {error.value}"
    for mention in mentions:
        assert mention in str(error.value)
