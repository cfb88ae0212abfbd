"""Texts from files and users in widgets: never rendered as rich text, without control characters."""

from html import escape
from typing import Any

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QLabel

from tfticket.text import plain


def text_label(*arguments: Any, **options: Any) -> QLabel:
    """Return a label that shows its text verbatim, including any markup."""
    return QLabel(*arguments, textFormat=Qt.TextFormat.PlainText, **options)


def tip(text: str) -> str:
    """Return a text for a tooltip or question, escaped if Qt would take it for rich text."""
    text = plain(text)
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>' if Qt.mightBeRichText(text) else text
