"""Search for fields of a form by typed text."""

from .form_fields import Field


def closeness(field: Field, value: str, text: str) -> int | None:
    """Return how closely a field matches a search text.

    Args:
        field: The field.
        value: Its value as text.
        text: Words that must all occur.

    Returns:
        0 if the text is the field's label or name, 1 if it is the beginning of one, 2 if the label contains every
        word, 3 if label and path do, 4 if these and the help do, 5 if these and the value do; None for no match.
    """
    words = text.casefold().split()
    query, label, path = " ".join(words), field.label.casefold(), field.path.casefold()
    names = (label, path.rpartition(".")[2], path)
    if query in names:
        return 0
    if any(name.startswith(query) for name in names):
        return 1
    searched = label
    for rank, more in enumerate((path, field.description.casefold(), value.casefold(), ""), 2):
        if all(word in searched for word in words):
            return rank
        searched = f"{searched} {more}"
    return None
