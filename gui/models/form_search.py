"""Fields of a form that fit what is typed to find them, and which fits best."""

from .form_fields import Field


def closeness(field: Field, value: str, text: str) -> int | None:
    """How well a field fits a text that is typed to find it.

    Args:
        field: Which.
        value: Its value as it is typed.
        text: Words, all of which are to be found.

    Returns:
        0 where the text is its label or name, 1 where that begins with the text, 2 where it holds every word, 3 where
        its path does, 4 where its help does too, 5 where its value does too; None where it does not fit.
    """
    words = text.casefold().split()
    sought, label, path = " ".join(words), field.label.casefold(), field.path.casefold()
    names = (label, path.rpartition(".")[2], path)
    if sought in names:
        return 0
    if any(name.startswith(sought) for name in names):
        return 1
    held = label
    for place, more in enumerate((path, field.description.casefold(), value.casefold(), ""), 2):
        if all(word in held for word in words):
            return place
        held = f"{held} {more}"
    return None
