"""Texts from files and users in widgets: never taken for rich text, and without control characters."""

from html import escape
from typing import Any

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QLabel

from tfticket.text import plain


def text_label(*arguments: Any, **options: Any) -> QLabel:
    """Return a label that shows its text as it stands, whatever markup is in it."""
    return QLabel(*arguments, textFormat=Qt.TextFormat.PlainText, **options)


def tip(text: str) -> str:
    """Return a text for a tooltip or a question, where Qt itself decides whether it is rich text."""
    text = plain(text)
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>' if Qt.mightBeRichText(text) else text
