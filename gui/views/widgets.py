"""Widgets and layouts in one call; texts from files and users are never rendered as rich text."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, TypeVar

from PySide6.QtGui import QFontDatabase, Qt
from PySide6.QtWidgets import QBoxLayout, QLabel, QLayout, QPlainTextEdit, QTableWidget, QTableWidgetItem, QWidget

from tfticket.text import plain

AnyWidget = TypeVar("AnyWidget", bound=QWidget)


def build(kind: Callable[..., AnyWidget], *arguments: Any, **properties: Any) -> AnyWidget:
    """Return a widget with these Qt properties; PySide6's stubs know none that a widget inherits."""
    return kind(*arguments, **properties)


def fill(
    layout: QBoxLayout,
    *parts: QWidget | QLayout | None,
    margins: tuple[int, int, int, int] | None = None,
    spacing: int | None = None,
    stretch: QWidget | QLayout | None = None,
) -> None:
    """Add widgets and layouts to a layout.

    Args:
        layout: The layout.
        parts: Its parts in order; None is an empty space that takes what room is left.
        margins: Pixels at the left, above, at the right and below.
        spacing: Pixels between parts.
        stretch: The part that takes what room is left.
    """
    if margins is not None:
        layout.setContentsMargins(*margins)
    if spacing is not None:
        layout.setSpacing(spacing)
    for part in parts:
        if part is None:
            layout.addStretch()
        elif isinstance(part, QWidget):
            layout.addWidget(part, int(part is stretch))
        else:
            layout.addLayout(part, int(part is stretch))


def text_label(*arguments: Any, **properties: Any) -> QLabel:
    """Return a label that shows its text verbatim, including any markup."""
    return build(QLabel, *arguments, textFormat=Qt.TextFormat.PlainText, **properties)


def code_box(kind: type[QPlainTextEdit] = QPlainTextEdit, **properties: Any) -> QPlainTextEdit:
    """Return a box of text in a fixed-width font, without line breaks of its own."""
    box = build(kind, lineWrapMode=QPlainTextEdit.LineWrapMode.NoWrap, **properties)
    box.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    return box


def fixed_table(name: str, rows: Sequence[Sequence[str]], columns: int) -> QTableWidget:
    """Return a table that cannot be edited, with the text of each cell as its tooltip."""
    table = build(QTableWidget, len(rows), columns, accessibleName=name)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setAlternatingRowColors(True)
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(tip(text))
            table.setItem(row, column, item)
    return table


def tip(text: str) -> str:
    """Return a text for a tooltip or question, escaped if Qt would take it for rich text."""
    text = plain(text)
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>' if Qt.mightBeRichText(text) else text
