"""Widgets and layouts in one call; texts from files and users are never rendered as rich text."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, TypeVar

from PySide6 import QtGui
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFontDatabase, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QLineEdit,
    QPlainTextEdit,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

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


def filter_box(placeholder: str, name: str) -> QLineEdit:
    """Return a line for words to search for."""
    return build(QLineEdit, placeholderText=placeholder, accessibleName=name, clearButtonEnabled=True)


def code_box(kind: type[QPlainTextEdit] = QPlainTextEdit, **properties: Any) -> QPlainTextEdit:
    """Return a box of text in a fixed-width font, without line breaks of its own."""
    box = build(kind, **properties)
    box.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    box.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
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
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>' if QtGui.Qt.mightBeRichText(text) else text


ACROSS, DOWN = 10, 6
"""Pixels between items and between lines."""


class FlowLayout(QLayout):
    """Lays items out like text, left to right and then on the next line, as in Qt's example of that name.

    superqt has one too, but its import takes 0.2 s of the 1.5 s in which the window should open.
    """

    def __init__(self) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _arrange(self, rect: QRect, move: bool) -> int:
        """Place the items within a rectangle's width; return the height needed."""
        margins = self.contentsMargins()
        inner = rect.marginsRemoved(margins)
        x, y, line = inner.x(), inner.y(), 0
        for item in (item for item in self._items if not item.isEmpty()):
            size = item.sizeHint()
            if x > inner.x() and x + size.width() > inner.x() + inner.width():
                x, y, line = inner.x(), y + line + DOWN, 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x, line = x + size.width() + ACROSS, max(line, size.height())
        return y + line - rect.y() + margins.bottom()


class ElidedLabel(QLabel):
    """A line of text that is elided if too long; the tooltip shows all of it."""

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        rect = self.contentsRect()
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, rect.width())
        self.setToolTip(tip(self.text()) if shown != self.text() else "")
        QPainter(self).drawText(rect, self.alignment(), shown)
